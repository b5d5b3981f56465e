"""What only a real server shows: bodies of unknown length, and bodies that break off."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.api.http import bearer, make_key
from tests.tools import record
from tracking import vocabulary as v
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

LOG = "server.log"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A gunicorn of its own on this test's database, which writes an access log."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    entry = settings.DATABASES["default"]
    uri = urlsplit(entry["HOST"])._replace(path=f"/{entry['NAME']}")
    environment = {**os.environ, "DFT_MONGODB_URI": uri.geturl(), "DFT_MANIFEST": "0"}
    command = [
        *(sys.executable, "-m", "gunicorn", "dft_project.wsgi:application"),
        *("--worker-class", "tracking.running.door.Door"),
        *("--bind", f"127.0.0.1:{number}", "--threads", "2", "--log-level", "error"),
        *("--access-logfile", "-"),
    ]
    with (tmp_path / LOG).open("wb") as log:
        server = subprocess.Popen(command, env=environment, stderr=log)
    try:
        for _ in range(200):
            try:
                ask(number, "GET", "/healthz")
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.05)
        yield number
    finally:
        server.terminate()
        server.wait(20)


def ask(port: int, method: str, path: str, **more: object) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, **more)  # type: ignore[arg-type]
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_bodies_of_unknown_length(port: int) -> None:
    headers = {**bearer(make_key()), "Content-Type": "application/x-ndjson"}
    lines = [json.dumps(record()).encode() + b"\n" for _ in range(500)]
    status, answer = ask(port, "POST", "/api/v1/blocks", body=iter(lines), headers=headers)
    assert (status, answer["stored"]) == (201, 500)
    assert collection("journal").count_documents({}) == 500

    endless = (b" " * 65_536 for _ in range(v.POST_BYTES_MAX // 65_536 + 1))
    try:
        status, answer = ask(port, "POST", "/api/v1/blocks", body=endless, headers=headers)
    except (ConnectionResetError, BrokenPipeError):
        pass  # refused before it was all sent
    else:
        assert (status, answer["code"]) == (413, "body_too_large")
    assert ask(port, "GET", "/healthz")[0] == 200


def test_an_access_log_holds_nothing_that_was_searched_for(port: int, tmp_path: Path) -> None:
    sought = "reference=phone:0170-4711"
    headers = {**bearer(make_key()), "Referer": f"http://localhost/admin/find/?q={sought}"}
    assert ask(port, "GET", f"/api/v1/transactions?{sought}", headers=headers)[0] == 200
    log = ""
    for _ in range(100):  # the line is written once the answer is under way
        log = (tmp_path / LOG).read_text()
        if "/api/v1/transactions" in log:
            break
        time.sleep(0.05)
    assert '"GET /api/v1/transactions HTTP/1.1" 200' in log
    assert "4711" not in log


def test_a_body_that_breaks_off_is_not_recorded(port: int) -> None:
    line = json.dumps(record()).encode() + b"\n"
    head = (
        "POST /api/v1/blocks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        f"Authorization: Bearer {make_key()}\r\nContent-Length: {len(line) * 2}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sending:
        sending.sendall(head.encode() + line)
        sending.shutdown(socket.SHUT_WR)
        reply = b""
        while b"incomplete_body" not in reply and (part := sending.recv(65_536)):
            reply += part
    assert b" 400 " in reply.split(b"\r\n")[0]
    assert b"incomplete_body" in reply
    assert collection("journal").count_documents({}) == 0
