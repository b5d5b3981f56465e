"""Spans of many visits or objects together: how many, their mean, median and 95th percentile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracking.core.sketch import quantiles


class Durations:
    """The sum of sketches as cells hold them (`{n, ms, b}`); spans are in ms."""

    __slots__ = ("buckets", "ms", "n")

    def __init__(self) -> None:
        self.n = 0
        self.ms = 0
        self.buckets: dict[str, int] = {}

    def add(self, sketch: Mapping[str, Any] | None) -> None:
        if not sketch:
            return
        self.n += sketch.get("n", 0)
        self.ms += sketch.get("ms", 0)
        buckets = self.buckets
        for bucket, count in sketch.get("b", {}).items():
            buckets[bucket] = buckets.get(bucket, 0) + count

    def include(self, other: Durations) -> None:
        self.add({"n": other.n, "ms": other.ms, "b": other.buckets})

    @property
    def mean(self) -> int | None:
        """Exact but for the last half millisecond."""
        return (2 * self.ms + self.n) // (2 * self.n) if self.n else None

    def median_and_p95(self) -> tuple[int | None, int | None]:
        """Within 1 % of the exact ones."""
        counted = {int(bucket): count for bucket, count in self.buckets.items()}
        median, p95 = quantiles(counted, (0.5, 0.95))
        return _whole(median), _whole(p95)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
