"""The door cannot be held shut: not by slow clients, half bodies or wrong lengths."""

from __future__ import annotations

import json
import random
import re
import resource
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.api.http import BLOCKS, bearer, make_key
from tests.faults.web import MIB, Reply, Web, head, read_reply, until, web
from tests.tools import record
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[Web]:
    with web(DFT_HEADER_SECONDS="7", DFT_BODY_SECONDS="8") as started:
        yield started


def post(running: Web, key: str, count: int = 1) -> Reply:
    body = json.dumps([record() for _ in range(count)])
    headers = {**bearer(key), "Content-Type": "application/json"}
    return running.ask("POST", BLOCKS, body=body, headers=headers)


def open_slow(running: Web, key: str, count: int) -> list[socket.socket]:
    """Heads that never end, bodies that trickle, bodies half sent, chunks that stop."""
    half = head(BLOCKS, key, "Content-Length: 200000") + b"[" + b" " * 100_000
    starts = (
        b"POST /api/v1/blocks HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        head(BLOCKS, key, "Content-Length: 5000") + b"[",
        half,
        head(BLOCKS, key, "Transfer-Encoding: chunked") + b"ffff\r\n[",
    )
    opened = []
    for number in range(count):
        sending = running.connect()
        sending.sendall(starts[number % len(starts)])
        opened.append(sending)
    return opened


def answered(connections: list[socket.socket]) -> int:
    """How many of them have something to read."""
    poll = select.poll()
    for one in connections:
        poll.register(one, select.POLLIN)
    return len(poll.poll(0))


def test_a_thousand_slow_connections_hold_nobody_up(running: Web) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    key = make_key()
    assert post(running, key, 500).status == 201
    before = running.memory()
    slow = open_slow(running, key, 1_000)
    try:
        for _ in range(5):
            for sending in slow[0::4]:
                sending.sendall(b"a")
            assert post(running, key, 10).status == 201
            assert running.ask("GET", "/readyz").status == 200
        assert not answered(slow), "all that while they were held"
        during = running.memory()
        assert sum(during) - sum(before) < 64 * MIB
        # Slow ones are told so and let go, each after its limit.
        for sending in slow:
            sending.settimeout(20)
            answer = read_reply(sending)
            assert (answer.status, answer.problem["code"]) == (408, "too_slow")
            assert answer.headers["connection"] == "close"
    finally:
        for sending in slow:
            sending.close()
    assert post(running, key).status == 201
    assert sum(running.memory()) - sum(before) < 64 * MIB


ONE = json.dumps(record(id="lengths")).encode()
CHUNK = b"%x\r\n%b\r\n" % (len(ONE), ONE)
CHUNKED = "Transfer-Encoding: chunked"
# Header lines, then the body, then the status and code; all of them end what they send.
LENGTHS = [
    (["Content-Length: 9"], ONE, 400, "bad_json"),
    ([f"Content-Length: {len(ONE) + 9}"], ONE, 400, "incomplete_body"),
    (["Content-Length: 99999999999"], ONE, 413, "body_too_large"),
    ([f"Content-Length: {'9' * 5000}"], ONE, 400, "bad_request"),
    (["Content-Length: -5"], ONE, 400, "bad_request"),
    (["Content-Length: +5"], ONE, 400, "bad_request"),
    (["Content-Length: 5, 5"], ONE, 400, "bad_request"),
    (["Content-Length: 0x10"], ONE, 400, "bad_request"),
    (["Content-Length: many"], ONE, 400, "bad_request"),
    (["Content-Length:"], ONE, 400, "bad_request"),
    (["Content-Length: \xb2"], ONE, 400, "bad_request"),
    ([f"Content-Length: {len(ONE)}"] * 2, ONE, 400, "bad_request"),
    (["Content-Length: 5", "Content-Length: 6"], ONE, 400, "bad_request"),
    ([f"Content-Length: {len(ONE)}", CHUNKED], ONE, 400, "bad_request"),
    ([CHUNKED, CHUNKED], CHUNK + b"0\r\n\r\n", 400, "bad_request"),
    (["Transfer-Encoding: gzip, chunked"], CHUNK + b"0\r\n\r\n", 400, "bad_request"),
    (["Transfer-Encoding: identity"], ONE, 400, "bad_request"),
    (["Transfer-Encoding: x"], ONE, 400, "bad_request"),
    ([CHUNKED], ONE + b"\r\n", 400, "bad_request"),
    ([CHUNKED], b"5\r\n[1,2,3]\r\n0\r\n\r\n", 400, "bad_request"),
    ([CHUNKED], b"-5\r\n", 400, "bad_request"),
    ([CHUNKED], b"fffffffff\r\n", 413, "body_too_large"),
    ([CHUNKED], b"f" * 5_000, 400, "bad_request"),
    ([CHUNKED], b"5\n[1,2]", 400, "bad_request"),
    ([CHUNKED], b"1\r\n[\r\n" * 20_000, 400, "bad_request"),
    ([CHUNKED], CHUNK, 400, "incomplete_body"),
    ([CHUNKED], CHUNK + b"0\r\n", 400, "incomplete_body"),
    ([CHUNKED], CHUNK + b"0\r\nX-Trailer: 1\r\n\r\n", 201, None),
    ([CHUNKED], b"1;x=y\r\n[\r\n" + CHUNK + b"01\r\n]\r\n0\r\n\r\n", 200, None),
    ([], b"", 400, "bad_json"),
]


@pytest.mark.parametrize(
    ("lines", "body", "status", "code"), LENGTHS, ids=lambda row: str(row)[:40]
)
def test_wrong_lengths(
    running: Web, lines: list[str], body: bytes, status: int, code: str | None
) -> None:
    key = make_key()
    if status == 200:
        post_one = head(BLOCKS, key, f"Content-Length: {len(ONE)}") + ONE
        assert running.raw(post_one).status == 201
    start = head(BLOCKS, key, *lines).decode().encode("latin-1")
    answer = running.raw(start + body, end=True)
    assert answer.status == status, answer.body
    if code is None:
        assert collection("journal").count_documents({}) == 1
    else:
        assert answer.problem["code"] == code
        assert collection("journal").count_documents({}) == 0


HEADS = [
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n", 417),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX\x00Y: b\r\n\r\n", 400),
    (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET /" + b"a" * 50_000, 414),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000, 431),
    (b"GET / HTTP/1.1\r\nHost: loc", 400),
]


@pytest.mark.parametrize(("sent", "status"), HEADS, ids=lambda row: str(row)[:40])
def test_heads_that_cannot_be_read(running: Web, sent: bytes, status: int) -> None:
    answer = running.raw(sent, end=True)
    assert answer.status == status
    assert answer.problem["code"]


def test_requests_follow_each_other_on_one_connection(running: Web) -> None:
    key = make_key()
    one = json.dumps(record()).encode()
    post_one = head(BLOCKS, key, f"Content-Length: {len(one)}") + one
    with running.connect() as sending:
        sending.sendall(post_one * 3 + post_one[:-10])
        answers = [read_reply(sending).status for _ in range(3)]
        assert answers == [201, 200, 200]
        sending.sendall(post_one[-10:])
        assert read_reply(sending).status == 200
        # Byte by byte, and half-closed: still answered.
        for number in range(len(post_one)):
            sending.sendall(post_one[number : number + 1])
        sending.shutdown(socket.SHUT_WR)
        assert read_reply(sending).status == 200
        assert sending.recv(1) == b""


def test_who_asks_first_is_told_to_continue_or_not(running: Web) -> None:
    one = json.dumps(record()).encode()
    asks = "Expect: 100-continue"
    with running.connect() as sending:
        sending.sendall(head(BLOCKS, make_key(), f"Content-Length: {len(one)}", asks))
        assert sending.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sending.sendall(one)
        assert read_reply(sending).status == 201
        sending.sendall(head(BLOCKS, "x", "Content-Length: 99000000", asks))
        assert read_reply(sending).status == 413


def test_whatever_comes_in_no_worker_dies_and_nothing_is_a_server_error(running: Web) -> None:
    key = make_key()
    one = json.dumps(record()).encode()
    good = [
        head(BLOCKS, key, f"Content-Length: {len(one)}") + one,
        head(BLOCKS, key, CHUNKED) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(one), one),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"OPTIONS /api/v1/blocks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ]
    workers = running.workers
    chance = random.Random(11)
    for _ in range(400):
        sent = bytearray(b"".join(chance.choices(good, k=chance.randint(1, 4))))
        for _ in range(chance.choice((0, 0, 1, 3, 10))):
            place = chance.randrange(len(sent))
            part = chance.choice(
                (b"", b"\r\n", b"\n", b"0", b"\x00", b"\xff", b":", b" ", b"9" * 20)
            )
            sent[place : place + chance.randint(0, 3)] = part
        with running.connect() as sending:
            try:
                while sent:
                    count = chance.choice((1, 7, 100, 5_000))
                    sending.sendall(sent[:count])
                    del sent[:count]
                if chance.random() < 0.3:
                    continue  # gone without a word
                sending.shutdown(socket.SHUT_WR)
                came = b""
                while part := sending.recv(65_536):
                    came += part
            except ConnectionError:
                continue
        statuses = re.findall(rb"HTTP/1\.1 (\d)\d\d ", came)
        assert statuses
        assert b"5" not in statuses, (bytes(sent), came)
    assert running.workers == workers
    assert post(running, key).status == 201


def test_what_is_refused_early_can_be_read_by_who_is_still_sending(running: Web) -> None:
    body = b" " * (40 * MIB)
    answer = running.ask("POST", BLOCKS, body=body, headers=bearer(make_key()))
    assert (answer.status, answer.problem["limit"]) == (413, 16 * MIB)


def test_clients_that_do_not_read_their_answers_hold_nobody_up(running: Web) -> None:
    key = make_key()
    # as JSON it is twice as long as by default, and takes half the time to make
    asks = b"GET /api/v1/schema HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
    stuck = []
    for _ in range(20):
        sending = socket.socket()
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sending.connect(("127.0.0.1", running.port))
        sending.sendall(asks * 20)
        stuck.append(sending)
    try:
        for _ in range(5):
            assert post(running, key).status == 201
        # Whoever reads at last gets everything, in order.
        stuck[0].settimeout(60)
        reading = stuck[0].makefile("rb")
        sizes = set()
        for _ in range(20):
            assert reading.readline().startswith(b"HTTP/1.1 200")
            length = 0
            while (line := reading.readline().lower()) != b"\r\n":
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            sizes.add(len(reading.read(length)))
        assert len(sizes) == 1
        assert min(sizes) > 150_000
    finally:
        for sending in stuck:
            sending.close()


def test_posts_in_flight_are_finished_when_the_workers_stop(django_db_setup: None) -> None:
    key = make_key()
    body = json.dumps([record() for _ in range(2_000)]).encode()
    answers: list[Reply] = []
    with web() as stopping:
        half = [stopping.connect() for _ in range(8)]
        for number, sending in enumerate(half):
            sent = body.replace(b'"r-', b'"s%d-' % number)
            sending.sendall(head(BLOCKS, key, f"Content-Length: {len(sent)}") + sent[:-100])
        resting = stopping.connect()
        resting.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_reply(resting).status == 200
        stopping.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        for number, sending in enumerate(half):
            sending.sendall(body.replace(b'"r-', b'"s%d-' % number)[-100:])
        readers = [
            threading.Thread(target=lambda s=sending: answers.append(read_reply(s)))
            for sending in half
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(30)
        assert [answer.status for answer in answers] == [201] * 8
        assert {answer.headers["connection"] for answer in answers} == {"close"}
        assert resting.recv(1) == b"", "closed, soon after it had nothing more to ask"
        until(lambda: stopping.process.poll() is not None)
        assert stopping.process.returncode == 0
    assert collection("journal").count_documents({}) == 16_000
