"""Derive everything again, or compare what is derived with what the journal says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from tracking.core.lifetime import fold
from tracking.core.rollup import entries_of
from tracking.core.tally import Tally, numbers_in
from tracking.mongo.connection import collection
from tracking.projection.definitions import Finder, definitions_of
from tracking.projection.documents import transaction_key
from tracking.projection.follower import Follower
from tracking.projection.journal import HELD, JOURNAL, Records, all_records
from tracking.projection.log import CURSOR, CURSOR_NAME, log_size
from tracking.projection.paths import Learned, path_of, place_key
from tracking.projection.rollups import ROLLUP, cells_of
from tracking.projection.startover import Walk
from tracking.projection.store import BLOCK_PROGRESS, FLOW_BLOCK, TRANSACTION, Change, stored_of

Progress = Callable[[int, int], None]
_GROUP = 500
_PAUSE_SECONDS = 0.05


def rebuild(owner: str, progress: Progress) -> int:
    """Drop everything derived and derive it again; returns the leaves derived.

    A follower that runs may take over on the way: what comes out is the same.
    """
    follower = Follower(owner)
    follower.start_over()
    size = log_size()
    done = 0
    while True:
        step = follower.step()
        if not step:
            time.sleep(_PAUSE_SECONDS)  # another follower leads
        cursor = collection(CURSOR).find_one({"_id": CURSOR_NAME}) or {}
        walk = Walk.of(cursor)
        done += step if walk.walking else 0
        progress(min(done, size), size)
        if not walk.under_way and cursor.get("leaf", 0) >= size:
            follower.resign()
            return size


@dataclass(slots=True)
class Comparison:
    """What `compare` found: keys of transactions, learned path entries and rollups that differ.

    `orphans` are transactions, and blocks, that the journal knows nothing of.
    """

    transactions: int = 0
    differing: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    learned: list[str] = field(default_factory=list)
    rollups: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not (self.differing or self.orphans or self.learned or self.rollups)


def compare(progress: Progress) -> Comparison:
    """Derive everything in memory, transaction by transaction, and compare the bytes.

    Meant for a quiet moment: records that come in meanwhile may show as differences.
    """
    found = Comparison()
    learned, tally = Learned(), Tally()
    total = collection(TRANSACTION).estimated_document_count()
    finders: dict[str, Finder] = {}
    for tenant, group in _groups():
        finder = finders.setdefault(tenant, definitions_of(tenant, naive=True))
        stored = stored_of(tenant, [name for name, _records in group])
        for name, records in group:
            lifetime = fold(records, finder)
            if Change().compare(tenant, lifetime, stored):
                found.differing.append(transaction_key(tenant, name))
            learned.add(tenant, path_of(lifetime))
            tally.exchange(tenant, [], entries_of(lifetime))
            found.transactions += 1
        progress(found.transactions, total)
    found.orphans = [*_orphaned_transactions(), *_orphaned_blocks()]
    found.learned = _learned_differences(learned)
    found.rollups = _rollup_differences(tally)
    return found


def _groups() -> Iterator[tuple[str, list[tuple[str, Records]]]]:
    group: list[tuple[str, Records]] = []
    held = 0
    at: str | None = None
    for tenant, name, records in all_records():
        if at is not None and (tenant != at or len(group) >= _GROUP or held >= HELD):
            yield at, group
            group, held = [], 0
        at = tenant
        group.append((name, records))
        held += len(records) if isinstance(records, list) else 0
    if at is not None:
        yield at, group


def _orphaned_transactions() -> Iterator[str]:
    """Keys of transactions that no record names. By their keys alone: the rest may be anything."""
    for row in collection(TRANSACTION).find({}, {"_id": 1}):
        tenant, _slash, name = row["_id"].partition("/")
        records = {"tenant": tenant, "transaction": name}
        if collection(JOURNAL).find_one(records, {"_id": 1}) is None:
            yield row["_id"]


def _orphaned_blocks() -> Iterator[str]:
    """Keys of blocks whose transaction is not there."""
    blocks = collection(BLOCK_PROGRESS).find({}, {"transaction": 1}, batch_size=5_000)
    for key, group in groupby(blocks.sort("transaction", 1), lambda row: row.get("transaction")):
        if collection(TRANSACTION).find_one({"_id": key}, {"_id": 1}) is None:
            yield from (row["_id"] for row in group)


def _learned_differences(learned: Learned) -> list[str]:
    wanted = {place_key(place): counts for place, counts in learned.counts().items()}
    differing = []
    for row in collection(FLOW_BLOCK).find():
        counts = {"transactions": row["transactions"], "positions": row["positions"]}
        if wanted.pop(row["_id"], None) != counts:
            differing.append(row["_id"])
    return differing + sorted(wanted)


def _rollup_differences(tally: Tally) -> list[str]:
    wanted = {
        key: {name: number for name, number in numbers.items() if number}
        for key, (_naming, numbers) in cells_of(tally).items()
    }
    differing = []
    for row in collection(ROLLUP).find():
        key = row.pop("_id")
        if wanted.pop(key, None) != numbers_in(row):
            differing.append(key)
    return differing + sorted(wanted)
