"""Records on disk in the order they were recorded: the files of one process in a spool.

A lane is a lock file `NAME.lock` and segments `NAME.00000001.seg`, `…2.seg`. Whoever holds
the lock (flock: the kernel lets go of it when the process dies) owns the lane; nobody else
touches its segments. A segment is a list of lines

    CRC-32 of the record, 8 hex digits · space · the record as JSON · line break

A line that does not fit its checksum, or has no end, is skipped and counted. The lock file
holds the place up to which everything is settled: `segment offset`. It is a hint that saves
posts after a crash; where it is wrong or gone, records are posted again, which is harmless.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

SEGMENT_BYTES: Final = 4 * 1024 * 1024
_SETTLED_BYTES: Final = 1024 * 1024  # from here on a settled segment gives way to a new one
_CRC: Final = 9
_PLACE: Final = re.compile(rb"(\d{8}) (\d{12})\n")
_SEGMENT: Final = re.compile(r"(.+)\.(\d{8})\.seg")
_MODE: Final = 0o600  # records may hold personal data

Place = tuple[int, int]


@dataclass(slots=True)
class Read:
    """Lines as they were read, how many were unreadable, and the place behind them."""

    lines: list[bytes]
    corrupt: int
    end: Place


class Lane:
    """Appended to by one thread and read by another; the lock inside is never held for long."""

    def __init__(self, directory: Path, name: str, lock: int) -> None:
        self.directory = directory
        self.name = name
        self.closed = False
        self._lock_file: int | None = lock
        self._lock = threading.Lock()
        self._sizes: dict[int, int] = {}  # of the segments, oldest first
        self._offset = 0  # settled, in the oldest segment
        self._last = 0
        self._active: int | None = None  # descriptor of the segment that is appended to

    # --- Making and finding -------------------------------------------------------------------

    @classmethod
    def create(cls, directory: Path) -> Lane:
        """A new lane; nobody can see it before it is locked."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns() // 1_000_000:013d}-{os.getpid()}-{os.urandom(4).hex()}"
        hidden = directory / f".{name}.new"
        lock = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR, _MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(directory / f"{name}.lock")
        except OSError:
            os.close(lock)
            with suppress(OSError):
                hidden.unlink()
            raise
        return cls(directory, name, lock)

    @classmethod
    def adopt(cls, directory: Path, name: str) -> Lane | None:
        """The lane of that name, if its owner is gone."""
        path = directory / f"{name}.lock"
        try:
            # created if need be: segments whose lock was removed by hand still count
            lock = os.open(path, os.O_CREAT | os.O_RDWR, _MODE)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its owner may have finished and removed it between our two calls.
            found, ours = path.stat(), os.fstat(lock)
        except OSError:
            os.close(lock)
            return None
        if (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino):
            os.close(lock)
            return None
        lane = cls(directory, name, lock)
        lane._find_segments(lock)
        return lane

    def _find_segments(self, lock: int) -> None:
        for path in sorted(self.directory.glob(f"{self.name}.*.seg")):
            if match := _SEGMENT.fullmatch(path.name):
                with suppress(OSError):
                    self._sizes[int(match[2])] = path.stat().st_size
        self._last = max(self._sizes, default=0)
        if place := _PLACE.fullmatch(os.pread(lock, 64, 0)):
            segment, offset = int(place[1]), int(place[2])
            if self._oldest() == segment and offset <= self._sizes[segment]:
                self._offset = offset

    # --- Writing ------------------------------------------------------------------------------

    def append(self, lines: Iterable[bytes]) -> None:
        """All of the lines or, with an OSError, none."""
        data = b"".join(b"%08x %b\n" % (crc32(line), line) for line in lines)
        with self._lock:
            if self.closed:
                raise OSError("the lane is closed")
            active = self._active if self._active is not None else self._begin()
            segment = self._last
            size = self._sizes[segment]
            try:
                _write(active, data)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(active, size)
                    self._end()
                raise
            self._sizes[segment] = size + len(data)
            if self._sizes[segment] >= SEGMENT_BYTES:
                self._end()

    def _begin(self) -> int:
        number = self._last + 1
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        self._active = active = os.open(self._path(number), flags, _MODE)
        self._last = number
        self._sizes[number] = 0
        return active

    def _end(self) -> None:
        active, self._active = self._active, None
        if active is not None:
            try:
                os.fsync(active)
            finally:
                os.close(active)

    def sync(self) -> None:
        """Have the disk itself keep what was appended; may take as long as the disk likes."""
        with self._lock:
            active = os.dup(self._active) if self._active is not None else None
        if active is not None:
            try:
                os.fsync(active)
            finally:
                os.close(active)

    # --- Reading ------------------------------------------------------------------------------

    def read(self, records: int, size: int) -> Read | None:
        """The oldest unsettled lines, at most so many; None when there are none."""
        while True:
            with self._lock:
                segment = self._oldest()
                if segment is None or self.closed:
                    return None
                offset, end = self._offset, self._sizes[segment]
                growing = self._active is not None and segment == self._last
            if offset >= end:
                if growing:
                    return None
                self._leave_segment(segment)
                continue
            try:
                data = self._pread(segment, offset, min(size, end - offset))
                if b"\n" not in data and len(data) < end - offset:
                    data = self._pread(segment, offset, end - offset)
            except OSError:
                self._leave_segment(segment, unlink=False)
                return Read([], 1, (segment, end))
            if not data:  # shorter than it was: somebody cut it
                self._leave_segment(segment)
                return Read([], 1, (segment, end))
            lines, used, corrupt = _parse(data, records)
            if used == 0:  # no line break up to the end of the segment: a write that was cut
                used, corrupt = len(data), 1
            return Read(lines, corrupt, (segment, offset + used))

    def settle(self, end: Place) -> None:
        """Everything before `end` is settled."""
        segment, offset = end
        with self._lock:
            if self.closed or self._oldest() != segment:
                return
            self._offset = offset
            if self._lock_file is not None:
                with suppress(OSError):
                    os.pwrite(self._lock_file, b"%08d %012d\n" % end, 0)
            done = offset >= self._sizes[segment]
            growing = self._active is not None and segment == self._last
            if done and (not growing or offset >= _SETTLED_BYTES):
                self._forget(segment)

    def _leave_segment(self, segment: int, *, unlink: bool = True) -> None:
        with self._lock:
            self._forget(segment, unlink=unlink)

    # --- Ending -------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes on disk."""
        with self._lock:
            return sum(self._sizes.values())

    @property
    def unsettled(self) -> int:
        """Bytes that are still to be delivered."""
        with self._lock:
            return sum(self._sizes.values()) - self._offset

    def close(self) -> None:
        """Let go of the lane: removed if all is settled, else left for whoever comes next."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            if sum(self._sizes.values()) == self._offset:
                for segment in list(self._sizes):
                    self._forget(segment)
                # the lock goes last: segments without one have no owner to wait for
                with suppress(OSError):
                    (self.directory / f"{self.name}.lock").unlink()
            else:
                with suppress(OSError):
                    self._end()
            lock, self._lock_file = self._lock_file, None
            if lock is not None:
                os.close(lock)

    def abandon(self) -> None:
        """In a forked child: the files are the parent's. Takes no lock, for the parent's
        threads may hold it; closing our copies leaves the parent's lock standing."""
        # Each is unset before it is closed, here and above: a number that is closed already
        # may by now be somebody else's file.
        for descriptor in (self._active, self._lock_file):
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)

    # --- Small things -------------------------------------------------------------------------

    def _oldest(self) -> int | None:
        return next(iter(self._sizes), None)

    def _forget(self, segment: int, *, unlink: bool = True) -> None:
        if segment == self._last and self._active is not None:
            active, self._active = self._active, None
            os.close(active)
        self._sizes.pop(segment, None)
        self._offset = 0
        if unlink:
            with suppress(OSError):
                self._path(segment).unlink()

    def _path(self, segment: int) -> Path:
        return self.directory / f"{self.name}.{segment:08d}.seg"

    def _pread(self, segment: int, offset: int, size: int) -> bytes:
        descriptor = os.open(self._path(segment), os.O_RDONLY)
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _parse(data: bytes, records: int) -> tuple[list[bytes], int, int]:
    """Whole lines: the readable ones, the bytes they and the unreadable ones take."""
    lines: list[bytes] = []
    start = corrupt = 0
    while len(lines) < records:
        end = data.find(b"\n", start)
        if end < 0:
            break
        line = data[start + _CRC : end]
        try:
            good = bool(line) and int(data[start : start + _CRC - 1], 16) == crc32(line)
        except ValueError:
            good = False
        if good:
            lines.append(line)
        else:
            corrupt += 1
        start = end + 1
    return lines, start, corrupt
