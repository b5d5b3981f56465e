"""Reading the journal for derivation: the records of batches, of transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from typing import Any

import bson
from pymongo.collection import Collection

from tracking import vocabulary as v
from tracking.mongo.connection import NAIVE, collection
from tracking.projection.log import next_batches

JOURNAL = "journal"
# A transaction's records are held in memory up to this many, and read twice beyond it.
HELD = 20_000
# A step reads this many leaves at a time, and no more once it holds so many bytes of records.
PORTION_LEAVES = 1_000
STEP_BYTES = 4 << 20

Document = dict[str, Any]
Records = list[Document] | Callable[[], Iterator[Document]]

# What the reducer reads. Moments come naive, in UTC: thousands of records a second are
# folded, and an aware one takes twice as long to decode and to encode.
_FOLDED = dict.fromkeys(
    (
        *("transaction", "object_id", "object_type", "flow", "flow_version", "stage", "block"),
        *("status", "attempt", "occurred_at", "queued_at", "started_at", "ended_at"),
        *("recorded_at", "parents", "corrects", "final"),
        *("part.reason", "part.references", "part.usage", "part.cost"),
        *(f"part.exception.{name}" for name in ("type", "message", "code", "location")),
    ),
    1,
)
# What no page about one transaction needs, and what makes a record large.
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


@dataclass(frozen=True, slots=True)
class Leaves:
    """The records of `count` leaves of the log, from `leaf` on, by tenant and transaction."""

    leaf: int
    count: int
    records: dict[str, dict[str, list[Document]]]


def read_leaves(leaf: int, least: int) -> Leaves:
    """The next `least` leaves, with whole batches; fewer where the records are large."""
    found: dict[str, dict[str, list[Document]]] = {}
    leaves = size = 0
    for group in _portions(next_batches(leaf, least=least)):
        for tenant, its in group.items():
            leaves += sum(batch["count"] for batch in its)
            if tenant.startswith(v.ACCESS_MARK):
                continue  # who looked says nothing of any object
            transactions = found.setdefault(tenant, {})
            for records, bytes_read in _read(tenant, its):
                size += bytes_read
                for record in records:
                    transactions.setdefault(record["transaction"], []).append(record)
        if size >= STEP_BYTES:
            break
    return Leaves(leaf, leaves, found)


def _portions(batches: list[dict[str, Any]]) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The batches in order, some at a time, by tenant."""
    portion: dict[str, list[dict[str, Any]]] = {}
    held = 0
    for batch in batches:
        portion.setdefault(batch["tenant"], []).append(batch)
        held += batch["count"]
        if held >= PORTION_LEAVES:
            yield portion
            portion, held = {}, 0
    if portion:
        yield portion


def _read(tenant: str, batches: list[dict[str, Any]]) -> Iterator[tuple[list[Document], int]]:
    query = {
        "tenant": tenant,
        "recorded_at": {"$in": sorted({batch["recorded_at"] for batch in batches})},
        "batch": {"$in": [batch["batch"] for batch in batches]},
    }
    # as bytes first: what a step holds in memory is bounded by them
    for data in _journal().find_raw_batches(query, _FOLDED, batch_size=PORTION_LEAVES):
        yield bson.decode_all(data, NAIVE), len(data)


def records_of(tenant: str, transaction: str, *, limit: int = 0) -> Iterator[dict[str, Any]]:
    """One transaction's records by event time, without their large fields."""
    query = {"tenant": tenant, "transaction": transaction}
    return iter(collection(JOURNAL).find(query, _LEFT_OUT).sort("occurred_at", 1).limit(limit))


def _folded(tenant: str, transaction: str) -> Iterator[dict[str, Any]]:
    query = {"tenant": tenant, "transaction": transaction}
    return iter(_journal().find(query, _FOLDED).sort("occurred_at", 1))


def _journal() -> Collection:
    return collection(JOURNAL).with_options(codec_options=NAIVE)


def records_by_transaction(
    tenant: str, transactions: list[str]
) -> Iterator[tuple[str, str, Records]]:
    """Tenant, name and records of each of `transactions`, one after the other."""
    return _grouped({"tenant": tenant, "transaction": {"$in": transactions}})


def all_records() -> Iterator[tuple[str, str, Records]]:
    """The whole journal but access records, transaction after transaction."""
    return _grouped({"tenant": {"$lt": v.ACCESS_MARK}})


def records_after(tenant: str, after: str) -> Iterator[tuple[str, Records]]:
    """The tenant's transactions behind the name `after`, in the order of their names."""
    query = {"tenant": tenant, "transaction": {"$gt": after}}
    return ((name, records) for _tenant, name, records in _grouped(query))


def tenant_after(tenant: str) -> str | None:
    """The next tenant that has records."""
    query = {"tenant": {"$gt": tenant, "$lt": v.ACCESS_MARK}}
    row = collection(JOURNAL).find_one(query, {"_id": 0, "tenant": 1}, sort=[("tenant", 1)])
    return str(row["tenant"]) if row else None


def _grouped(query: dict[str, Any]) -> Iterator[tuple[str, str, Records]]:
    order = [("tenant", 1), ("transaction", 1), ("occurred_at", 1)]
    rows = _journal().find(query, {**_FOLDED, "tenant": 1}, batch_size=5_000).sort(order)
    for (tenant, name), group in groupby(rows, key=lambda row: (row["tenant"], row["transaction"])):
        held = list(islice(group, HELD + 1))
        yield tenant, name, held if len(held) <= HELD else partial(_folded, tenant, name)
