"""A request's body while it comes in: in memory, beyond a bound in a file without a name."""

from __future__ import annotations

import io
import re
import tempfile
import threading
from typing import IO, Any, Final

SPILL_BYTES: Final = 1024 * 1024
MEMORY_BYTES: Final = 16 * 1024 * 1024

_LINE_MAX: Final = 1024
_TRAILERS_MAX: Final = 8 * 1024
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t -~\x80-\xff]*)?")
# Each chunk costs time however small it is: past the first ones they must be worth it.
_FREE_CHUNKS: Final = 10_000
_CHUNK_MEAN: Final = 16


class NoRoom(Exception):
    """The bodies of this worker together have reached their bound."""


class TooLong(Exception):
    """The body has more bytes than one may have."""


class BadChunk(ValueError):
    """The chunked body breaks RFC 9112; the text says how."""


class Room:
    """What the bodies of one worker may take together; threads give back what the loop takes."""

    def __init__(self, total: int, memory: int = MEMORY_BYTES) -> None:
        self.total = total
        self.memory = memory
        self.used = 0
        self.in_memory = 0
        self._lock = threading.Lock()

    def change(self, used: int, in_memory: int) -> None:
        with self._lock:
            self.used += used
            self.in_memory += in_memory


class Body:
    """The bytes of one body, readable from the start once they are all there."""

    __slots__ = ("_in_memory", "_limit", "_room", "size", "stream")

    def __init__(self, room: Room, limit: int) -> None:
        self._room = room
        self._limit = limit
        self._in_memory = True
        self.size = 0
        self.stream: IO[bytes] = io.BytesIO()

    def write(self, data: Any) -> None:
        """Add bytes; raises TooLong beyond the limit, NoRoom when the worker is full."""
        count, room = len(data), self._room
        if self.size + count > self._limit:
            raise TooLong
        if room.used + count > room.total:
            raise NoRoom
        if self._in_memory and (
            self.size + count > SPILL_BYTES or room.in_memory + count > room.memory
        ):
            self._spill()
        try:
            self.stream.write(data)
        except OSError:  # the disk is full
            raise NoRoom from None
        self.size += count
        room.change(count, count if self._in_memory else 0)

    def rewind(self) -> IO[bytes]:
        self.stream.seek(0)
        return self.stream

    def close(self) -> None:
        """Give back memory, file and room; once."""
        self.stream.close()
        self._room.change(-self.size, -self.size if self._in_memory else 0)
        self.size = 0

    def _spill(self) -> None:
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the body
            file.write(self.stream.getbuffer())  # type: ignore[attr-defined]
        except OSError:
            raise NoRoom from None
        self.stream = file
        self._room.change(0, -self.size)
        self._in_memory = False


class Chunks:
    """Reads a chunked body (RFC 9112, 7.1) piece by piece; trailers are dropped."""

    __slots__ = ("_body", "_count", "_ended", "_left", "_limit", "_trailers")

    def __init__(self, body: Body, limit: int) -> None:
        self._body = body
        self._limit = limit
        self._left = -1  # -1: a size line comes next, 0: the line break after a chunk
        self._count = 0
        self._ended = False
        self._trailers = 0

    def feed(self, data: bytearray) -> bool:
        """Take what belongs to the body off the front of `data`; True once it is complete."""
        while data:
            if self._left > 0:
                part = data[: self._left]
                self._body.write(part)
                del data[: len(part)]
                self._left -= len(part)
            elif self._left == 0:
                if len(data) < 2:
                    return False
                if data[:2] != b"\r\n":
                    raise BadChunk("a chunk is longer than it says")
                del data[:2]
                self._left = -1
            else:
                line = self._line(data)
                if line is None:
                    return False
                if self._ended:
                    if not line:
                        return True
                    self._trailers += len(line)
                    if self._trailers > _TRAILERS_MAX:
                        raise BadChunk("the trailers are too long")
                else:
                    self._begin(line)
        return False

    def _line(self, data: bytearray) -> bytes | None:
        end = data.find(b"\n", 0, _LINE_MAX)
        if end < 0:
            if len(data) >= _LINE_MAX:
                raise BadChunk("a line is too long")
            return None
        if not end or data[end - 1] != 13:
            raise BadChunk("a line ends without CR")
        line = bytes(data[: end - 1])
        del data[: end + 1]
        return line

    def _begin(self, line: bytes) -> None:
        found = _SIZE_LINE.fullmatch(line)
        if found is None:
            raise BadChunk("a chunk's size is no hexadecimal number")
        size = int(found[1], 16)
        if self._body.size + size > self._limit:
            raise TooLong
        self._count += 1
        if self._count > _FREE_CHUNKS and self._body.size < self._count * _CHUNK_MEAN:
            raise BadChunk(f"its chunks have less than {_CHUNK_MEAN} bytes on average")
        if size:
            self._left = size
        else:
            self._ended = True
