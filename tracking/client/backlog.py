"""What is recorded and not yet settled, oldest first: the spool on disk, then memory.

With a spool every line goes to disk at once, and memory holds only what the disk did not
take: because it is full, or has reached `max_spool_bytes`. Without one, memory is all there
is. What lies in memory is always newer than all that lies on disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .counts import Counts

try:
    from .lane import Lane, Place
except ImportError:  # no fcntl, so no locks: such a system gets no spool
    Lane = None  # type: ignore[assignment,misc]

_STILLBORN: Final = 3600


@dataclass(slots=True)
class Batch:
    """Lines on their way to the server."""

    lines: list[bytes]
    own: bool  # recorded by this client, not left behind by another
    corrupt: int = 0
    lane: Lane | None = None
    end: Place | None = None


class Backlog:
    """Written by one background thread, read by another; the program's threads stay out."""

    def __init__(self, directory: Path | None, max_bytes: int, counts: Counts) -> None:
        self.held_records = 0
        self.held_bytes = 0
        self._max_bytes = max_bytes
        self._counts = counts
        self._lock = threading.Lock()
        self._memory: deque[bytes] = deque()
        self._own: Lane | None = None
        self._adopted: list[Lane] = []
        self._directory = directory if Lane is not None else None
        if directory is not None and Lane is None:
            counts.say_once(logging.WARNING, "no spool: this system has no file locks")

    # --- Writing ------------------------------------------------------------------------------

    def store(self, lines: list[bytes]) -> None:
        """Keep the lines, on disk if that is possible."""
        with self._lock:
            self._spill()
            if self._memory or not self._to_disk(lines):
                self._hold(lines)

    def spill(self) -> None:
        """Try again to bring to disk what had to stay in memory."""
        with self._lock:
            self._spill()

    def _spill(self) -> None:
        while self._memory and self._directory is not None:
            lines = [self._memory[i] for i in range(min(500, len(self._memory)))]
            if not self._to_disk(lines):
                return
            self._release(lines)

    def _to_disk(self, lines: list[bytes]) -> bool:
        if self._directory is None:
            return False
        size = sum(map(len, lines))
        try:
            if self.size() + size > self._max_bytes:
                self._counts.say_once(logging.WARNING, "the spool is full", self._directory)
                return False
            if self._own is None:
                self._own = Lane.create(self._directory)
            self._own.append(lines)
        except OSError as error:
            self._counts.add("spool_errors")
            self._counts.say_once(logging.ERROR, "the spool cannot be written", error)
            if self._own is not None and not self._directory.is_dir():
                # removed under our feet: a new lane makes it anew
                self._own.close()
                self._own = None
            return False
        return True

    def _hold(self, lines: list[bytes]) -> None:
        self._memory.extend(lines)
        self.held_records += len(lines)
        self.held_bytes += sum(map(len, lines))

    def _release(self, lines: list[bytes]) -> None:
        for _ in lines:
            self._memory.popleft()
        self.held_records -= len(lines)
        self.held_bytes -= sum(map(len, lines))

    def sync(self) -> None:
        """fsync, outside our lock: a disk that takes its time stops nobody else."""
        lane = self._own
        if lane is not None:
            try:
                lane.sync()
            except OSError as error:
                self._counts.add("spool_errors")
                self._counts.say_once(logging.ERROR, "the spool cannot be synced", error)

    # --- Reading ------------------------------------------------------------------------------

    def next(self, records: int, size: int) -> Batch | None:
        """The oldest lines; the same ones again until they are settled or put back."""
        for lane in list(self._adopted):
            read = lane.read(records, size)
            if read is not None:
                return Batch(read.lines, False, read.corrupt, lane, read.end)
            lane.close()
            with self._lock:
                self._adopted.remove(lane)
        own = self._own
        read = own.read(records, size) if own is not None else None
        if read is not None:
            return Batch(read.lines, True, read.corrupt, own, read.end)
        with self._lock:
            lines: list[bytes] = []
            while self._memory and len(lines) < records and size > 0:
                size -= len(self._memory[0])
                lines.append(self._memory.popleft())
            return Batch(lines, own=True) if lines else None

    def settle(self, batch: Batch) -> None:
        """The server has it, or will never take it."""
        if batch.lane is None:
            with self._lock:
                self.held_records -= len(batch.lines)
                self.held_bytes -= sum(map(len, batch.lines))
        elif batch.end is not None:
            batch.lane.settle(batch.end)

    def put_back(self, batch: Batch) -> None:
        """A batch that will not be posted after all; from disk it is still on disk."""
        if batch.lane is None:
            with self._lock:
                self._memory.extendleft(reversed(batch.lines))

    # --- Lanes of others ----------------------------------------------------------------------

    def has_others(self) -> bool:
        """Whether the spool holds files of other processes, gone or not."""
        return bool(self._names())

    def adopt(self) -> None:
        """Take over what processes that are gone left behind, oldest first."""
        if self._directory is None:
            return
        self._sweep()
        for name in self._names():
            lane = Lane.adopt(self._directory, name)
            if lane is not None:
                if lane.unsettled:
                    self._counts.add("adopted")
                with self._lock:
                    self._adopted.append(lane)

    def _names(self) -> list[str]:
        if self._directory is None:
            return []
        try:
            found = {path.name.partition(".")[0] for path in self._directory.glob("[0-9]*.*")}
        except OSError:
            return []
        mine = {lane.name for lane in [*self._adopted, self._own] if lane is not None}
        return sorted(found - mine)

    def _sweep(self) -> None:
        """Lanes whose maker died before they had a name."""
        for path in Path(self._directory or "").glob(".*.new"):
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - _STILLBORN:
                    path.unlink()

    # --- Ending -------------------------------------------------------------------------------

    def size(self) -> int:
        """Bytes on disk."""
        lanes = [*self._adopted, self._own]
        return sum(lane.size for lane in lanes if lane is not None)

    @property
    def unsettled(self) -> int:
        """Bytes still to be delivered, wherever they are."""
        lanes = [*self._adopted, self._own]
        return self.held_bytes + sum(lane.unsettled for lane in lanes if lane is not None)

    def close(self) -> int:
        """Let go of the files; returns how many records are lost, because no disk has them."""
        with self._lock:
            self._spill()
            for lane in [*self._adopted, self._own]:
                if lane is not None:
                    lane.close()
            self._directory = None
            return len(self._memory)

    def abandon(self) -> None:
        """In a forked child: all of it is the parent's."""
        for lane in [*self._adopted, self._own]:
            if lane is not None:
                lane.abandon()
