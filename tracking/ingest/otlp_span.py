"""A span as both encodings of OTLP give it, and how its attributes fit into a record.

OpenTelemetry sets no limits to attributes, a record does: what is beyond them is cut or left
out and counted, never a reason to refuse the span.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from tracking import vocabulary as v
from tracking.core.checks import CONTROL_TEXT

# string, boolean, integer, float, bytes, None, and lists and string-keyed dicts of these
Value = Any
Attributes = dict[str, Value]

SPANS_MAX: Final = 50_000
SPAN_BYTES_MAX: Final = 1024 * 1024
CUT, DROPPED = COUNTS = ("dft.cut", "dft.dropped")
UNSET, OK, ERROR = range(3)
KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(6)
EXCEPTION: Final = "exception"  # the name of an event
TOO_DEEP: Final = "…"
_REPLACEMENT: Final = "\ufffd"


class Refused(NamedTuple):
    """Stands for a span that cannot become a record; `span` is its id where it has one."""

    span: str
    why: str


@dataclass(slots=True)
class Source:
    """What the spans of one resource and instrumentation scope have in common."""

    resource: Attributes
    scope: Attributes = field(default_factory=dict)
    scope_name: str = ""
    scope_version: str = ""


@dataclass(slots=True)
class Span:
    """One span; ids in lower-case hex, times in nanoseconds since 1970.

    `raised` are the attributes of its last exception, `events` the names of all other events.
    """

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    flags: int
    start: int
    end: int
    attributes: Attributes
    dropped: int
    events: list[str]
    raised: Attributes
    links: list[str]
    status: int
    message: str


def fit_text(text: str, most: int) -> tuple[str, bool]:
    """The text within `most` characters, free of control characters; whether it was changed."""
    changed = len(text) > most
    if changed:
        text = text[: most - 1] + "…"
    if not text.isprintable() and CONTROL_TEXT.search(text):
        return CONTROL_TEXT.sub(_REPLACEMENT, text), True
    return text, changed


def fit_attributes(groups: Iterable[Mapping[str, Value]], dropped: int = 0) -> Attributes:
    """The attributes of a record; of a name in several groups the first counts.

    `dropped` were left out before. Nothing is lost silently: DROPPED counts the names left
    out, CUT the values that were shortened or had control characters replaced.
    """
    kept: Attributes = {}
    cut = size = 0
    most, longest = v.ATTRIBUTES_MAX - len(COUNTS), v.ATTRIBUTE_NAME_MAX
    for group in groups:
        for name, given in group.items():
            if name in kept or given is None:
                continue
            length = len(name)
            if len(kept) >= most or not 0 < length <= longest or not name.isprintable():
                dropped += 1
                continue
            # The usual value first: it needs neither cutting nor another type.
            if type(given) is str and len(given) <= v.ATTRIBUTE_TEXT_MAX and given.isprintable():
                kept[name] = given
                size += length + len(given)
                continue
            kept[name], changed = _fit_value(given)
            cut += changed
            size += length + _length(kept[name])
    # A character has at most four bytes, so that most spans need not be measured.
    if 4 * size + 8 * len(kept) > v.ATTRIBUTES_BYTES_MAX - 100:
        dropped += _drop_beyond(kept, v.ATTRIBUTES_BYTES_MAX - 100)
    if cut:
        kept[CUT] = cut
    if dropped:
        kept[DROPPED] = dropped
    return kept


def _length(value: Value) -> int:
    if isinstance(value, list):
        return sum(map(_length, value))
    return len(value) if isinstance(value, str) else 24


def _drop_beyond(kept: Attributes, limit: int) -> int:
    size = before = len(kept)
    for name in list(kept):
        size += len(orjson.dumps({name: kept[name]}))
        if size > limit:
            size -= len(orjson.dumps({name: kept.pop(name)}))
    return before - len(kept)


def _fit_value(value: Value) -> tuple[Value, bool]:
    if isinstance(value, list):
        read = [_fit_scalar(item) for item in value[: v.ATTRIBUTE_LIST_MAX]]
        changed = len(value) > len(read) or any(change for _, change in read)
        return [item for item, _ in read], changed
    return _fit_scalar(value)


def _fit_scalar(value: Value) -> tuple[Value, bool]:
    if isinstance(value, bool):
        return value, False
    if isinstance(value, int):
        return (value if -v.INT_MAX <= value <= v.INT_MAX else str(value)), False
    if isinstance(value, float):
        return _fit_float(value), False
    if isinstance(value, str):
        return fit_text(value, v.ATTRIBUTE_TEXT_MAX)
    if isinstance(value, bytes):
        return fit_text(base64.b64encode(value).decode("ascii"), v.ATTRIBUTE_TEXT_MAX)
    # A map, a list within a list, or no value within a list: as JSON.
    return fit_text(orjson.dumps(value, default=_plain).decode(), v.ATTRIBUTE_TEXT_MAX)


def _fit_float(value: float) -> int | float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    # 1.0 is stored as 1 in any case (docs/api.md).
    return int(value) if value.is_integer() and abs(value) <= v.INT_MAX else value


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError
