"""Durations counted by size, so that quantiles can be told of any sum of them. Pure.

A sketch maps buckets to counts. Bucket 0 holds spans of 0 ms; up to 50 ms each millisecond has
a bucket of its own; beyond, a bucket ends at 1.02 times the end of the one before. What is
told of a bucket is at most 1 % off anything in it. The ends are whole numbers found by whole
numbers, the same on every machine; sketches of the same kind are merged by adding counts, and a
span is taken back by subtracting it where it was added. Scheme: Masson, Rim, Lee, "DDSketch"
(VLDB 2019), with fixed ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from math import ceil, floor
from typing import Final

# What no lifetime exceeds: the years 1970 to 2200, in milliseconds.
_LONGEST: Final = 231 * 366 * 86_400_000


def _ends() -> list[int]:
    ends = [0]
    while ends[-1] < _LONGEST:
        ends.append(max(ends[-1] + 1, ends[-1] * 102 // 100))
    return ends


ENDS: Final = _ends()
Buckets = Mapping[int, int]


def bucket_of(span: int) -> int:
    """The bucket of a span in ms, at least 0."""
    return bisect_left(ENDS, span)


def value_of(bucket: int) -> float:
    """What is told of a bucket, in ms: off its lowest and its highest span by the same share."""
    high = ENDS[bucket]
    low = ENDS[bucket - 1] + 1 if bucket else 0
    return float(high) if low == high else 2 * low * high / (low + high)


def merged(sketches: Iterable[Buckets]) -> dict[int, int]:
    """One sketch of all; buckets whose counts cancel out are left out."""
    found: dict[int, int] = {}
    for sketch in sketches:
        for bucket, count in sketch.items():
            found[bucket] = found.get(bucket, 0) + count
    return {bucket: count for bucket, count in found.items() if count}


def quantile(buckets: Buckets, share: float) -> float | None:
    """The span in ms that `share` of all (0 to 1) do not exceed; None of nothing.

    Between two neighbours by rank it lies as far as the rank does, as most tools have it.
    """
    (found,) = quantiles(buckets, (share,))
    return found


def quantiles(buckets: Buckets, shares: Iterable[float]) -> list[float | None]:
    """`quantile` for several shares, sorting once."""
    ordered = sorted((bucket, count) for bucket, count in buckets.items() if count > 0)
    total = sum(count for _bucket, count in ordered)
    return [_at(ordered, total, share) for share in shares]


def _at(ordered: list[tuple[int, int]], total: int, share: float) -> float | None:
    if not total:
        return None
    rank = share * (total - 1)
    low, high = floor(rank), ceil(rank)
    passed = 0
    below: float | None = None
    for bucket, count in ordered:
        passed += count
        if below is None and low < passed:
            below = value_of(bucket)
        if high < passed:
            above = value_of(bucket)
            return above if below is None else below + (above - below) * (rank - low)
    return below
