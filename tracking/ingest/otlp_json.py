"""ExportTraceServiceRequest in OTLP's JSON → its spans.

OTLP's own rules: lowerCamelCase names, ids in hex, 64-bit integers as strings, enums as
integers; what is not known is skipped, and null is as good as absent.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final

import orjson

from tracking import vocabulary as v
from tracking.core.checks import SURROGATE, kind_of
from tracking.errors import BadRequest
from tracking.ingest.bounds import check_containers, one_big_at_a_time
from tracking.ingest.decode import parse_json
from tracking.ingest.otlp_protobuf import too_many_spans
from tracking.ingest.otlp_span import (
    EXCEPTION,
    SPANS_MAX,
    TOO_DEEP,
    Attributes,
    Refused,
    Source,
    Span,
    Value,
)

_INT_TEXT: Final = 20
_SCALARS: Final = frozenset(("stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"))


class _Wrong(ValueError):
    """A value of another kind than OTLP says."""


def read_json(body: bytes) -> Iterator[tuple[Source, Span | Refused]]:
    """The spans of a body; raises BadRequest before the first one when it is unreadable."""
    request = _parse(body)
    try:
        groups = list(_walk(request))
    except _Wrong as error:
        raise BadRequest("bad_body", f"The body is no ExportTraceServiceRequest: {error}") from None
    if sum(len(spans) for _, spans in groups) > SPANS_MAX:
        raise too_many_spans()
    return ((source, _read(span)) for source, spans in groups for span in spans)


def _parse(body: bytes) -> object:
    with one_big_at_a_time(body):
        check_containers(body, v.POST_RECORDS_MAX)
        try:
            # Without a look for huge integers: every time here is a text of 19 digits, and an
            # integer that became a float is refused where an integer must stand.
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            return parse_json(body)


def _walk(request: object) -> Iterator[tuple[Source, list[Any]]]:
    for group in _list(_object(request, "the body"), "resourceSpans"):
        within = _object(group, "a member of resourceSpans")
        resource = _attributes(_member(within, "resource"))
        for inner in _list(within, "scopeSpans"):
            spans = _object(inner, "a member of scopeSpans")
            scope = _member(spans, "scope")
            source = Source(
                resource, _attributes(scope), _text(scope, "name"), _text(scope, "version")
            )
            yield source, _list(spans, "spans")


def _read(wire: object) -> Span | Refused:
    name = ""
    try:
        span = _object(wire, "a span")
        name = _text(span, "spanId")[:32]
        status = _member(span, "status")
        events = [_object(event, "an event") for event in _list(span, "events")]
        return Span(
            trace=_text(span, "traceId").lower(),
            id=name.lower(),
            parent=_text(span, "parentSpanId").lower(),
            name=_text(span, "name"),
            kind=_integer(span, "kind"),
            flags=_integer(span, "flags"),
            start=_integer(span, "startTimeUnixNano"),
            end=_integer(span, "endTimeUnixNano"),
            attributes=_attributes(span),
            dropped=_integer(span, "droppedAttributesCount"),
            events=[name for name in map(_name, events) if name != EXCEPTION],
            raised=_raised(events),
            links=[
                _text(_object(link, "a link"), "traceId").lower() for link in _list(span, "links")
            ],
            status=_integer(status, "code"),
            message=_text(status, "message"),
        )
    except _Wrong as error:
        return Refused(name, str(error))


def _name(event: dict[str, Any]) -> str:
    return _text(event, "name")


def _raised(events: list[dict[str, Any]]) -> Attributes:
    last = next((event for event in reversed(events) if _name(event) == EXCEPTION), None)
    return {} if last is None else _attributes(last)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(f"{what} must be an object, not {kind_of(value)}.")
    return value


def _member(within: dict[str, Any], name: str) -> dict[str, Any]:
    value = within.get(name)
    return {} if value is None else _object(value, name)


def _list(within: dict[str, Any], name: str) -> list[Any]:
    value = within.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Wrong(f"{name} must be a list, not {kind_of(value)}.")
    return value


def _text(within: dict[str, Any], name: str) -> str:
    value = within.get(name)
    return "" if value is None else _clean(value, name)


def _clean(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{name} must be a string, not {kind_of(value)}.")
    return value if value.isascii() else SURROGATE.sub("\ufffd", value)


def _integer(within: dict[str, Any], name: str) -> int:
    value = within.get(name)
    return 0 if value is None else _integer_of(value, name)


def _integer_of(value: object, name: str, *, signed: bool = False) -> int:
    if isinstance(value, str) and len(value) <= _INT_TEXT and value.isascii():
        digits = value.removeprefix("-") if signed else value
        if digits.isdigit():
            value = int(value)
    least, most = (-(2**63), 2**63 - 1) if signed else (0, 2**64 - 1)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _Wrong(f"{name} must be an integer of 64 bits, or one in a string.")
    return value


def _attributes(within: dict[str, Any]) -> Attributes:
    pairs = (_object(pair, "an attribute") for pair in _list(within, "attributes"))
    return {_text(pair, "key"): _value(pair.get("value")) for pair in pairs}


def _value(wire: object, depth: int = 1) -> Value:
    if wire is None:
        return None
    for name, given in _object(wire, "the value of an attribute").items():
        if given is None:
            continue
        if name in _SCALARS:
            return _scalar(name, given)
        if name in ("arrayValue", "kvlistValue"):
            if depth > v.DEPTH_MAX:
                return TOO_DEEP
            items = _list(_object(given, name), "values")
            if name == "arrayValue":
                return [_value(item, depth + 1) for item in items]
            pairs = (_object(item, "an attribute") for item in items)
            return {_text(pair, "key"): _value(pair.get("value"), depth + 1) for pair in pairs}
    return None


def _scalar(name: str, given: object) -> Value:
    if name == "stringValue":
        return _clean(given, name)
    if name == "intValue":
        return _integer_of(given, name, signed=True)
    if name == "boolValue" and isinstance(given, bool):
        return given
    if name == "doubleValue" and isinstance(given, int | float | str) and type(given) is not bool:
        try:
            return float(given)
        except ValueError:
            pass
    if name == "bytesValue" and isinstance(given, str):
        try:
            return base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise _Wrong(f"{name} is {kind_of(given)} that it cannot be.")
