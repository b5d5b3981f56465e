"""Giving memory back to the system, which the C library of Linux does not do by itself.

It raises its bound for what it maps apart with every large buffer that is freed, keeps an arena
for each thread, and so a worker that once held large bodies would hold their memory for ever.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from pathlib import Path
from typing import Any, Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_APART_BYTES: Final = 1024 * 1024
_CHANGED_BYTES: Final = 8 * 1024 * 1024
# A request that failed half-way may hold its body by cycles, and Python looks for these by their
# number alone: some thousand objects may be as many megabytes.
_GARBAGE_BYTES: Final = 32 * 1024 * 1024
_STATM: Final = Path("/proc/self/statm")


def _library() -> Any:
    """glibc; None where there is another."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") else None
    except OSError:
        return None


class Memory:
    """What this process holds, and has given back."""

    def __init__(self) -> None:
        self._library = _library() if _STATM.exists() else None
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._held = 0  # after giving back
        self._live = 0  # the least of late that was no garbage
        self._next = 0.0
        if self._library is not None:
            self._library.mallopt(_MMAP_THRESHOLD, _APART_BYTES)
            self._library.mallopt(_TRIM_THRESHOLD, _APART_BYTES)
            self._library.mallopt(_ARENA_MAX, 2)

    def give_back(self, now: float) -> None:
        """Return what is free, where much has been taken or let go since the last time."""
        if self._library is None or now < self._next:
            return
        if abs(self._resident() - self._held) > _CHANGED_BYTES:
            self._library.malloc_trim(0)
            self._held = self._resident()
            if self._held - self._live > _GARBAGE_BYTES:
                gc.collect()
                self._library.malloc_trim(0)
                self._held = self._live = self._resident()
            self._live = min(self._live, self._held)
            # It takes its time where there is much: never more than a twentieth of all.
            self._next = now + 20 * (time.monotonic() - now)

    def _resident(self) -> int:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * self._page
