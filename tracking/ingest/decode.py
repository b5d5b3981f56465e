"""Body → the JSON values posted in it.

Usual records come out as `WireRecord`, checked while they were parsed. A body that holds
anything else is parsed again: by a strict parser, and what that refuses by a slow one, which
reads on where it can (a lone surrogate, NaN, a number beyond every range, a raw control
character), so that one bad record is answered as one bad record and its neighbours are stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from tracking import vocabulary as v
from tracking.core.record import BadNumber
from tracking.core.wire import parse, parse_one
from tracking.errors import BadRequest
from tracking.ingest.bounds import (
    check_containers,
    one_big_at_a_time,
    too_many_records,
    without_blank_lines,
)

JSON = "application/json"
NDJSON = "application/x-ndjson"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
MEDIA_TYPES = (JSON, NDJSON, CLOUD_EVENT, CLOUD_EVENTS)

_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# Every digit becomes 0: finding 19 of them is then a search for a fixed string, which is some
# ten times faster than a pattern.
_DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else 32 for byte in range(256))
_HUGE = b"0" * 19


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a line of a post that is no JSON; the others are still read."""

    code: str
    message: str


def decode(body: bytes, media_type: str, most: int = v.POST_RECORDS_MAX) -> Sequence[object]:
    """The posted values: usual records, decoded JSON, or `Unreadable`; of CloudEvents the events.

    Raises BadRequest for the whole body, and for more than `most` values.
    """
    for mark in _BOMS:
        if body.startswith(mark):
            raise BadRequest(
                "byte_order_mark",
                "The body must be UTF-8 without a byte-order mark.",
                offset=0,
            )
    with one_big_at_a_time(body):
        if media_type == NDJSON:
            return _ndjson(body, most)
        events = media_type in (CLOUD_EVENT, CLOUD_EVENTS)
        return _events(body, media_type, most) if events else _json(body, most)


def _events(body: bytes, media_type: str, most: int) -> Sequence[object]:
    value = parse_json(body, most)
    if media_type == CLOUD_EVENT and isinstance(value, dict):
        return [value]
    if media_type == CLOUD_EVENTS and isinstance(value, list):
        if len(value) > most:
            raise too_many_records(len(value), most)
        return value
    wanted = "a JSON object" if media_type == CLOUD_EVENT else "an array of them"
    raise BadRequest("bad_body", f"The body of {media_type} must be {wanted}.", offset=0)


def _json(body: bytes, most: int) -> Sequence[object]:
    usual = parse(body)
    if usual is not None:
        if len(usual) > most:
            raise too_many_records(len(usual), most)
        return usual
    value = parse_json(body, most)
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        if len(value) > most:
            raise too_many_records(len(value), most)
        return value
    raise BadRequest("bad_body", "The body must be a JSON object or an array of them.", offset=0)


def _ndjson(body: bytes, most: int) -> list[object]:
    lines = [line for line in without_blank_lines(body, most).split(b"\n") if line.strip()]
    if len(lines) > most:
        raise too_many_records(len(lines), most)
    values: list[object] = []
    for line in lines:
        if usual := parse_one(line):
            values.append(usual)
            continue
        try:
            values.append(parse_json(line, most))
        except BadRequest as error:
            values.append(Unreadable(error.code, error.message))
    return values


def parse_json(text: bytes, records: int = v.POST_RECORDS_MAX) -> object:
    """The JSON value; raises BadRequest where there is none. BadNumber stands for some numbers."""
    check_containers(text, records)
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
