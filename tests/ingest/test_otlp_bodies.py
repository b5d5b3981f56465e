"""Bodies of OTLP made to take memory: many times their size, were they decoded at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ingest.spans import request, span
from tracking import vocabulary as v

MIB = 2**20
GROWTH_MAX = 64 * MIB
READER = """
import resource, sys
from tracking import clock
from tracking.ingest.otlp import PROTOBUF, read_spans, translate

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(path):
    with open(path, "rb") as file:
        body = file.read()
    return len(list(translate(read_spans(body, PROTOBUF), clock.now())))

warm, hostile = sys.argv[1:]
read(warm)
before = peak()
print(read(hostile), peak() - before)
"""


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    size, varint = len(content), bytearray()
    while size > 127:
        varint.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(varint) + bytes([size]) + content


def spans_of(part: bytes) -> bytes:
    """Spans of a MiB each that are filled with one part, again and again."""
    head = span(1).SerializeToString()
    one = field(2, head + part * ((MIB - len(head)) // len(part)))
    return field(1, field(2, one * (v.POST_BYTES_MAX // len(one))))


def many_resources() -> bytes:
    resource = b"".join(field(1, field(1, b"%06x" % number)) for number in range(90_000))
    spans = field(2, field(2, span(1).SerializeToString()))
    return field(1, field(1, resource) + spans) * 15


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: spans_of(field(9, b"")), id="attributes"),
        pytest.param(lambda: spans_of(field(13, b"")), id="links"),
        pytest.param(many_resources, id="resources"),
    ],
)
def test_a_hostile_body_takes_little_memory(make: Callable[[], bytes], tmp_path: Path) -> None:
    warm, hostile = tmp_path / "warm", tmp_path / "hostile"
    warm.write_bytes(request(*map(span, range(1, 3_000))).SerializeToString())
    hostile.write_bytes(make())
    assert 12 * MIB < hostile.stat().st_size <= v.POST_BYTES_MAX
    done = subprocess.run(
        [sys.executable, "-c", READER, warm, hostile], capture_output=True, text=True, check=True
    )
    spans, growth = map(int, done.stdout.split())
    assert spans in (15, 16)
    assert growth < GROWTH_MAX
