"""What a body may cost while it is parsed.

16 MiB of `[],[],…` parse to half a gigabyte of empty lists before anything can count them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tracking.errors import BadRequest

# Smaller bodies are parsed side by side; what a few of them cost together is bounded, too.
BIG_BYTES: Final = 1024 * 1024
# A record has at most 100 lists of attributes, 20 of references, 20 uses and some objects.
CONTAINERS_OF_A_RECORD: Final = 150

_TEXT_OR_OPENING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|([\[{])', re.DOTALL)
_BLANK_LINES: Final = re.compile(rb"\n[ \t\r\n\v\f]*\n")
_parsing: Final = threading.Lock()


@contextmanager
def one_big_at_a_time(body: bytes) -> Iterator[None]:
    """Parse large bodies one after the other: side by side they would be no faster."""
    if len(body) <= BIG_BYTES:
        yield
        return
    with _parsing:
        yield


def check_containers(text: bytes, records: int) -> None:
    """Refuse JSON of more objects and arrays than so many records can have, before it is parsed."""
    most = records * CONTAINERS_OF_A_RECORD
    if len(text) <= BIG_BYTES or text.count(b"{") + text.count(b"[") <= most:
        return
    # Texts may hold brackets as they like.
    count = 0
    for found in _TEXT_OR_OPENING.finditer(text):
        if found[1] is not None:
            count += 1
            if count > most:
                raise BadRequest(
                    "too_complex",
                    f"The body has more than {most} objects and arrays, which no {records}"
                    " records have.",
                    status=413,
                    limit=most,
                )


def without_blank_lines(body: bytes, records: int) -> bytes:
    """The same lines, where there are very many; raises BadRequest where too many have text."""
    if body.count(b"\n") <= 2 * records:
        return body
    body = _BLANK_LINES.sub(b"\n", body)
    count = body.count(b"\n")
    if count > records + 1:
        raise too_many_records(count, records)
    return body


def too_many_records(count: int, most: int) -> BadRequest:
    return BadRequest(
        "too_many_records",
        f"The post has {count} records; at most {most} are allowed.",
        status=413,
        limit=most,
    )
