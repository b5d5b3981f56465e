"""Where the program's threads leave their records: bounded, and never waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

# About how many bytes it takes; then its fields, in layers of which records may share some.
Entry = tuple[Any, ...]

_JOINED: Final = ("attributes", "references")


def fields_of(entry: Entry) -> dict[str, Any]:
    """The record as one dict: a later layer wins, attributes and references are joined."""
    fields: dict[str, Any] = dict(entry[1])
    for layer in entry[2:]:
        joined = {}
        for name in _JOINED:
            known, more = fields.get(name), layer.get(name)
            if isinstance(known, dict) and isinstance(more, dict):
                joined[name] = {**known, **more}
        fields.update(layer)
        fields.update(joined)
    return fields


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

    def __init__(self, most: int, most_bytes: int, batch: int, wake: Callable[[], None]) -> None:
        self.bell = Bell()
        self.idle = True  # the writer sleeps until it is woken; at first there is none
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
        self._wake = wake

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry) -> bool:
        """Take the record, or say that there is no room for it."""
        size = entry[0]
        with self._lock:
            length = len(self._entries)
            taken = (
                length + self.transit < self._room
                and self.bytes + self.transit_bytes + size <= self._bytes_room
                and not self.closed
            )
            if taken:
                self._entries.append(entry)
                self.bytes += size
                self.accepted += 1
                ring = self.idle or length + 1 == self._batch
            else:
                self.dropped += 1
                ring = self.idle and self.dropped == 1
        if ring:
            self._wake()
        return taken

    def take(self) -> list[Entry]:
        """The oldest records, one batch at most; `landed` says that they are safe."""
        with self._lock:
            self.transit = number = min(self._batch, len(self._entries))
            taken = [self._entries.popleft() for _ in range(number)]
            self.transit_bytes = sum(entry[0] for entry in taken)
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
