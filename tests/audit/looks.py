"""Reading back what was written down, by plain queries of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tracking.mongo.connection import collection


def accesses(tenant: str = "acme") -> list[dict[str, Any]]:
    """Access records of a tenant, the oldest first, their attributes as one dictionary."""
    rows = collection("journal").find({"tenant": f"~{tenant}"}).sort([("_id", 1)])
    return [{**row, "said": said(row)} for row in rows]


def said(row: dict[str, Any]) -> dict[str, Any]:
    return {pair["name"]: pair["value"] for pair in row.get("part", {}).get("attributes", ())}


@contextmanager
def noted(tenant: str = "acme") -> Iterator[list[dict[str, Any]]]:
    """What is written down meanwhile."""
    before = {row["_id"] for row in accesses(tenant)}
    found: list[dict[str, Any]] = []
    yield found
    found += [row for row in accesses(tenant) if row["_id"] not in before]


@contextmanager
def unwritable() -> Iterator[None]:
    """MongoDB itself refuses access records, and nothing else."""
    database = connection.database
    rule = {"tenant": {"$lt": "~"}}
    database.command("collMod", "journal", validator=rule)
    try:
        yield
    finally:
        database.command("collMod", "journal", validator={})
