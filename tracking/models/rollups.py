"""Derived: what the journal says in numbers, by hour, day and month."""

from __future__ import annotations

from typing import Final

from django.db import models

from tracking import vocabulary as v
from tracking.models.immutable import Derived

HOUR, DAY, MONTH = GRAINS = ("hour", "day", "month")
FLOW, BLOCK, EDGE, USAGE, COST = KINDS = ("flow", "block", "edge", "usage", "cost")
# What names a cell beside tenant, time, flow and version, by its kind.
NAMES: Final = {
    FLOW: (),
    BLOCK: ("stage", "block"),
    EDGE: ("source", "target"),
    USAGE: ("block", "resource", "unit", "lost", "vain"),
    COST: ("block", "currency", "lost", "vain"),
}


class Rollup(Derived):
    """One cell: a kind of numbers of one flow and version in one hour, day or month, in UTC.

    The numbers stand beside these fields, by kind (docs/insights.md names them). `lines`: how
    many entries of transactions make it up.
    """

    key = models.CharField(primary_key=True, max_length=800, db_column="_id")
    tenant = models.CharField(max_length=40)
    kind = models.CharField(max_length=5)
    grain = models.CharField(max_length=5)
    at = models.DateTimeField()
    flow = models.CharField(max_length=v.NAME_MAX)
    version = models.CharField(max_length=v.NAME_MAX)
    lines = models.BigIntegerField()

    class Meta:
        db_table = "rollup"
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=("tenant", "kind", "grain", "at", "flow"), name="rollup_cell"),
        )


class RollupPart(Derived):
    """What a transaction of very many entries adds to rollups, a piece of it."""

    key = models.CharField(primary_key=True, max_length=200, db_column="_id")
    transaction = models.CharField(max_length=170)
    text = models.TextField()

    class Meta:
        db_table = "rollup_part"
        base_manager_name = "objects"
        indexes = (models.Index(fields=("transaction",), name="rollup_part"),)
