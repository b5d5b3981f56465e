"""Where the program's threads leave their records: bounded, and never waiting."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

Entry = tuple[int, dict[str, Any]]  # about how many bytes it takes, the fields


class Bell:
    """Wakes the one thread that waits. Ringing never blocks, so that a signal handler or a
    destructor may record even if it interrupts somebody who is ringing."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:  # it rings already
            return

    def wait(self, timeout: float) -> bool:
        return self._lock.acquire(timeout=max(0.0, timeout))


class Intake:
    """A queue of records, bounded by number and bytes.

    Memory is one: what is on its way to the backlog (from `take` to `landed`), and what the
    backlog itself has to hold (`set_room`), is not free here.
    """

    def __init__(self, most: int, most_bytes: int, batch: int) -> None:
        self.bell = Bell()
        self.idle = False  # the writer sleeps until the bell rings
        self.closed = False
        self.accepted = 0
        self.dropped = 0
        self.bytes = 0
        self.transit = self.transit_bytes = 0
        # reentrant: a signal handler may record while its own thread is in here
        self._lock = threading.RLock()
        self._entries: deque[Entry] = deque()
        self._most, self._most_bytes, self._batch = most, most_bytes, batch
        self._room, self._bytes_room = most, most_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, size: int, fields: dict[str, Any]) -> bool:
        """Take the record, or say that there is no room for it."""
        with self._lock:
            length = len(self._entries)
            taken = (
                length + self.transit < self._room
                and self.bytes + self.transit_bytes + size <= self._bytes_room
                and not self.closed
            )
            if taken:
                self._entries.append((size, fields))
                self.bytes += size
                self.accepted += 1
                ring = self.idle or length + 1 == self._batch
            else:
                self.dropped += 1
                ring = self.idle and self.dropped == 1
        if ring:
            self.idle = False
            self.bell.ring()
        return taken

    def take(self) -> list[Entry]:
        """The oldest records, one batch at most; `landed` says that they are safe."""
        with self._lock:
            self.transit = number = min(self._batch, len(self._entries))
            taken = [self._entries.popleft() for _ in range(number)]
            self.transit_bytes = sum(size for size, _fields in taken)
            self.bytes -= self.transit_bytes
        return taken

    def landed(self) -> None:
        self.transit = self.transit_bytes = 0

    def take_dropped(self) -> int:
        """How many found no room since this was asked last."""
        with self._lock:
            number, self.dropped = self.dropped, 0
        return number

    def set_room(self, records: int, size: int) -> None:
        """So much is held elsewhere."""
        with self._lock:
            self._room, self._bytes_room = self._most - records, self._most_bytes - size
