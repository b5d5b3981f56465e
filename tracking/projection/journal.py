"""Reading the journal for derivation: a batch's transactions, a transaction's records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from tracking.mongo.connection import collection

JOURNAL = "journal"

# What no derived field needs, and what makes a record large.
_LEFT_OUT = {
    "salt": 0,
    "part_hash": 0,
    "lane": 0,
    "producer": 0,
    "batch": 0,
    "index": 0,
    "part.attributes": 0,
    "part.payload": 0,
    "part.exception.stacktrace": 0,
}


def touched(batches: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """The transactions, by tenant, that these sealed batches have records of."""
    by_tenant: dict[str, list[dict[str, Any]]] = {}
    for batch in batches:
        by_tenant.setdefault(batch["tenant"], []).append(batch)
    found: dict[str, set[str]] = {}
    for tenant, its in by_tenant.items():
        query = {
            "tenant": tenant,
            "recorded_at": {"$in": sorted({batch["recorded_at"] for batch in its})},
            "batch": {"$in": [batch["batch"] for batch in its]},
        }
        rows = collection(JOURNAL).find(
            query, {"_id": 0, "transaction": 1}, batch_size=5_000
        )
        found[tenant] = {row["transaction"] for row in rows}
    return found


def records_of(
    tenant: str, transaction: str, *, limit: int = 0
) -> Iterator[dict[str, Any]]:
    """One transaction's records by event time, without their large fields."""
    query = {"tenant": tenant, "transaction": transaction}
    return iter(
        collection(JOURNAL).find(query, _LEFT_OUT).sort("occurred_at", 1).limit(limit)
    )


def records_by_transaction(
    tenant: str, transactions: list[str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The records of each of `transactions`, one transaction after the other."""
    query = {"tenant": tenant, "transaction": {"$in": transactions}}
    rows = (
        collection(JOURNAL)
        .find(query, _LEFT_OUT, batch_size=5_000)
        .sort([("tenant", 1), ("transaction", 1), ("occurred_at", 1)])
    )
    for transaction, group in groupby(rows, key=lambda row: str(row["transaction"])):
        yield transaction, list(group)


def all_records() -> Iterator[dict[str, Any]]:
    """The whole journal, transaction after transaction."""
    order = [("tenant", 1), ("transaction", 1), ("occurred_at", 1)]
    return iter(collection(JOURNAL).find({}, _LEFT_OUT, batch_size=5_000).sort(order))
