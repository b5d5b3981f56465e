"""How fast a key may post: exact for all web workers of one machine, without the database.

A bucket holds `burst` tokens and fills at `rate` a second; a record takes one. Of each key only
the time is kept at which its bucket will be full (the generic cell rate algorithm), in a small
file that all workers of the machine map into memory. Whatever takes more than a whole bucket
passes once the bucket is full, and the next ones wait until the debt is paid.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import math
import mmap
import os
import struct
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

SLOTS: Final = 8_192
_SLOT: Final = struct.Struct("=16sd")
_PROBES: Final = 64
# The largest debt a single post can make, in buckets; a time beyond it is from before a restart
# of the machine, whose clock began anew.
_DEBT_MOST: Final = 1_000

log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """`wait`: seconds after which the same would pass, 0 if it did; `left`: tokens then left."""

    wait: float
    left: int
    full_in: float


class Limiter:
    """The buckets of all keys, by name."""

    def __init__(self, path: Path | None) -> None:
        """`path`: the file shared by the workers; None: this process alone."""
        self._lock = threading.Lock()
        self._file = -1
        size = SLOTS * _SLOT.size
        if path is not None:
            try:
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                os.ftruncate(self._file, size)
            except OSError as error:
                # Each worker by itself is better than no limit, and no limit better than no post.
                log.warning("rate limits are kept by each web worker alone: %s", error)
                self._file = -1
        self._slots = mmap.mmap(self._file, size)

    def take(
        self, name: str, cost: int, *, rate: float, burst: float, now: float, forced: bool = False
    ) -> Verdict:
        """Take `cost` tokens of the bucket `name`, or none of them; `forced`: on credit.

        `cost` 0 takes nothing, and waits where the bucket is empty until it is full.
        """
        digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
        with self._lock:
            if self._file >= 0:
                fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                return self._take(digest, cost, rate, burst, now, forced)
            finally:
                if self._file >= 0:
                    fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _take(
        self, digest: bytes, cost: int, rate: float, burst: float, now: float, forced: bool
    ) -> Verdict:
        place, full_at = self._find(digest, now)
        if place < 0:
            return Verdict(0.0, int(burst), 0.0)
        if full_at - now > _DEBT_MOST * burst / rate:
            full_at = now
        level = burst - max(0.0, full_at - now) * rate
        if cost <= 0:
            needed, target = 1.0, burst
        else:
            needed = target = min(float(cost), burst)
        # Seconds do not add up to the last bit, and a client that waited has waited.
        if level + 1e-6 * burst < needed and not forced:
            return Verdict((target - level) / rate, max(0, int(level)), (burst - level) / rate)
        full_at = max(full_at, now) + cost / rate
        if cost > 0:
            _SLOT.pack_into(self._slots, place, digest, full_at)
        return Verdict(0.0, max(0, int(level - cost)), full_at - now)

    def _find(self, digest: bytes, now: float) -> tuple[int, float]:
        """The slot of the bucket and when it is full; -1 where there is no room for it."""
        free = -1
        start = int.from_bytes(digest[:4], "big")
        for step in range(_PROBES):
            place = (start + step) % SLOTS * _SLOT.size
            owner, full_at = _SLOT.unpack_from(self._slots, place)
            if owner == digest:
                return place, full_at
            # A bucket that is full needs no slot.
            if free < 0 and full_at <= now:
                free = place
        return free, now


_limiter: Limiter | None = None
_opening = threading.Lock()


def take(
    directory: Path, name: str, cost: int, *, rate: float, burst: float, forced: bool = False
) -> Verdict:
    """Of the machine's buckets, whose file lies in `directory`."""
    global _limiter
    if _limiter is None:
        with _opening:
            if _limiter is None:
                _limiter = Limiter(directory / "rates")
    return _limiter.take(name, cost, rate=rate, burst=burst, now=time.monotonic(), forced=forced)


def seconds(wait: float) -> int:
    """As Retry-After says it: whole seconds, never too few."""
    return max(1, math.ceil(wait))
