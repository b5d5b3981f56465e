"""The rollups that are stored, held against the oracle's."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tests.core import rollup_oracle
from tracking.core.tally import numbers_in
from tracking.models.rollups import NAMES
from tracking.mongo.connection import collection
from tracking.projection.definitions import definitions_of


def stored_cells(tenant: str) -> dict[rollup_oracle.Cell, dict[str, Fraction]]:
    """Cells as the oracle has them: limbs put together, no count of lines."""
    found = {}
    for row in collection("rollup").find({"tenant": tenant}):
        names = tuple(row[name] for name in NAMES[row["kind"]])
        numbers: dict[str, Fraction] = {}
        scaled = 0
        for name, number in numbers_in(row).items():
            if name in ("q0", "q1", "q2", "q3"):
                scaled += number * 10 ** (9 * int(name[1]))
            elif name != "lines":
                numbers[name] = Fraction(number)
        if scaled:
            numbers["sum"] = Fraction(scaled, 10**18)
        assert row["lines"] > 0, "a cell of nothing"
        found[row["kind"], row["grain"], row["at"], row["flow"], row["version"], names] = numbers
    return found


def assert_rollups_equal_oracle(tenant: str = "acme") -> int:
    """Compare every number of every cell; how many cells there are."""
    by_transaction: dict[str, list[dict[str, Any]]] = {}
    for document in collection("journal").find({"tenant": tenant}):
        by_transaction.setdefault(document["transaction"], []).append(document)
    wanted = rollup_oracle.cells(by_transaction.values(), definitions_of(tenant))
    found = stored_cells(tenant)
    visits = sum(
        number
        for place, numbers in wanted.items()
        if place[:2] == ("block", "month")
        for name, number in numbers.items()
        if name.startswith("visits.")
    )
    for place in wanted.keys() | found.keys():
        ours, theirs = found.get(place, {}), wanted.get(place, {})
        for name in ours.keys() | theirs.keys():
            off = abs(ours.get(name, Fraction(0)) - theirs.get(name, Fraction(0)))
            # parts of a millisecond are rounded, visit by visit
            allowed = visits if name in rollup_oracle.SHARED else 0
            assert off <= allowed, (place, name, ours.get(name), theirs.get(name))
    for grain in ("hour", "day", "month"):
        shared = sum(
            numbers.get(name, Fraction(0))
            for place, numbers in found.items()
            if place[:2] == ("block", grain)
            for name in ("share.queue_ms", "share.work_ms")
        )
        spans = collection("transaction").find({"tenant": tenant}, {"throughput_ms": 1})
        assert shared == sum(row["throughput_ms"] for row in spans), "shared out exactly"
    return len(found)
