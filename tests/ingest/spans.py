"""Requests of OTLP, in both encodings, from few words."""

from __future__ import annotations

import json
import time
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE = "5b8efff798038103d269b633813fc60c"
START = (int(time.time()) - 3600) * 10**9
MS = 10**6
SERVER, CLIENT, PRODUCER, CONSUMER, INTERNAL = 2, 3, 4, 5, 1


def any_value(value: Any) -> AnyValue:
    wire = AnyValue()
    if isinstance(value, bool):
        wire.bool_value = value
    elif isinstance(value, int):
        wire.int_value = value
    elif isinstance(value, float):
        wire.double_value = value
    elif isinstance(value, str):
        wire.string_value = value
    elif isinstance(value, bytes):
        wire.bytes_value = value
    elif isinstance(value, list):
        wire.array_value.values.extend(map(any_value, value))
        wire.array_value.SetInParent()
    elif isinstance(value, dict):
        wire.kvlist_value.values.extend(pairs(value))
        wire.kvlist_value.SetInParent()
    return wire


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=any_value(value)) for name, value in attributes.items()]


def span(
    number: int,
    name: str = "work",
    *,
    parent: int = 0,
    trace: str = TRACE,
    begin: int = 0,
    end: int = 100,
    error: str | None = None,
    raised: dict[str, str] | None = None,
    links: tuple[str, ...] = (),
    attributes: dict[str, Any] | None = None,
    **fields: Any,
) -> Span:
    """A span of milliseconds `begin` to `end`; `error` is the message of its status."""
    made = Span(
        trace_id=bytes.fromhex(trace),
        span_id=number.to_bytes(8, "big") if number else b"",
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        start_time_unix_nano=START + begin * MS,
        end_time_unix_nano=START + end * MS,
        attributes=pairs(attributes or {}),
        links=[Span.Link(trace_id=bytes.fromhex(other), span_id=b"12345678") for other in links],
        **fields,
    )
    if error is not None:
        made.status.code = 2
        made.status.message = error
    if raised is not None:
        given = {f"exception.{part}": text for part, text in raised.items()}
        made.events.add(name="exception", time_unix_nano=START, attributes=pairs(given))
    return made


def request(*spans: Span, resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    resource = {"service.name": "shop"} if resource is None else resource
    group.resource.attributes.extend(pairs(resource))
    group.scope_spans.add(spans=spans).scope.name = "tests"
    return made


def as_json(message: ExportTraceServiceRequest) -> bytes:
    """OTLP's JSON: as protobuf's, but for ids in hex and enums as numbers."""
    found = MessageToDict(message, use_integers_for_enums=True)
    for group in found.get("resourceSpans", ()):
        for scope in group.get("scopeSpans", ()):
            for one, wire in zip(
                scope.get("spans", ()),
                (s for g in message.resource_spans for c in g.scope_spans for s in c.spans),
                strict=False,
            ):
                one["traceId"], one["spanId"] = wire.trace_id.hex(), wire.span_id.hex()
                one["parentSpanId"] = wire.parent_span_id.hex()
                for link, wire_link in zip(one.get("links", ()), wire.links, strict=True):
                    link["traceId"] = wire_link.trace_id.hex()
                    link["spanId"] = wire_link.span_id.hex()
    return json.dumps(found).encode()
