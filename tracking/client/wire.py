"""In the background: what was recorded becomes one line of JSON that the server can read.

Whatever would make the server refuse a record for its form alone is mended here: texts are
cut to their limits, control characters and lone surrogates spelt out, numbers beyond JSON
turned into text. Identifiers are never cut: a shortened id is another id, so the server
refuses it and the client says so.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from . import limits
from .failure import Failure, tail

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_MILLISECONDS: Final = 1e11  # a number beyond it is no count of seconds, but of milliseconds
_TRACE_AT_LEAST: Final = 2_000
_dump: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


class Unfit(Exception):
    """A record that the server would refuse; the text says why."""


def line_of(fields: dict[str, Any]) -> tuple[bytes, bool]:
    """One line of JSON without its line break, and whether anything was left out of it.

    Raises Unfit.
    """
    wire, trimmed = shape(fields)
    line = _dump(wire).encode()
    if len(line) > limits.RECORD_BYTES:
        trace = (wire.get("exception") or {}).get("stacktrace", "")
        if len(trace) > _TRACE_AT_LEAST:
            wire["exception"]["stacktrace"] = tail(trace, _TRACE_AT_LEAST)
            line = _dump(wire).encode()
            trimmed = True
    if len(line) > limits.RECORD_BYTES:
        raise Unfit(f"too_large: the record has more than {limits.RECORD_BYTES} bytes")
    return line, trimmed


def shape(fields: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The record as the contract wants it, and whether anything was left out."""
    wire: dict[str, Any] = {}
    trimmed = False
    for name, value in fields.items():
        if value is None:
            continue
        shaper = _SHAPES.get(name)
        if shaper is None:
            wire[escape(name, _SURROGATE)] = plain(value)
            continue
        shaped, cut = shaper(value)
        trimmed = trimmed or cut
        if shaped is not None:
            wire[name] = shaped
    queued, started = wire.get("queued_at"), wire.get("started_at")
    if _is_ours(queued) and _is_ours(started) and str(queued) > str(started):
        # the queue's clock runs ahead of ours; the server takes no time that runs backwards
        wire["queued_at"], trimmed = started, True
    if "object_id" in wire or "object_type" in wire:
        known = wire.get("object")
        wire["object"] = {
            **(known if isinstance(known, dict) else {}),
            **{
                short: wire.pop(name)
                for name, short in (("object_id", "id"), ("object_type", "type"))
                if name in wire
            },
        }
    return wire, trimmed


# --- Values ----------------------------------------------------------------------------------


def escape(text: str, pattern: re.Pattern[str]) -> str:
    """Characters that no record may hold, spelt out as Python would: nothing is lost."""
    if text.isascii() and text.isprintable():
        return text
    return pattern.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def plain(value: Any) -> Any:
    """Something that JSON can hold."""
    kind = type(value)
    if kind is str:
        return escape(value, _SURROGATE)
    if kind is bool or value is None:
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= limits.INTEGER else _digits(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {escape(str(name), _SURROGATE): plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Failure):
        return plain(value.wire())
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, datetime):
        return time_text(value)
    return escape(str(value), _SURROGATE)


