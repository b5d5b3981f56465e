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
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.api.http import bearer, make_key
from tests.tools import record
from tracking import vocabulary as v
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def port() -> Iterator[int]:
    """A gunicorn of its own on this test's database."""
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
    ]
    server = subprocess.Popen(command, env=environment)
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
