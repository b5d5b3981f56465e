"""Derive everything again, or compare what is derived with what the journal says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tracking.core.lifetime import fold
from tracking.mongo.connection import collection
from tracking.projection.definitions import Finder, definitions_of
from tracking.projection.documents import transaction_key
from tracking.projection.follower import Follower
from tracking.projection.journal import JOURNAL, all_records
from tracking.projection.log import CURSOR, CURSOR_NAME, log_size
from tracking.projection.paths import Place, contribution, place_key
from tracking.projection.store import FLOW_BLOCK, TRANSACTION, Change, stored_of

Progress = Callable[[int, int], None]
_GROUP = 500


def rebuild(owner: str, progress: Progress) -> int:
    """Drop everything derived and derive it again; returns the leaves derived.

    A follower that runs may take over on the way: what comes out is the same.
    """
    follower = Follower(owner)
    follower.start_over()
    size = log_size()
    while True:
        follower.step()
        cursor = collection(CURSOR).find_one({"_id": CURSOR_NAME})
        leaf = int(cursor["leaf"]) if cursor else 0
        progress(leaf, size)
        if leaf >= size and not (cursor or {}).get("dropping"):
            follower.resign()
            return size


@dataclass(slots=True)
class Comparison:
    """What `compare` found: keys of transactions, and of learned path entries, that differ."""

    transactions: int = 0
    differing: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    learned: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not (self.differing or self.orphans or self.learned)


def compare(progress: Progress) -> Comparison:
    """Derive everything in memory, transaction by transaction, and compare the bytes.

    Meant for a quiet moment: records that come in meanwhile may show as differences.
    """
    found = Comparison()
    learned: Counter[tuple[Place, str]] = Counter()
    total = collection(TRANSACTION).estimated_document_count()
    finders: dict[str, Finder] = {}
    for tenant, group in _groups():
        finder = finders.setdefault(tenant, definitions_of(tenant))
        stored = stored_of(tenant, [name for name, _records in group])
        for name, records in group:
            change = Change()
            if change.compare(tenant, fold(records, finder), stored):
                found.differing.append(transaction_key(tenant, name))
            kept = stored.transactions.get(transaction_key(tenant, name))
            learned.update(contribution(kept[0] if kept else None))
            found.transactions += 1
        progress(found.transactions, total)
    found.orphans = [
        row["_id"]
        for row in collection(TRANSACTION).find({}, {"tenant": 1, "transaction": 1})
        if collection(JOURNAL).find_one(
            {"tenant": row["tenant"], "transaction": row["transaction"]}, {"_id": 1}
        )
        is None
    ]
    found.learned = _learned_differences(learned)
    return found


def _groups() -> Iterator[tuple[str, list[tuple[str, list[dict[str, Any]]]]]]:
    group: list[tuple[str, list[dict[str, Any]]]] = []
    at: str | None = None
    by_transaction = groupby(
        all_records(), key=lambda row: (row["tenant"], row["transaction"])
    )
    for (tenant, name), records in by_transaction:
        if at is not None and (tenant != at or len(group) >= _GROUP):
            yield at, group
            group = []
        at = tenant
        group.append((name, list(records)))
    if at is not None:
        yield at, group


def _learned_differences(learned: Counter[tuple[Place, str]]) -> list[str]:
    wanted: dict[str, dict[str, int]] = {}
    for (place, name), amount in learned.items():
        wanted.setdefault(place_key(place), {"transactions": 0, "positions": 0})[
            name
        ] = amount
    differing = []
    for row in collection(FLOW_BLOCK).find():
        counts = {"transactions": row["transactions"], "positions": row["positions"]}
        if wanted.pop(row["_id"], None) != counts:
            differing.append(row["_id"])
    return differing + sorted(wanted)
