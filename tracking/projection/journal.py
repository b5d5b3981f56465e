"""Reading the journal for derivation: a batch's transactions, a transaction's records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby, islice
from typing import Any

from tracking.mongo.connection import collection

JOURNAL = "journal"
# A transaction's records are held in memory up to this many, and read twice beyond it.
HELD = 20_000

Document = dict[str, Any]
Records = list[Document] | Callable[[], Iterator[Document]]

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
        rows = collection(JOURNAL).find(query, {"_id": 0, "transaction": 1}, batch_size=5_000)
        found[tenant] = {row["transaction"] for row in rows}
    return found


def records_of(tenant: str, transaction: str, *, limit: int = 0) -> Iterator[dict[str, Any]]:
    """One transaction's records by event time, without their large fields."""
    query = {"tenant": tenant, "transaction": transaction}
    return iter(collection(JOURNAL).find(query, _LEFT_OUT).sort("occurred_at", 1).limit(limit))


def records_by_transaction(
    tenant: str, transactions: list[str]
) -> Iterator[tuple[str, str, Records]]:
    """Tenant, name and records of each of `transactions`, one after the other."""
    return _grouped({"tenant": tenant, "transaction": {"$in": transactions}})


def all_records() -> Iterator[tuple[str, str, Records]]:
    """The whole journal, transaction after transaction."""
    return _grouped({})


def records_after(tenant: str, after: str) -> Iterator[tuple[str, Records]]:
    """The tenant's transactions behind the name `after`, in the order of their names."""
    query = {"tenant": tenant, "transaction": {"$gt": after}}
    return ((name, records) for _tenant, name, records in _grouped(query))


def tenant_after(tenant: str) -> str | None:
    """The next tenant that has records."""
    query = {"tenant": {"$gt": tenant}}
    row = collection(JOURNAL).find_one(query, {"_id": 0, "tenant": 1}, sort=[("tenant", 1)])
    return str(row["tenant"]) if row else None


def _grouped(query: dict[str, Any]) -> Iterator[tuple[str, str, Records]]:
    order = [("tenant", 1), ("transaction", 1), ("occurred_at", 1)]
    rows = collection(JOURNAL).find(query, _LEFT_OUT, batch_size=5_000).sort(order)
    for (tenant, name), group in groupby(rows, key=lambda row: (row["tenant"], row["transaction"])):
        held = list(islice(group, HELD + 1))
        yield tenant, name, held if len(held) <= HELD else partial(records_of, tenant, name)
