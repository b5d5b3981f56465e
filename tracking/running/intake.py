"""What comes in on a connection → whole requests.

gunicorn's own parser reads a request's head, and it alone decides where the body begins and how
long it is: two opinions on that are how requests are smuggled.
"""

from __future__ import annotations

import time
from typing import Any, Final

from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from tracking.running import refusal
from tracking.running.body import BadChunk, Body, Chunks, Room, TooLong
from tracking.running.connection import BODY, HEAD, IDLE, Connection
from tracking.running.refusal import Refusal

HEAD_BYTES: Final = 32 * 1024
# A body earns time by what has come in: so slow a sender is let through, no slower one.
BYTES_PER_SECOND: Final = 4 * 1024
_LINE_BYTES: Final = 8 * 1024


class Refused(Exception):
    """The request cannot be taken in; `answer` says why, and the connection is closed."""

    def __init__(self, answer: Refusal) -> None:
        super().__init__(answer.detail)
        self.answer = answer


class Intake:
    """Puts together the requests of all connections of a worker."""

    def __init__(self, cfg: Any, log: Any, settings: Any) -> None:
        self._cfg = cfg
        self._log = log
        self._limit = settings.DFT_POST_BYTES
        self._body_seconds = float(settings.DFT_BODY_SECONDS)
        self.header_seconds = float(settings.DFT_HEADER_SECONDS)
        self.room = Room(settings.DFT_BODIES_BYTES)

    def take(self, conn: Connection, data: memoryview) -> None:
        """Add what has come. Raises NoRoom."""
        body, length = conn.body, conn.length
        straight = conn.state == BODY and conn.chunks is None and not conn.buffer
        # The usual large body goes where it belongs without a stop in the buffer.
        if straight and body and length is not None and body.size + len(data) <= length:
            body.write(data)
        else:
            conn.buffer += data

    def whole(self, conn: Connection) -> bool:
        """Whether a whole request stands in `conn`. Raises Refused, NoRoom."""
        try:
            return (conn.request is not None or self._begin(conn)) and self._complete(conn)
        except TooLong:
            raise Refused(refusal.too_large(self._limit)) from None
        except BadChunk as error:
            raise Refused(refusal.unreadable(f"The chunked body is broken: {error}.")) from None

    def _begin(self, conn: Connection) -> bool:
        """Parse the next request's head; False if it is not all there."""
        buffer = conn.buffer
        if not buffer:
            return False
        now = time.monotonic()
        if conn.state == IDLE:
            conn.state, conn.since = HEAD, now
            conn.deadline = now + self.header_seconds
        end = buffer.find(b"\r\n\r\n", max(0, conn.scanned - 3))
        if end > HEAD_BYTES or (end < 0 and len(buffer) > HEAD_BYTES):
            raise Refused(refusal.of_parser(_too_long(buffer), HEAD_BYTES))
        if end < 0:
            conn.scanned = len(buffer)
            if buffer.count(b"\n") != buffer.count(b"\r\n"):
                raise Refused(refusal.unreadable("A header line ends without CR."))
            return False
        head = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        conn.scanned = 0
        conn.requests += 1
        try:
            request = Request(self._cfg, IterUnreader([head]), conn.client, conn.requests)
        except Exception as error:
            if not isinstance(error, ParseException | OSError | ValueError):
                self._log.exception("A request's head could not be read.")
            raise Refused(refusal.of_parser(error, HEAD_BYTES)) from None
        self._expect_body(conn, request)
        conn.request = request
        conn.state, conn.since, conn.continued = BODY, now, False
        return True

    def _expect_body(self, conn: Connection, request: Any) -> None:
        reader = request.body.reader
        body = Body(self.room, self._limit)
        if isinstance(reader, ChunkedReader):
            if any(n == "TRANSFER-ENCODING" and v.lower() != "chunked" for n, v in request.headers):
                raise Refused(refusal.unreadable("Of transfer codings, send chunked alone."))
            conn.body, conn.length, conn.chunks = body, None, Chunks(body, self._limit)
            return
        conn.body, conn.length, conn.chunks = body, 0, None
        if isinstance(reader, LengthReader):
            conn.length = reader.length
            if reader.length > self._limit:
                raise TooLong

    def _complete(self, conn: Connection) -> bool:
        body, buffer = conn.body, conn.buffer
        if body is None:
            return False
        if conn.chunks is not None:
            if conn.chunks.feed(buffer):
                # Its length is known now: tell the application, as of any other body.
                headers = [h for h in conn.request.headers if h[0] != "TRANSFER-ENCODING"]
                conn.request.headers = [*headers, ("CONTENT-LENGTH", str(body.size))]
                return self._ready(conn, body)
        elif conn.length is not None:
            if buffer and body.size < conn.length:
                part = buffer[: conn.length - body.size]
                body.write(part)
                del buffer[: len(part)]
            if body.size == conn.length:
                return self._ready(conn, body)
        now = time.monotonic()
        conn.deadline = self._body_seconds + min(now, conn.since + body.size / BYTES_PER_SECOND)
        if conn.request._expected_100_continue and not conn.continued and not body.size:
            conn.continued = True
            conn.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    def _ready(self, conn: Connection, body: Body) -> bool:
        conn.request._expected_100_continue = False  # answered, or not waited for
        conn.request.body = body.rewind()
        return True


def ended(conn: Connection) -> Refusal | None:
    """What to answer a client that sends no more in the middle of a request, if it is in one."""
    if conn.state == BODY and conn.body is not None:
        return refusal.broken_off(conn.body.size, conn.length)
    if conn.state == HEAD and conn.buffer:
        return refusal.unreadable("The request ended within its headers.")
    return None


def _too_long(buffer: bytearray) -> Exception:
    if b"\r\n" not in buffer[:_LINE_BYTES]:
        return LimitRequestLine(len(buffer))
    return LimitRequestHeaders("too long")
