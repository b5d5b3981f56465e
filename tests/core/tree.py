"""The tree of RFC 9162 by its recursive definitions, word for word: what ours is held against."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

from tracking.core.merkle import consistency_ranges, inclusion_ranges, range_hash


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


SIZES = 700
LEAVES = [leaf(str(number).encode()) for number in range(SIZES)]


def _remembering(define: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    known: dict[tuple[int, int], bytes] = {}

    def of(low: int, high: int) -> bytes:
        if (low, high) not in known:
            known[low, high] = define(low, high)
        return known[low, high]

    return of


def _mth(low: int, high: int) -> bytes:
    """MTH of LEAVES[low:high], 2.1.1."""
    if high - low == 1:
        return LEAVES[low]
    middle = low + _k(high - low)
    return node_hash(mth(low, middle), mth(middle, high))


mth = _remembering(_mth)


def _k(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def path(m: int, low: int, high: int) -> list[bytes]:
    """PATH(m, D[low:high]), 2.1.3.1."""
    if high - low == 1:
        return []
    middle = low + _k(high - low)
    if m < middle - low:
        return [*path(m, low, middle), mth(middle, high)]
    return [*path(m - (middle - low), middle, high), mth(low, middle)]


def subproof(m: int, low: int, high: int, *, known: bool) -> list[bytes]:
    """SUBPROOF(m, D[low:high], known), 2.1.4.1."""
    if m == high - low:
        return [] if known else [mth(low, high)]
    middle = low + _k(high - low)
    if m <= middle - low:
        return [*subproof(m, low, middle, known=known), mth(middle, high)]
    return [*subproof(m - (middle - low), middle, high, known=False), mth(low, middle)]


def node_at(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


def inclusion(index: int, size: int) -> list[bytes]:
    return [range_hash(each, node_at) for each in inclusion_ranges(index, size)]


def consistency(old: int, new: int) -> list[bytes]:
    return [range_hash(each, node_at) for each in consistency_ranges(old, new)]


def mth_of_nothing() -> bytes:
    return hashlib.sha256(b"").digest()


def leaves_of_every_size() -> Iterator[tuple[int, int]]:
    """Size and leaf: all leaves of trees up to 130, of larger ones up to 700 some, and the ends."""
    dice = random.Random(7)
    for size in range(1, SIZES + 1):
        every = range(size) if size <= 130 else {0, size - 1, *dice.sample(range(size), 12)}
        for index in sorted(every):
            yield size, index
