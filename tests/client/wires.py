"""What lies between a client and its server: a wire that can be cut, and a server that is rude."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.tools import make_tenant
from tracking.access.keys import create_key
from tracking.client import Client
from tracking.client.lane import Lane


class Gate:
    """A TCP wire to the real server. Closed, connections are refused as by a dead machine;
    `lose` says how many answers are cut, each after `keep` bytes, the request having arrived.
    """

    def __init__(self, target: str) -> None:
        host, port = target.removeprefix("http://").split(":")
        self.target = (host, int(port))
        self.lose = 0
        self.keep = 0
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(50)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for sock in list(self._open):
            reset(sock)

    def __enter__(self) -> Gate:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self.target)
            self._open |= {client, server}
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._carry, args=(source, sink, answers), daemon=True
                ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if answers and self.lose > 0:
                    self.lose -= 1
                    sink.sendall(data[: self.keep])
                    break
                sink.sendall(data)
        for sock in (source, sink):
            reset(sock)
            self._open.discard(sock)


def reset(sock: socket.socket) -> None:
    """Close with a TCP reset rather than a polite end."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class RudeServer:
    """Answers posts as told: `answer(records)` gives (status, headers, body) or None to hang up.

    For what the real server cannot be brought to do on demand; `accepting` is its usual answer.
    """

    def __init__(self, answer: Callable[[list[Any]], Any]) -> None:
        self.posts: list[tuple[float, list[Any]]] = []
        self.answer = answer
        rude = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                records = [json.loads(line) for line in body.split(b"\n")]
                rude.posts.append((time.monotonic(), records))
                given = rude.answer(records)
                if given is None:
                    self.close_connection = True
                    return
                status, headers, answer = given
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def ids(self) -> list[list[str]]:
        return [[record["id"] for record in records] for _at, records in self.posts]

    def __enter__(self) -> RudeServer:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def accepting(records: list[Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
    return 201, {}, counted(len(records))


def counted(stored: int, **others: Any) -> dict[str, Any]:
    counts = {"stored": stored, "duplicates": 0, "conflicts": 0, "invalid": 0, **others}
    return {"received": sum(counts.values()), **counts, "batches": [], "results": []}


def problem(status: int, **headers: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, shown, {"status": status, "code": "trouble", "detail": "There is trouble."}


def make_key() -> str:
    make_tenant("acme")
    return create_key(tenant="acme", name="client", scopes=["ingest"])[1]


def quick(url: str, key: str = "dft_key", **options: Any) -> Client:
    """A client that does not linger."""
    return Client(url, key, **{"flush_seconds": 0.01, **options})


def note(client: Client, number: int, **fields: Any) -> str:
    """Record one valid event whose object says its number."""
    return client.record(
        **{
            "object_id": f"o-{number}",
            "object_type": "order",
            "flow": "orders",
            "block": "check",
            "stage": "processing",
            "status": "succeeded",
            **fields,
        }
    )


def journal() -> list[dict[str, Any]]:
    """The records as stored, in the order in which they were recorded."""
    found = connection.database["journal"].find().sort([("recorded_at", 1), ("batch", 1)])
    return sorted(found, key=lambda document: (document["recorded_at"], document["batch"]))


def numbers() -> list[int]:
    """The numbers of all stored objects, sorted: each once if each arrived once."""
    return sorted(int(document["object_id"][2:]) for document in journal())


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("what was waited for did not happen")
        time.sleep(0.01)


def left_behind(directory: Path, lines: list[bytes]) -> Path:
    """A spool as a killed process leaves it; the path of its only segment."""
    lane = Lane.create(directory)
    lane.append(lines)
    lane.abandon()
    return directory / f"{lane.name}.00000001.seg"
