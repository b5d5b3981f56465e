"""The load: records as services write them, posted over real HTTP by several connections."""

from __future__ import annotations

import itertools
import json
import random
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from tracking import clock

_NO_CONTENT: Final = 204
_NO_ANSWER: Final = 0
_BLOCKS = (
    ("receive", "ingress"),
    ("check", "processing"),
    ("enrich", "processing"),
    ("price", "processing"),
    ("publish", "egress"),
    ("notify", "egress"),
)


def records(prefix: str, count: int, *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` wire records of about 500 bytes, six for each object, block after block."""
    chance = random.Random(seed)  # noqa: S311
    now = clock.to_ms(clock.now())
    for number in range(count):
        thing, place = divmod(number, len(_BLOCKS))
        block, stage = _BLOCKS[place]
        at = now - 60_000 + place * 1_000 + number % 1_000
        yield {
            "id": f"{prefix}-{number:08d}",
            "object": {"id": f"{prefix}-order-{thing:07d}", "type": "order"},
            "flow": "order-fulfilment",
            "block": block,
            "stage": stage,
            "status": "succeeded",
            "occurred_at": clock.iso(clock.from_ms(at)),
            "started_at": clock.iso(clock.from_ms(at - 400)),
            "ended_at": clock.iso(clock.from_ms(at)),
            "attributes": {
                "service.name": f"{block}-service",
                "service.version": "4.2.1",
                "host": f"node-{chance.randrange(40)}",
                "lines": chance.randrange(1, 30),
                "priority": chance.random() < 0.1,
            },
            "references": {"customer": f"C{chance.randrange(10**6):06d}"},
            "usage": [{"resource": "cpu", "quantity": chance.randrange(500), "unit": "ms"}],
            "cost": {"amount": f"0.{chance.randrange(1, 9999):04d}", "currency": "EUR"},
        }


def bodies(prefix: str, posts: int, size: int) -> list[bytes]:
    """`posts` JSON bodies of `size` records each; a single record is posted as an object."""
    source = records(prefix, posts * size)
    batches = (list(itertools.islice(source, size)) for _post in range(posts))
    return [json.dumps(b[0] if size == 1 else b).encode() for b in batches]


def stamped(load: list[bytes], old: str, new: str) -> Iterator[bytes]:
    """Bodies made with prefix `old` as new records: far cheaper than making them anew."""
    return (body.replace(old.encode(), new.encode()) for body in load)


@dataclass
class Outcome:
    """What the connections saw: seconds per post, and how many posts got which status."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


class Line:
    """A kept-alive connection that costs its side little: bytes out, status and bytes in.

    What the load takes of the cores it shares with the server is no figure of the server.
    """

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host = place.hostname or ""
        self._port = place.port or 80
        self._socket: socket.socket | None = None

    def head(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        """The beginning of a request, without a length and the empty line."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode("ascii")

    def ask(self, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
        if self._socket is not None and select.select([self._socket], [], [], 0)[0]:
            self.close()  # idle for too long, the server has ended it
        if self._socket is None:
            self._socket = socket.create_connection((self._host, self._port), timeout=120)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        fields = received[:end].lower() + b"\r\n"
        status = int(fields[9:12])
        if b"\r\ntransfer-encoding: chunked\r\n" in fields:
            return status, self._chunks(received[end + 4 :])
        at = fields.find(b"\r\ncontent-length:")
        if at < 0 and status != _NO_CONTENT:
            raise AssertionError(f"an answer of unknown length: {fields!r}")
        length = int(fields[at + 17 : fields.index(b"\r\n", at + 2)]) if at >= 0 else 0
        parts = [received[end + 4 :]]
        left = length - len(parts[0])
        while left > 0:
            parts.append(self._receive())
            left -= len(parts[-1])
        if b"\r\nconnection: close\r\n" in fields:
            self.close()
        return status, b"".join(parts)

    def _chunks(self, received: bytes) -> bytes:
        """A body of pieces, each behind its length in hex; one of none is the last."""
        parts = []
        while True:
            while (end := received.find(b"\r\n")) < 0:
                received += self._receive()
            length = int(received[:end], 16)
            while len(received) < end + length + 4:
                received += self._receive()
            parts.append(received[end + 2 : end + 2 + length])
            received = received[end + length + 4 :]
            if not length:
                return b"".join(parts)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _receive(self) -> bytes:
        received = self._socket.recv(1 << 16) if self._socket else b""
        if not received:
            raise ConnectionError("the server ended the connection before its answer")
        return received


def post_all(url: str, path: str, key: str, load: Iterable[bytes], *, connections: int) -> Outcome:
    """Post every body once, over `connections` kept-alive connections at once."""
    work = iter(load)
    lock = threading.Lock()
    outcome = Outcome()
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Prefer": "return=minimal",
    }

    def post() -> None:
        line = Line(url)
        head = line.head("POST", path, headers)
        seen: list[float] = []
        codes: dict[int, int] = {}
        try:
            while True:
                with lock:
                    body = next(work, None)
                if body is None:
                    break
                begin = time.perf_counter()
                status, _answer = line.ask(head, body)
                seen.append(time.perf_counter() - begin)
                codes[status] = codes.get(status, 0) + 1
        except OSError:
            codes[_NO_ANSWER] = codes.get(_NO_ANSWER, 0) + 1
        line.close()
        with lock:
            outcome.latencies += seen
            for code, count in codes.items():
                outcome.statuses[code] = outcome.statuses.get(code, 0) + count

    threads = [threading.Thread(target=post) for _connection in range(connections)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = time.perf_counter() - begin
    return outcome
