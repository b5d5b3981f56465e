"""Bodies made to kill: each gets its status, none the worker's memory, and others are served."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard

from tests.api.http import BLOCKS, bearer, make_key
from tests.faults.web import MIB, Reply, Web, until, web
from tests.tools import record
from tracking import vocabulary as v

pytestmark = pytest.mark.django_db(transaction=True)

GIB = 2**30
# While a body is read: it, its inflated self and what it parses to, in each of two workers.
PEAK = 400 * MIB


@pytest.fixture(scope="module")
def running(django_db_setup: None) -> Iterator[Web]:
    with web() as started:
        yield started


def member(size: int) -> bytes:
    return gzip.compress(b" " * size, compresslevel=9)


def gzip_members() -> bytes:
    return member(16 * MIB) * 64


def gzip_one() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(b" " * MIB) for _ in range(256)]
    return b"".join([*parts, packer.flush()])


def gzip_nested() -> bytes:
    return gzip.compress(gzip_members())


def zstd_stating(states: bool) -> bytes:
    packer = zstandard.ZstdCompressor(level=3, write_content_size=states)
    stream = packer.compressobj(size=GIB if states else -1)
    parts = [stream.compress(b" " * MIB) for _ in range(1024)]
    return b"".join([*parts, stream.flush()])


def zstd_frames() -> bytes:
    return zstandard.ZstdCompressor().compress(b" " * 8 * MIB) * 128


def zstd_lying() -> bytes:
    """A frame that states a terabyte, and has nothing."""
    return bytes.fromhex("28b52ffde0") + (2**40).to_bytes(8, "little") + b"\x01\x00\x00"


FULL = 16 * MIB - 2


def filled(one: bytes) -> bytes:
    return b"[" + one * ((FULL - len(one)) // len(one)) + one.rstrip(b",") + b"]"


Made = Callable[[], bytes]
BODIES: dict[str, tuple[Made, str | None, int, set[str]]] = {
    "gzip, many members": (gzip_members, "gzip", 413, {"body_too_large"}),
    "gzip, one member": (gzip_one, "gzip", 413, {"body_too_large"}),
    "gzip in gzip": (gzip_nested, "gzip", 400, {"bad_encoding", "bad_json"}),
    "gzip, cut": (lambda: member(MIB)[:-9], "gzip", 400, {"bad_encoding"}),
    "gzip, a byte after": (lambda: gzip.compress(b"[]") + b"x", "gzip", 400, {"bad_encoding"}),
    "gzip, nothing": (lambda: b"", "gzip", 400, {"bad_encoding", "bad_json"}),
    "zstd, size stated": (lambda: zstd_stating(True), "zstd", 413, {"body_too_large"}),
    "zstd, size not stated": (lambda: zstd_stating(False), "zstd", 413, {"body_too_large"}),
    "zstd, many frames": (zstd_frames, "zstd", 413, {"body_too_large"}),
    "zstd, lying": (zstd_lying, "zstd", 400, {"bad_encoding", "bad_json"}),
    "zstd, cut": (lambda: zstd_frames()[:-9], "zstd", 413, {"body_too_large"}),
    "zstd, bytes after": (
        lambda: zstandard.compress(b"[]") + b"xyzw",
        "zstd",
        400,
        {"bad_encoding"},
    ),
    "plain, called gzip": (lambda: b"[]", "gzip", 400, {"bad_encoding"}),
    "opening brackets": (lambda: b"[" * FULL, None, 413, {"too_complex"}),
    "brackets": (lambda: b"[" * (FULL // 2) + b"]" * (FULL // 2), None, 413, {"too_complex"}),
    "fewer brackets": (lambda: b"[" * MIB, None, 400, {"too_deep", "bad_json"}),
    "some brackets": (lambda: b"[" * 700_000 + b"]" * 700_000, None, 400, {"too_deep"}),
    "brackets in texts": (
        lambda: json.dumps([record(reason="[" * 2_000) for _ in range(1_000)]).encode(),
        None,
        201,
        set(),
    ),
    "quotes in texts": (lambda: b'["[' + b'\\"[' * (FULL // 3), None, 400, {"bad_json"}),
    "objects in objects": (lambda: b'{"a":' * (FULL // 5), None, 413, {"too_complex"}),
    "empty arrays": (lambda: filled(b"[],"), None, 413, {"too_many_records", "too_complex"}),
    "empty objects": (lambda: filled(b"{},"), None, 413, {"too_many_records", "too_complex"}),
    "objects in one record": (
        lambda: b'{"attributes":' + filled(b'{"a":0},')[:-40] + b"{}]}",
        None,
        413,
        {"too_complex"},
    ),
    "numbers": (lambda: filled(b"7777,"), None, 413, {"too_many_records"}),
    "fractions": (lambda: filled(b"1.5,"), None, 413, {"too_many_records"}),
    "texts": (lambda: filled(b'"ab",'), None, 413, {"too_many_records"}),
    "one digit after another": (lambda: b"[" + b"7" * FULL + b"]", None, 422, {"bad_type"}),
    "unclosed numbers": (lambda: filled(b"7777,")[:-1], None, 400, {"bad_json"}),
    "unclosed arrays": (lambda: filled(b"[],")[:-1], None, 413, {"too_complex"}),
    "one text": (lambda: b'["' + b"a" * (FULL - 4) + b'"]', None, 422, {"bad_type"}),
    "escapes": (lambda: b'["' + b"\\u0041" * (FULL // 6) + b'"]', None, 422, {"bad_type"}),
    "too many records": (
        lambda: json.dumps([record() for _ in range(v.POST_RECORDS_MAX + 1)]).encode(),
        None,
        413,
        {"too_many_records"},
    ),
    "a byte too many": (lambda: b" " * (16 * MIB + 1), None, 413, {"body_too_large"}),
}


def send(running: Web, key: str, body: bytes, encoding: str | None, kind: str) -> Reply:
    headers = {**bearer(key), "Content-Type": kind}
    if encoding:
        headers["Content-Encoding"] = encoding
    return running.ask("POST", BLOCKS, body=body, headers=headers)


def codes(answer: Reply) -> set[str]:
    told = json.loads(answer.body)
    if answer.status != 422:
        return {answer.problem["code"]} if answer.status >= 400 else set()
    return {error["code"] for result in told["results"] for error in result["errors"]}


def serve(running: Web, key: str, times: int = 4) -> None:
    body = json.dumps([record() for _ in range(500)]).encode()
    for _ in range(times):
        assert send(running, key, body, None, "application/json").status in (200, 201)


def settled(running: Web, key: str) -> list[int]:
    """Memory of the workers before the first bad body, once good ones make them grow no more."""
    if not running.before:
        serve(running, key, 160)
        running.before, running.first = running.memory(), running.workers
    running.forget_peaks()
    return running.before


@pytest.mark.parametrize("name", BODIES)
def test_each_gets_its_status_and_leaves_no_trace(running: Web, name: str) -> None:
    make, encoding, status, wanted = BODIES[name]
    key, body = make_key(records_per_second=0), make()
    before = settled(running, key)
    answers: list[Reply] = []
    senders = [
        threading.Thread(
            target=lambda: answers.append(send(running, key, body, encoding, "application/json"))
        )
        for _ in range(3)
    ]
    for sender in senders:
        sender.start()
    # Others are answered meanwhile.
    one = json.dumps(record()).encode()
    assert send(running, key, one, None, "application/json").status == 201
    for sender in senders:
        sender.join(120)
    # Of equal good ones, the first is stored and the others were there.
    good = (200, 201)
    expected = good if status in good else (status,)
    assert {answer.status for answer in answers} <= set(expected), [a.body[:300] for a in answers]
    for answer in answers:
        assert codes(answer) <= wanted
    serve(running, key)
    # It is given back within seconds.
    until(lambda: sum(running.memory()) - sum(before) < 64 * MIB)
    after = running.memory()
    print(
        f"{name}: before {[a // MIB for a in before]}, after {[b // MIB for b in after]},"
        f" peaks {[peak // MIB for peak in running.peaks()]}"
    )
    assert running.workers == running.first, "no worker died"
    assert max(running.peaks()) - min(before) < PEAK


def test_lines_of_death(running: Web) -> None:
    key = make_key()
    before = settled(running, key)
    for body, status in (
        (b"[\n" * (FULL // 2), 413),
        (b"\n" * FULL, 422),
        (b"[" * (MIB - 1) + b"\n" + b"{" * MIB, 422),
        (b"[" * FULL, 422),
    ):
        answer = send(running, key, body, None, "application/x-ndjson")
        assert answer.status == status, answer.body[:200]
    serve(running, key)
    until(lambda: sum(running.memory()) - sum(before) < 64 * MIB)
    assert max(running.peaks()) - min(before) < PEAK
