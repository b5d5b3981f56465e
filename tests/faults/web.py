"""Web workers of their own, as `up` starts them, and what a client may do to them."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from tests.faults.processes import ROOT
from tracking.running.supervisor import gunicorn_command

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 2**20


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body, which must have the one shape of all errors."""
        told: dict[str, Any] = json.loads(self.body)
        assert self.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code"} <= told.keys()
        assert told["status"] == self.status
        return told


class Web:
    """`with web(...) as running:` two workers of four threads on the test's database."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process
        self.before: list[int] = []
        self.first: list[int] = []

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, method: str, path: str, **more: Any) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, **more)
            return reply_of(connection.getresponse())
        finally:
            connection.close()

    def raw(self, sent: bytes, *, end: bool = False) -> Reply:
        """What is answered to these bytes; `end`: nothing more will come."""
        with self.connect() as sending:
            sending.sendall(sent)
            if end:
                sending.shutdown(socket.SHUT_WR)
            return read_reply(sending)

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(one) for one in text.split()]

    def memory(self) -> list[int]:
        """Resident bytes of each worker."""
        return [
            int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
            for pid in self.workers
        ]

    def forget_peaks(self) -> None:
        for pid in self.workers:
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")

    def peaks(self) -> list[int]:
        """The most each worker has held since `forget_peaks`."""
        found = []
        for pid in self.workers:
            lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
        return found


def reply_of(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): text for name, text in response.getheaders()}
    return Reply(response.status, headers, response.read())


def read_reply(sending: socket.socket) -> Reply:
    response = http.client.HTTPResponse(sending)
    response.begin()
    return reply_of(response)


@contextmanager
def web(workers: int = 2, threads: int = 4, **environment: str) -> Iterator[Web]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    entry = settings.DATABASES["default"]
    uri = urlsplit(entry["HOST"])._replace(path=f"/{entry['NAME']}").geturl()
    given = {"DFT_MONGODB_URI": uri, "DFT_MANIFEST": "0", "DFT_LOG_LEVEL": "ERROR", **environment}
    wanted = SimpleNamespace(
        DFT_HOST="127.0.0.1", DFT_PORT=port, DFT_WORKERS=workers, DFT_THREADS=threads
    )
    command = [*gunicorn_command(wanted), "--log-level=error"]
    process = subprocess.Popen(command, env={**os.environ, **given}, cwd=ROOT)
    running = Web(port, process)
    try:
        until(lambda: healthy(running))
        until(lambda: len(running.workers) == workers)
        yield running
    finally:
        process.terminate()
        process.wait(30)


def healthy(running: Web) -> bool:
    assert running.process.poll() is None
    try:
        return running.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def until(done: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def head(path: str, key: str | None, *lines: str, kind: str = "application/json") -> bytes:
    """The head of a post, ready for a body."""
    all_lines: Sequence[str] = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {kind}",
        *([f"Authorization: Bearer {key}"] if key else []),
        *lines,
        "",
        "",
    ]
    return "\r\n".join(all_lines).encode()
