"""The yardstick of insights: the same questions, asked of records by aggregation."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from bson.decimal128 import Decimal128
from pymongo.collection import Collection

from tracking import clock
from tracking.bench.rollups import CURRENCY, RESOURCES, TENANT, block_of, flow_of

_BLOCKS: Final = 10
_STATUSES: Final = ("queued", "started", "succeeded")
_DAYS: Final = 30
_BATCH: Final = 10_000


@dataclass(frozen=True)
class Question:
    name: str
    stages: list[dict[str, Any]]


_DAY: Final = {"$dateTrunc": {"date": "$occurred_at", "unit": "day"}}
_MATCH: Final = {"$match": {"tenant": TENANT}}


def _at(status: str) -> dict[str, Any]:
    return {"$min": {"$cond": [{"$eq": ["$status", status]}, "$occurred_at", None]}}


QUESTIONS: Final = (
    Question(
        "by status and day",
        [_MATCH, {"$group": {"_id": {"day": _DAY, "status": "$status"}, "n": {"$sum": 1}}}],
    ),
    Question(
        "queue and work by block",
        [
            _MATCH,
            {
                "$group": {
                    "_id": {"visit": "$transaction", "block": "$block", "attempt": "$attempt"},
                    **{status: _at(status) for status in _STATUSES},
                }
            },
            {
                "$group": {
                    "_id": "$_id.block",
                    "queue": {"$sum": {"$subtract": ["$started", "$queued"]}},
                    "work": {"$sum": {"$subtract": ["$succeeded", "$started"]}},
                    "n": {"$sum": 1},
                }
            },
        ],
    ),
    Question(
        "usage by day and block",
        [
            _MATCH,
            {"$unwind": "$usage"},
            {
                "$group": {
                    "_id": {"day": _DAY, "block": "$block", "resource": "$usage.resource"},
                    "quantity": {"$sum": "$usage.quantity"},
                }
            },
        ],
    ),
)


def write_journal(journal: Collection[Any], count: int, flows: int) -> None:
    """So many records, each with no more than these questions need."""
    batch: list[dict[str, Any]] = []
    for record in _records(count, flows):
        batch.append(record)
        if len(batch) == _BATCH:
            journal.insert_many(batch, ordered=False)
            batch = []
    if batch:
        journal.insert_many(batch, ordered=False)


def _records(count: int, flows: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(1)  # noqa: S311
    begin = clock.now() - timedelta(days=_DAYS)
    each = _BLOCKS * len(_STATUSES)
    quantities = [Decimal128(f"0.{chance.randrange(10**6):06d}") for _ in range(100)]
    step = timedelta(days=_DAYS) / max(1, count)
    for number in range(count):
        thing, place = divmod(number, each)
        block, status = divmod(place, len(_STATUSES))
        record: dict[str, Any] = {
            "_id": f"{TENANT}/r-{number:09d}",
            "tenant": TENANT,
            "transaction": f"t-{thing:08d}",
            "flow": flow_of(thing % flows),
            "block": block_of(block),
            "attempt": 1,
            "status": _STATUSES[status],
            "occurred_at": begin + number * step,
        }
        if record["status"] == _STATUSES[-1]:
            record["usage"] = [
                {"resource": resource, "unit": unit, "quantity": quantities[number % 100]}
                for resource, unit in RESOURCES
            ]
            record["cost"] = {"amount": quantities[thing % 100], "currency": CURRENCY}
        yield record
