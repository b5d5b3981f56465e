"""ExportTraceServiceRequest in protobuf → its spans.

The envelope is walked by hand and each span decoded by itself: a message of two bytes takes
a hundred in memory, so that a hostile body decoded at once would take gigabytes, and a span
that cannot be decoded is refused alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from tracking import vocabulary as v
from tracking.errors import BadRequest
from tracking.ingest.otlp_span import (
    EXCEPTION,
    SPAN_BYTES_MAX,
    SPANS_MAX,
    TOO_DEEP,
    Attributes,
    Refused,
    Source,
    Span,
    Value,
)

Slice = tuple[int, int]
_SCALARS: Final = frozenset(
    ("string_value", "bool_value", "int_value", "double_value", "bytes_value")
)
# Of the envelope: ResourceSpans and ScopeSpans have the same numbers for the same things.
_OWN, _INNER = 1, 2


class _Group(NamedTuple):
    """Where in the body the resource, the scope and their spans are."""

    resource: list[Slice]
    scope: list[Slice]
    spans: list[Slice]


def read_protobuf(body: bytes) -> Iterator[tuple[Source, Span | Refused]]:
    """The spans of a body; raises BadRequest before the first one when it is unreadable."""
    groups = list(_walk(body))
    if sum(len(group.spans) for group in groups) > SPANS_MAX:
        raise too_many_spans()
    return _read_groups(body, groups)


def _walk(body: bytes) -> Iterator[_Group]:
    left = _Budget()
    for _, start, end in _pick(body, 0, len(body), left, (1,)):
        parts = list(_pick(body, start, end, left, (_OWN, _INNER)))
        resource = _slices(parts, _OWN)
        for inner_start, inner_end in _slices(parts, _INNER):
            inner = list(_pick(body, inner_start, inner_end, left, (_OWN, _INNER)))
            yield _Group(resource, _slices(inner, _OWN), _slices(inner, _INNER))


def _slices(parts: list[tuple[int, int, int]], wanted: int) -> list[Slice]:
    return [(start, end) for number, start, end in parts if number == wanted]


def _read_groups(body: bytes, groups: list[_Group]) -> Iterator[tuple[Source, Span | Refused]]:
    """One resource in memory at a time: a body may hold thousands."""
    read: list[Slice] | None = None
    resource: Attributes = {}
    for group in groups:
        try:
            if group.resource is not read:
                resource = _attributes(_message(Resource, body, group.resource).attributes)
                read = group.resource
            scope = _message(InstrumentationScope, body, group.scope)
            source = Source(resource, _attributes(scope.attributes), scope.name, scope.version)
        except DecodeError:
            read = None
            for start, _ in group.spans:
                yield (
                    Source({}),
                    Refused(f"at byte {start}", "Its resource or scope cannot be decoded."),
                )
            continue
        for start, end in group.spans:
            yield source, _read(body, start, end)


class _Budget:
    """How many fields the envelope may still have; an empty one takes two bytes of the body."""

    def __init__(self) -> None:
        self.left = 2 * SPANS_MAX

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise too_many_spans()


def too_many_spans() -> BadRequest:
    return BadRequest(
        "too_many_spans",
        f"The request has more than {SPANS_MAX} spans; send smaller ones.",
        status=413,
        limit=SPANS_MAX,
    )


def _pick(
    body: bytes, at: int, end: int, budget: _Budget, wanted: tuple[int, ...]
) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of the fields that are wanted; others are skipped, as they must be."""
    while at < end:
        budget.take()
        tag, at = _varint(body, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == 2 and number:
            size, at = _varint(body, at, end)
            if size > end - at:
                raise _unreadable(at)
            if number in wanted:
                yield number, at, at + size
            at += size
        elif number in wanted or not number:
            raise _unreadable(at)
        elif kind == 0:
            _, at = _varint(body, at, end)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise _unreadable(at)
    if at > end:
        raise _unreadable(end)


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = body[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise _unreadable(at)


def _message(kind: Any, body: bytes, own: list[Slice]) -> Any:
    """A resource or scope; of several the fields are merged, as protobuf says."""
    if sum(end - start for start, end in own) > SPAN_BYTES_MAX:
        raise DecodeError
    return kind.FromString(b"".join([body[start:end] for start, end in own]))


def _unreadable(offset: int) -> BadRequest:
    return BadRequest(
        "bad_protobuf",
        f"The body is no ExportTraceServiceRequest: reading ended at byte {offset}.",
        offset=offset,
    )


def _read(body: bytes, start: int, end: int) -> Span | Refused:
    if end - start > SPAN_BYTES_MAX:
        size = f"It has {end - start} bytes; at most {SPAN_BYTES_MAX} are allowed."
        return Refused(f"at byte {start}", size)
    try:
        wire = WireSpan.FromString(body[start:end])
    except DecodeError:
        return Refused(f"at byte {start}", "It cannot be decoded.")
    return Span(
        trace=wire.trace_id.hex(),
        id=wire.span_id.hex(),
        parent=wire.parent_span_id.hex(),
        name=wire.name,
        kind=wire.kind,
        flags=wire.flags,
        start=wire.start_time_unix_nano,
        end=wire.end_time_unix_nano,
        attributes=_attributes(wire.attributes),
        dropped=wire.dropped_attributes_count,
        events=[event.name for event in wire.events if event.name != EXCEPTION],
        raised=_raised(wire.events),
        links=[link.trace_id.hex() for link in wire.links],
        status=wire.status.code,
        message=wire.status.message,
    )


def _raised(events: Any) -> Attributes:
    last = next((event for event in reversed(events) if event.name == EXCEPTION), None)
    return {} if last is None else _attributes(last.attributes)


def _attributes(pairs: Any) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(wire: Any, depth: int = 1) -> Value:
    kind = wire.WhichOneof("value")
    if kind in _SCALARS:
        return getattr(wire, kind)
    if kind == "array_value":
        if depth > v.DEPTH_MAX:
            return TOO_DEEP
        return [_value(item, depth + 1) for item in wire.array_value.values]
    if kind == "kvlist_value":
        if depth > v.DEPTH_MAX:
            return TOO_DEEP
        return {pair.key: _value(pair.value, depth + 1) for pair in wire.kvlist_value.values}
    return None
