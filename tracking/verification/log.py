"""The log as this process has read and checked it: every leaf, and where each batch begins."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tracking import clock
from tracking.mongo.connection import collection
from tracking.verification.records import HASH_BYTES
from tracking.verification.shape import split

SEGMENT: Final = "log_segment"
CHECKPOINT: Final = "log_checkpoint"
SEAL_QUEUE: Final = "seal_queue"
JOURNAL: Final = "journal"
_AT_ONCE: Final = 100
# One holds the leaves of thousands of records.
_SEGMENTS_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch's place: leaves [first, first + count) of `Log.leaves`."""

    first: int
    count: int
    tenant: str
    recorded_ms: int


@dataclass(slots=True)
class Log:
    """Leaves in the order of the log, 32 bytes each; batches by their id, packed in arrays.

    Where segments are missing, the places of later leaves in `leaves` are less than their index;
    `index_of` gives that.
    """

    leaves: bytearray = field(default_factory=bytearray)
    numbers: dict[str, int] = field(default_factory=dict)
    firsts: array[int] = field(default_factory=lambda: array("q"))
    counts: array[int] = field(default_factory=lambda: array("l"))
    moments: array[int] = field(default_factory=lambda: array("q"))
    owners: array[int] = field(default_factory=lambda: array("l"))
    tenants: list[str] = field(default_factory=list)
    size: int = 0
    root: bytes = b""
    _tenant_numbers: dict[str, int] = field(default_factory=dict)
    _segment_places: array[int] = field(default_factory=lambda: array("q"))
    _segment_starts: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.leaves) // HASH_BYTES

    def begin_segment(self, start: int) -> None:
        self._segment_places.append(len(self))
        self._segment_starts.append(start)

    def add_batch(self, batch: str, first: int, count: int, tenant: str, recorded_ms: int) -> None:
        self.numbers[batch] = len(self.firsts)
        self.firsts.append(first)
        self.counts.append(count)
        self.moments.append(recorded_ms)
        if tenant not in self._tenant_numbers:
            self._tenant_numbers[tenant] = len(self.tenants)
            self.tenants.append(tenant)
        self.owners.append(self._tenant_numbers[tenant])

    def batch(self, name: str) -> Batch | None:
        number = self.numbers.get(name)
        return None if number is None else self.numbered(number)

    def numbered(self, number: int) -> Batch:
        return Batch(
            self.firsts[number],
            self.counts[number],
            self.tenants[self.owners[number]],
            self.moments[number],
        )

    def number_at(self, place: int) -> int:
        """The number of the batch that has this place of `leaves`."""
        return bisect_right(self.firsts, place) - 1

    def index_of(self, place: int) -> int:
        """The leaf index of the log at this place of `leaves`."""
        segment = bisect_right(self._segment_places, place) - 1
        if segment < 0:
            return place
        return self._segment_starts[segment] + place - self._segment_places[segment]

    def place_of(self, index: int) -> int:
        """The place in `leaves` where leaf `index` of the log stands, or would."""
        segment = bisect_right(self._segment_starts, index) - 1
        if segment < 0:
            return 0
        return self._segment_places[segment] + index - self._segment_starts[segment]

    def unclaimed(self, claims: Any, low: int, high: int) -> Iterator[tuple[str, int, int]]:
        """Batch, place in it and place in the log of each leaf in [low, high) nobody claimed."""
        names: list[str] | None = None
        at = claims.find(b"\0", low, high)
        while at >= 0:
            names = names or list(self.numbers)
            number = self.number_at(at)
            yield names[number], at - self.firsts[number], at
            at = claims.find(b"\0", at + 1, high)


def milliseconds(moment: datetime) -> int:
    """Of a moment as it was read: UTC, without saying so."""
    return clock.to_ms(moment.replace(tzinfo=UTC))


def moment_of_batch(batch: str) -> int | None:
    """The milliseconds in a UUIDv7; None for another text."""
    try:
        return int(batch[:8] + batch[9:13], 16) if len(batch) == 36 and batch[14] == "7" else None
    except ValueError:
        return None


def documents(name: str) -> Iterator[bytes]:
    """All documents of a collection by their keys, as stored."""
    some = _SEGMENTS_AT_ONCE if name == SEGMENT else _AT_ONCE
    for data in collection(name).find_raw_batches({}, sort=[("_id", 1)], batch_size=some):
        yield from split(data)
