"""Body → the JSON values posted in it.

The fast parser is strict. What it refuses goes through the slow one, which reads on where
it can (a lone surrogate, NaN, a number beyond every range, a raw control character), so
that one bad record is answered as one bad record and its neighbours are stored.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import orjson

from tracking import vocabulary as v
from tracking.core.record import BadNumber
from tracking.errors import BadRequest

JSON = "application/json"
NDJSON = "application/x-ndjson"
MEDIA_TYPES = (JSON, NDJSON)

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# Every digit becomes 0: finding 19 of them is then a search for a fixed string, which is some
# ten times faster than a pattern.
_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else 32 for byte in range(256))
_HUGE = b"0" * 19


class Unreadable(NamedTuple):
    """Stands for a line of a post that is no JSON; the others are still read."""

    code: str
    message: str


def decode(body: bytes, media_type: str) -> list[object]:
    """The posted values, some perhaps `Unreadable`; raises BadRequest for the whole body."""
    for mark in _BOMS:
        if body.startswith(mark):
            raise BadRequest(
                "byte_order_mark",
                "The body must be UTF-8 without a byte-order mark.",
                offset=0,
            )
    return _ndjson(body) if media_type == NDJSON else _json(body)


def _json(body: bytes) -> list[object]:
    value = _parse(body)
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        if len(value) > v.POST_RECORDS_MAX:
            raise _too_many(len(value))
        return value
    raise BadRequest("bad_body", "The body must be a JSON object or an array of them.", offset=0)


def _ndjson(body: bytes) -> list[object]:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > v.POST_RECORDS_MAX:
        raise _too_many(len(lines))
    values: list[object] = []
    for line in lines:
        try:
            values.append(_parse(line))
        except BadRequest as error:
            values.append(Unreadable(error.code, error.message))
    return values


def _parse(text: bytes) -> object:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_slowly(text)
    # The fast parser turns an integer beyond 64 bits into a float without a word.
    return _parse_slowly(text) if _HUGE in text.translate(_DIGITS) else value


def _parse_slowly(text: bytes) -> object:
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(
            "bad_encoding",
            f"The body is not UTF-8: byte {error.start}.",
            offset=error.start,
        ) from None
    try:
        return json.loads(
            decoded,
            parse_constant=lambda _name: BadNumber("non_finite"),
            parse_int=_integer,
            parse_float=_float,
            strict=False,
        )
    except json.JSONDecodeError as error:
        offset = len(decoded[: error.pos].encode())
        raise BadRequest("bad_json", f"No JSON at byte {offset}: {error.msg}.", offset) from None
    except RecursionError:
        raise BadRequest("too_deep", "The body is nested too deep to be read.", None) from None


def _integer(text: str) -> int | BadNumber:
    return int(text) if len(text) <= 20 else BadNumber("int_range")


def _float(text: str) -> float | BadNumber:
    value = float(text)
    return value if abs(value) != float("inf") else BadNumber("non_finite")


def _too_many(count: int) -> BadRequest:
    return BadRequest(
        "too_many_records",
        f"The post has {count} records; at most {v.POST_RECORDS_MAX} are allowed.",
        status=413,
        limit=v.POST_RECORDS_MAX,
    )