def _digits(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to spell out thousands of digits
        return hex(value)


def time_text(value: Any) -> Any:
    """RFC 3339 in UTC with milliseconds. A time without a zone is taken as UTC, a number as
    seconds since 1970; anything else is left for the server to judge."""
    try:
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
        if isinstance(value, int | float) and not isinstance(value, bool):
            milliseconds = value if abs(value) > _MILLISECONDS else value * 1000 + 1e-3
            seconds, rest = divmod(math.floor(milliseconds), 1000)
            text = _second_text(seconds)
            return f"{text}.{rest:03d}Z"
    except (ValueError, OverflowError, OSError):
        return str(plain(value))
    return plain(value)


def _is_ours(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 24 and text.endswith("Z")


_last_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def _second_text(seconds: int) -> str:
    # Neighbours mostly fall in the same second; one tuple, so that threads cannot mix two.
    global _last_second
    known = _last_second
    if known[0] != seconds:
        known = (seconds, datetime.fromtimestamp(seconds, UTC).isoformat()[:19])
        _last_second = known
    return known[1]


# --- Fields: each gives the shaped value (None: leave it out) and whether it was cut ------------

_Shaped = tuple[Any, bool]


def _name(value: Any) -> _Shaped:
    if isinstance(value, dict | list):
        return plain(value), False
    return escape(value if type(value) is str else str(plain(value)), _SURROGATE), False


def _object(value: Any) -> _Shaped:
    if not isinstance(value, dict):
        return plain(value), False
    return {escape(name, _SURROGATE): _name(item)[0] for name, item in value.items()}, False


def _time(value: Any) -> _Shaped:
    return time_text(value), False


def _cut(value: Any, most: int, pattern: re.Pattern[str] = _CONTROL) -> tuple[str, bool]:
    text = escape(value if type(value) is str else str(plain(value)), pattern)
    return (text, False) if len(text) <= most else (text[: most - 1] + "…", True)


def _reason(value: Any) -> _Shaped:
    return _cut(value, limits.REASON)


def _exception(value: Any) -> _Shaped:
    if isinstance(value, Failure):
        value = value.wire()
    if not isinstance(value, dict):
        value = {"message": value}
    shaped, trimmed = {}, False
    for name, item in value.items():
        most = limits.EXCEPTION.get(name)
        if most is None:
            shaped[escape(name, _SURROGATE)] = plain(item)
        elif item is not None:
            text = escape(item if type(item) is str else str(plain(item)), _CONTROL)
            trimmed = trimmed or len(text) > most
            shaped[name] = tail(text, most) if name == "stacktrace" else _cut(text, most)[0]
    return shaped or None, trimmed


def _attributes(value: Any) -> _Shaped:
    if not isinstance(value, dict):
        return plain(value), False
    shaped: dict[str, Any] = {}
    trimmed = False
    room = limits.ATTRIBUTES_BYTES - 2
    for name, item in value.items():
        if item is None:
            continue
        key = _printable(name)[: limits.ATTRIBUTE_NAME]
        kept, cut = _attribute(item)
        size = _size(key) + _size(kept) + 2
        trimmed = trimmed or cut or key != name
        if not key or len(shaped) >= limits.ATTRIBUTES or size > room:
            trimmed = True
            continue
        room -= size
        shaped[key] = kept
    return shaped or None, trimmed


def _attribute(value: Any) -> tuple[Any, bool]:
    if isinstance(value, list):
        kept, trimmed = [], len(value) > limits.ATTRIBUTE_LIST
        for item in value[: limits.ATTRIBUTE_LIST]:
            if item is None:
                continue
            one, cut = _scalar(item)
            kept.append(one)
            trimmed = trimmed or cut
        return kept, trimmed
    return _scalar(value)


def _scalar(value: Any) -> tuple[Any, bool]:
    if isinstance(value, dict | list | Failure):
        value = _dump(plain(value))
    shaped = plain(value)
    return _cut(shaped, limits.ATTRIBUTE_TEXT) if type(shaped) is str else (shaped, False)


def _size(value: Any) -> int:
    if type(value) is bool or type(value) is int:
        return 18
    if type(value) is str and len(value) < 100 and value.isascii():
        return 2 * len(value) + 2  # every character may need a backslash
    return len(_dump(value).encode())


def _printable(name: str) -> str:
    return name if name.isprintable() else "".join(c if c.isprintable() else "?" for c in name)


def _references(value: Any) -> _Shaped:
    """A business identifier that is too long is left out: cut, it would be another one."""
    if not isinstance(value, dict):
        return plain(value), False
    shaped: dict[str, Any] = {}
    trimmed = False
    for name, item in value.items():
        key = _printable(name)
        given = item if isinstance(item, list) else [item]
        texts = [
            escape(one if type(one) is str else str(plain(one)), _CONTROL_LINE)
            for one in given
            if one is not None and one != ""
        ]
        kept = [text for text in texts if len(text) <= limits.REFERENCE_VALUE]
        trimmed = trimmed or len(kept) < len(texts) or len(kept) > limits.REFERENCE_VALUES
        kept = kept[: limits.REFERENCE_VALUES]
        if not kept:
            continue
        if not 1 <= len(key) <= limits.REFERENCE_NAME or len(shaped) >= limits.REFERENCES:
            trimmed = True
            continue
        shaped[key] = kept if isinstance(item, list) else kept[0]
    return shaped or None, trimmed


def _listed(most: int) -> Callable[[Any], _Shaped]:
    def shaper(value: Any) -> _Shaped:
        given = value if isinstance(value, list) else [value]
        shaped = [plain(item) for item in given[:most] if item is not None]
        return shaped or None, len(given) > most

    return shaper


def _cost(value: Any) -> _Shaped:
    shaped = plain(value)
    if isinstance(shaped, dict) and isinstance(shaped.get("amount"), int | float):
        shaped["amount"] = format(Decimal(repr(shaped["amount"])), "f")
    return shaped, False


_SHAPES: Final[dict[str, Callable[[Any], _Shaped]]] = {
    **dict.fromkeys(
        "id object_id object_type flow flow_version block transaction stage status subject"
        " corrects".split(),
        _name,
    ),
    **dict.fromkeys("occurred_at queued_at started_at ended_at".split(), _time),
    "object": _object,
    "reason": _reason,
    "exception": _exception,
    "attributes": _attributes,
    "references": _references,
    "parents": _listed(limits.PARENTS),
    "usage": _listed(limits.USAGE),
    "cost": _cost,
}
