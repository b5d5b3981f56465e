"""Counts and durations that are being added up out of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.sketch import quantiles

ENDINGS: Final = (v.DELIVERED, v.TX_FAILED, v.TX_FILTERED)


@dataclass(frozen=True, slots=True)
class Spans:
    """Throughput times of so many objects, in ms; None of none."""

    n: int
    mean: float | None = None
    median: float | None = None
    p95: float | None = None


@dataclass(slots=True)
class Sketch:
    """A sketch that is being added up, by buckets as a cell names them."""

    n: int = 0
    ms: int = 0
    buckets: dict[str, int] = field(default_factory=dict)

    def add(self, sketch: Mapping[str, Any] | None) -> None:
        if not sketch:
            return
        self.n += sketch.get("n", 0)
        self.ms += sketch.get("ms", 0)  # a sum of 0 is not written
        mine = self.buckets
        for bucket, count in sketch.get("b", {}).items():
            mine[bucket] = mine.get(bucket, 0) + count

    def spans(self) -> Spans:
        if not self.n:
            return Spans(0)
        by_number = {int(bucket): count for bucket, count in self.buckets.items()}
        median, p95 = quantiles(by_number, (0.5, 0.95))  # None where buckets were not read
        return Spans(self.n, self.ms / self.n, median, p95)


@dataclass(slots=True)
class Counts:
    """Objects that started, and that ended by status; records by status."""

    started: int = 0
    delivered: int = 0
    failed: int = 0
    filtered: int = 0
    records: dict[str, int] = field(default_factory=lambda: dict.fromkeys(v.STATUSES, 0))

    @property
    def ended(self) -> int:
        return self.delivered + self.failed + self.filtered

    @property
    def recorded(self) -> int:
        return sum(self.records.values())

    @property
    def failed_share(self) -> float | None:
        """Of what ended."""
        return self.failed / self.ended if self.ended else None

    def add_objects(self, numbers: Mapping[str, int]) -> None:
        self.started += numbers["started"]
        self.delivered += numbers[v.DELIVERED]
        self.failed += numbers[v.TX_FAILED]
        self.filtered += numbers[v.TX_FILTERED]

    def add_records(self, numbers: Mapping[str, int]) -> None:
        for status in v.STATUSES:
            self.records[status] += numbers[status]
