"""Recorded, sealed, anchored: how far records have come, and never further than is true.

A record is exact: its leaf index is compared with what was signed and published. A list cannot
ask for the records of each of its rows; it compares record times: whatever was recorded before
the oldest batch that no checkpoint covers is sealed, before the oldest that no anchor covers,
anchored. One batch that waits holds back what is said of all that came after it, so the list
may say less than is true, for as long as it waits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.anchoring.anchor import ANCHOR, CHECKPOINT, last_anchor, newest_size
from tracking.core.merkle import HASH_BYTES
from tracking.mongo.connection import collection, database

SEGMENT: Final = "log_segment"
SEAL_QUEUE: Final = "seal_queue"
# Segments read for one page; a page that would need more says less.
_READ_MOST: Final = 200
_RUNS_MOST: Final = 4_096
_ANCHORS_LOOKED_AT: Final = 50
_END: Final = datetime(9999, 1, 1, tzinfo=UTC)


# --- One record, and the records of a page ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Anchored:
    """Where and when a checkpoint was published."""

    kind: str
    target: str
    size: int
    anchored_at: datetime


@dataclass(frozen=True, slots=True)
class RecordState:
    """How far one record has come. `checkpoint` is the size of the first that covers it,
    `anchors` the first anchor that covers it at each target, the earliest first. `altered`: at
    its place the log has another leaf, so what is stored was never sealed."""

    state: str
    leaf_index: int | None = None
    checkpoint: int | None = None
    sealed_at: datetime | None = None
    anchors: tuple[Anchored, ...] = ()
    altered: bool = False

    @property
    def anchored_at(self) -> datetime | None:
        return self.anchors[0].anchored_at if self.anchors else None


def state_of_record(batch: str, place: int, leaf: bytes) -> RecordState:
    """Of the record at `place` of `batch`, whose leaf hash is `leaf`: exact."""
    segment = collection(SEGMENT).find_one({"batches.batch": batch}, {"batches": 1, "leaves": 1})
    if segment is None:
        return RecordState(v.RECORDED)
    start = int(segment["_id"])
    index = _span(segment, batch)[0] + place
    at = (index - start) * HASH_BYTES
    if bytes(segment["leaves"][at : at + HASH_BYTES]) != leaf:
        return RecordState(v.RECORDED, altered=True)
    first = collection(CHECKPOINT).find_one(
        {"_id": {"$gt": index}}, {"signed_at": 1}, sort=[("_id", 1)]
    )
    if first is None:
        return RecordState(v.RECORDED, index)
    found = first_anchors(index)
    state = v.ANCHORED if found else v.SEALED
    return RecordState(state, index, int(first["_id"]), first["signed_at"], found)


def first_anchors(index: int) -> tuple[Anchored, ...]:
    """The first anchor at each target that covers leaf `index`, the earliest first."""
    query = {"size": {"$gt": index}}
    rows = collection(ANCHOR).find(query, {"token": 0}).sort("size", 1).limit(_ANCHORS_LOOKED_AT)
    first: dict[str, Anchored] = {}
    for row in _of_this_log(list(rows)):
        first.setdefault(row["target"], _anchored(row))
    return tuple(sorted(first.values(), key=lambda each: each.anchored_at))


def anchors_of(sizes: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The rows of the anchors of exactly these checkpoints, by size, the earliest first."""
    found: dict[int, list[dict[str, Any]]] = {size: [] for size in sizes}
    for row in _of_this_log(list(collection(ANCHOR).find({"size": {"$in": list(sizes)}}))):
        found[row["size"]].append(row)
    for rows in found.values():
        rows.sort(key=lambda row: row["anchored_at"])
    return found


