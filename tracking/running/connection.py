"""One client's connection, and the answer on its way out."""

from __future__ import annotations

import errno
import select
import socket
import threading
from typing import Any, Final

from tracking.running.body import Body, Chunks

# Who has the connection, and what is awaited.
IDLE, HEAD, BODY, BUSY, FLUSHING, LINGERING, CLOSED = range(7)

# A thread waits for a slow reader only beyond this; the loop delivers the rest.
UNSENT_BYTES: Final = 4 * 1024 * 1024


class Connection:
    """`sock` is what gunicorn writes an answer to, `socket` the real one.

    The loop owns a connection but while it is BUSY; then a thread does. `lock` guards the
    hand-over: the loop may take in bytes of the next request meanwhile.
    """

    __slots__ = (
        "body",
        "buffer",
        "chunks",
        "client",
        "continued",
        "deadline",
        "ended",
        "keep",
        "length",
        "lock",
        "registered",
        "request",
        "requests",
        "scanned",
        "server",
        "since",
        "sock",
        "socket",
        "state",
    )

    def __init__(self, sock: socket.socket, client: Any, server: Any, now: float) -> None:
        self.socket = sock
        self.client = client
        self.server = server
        self.sock = Reply(sock)
        self.lock = threading.Lock()
        self.state = IDLE
        self.buffer = bytearray()  # what came in and belongs to no request yet
        self.scanned = 0  # how much of it holds no end of a head
        self.request: Any = None
        self.requests = 0
        self.body: Body | None = None
        self.length: int | None = None  # None: chunked
        self.chunks: Chunks | None = None
        self.continued = False
        self.ended = False  # the client sends no more
        self.keep = False
        self.registered = False
        self.since = now  # when what is awaited began
        self.deadline = now

    @property
    def resting(self) -> bool:
        """Whether it was answered, and nothing of a next request has come."""
        return self.state == LINGERING or (self.state == IDLE and self.requests > 0)

    def send(self, data: bytes) -> None:
        """A few bytes, which fit in the socket's buffer or are not worth waiting for."""
        try:
            self.socket.send(data)
        except OSError:
            self.ended = True

    def drop_request(self) -> None:
        if self.body is not None:
            self.body.close()
            self.body = None
        self.request = self.chunks = None


class Reply:
    """Takes an answer without making its thread wait for the client to read it."""

    __slots__ = ("_held", "_seconds", "_socket", "_writes")

    def __init__(self, sock: socket.socket, seconds: float = 30.0) -> None:
        self._socket = sock
        self._seconds = seconds
        self._held = b""
        self._writes = 0

    def sendall(self, data: bytes) -> None:
        self._writes += 1
        self._held = self._held + data if self._held else data
        # The first write is the head: it goes out together with the next.
        if self._writes > 1:
            self.push()
            while len(self._held) > UNSENT_BYTES:
                self._wait()
                self.push()

    def push(self) -> int:
        """Send what the client takes now; returns how much is left."""
        if self._held:
            try:
                sent = self._socket.send(self._held)
            except BlockingIOError:
                sent = 0
            self._held = self._held[sent:]
        return len(self._held)

    def finish(self) -> int:
        """The answer is complete: how much of it the client has still to take."""
        self._writes = 0
        return self.push()

    def instead(self, answer: bytes) -> int:
        """Send `answer`, unless another one has begun to go out."""
        if self._writes <= 1:
            self._held, self._writes = answer, 0
            try:
                return self.push()
            except OSError:
                pass
        self._held = b""
        return 0

    def unsent(self) -> int:
        return len(self._held)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        if not poll.poll(self._seconds * 1000):
            raise TimeoutError(errno.ETIMEDOUT, "The client does not read its answer.")

    # gunicorn closes what it answers on when an answer broke off; the loop does that here.
    def shutdown(self, _how: int) -> None:
        raise OSError(errno.ENOTCONN, "left to the loop")

    def close(self) -> None:
        self._held = b""
