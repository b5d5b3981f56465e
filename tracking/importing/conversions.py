"""Conversions of a look-up's value: its type, its decimal sign, its separator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tracking.importing.problems import MappingError, RowError, did_you_mean
from tracking.importing.words import as_text

TIME_KEYS: Final = ("format", "zone", "ambiguous", "missing", "plus")
TYPES: Final = ("text", "integer", "number", "boolean", "time")
_TRUE: Final = frozenset(("true", "1", "yes", "y", "t", "on"))
_FALSE: Final = frozenset(("false", "0", "no", "n", "f", "off"))
# Gives the reader for a table with type = "time": (table, its key) → value → text.
Times = Callable[[dict[str, Any], str], Callable[[Any], Any]] | None


def conversion(spec: dict[str, Any], key: str, times: Times) -> Callable[[Any], Any] | None:
    kind = spec.get("type")
    split = spec.get("split")
    decimal = spec.get("decimal", ".")
    if kind is not None and kind not in TYPES:
        raise MappingError(f"{key}.type", f"{kind!r} is no type; " + did_you_mean(str(kind), TYPES))
    if decimal not in (".", ","):
        raise MappingError(f"{key}.decimal", 'must be "." or ",".')
    if decimal == "," and kind != "number":
        raise MappingError(f"{key}.decimal", 'goes with type = "number".')
    if kind != "time" and (misplaced := next((n for n in TIME_KEYS if n in spec), None)):
        raise MappingError(f"{key}.{misplaced}", 'goes with type = "time".')
    convert: Callable[[Any], Any] | None = None
    if kind == "time":
        if times is None:
            raise MappingError(f"{key}.type", "no time is wanted here.")
        convert = times(spec, key)
    elif kind is not None:
        convert = {
            "text": as_text,
            "integer": _integer,
            "boolean": _boolean,
            "number": (lambda value: _number(value, decimal)),
        }[kind]
    if split is None:
        return convert
    if not isinstance(split, str) or not split:
        raise MappingError(f"{key}.split", "must be the text that separates the values.")
    each = convert or str

    def divide(value: Any) -> list[Any] | None:
        parts = [part.strip() for part in as_text(value).split(split)]
        return [each(part) for part in parts if part] or None

    return divide


def _integer(value: Any) -> int:
    try:
        return int(as_text(value).strip())
    except ValueError:
        raise RowError(f"{as_text(value)[:60]!r} is no integer") from None


def _number(value: Any, decimal: str) -> int | float:
    text = as_text(value).strip()
    if decimal == ",":
        text = text.replace(".", "").replace(",", ".")
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number - number != 0:
        raise RowError(f"{text[:60]!r} is no number")
    return number


def _boolean(value: Any) -> bool:
    text = as_text(value).strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise RowError(f"{text[:60]!r} is neither true nor false")