def _of_this_log(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the anchors whose checkpoint the log has (see last_anchor)."""
    sizes = {"$in": [row["size"] for row in rows]}
    known = collection(CHECKPOINT).find({"_id": sizes}, {"root": 1}) if rows else ()
    roots = {row["_id"]: row["root"] for row in known}
    return [row for row in rows if roots.get(row["size"]) == row["root"]]


def states_of_batches(batches: Iterable[str]) -> dict[str, str]:
    """The state of every record of each batch: a batch is sealed as a whole. Exact."""
    wanted = sorted(set(batches))
    if not wanted:
        return {}
    # Before the segments: what grows meanwhile makes the answer older, never wrong.
    sealed = newest_size()
    anchored = anchored_size(sealed)
    spans = _spans(wanted)
    return {
        batch: _state(spans[batch][1], sealed, anchored) if batch in spans else v.RECORDED
        for batch in wanted
    }


def _state(end: int, sealed: int, anchored: int) -> str:
    if end > sealed:
        return v.RECORDED
    return v.SEALED if end > anchored else v.ANCHORED


def anchored_size(sealed: int) -> int:
    """The leaves of the log of `sealed` leaves that some anchor covers."""
    row = last_anchor(sealed)
    return int(row["size"]) if row else 0


def _span(segment: dict[str, Any], batch: str) -> tuple[int, int]:
    """First leaf and end of a batch in its segment."""
    at = int(segment["_id"])
    for each in segment["batches"]:
        if each["batch"] == batch:
            return at, at + each["count"]
        at += each["count"]
    raise LookupError(batch)


def _spans(batches: list[str]) -> dict[str, tuple[int, int]]:
    """First leaf and end of each batch that stands in the log."""
    found: dict[str, tuple[int, int]] = {}
    query = {"batches.batch": {"$in": batches}}
    wanted = set(batches)
    for segment in collection(SEGMENT).find(query, {"batches.batch": 1, "batches.count": 1}):
        at = int(segment["_id"])
        for each in segment["batches"]:
            if each["batch"] in wanted:
                found[each["batch"]] = (at, at + each["count"])
            at += each["count"]
    return found


def _anchored(row: dict[str, Any]) -> Anchored:
    return Anchored(row["kind"], row["target"], int(row["size"]), row["anchored_at"])


# --- Lists -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Everything that was recorded before `sealed` is sealed, before `anchored`, anchored."""

    sealed: datetime
    anchored: datetime

    def state_of(self, recorded_at: datetime | None) -> str:
        """Of what was derived from records of which the last was recorded at this time."""
        if recorded_at is None or recorded_at >= self.sealed:
            return v.RECORDED
        return v.SEALED if recorded_at >= self.anchored else v.ANCHORED


def cutoffs() -> Cutoffs:
    """How far everything has come; read after the rows that it is to be said of.

    Records of these rows were in the database before, so each of their batches is covered by the
    checkpoint, or waits in the queue, or stands in a segment behind the checkpoint, whichever way
    it goes between these three reads.
    """
    sealed = newest_size()
    anchored = anchored_size(sealed)
    first = collection(SEAL_QUEUE).find_one(
        {}, {"recorded_at": 1}, sort=[("recorded_at", 1), ("_id", 1)]
    )
    queued = first["recorded_at"] if first else _END
    rows = list(_times(sealed))
    behind = min(map(_oldest, rows), default=_END) if len(rows) < _READ_MOST else clock.EPOCH
    unanchored = _uncovered().oldest_behind(anchored) if anchored else clock.EPOCH
    not_sealed = min(queued, behind)
    return Cutoffs(not_sealed, min(not_sealed, unanchored))


def _times(start: int) -> Any:
    """The record times of the segments from `start` on."""
    shown = {"batches.recorded_at": 1, "count": 1, "sealed_at": 1}
    return (
        collection(SEGMENT).find({"_id": {"$gte": start}}, shown).sort("_id", 1).limit(_READ_MOST)
    )


def _oldest(segment: dict[str, Any]) -> datetime:
    return min((each["recorded_at"] for each in segment["batches"]), default=_END)


class Uncovered:
    """The oldest record time behind a place of the log, kept up with as the log grows.

    Segments never change, so each is read once. `_runs` are (end, oldest) of the segments behind
    the place that was asked for last; two of them may become one, which only makes it older.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._from = -1
        self._runs: list[tuple[int, datetime]] = []
        self._last: dict[str, Any] | None = None

    def oldest_behind(self, size: int) -> datetime:
        """The least record time of the leaves from `size` on; the beginning of time while it has
        not read them all, the end of it where there is none."""
        with self._lock:
            last = self._last
            if size < self._from or (last and last["_id"] + last["count"] <= size):
                self._forget()  # what was read tells nothing of what is asked
            rows = list(_times(self._last["_id"] if self._last else size))
            if self._last is not None and (not rows or rows[0] != self._last):
                # Another log than before: a database that was restored.
                self._forget()
                rows = list(_times(size))
            self._from = size
            for row in rows[1 if self._last else 0 :]:
                self._runs.append((row["_id"] + row["count"], _oldest(row)))
            self._last = rows[-1] if rows else None
            self._runs = _merged([run for run in self._runs if run[0] > size])
            if len(rows) >= _READ_MOST:
                return clock.EPOCH
            return min((oldest for _end, oldest in self._runs), default=_END)


def _merged(runs: list[tuple[int, datetime]]) -> list[tuple[int, datetime]]:
    if len(runs) <= _RUNS_MOST:
        return runs
    pairs = [runs[at : at + 2] for at in range(0, len(runs), 2)]
    return [(pair[-1][0], min(oldest for _end, oldest in pair)) for pair in pairs]


_by_database: dict[str, Uncovered] = {}


def _uncovered() -> Uncovered:
    """This process's own; of the database it works on."""
    return _by_database.setdefault(database().name, Uncovered())
