"""Stored bytes → values: exactly the known fields, of exactly the BSON types they are written as.

The driver reads some types as the same value (a symbol as a string, a long as an integer) and
of two fields of one name the last. So what was read is written again and must give the same bytes;
what even that cannot tell apart, the exact Python types do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.int64 import Int64

from tracking import vocabulary as v

# Naive moments are fastest; those no Python date can hold come as DatetimeMS, which no shape has.
CODEC: CodecOptions = CodecOptions(
    tz_aware=False,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
_INT32: Final = 1 << 31
UNREADABLE: Final = "The stored bytes are no document that can be read."
UNFAITHFUL: Final = (
    "The stored bytes are not those of its values: a type that reads like another, or a field"
    " that stands twice."
)


@dataclass(frozen=True, slots=True)
class Shape:
    required: Mapping[str, type]
    optional: Mapping[str, type]

    @property
    def fields(self) -> Mapping[str, type]:
        return {**self.required, **self.optional}


def _shape(required: str, optional: str = "") -> Shape:
    return Shape(dict(_fields(required)), dict(_fields(optional)))


def _fields(text: str) -> Iterator[tuple[str, type]]:
    kinds = {"text": str, "int": int, "time": datetime, "bytes": bytes, "list": list}
    for each in text.split():
        name, _, kind = each.partition(":")
        yield name, {**kinds, "part": dict, "true": bool}[kind]


JOURNAL: Final = _shape(
    "_id:text v:int tenant:text transaction:text lane:int object_id:text object_type:text"
    " flow:text stage:text block:text status:text attempt:int occurred_at:time recorded_at:time"
    " producer:text batch:text index:int salt:bytes part_hash:bytes",
    "flow_version:text queued_at:time started_at:time ended_at:time parents:list corrects:text"
    " final:true marks:list part:part",
)
QUEUE: Final = _shape("_id:text tenant:text recorded_at:time count:int leaves:bytes")
SEGMENT: Final = _shape(
    "_id:int count:int sealed_at:time batches:list leaves:bytes peaks:bytes nodes:bytes"
)
SEGMENT_BATCH: Final = _shape("batch:text tenant:text recorded_at:time count:int")
CHECKPOINT: Final = _shape("_id:int root:bytes note:text signed_at:time")


def split(data: bytes) -> Iterator[bytes]:
    """The documents of a raw batch, each as its bytes."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if size < 5:
            raise BSONError("A document that has no size.")
        yield data[at : at + size]
        at += size


def decoded(raw: bytes) -> dict[str, Any] | None:
    """The values of a document; None where the bytes make none."""
    try:
        found: dict[str, Any] = bson.decode(raw, CODEC)
    except (BSONError, ValueError, OverflowError):
        return None
    return found


def faithful(raw: bytes, document: Mapping[str, Any]) -> bool:
    """Whether the values, written again, are these very bytes."""
    try:
        return bson.encode(document, codec_options=CODEC) == raw
    except (BSONError, ValueError, OverflowError):
        return False


def checked(raw: bytes, shape: Shape) -> tuple[dict[str, Any], list[str]]:
    """The document and what is wrong with its form; {} where it cannot be read at all."""
    document = decoded(raw)
    if document is None:
        return {}, [UNREADABLE]
    wrong = wrong_fields(document, shape)
    if not wrong and not faithful(raw, document):
        wrong = [UNFAITHFUL]
    return document, wrong


def wrong_fields(document: Mapping[str, Any], shape: Shape) -> list[str]:
    fields = shape.fields
    wrong = [f"{name} is missing." for name in shape.required if name not in document]
    for name, value in document.items():
        kind = fields.get(name)
        if kind is None:
            wrong.append(f"{name} is no field of it.")
        elif not is_of(value, kind):
            wrong.append(f"{name} is {article(type(value))}, not {article(kind)}.")
    return wrong


def is_of(value: Any, kind: type) -> bool:
    """An integer is stored with 32 bits wherever it has room there."""
    if kind is int and type(value) is Int64:
        return not -_INT32 <= value < _INT32
    if kind is dict:
        return type(value) is dict and bool(value)
    if kind is bool:
        return value is True
    return type(value) is kind


def article(kind: type) -> str:
    known = {
        str: "a string",
        int: "an integer",
        Int64: "a long integer",
        float: "a double",
        bytes: "binary data",
        datetime: "a date",
        dict: "an object",
        list: "an array",
        bool: "a boolean",
        type(None): "null",
    }
    return known.get(kind, f"of type {kind.__name__}")


def odd_value(value: Any, path: str) -> str | None:
    """What in a record's erasable part, or its lists, no record is stored with."""
    kind = type(value)
    if kind is str or kind is bool or kind is int:
        return None
    if kind is dict:
        items = ((f"{path}.{name}", item) for name, item in value.items())
        return next(filter(None, (odd_value(item, place) for place, item in items)), None)
    if kind is list:
        items = ((f"{path}[{place}]", item) for place, item in enumerate(value))
        return next(filter(None, (odd_value(item, place) for place, item in items)), None)
    if kind is Int64 and is_of(value, int):
        return None if abs(value) <= v.INT_MAX else f"{path} is beyond what JSON has exactly."
    if kind is float and math.isfinite(value):
        # Numbers that equal an integer are stored as integers.
        if not (value.is_integer() and abs(value) <= v.INT_MAX):
            return None
        return f"{path} is a double that equals an integer."
    return f"{path} is {article(kind)}."


def odd_texts(value: list[Any], path: str) -> str | None:
    for place, item in enumerate(value):
        if type(item) is not str:
            return f"{path}[{place}] is {article(type(item))}, not a string."
    return None if value else f"{path} is empty."
