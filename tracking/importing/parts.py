"""The composite fields of a record: attributes, references, exception, cost and the like.

Each compiler returns what fills the field, and the values it reads. A field of which nothing
is there is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.core.record import default_transaction
from tracking.importing.checks import check_keys
from tracking.importing.problems import MappingError, RowError
from tracking.importing.values import (
    Get,
    Value,
    check_column,
)
from tracking.importing.words import as_text, is_pattern, safe_id

Put = Callable[[dict[str, Any], dict[str, Any]], None]
Compiled = tuple[Put, list[Value]]
# compile_value, knowing how the file's times are written
Compile = Callable[[Any, str], Value]

_TRUE: Final = ("true", "1", "yes")
_FALSE: Final = ("false", "0", "no")


def _named(
    spec: Any, key: str, compile_: Compile
) -> tuple[list[tuple[str, Get]], list[str], list[Value]]:
    """A table of name → value, or a list of columns: getters, column patterns, values."""
    if isinstance(spec, dict):
        values = {name: compile_(each, f"{key}.{name}") for name, each in spec.items()}
        return [(name, value.get) for name, value in values.items()], [], list(values.values())
    if not isinstance(spec, list) or not all(isinstance(each, str) and each for each in spec):
        raise MappingError(key, 'must be a table { name = "{column}" } or a list of columns.')
    plain = [check_column(name, key) for name in spec if not is_pattern(name)]
    compiled = {name: compile_("{" + name + "}", key) for name in plain}
    getters = [(name.removeprefix("@"), value.get) for name, value in compiled.items()]
    return getters, [name for name in spec if is_pattern(name)], list(compiled.values())


def _collect(
    getters: list[tuple[str, Get]], patterns: list[str], convert: Callable[[Any], Any]
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def collect(row: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, get in getters:
            value = get(row)
            if value is not None:
                found[name] = convert(value)
        if patterns:
            for name, value in row.items():
                if name[:1] != "@" and any(fnmatchcase(name, each) for each in patterns):
                    found.setdefault(name, convert(value))
        return found

    return collect


def _attributes(spec: Any, key: str, compile_: Compile) -> Compiled:
    getters, patterns, values = _named(spec, key, compile_)
    return _put_if_any("attributes", _collect(getters, patterns, _scalar)), values


def _references(spec: Any, key: str, compile_: Compile) -> Compiled:
    getters, patterns, values = _named(spec, key, compile_)
    return _put_if_any("references", _collect(getters, patterns, _texts)), values


def _put_if_any(name: str, collect: Callable[[Mapping[str, Any]], Any]) -> Put:
    def put(row: dict[str, Any], wire: dict[str, Any]) -> None:
        found = collect(row)
        if found:
            wire[name] = found

    return put


def _scalar(value: Any) -> Any:
    if type(value) is str:
        return value
    if isinstance(value, list):
        return [_scalar(each) for each in value]
    if isinstance(value, datetime):
        return clock.iso(value)
    if isinstance(value, int) and not -v.INT_MAX <= value <= v.INT_MAX:
        return str(value)  # beyond what JSON readers keep exact: its digits are
    return value


def _texts(value: Any) -> Any:
    return [as_text(each) for each in value] if isinstance(value, list) else as_text(value)


def _table(
    names: tuple[str, ...], required: tuple[str, ...], spec: Any, key: str, compile_: Compile
) -> tuple[Callable[[Mapping[str, Any]], dict[str, Any] | None], list[Value]]:
    """A table of text fields; nothing at all where one of `required` is empty."""
    if not isinstance(spec, dict):
        raise MappingError(key, f"must be a table of {', '.join(names)}.")
    check_keys(spec, names, key)
    for name in required:
        if name not in spec:
            raise MappingError(f"{key}.{name}", "is required.")
    values = {name: compile_(each, f"{key}.{name}") for name, each in spec.items()}

    def collect(row: Mapping[str, Any]) -> dict[str, Any] | None:
        found = {}
        for name, value in values.items():
            given = value.get(row)
            if given is not None:
                found[name] = as_text(given)
            elif name in required:
                return None
        return found

    return collect, list(values.values())


def _exception(spec: Any, key: str, compile_: Compile) -> Compiled:
    collect, values = _table(tuple(v.EXCEPTION_MAX), (), spec, key, compile_)
    return _put_if_any("exception", collect), values


def _cost(spec: Any, key: str, compile_: Compile) -> Compiled:
    names = ("amount", "currency")
    collect, values = _table(names, names, spec, key, compile_)
    return _put_if_any("cost", collect), values


def _usage(spec: Any, key: str, compile_: Compile) -> Compiled:
    names = ("resource", "quantity", "unit")
    lines = spec if isinstance(spec, list) else [spec]
    compiled = [
        _table(names, names, line, f"{key}[{index}]", compile_) for index, line in enumerate(lines)
    ]

    def collect(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = [line(row) for line, _values in compiled]
        return [line for line in found if line is not None]

    return _put_if_any("usage", collect), [value for _line, values in compiled for value in values]


def _payload(spec: Any, key: str, compile_: Compile) -> Compiled:
    collect, values = _table(
        ("hash", "size", "content_type", "uri", "content"), (), spec, key, compile_
    )

    def payload(row: Mapping[str, Any]) -> dict[str, Any] | None:
        found = collect(row)
        if found and "size" in found:
            try:
                found["size"] = int(found["size"])
            except ValueError:
                raise RowError(f"payload.size: {found['size'][:60]!r} is no integer") from None
        return found

    return _put_if_any("payload", payload), values


def _parents(spec: Any, key: str, compile_: Compile) -> Compiled:
    """Transaction ids, or { flow, type, id } of the parent whose transaction is the default."""
    if isinstance(spec, dict) and "from" not in spec:
        names = ("flow", "type", "id")
        collect, values = _table(names, names, spec, key, compile_)

        def of_object(row: Mapping[str, Any]) -> list[str] | None:
            found = collect(row)
            if not found:
                return None
            return [default_transaction(found["flow"], found["type"], found["id"])]

        return _put_if_any("parents", of_object), values
    value = compile_(spec, key)

    def listed(row: Mapping[str, Any]) -> list[str] | None:
        found = value.get(row)
        if found is None:
            return None
        return [safe_id(as_text(each)) for each in (found if isinstance(found, list) else [found])]

    return _put_if_any("parents", listed), [value]


def _final(spec: Any, key: str, compile_: Compile) -> Compiled:
    value = compile_(spec, key)

    def put(row: dict[str, Any], wire: dict[str, Any]) -> None:
        given = value.get(row)
        if given is None:
            return
        text = as_text(given).strip().lower()
        if text in _TRUE:
            wire["final"] = True
        elif text not in _FALSE:
            raise RowError(f"final: {text[:60]!r} is neither true nor false")

    return put, [value]


PARTS: Final[dict[str, Callable[[Any, str, Compile], Compiled]]] = {
    "exception": _exception,
    "attributes": _attributes,
    "references": _references,
    "parents": _parents,
    "usage": _usage,
    "cost": _cost,
    "payload": _payload,
    "final": _final,
}
