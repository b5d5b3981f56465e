"""Spans become records by docs/opentelemetry.md, from either encoding alike."""

from __future__ import annotations

import base64
import json
import math
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.ingest.spans import (
    CLIENT,
    CONSUMER,
    INTERNAL,
    PRODUCER,
    SERVER,
    START,
    TRACE,
    as_json,
    request,
    span,
)
from tracking import clock
from tracking import vocabulary as v
from tracking.core.record import Record, read_record
from tracking.errors import BadRequest
from tracking.ingest.otlp import JSON, PROTOBUF, TOLD, read_spans, translate
from tracking.ingest.otlp_span import SPAN_BYTES_MAX, SPANS_MAX, Refused

SETTINGS = settings(deadline=None, derandomize=True, max_examples=300)
OTHER = "0af7651916cd43dd8448eb211c80319c"
VALUES = st.recursive(
    st.text(max_size=20)
    | st.text(alphabet='\0\x1b\n\ufffeé😀"\\', max_size=6000)
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats()
    | st.binary(max_size=9000),
    lambda inner: (
        st.lists(inner, max_size=120) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=30,
)


def translated(message: ExportTraceServiceRequest, kind: str = PROTOBUF) -> list[Any]:
    body = message.SerializeToString() if kind == PROTOBUF else as_json(message)
    return list(translate(read_spans(body, kind), clock.now()))


def one(made: Any = None, /, **fields: Any) -> dict[str, Any]:
    """The record of a span's end; it is a valid one."""
    resource = fields.pop("resource", None)
    found = translated(request(made or span(1, parent=9, **fields), resource=resource))
    assert [each.why for each in found] == [""]
    record: dict[str, Any] = found[0].records[-1]
    assert_valid(record)
    return record


def assert_valid(wire: dict[str, Any]) -> None:
    read = read_record(wire, now=clock.now())
    assert isinstance(read, Record), read


# --- The mapping -----------------------------------------------------------------------------


def test_a_plain_span_is_the_record_of_a_block() -> None:
    record = one(name="GET /orders", kind=CLIENT, begin=5, end=25, attributes={"peer": "billing"})
    assert record["id"] == f"{TRACE}-0000000000000001"
    assert record["transaction"] == TRACE
    assert record["object"] == {"id": TRACE, "type": v.TRACE_OBJECT}
    assert (record["flow"], record["block"]) == ("shop", "shop: GET /orders")
    assert (record["stage"], record["status"]) == ("processing", "succeeded")
    assert record["started_at"] < record["occurred_at"]
    assert record["occurred_at"].endswith("025Z") == (START % 10**9 == 0)
    assert record["attributes"] == {
        "otel.span.kind": "CLIENT",
        "otel.span.parent": "0000000000000009",
        "peer": "billing",
        "otel.scope.name": "tests",
        "service.name": "shop",
    }
    assert "final" not in record


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        (0, "processing"),
        (INTERNAL, "processing"),
        (SERVER, "ingress"),
        (CLIENT, "processing"),
        (PRODUCER, "egress"),
        (CONSUMER, "ingress"),
        (77, "processing"),
    ],
)
def test_the_kind_says_the_stage(kind: int, stage: str) -> None:
    assert one(kind=kind)["stage"] == stage


@pytest.mark.parametrize(
    ("made", "is_entry"),
    [
        (span(1), True),
        (span(1, parent=2), False),
        (span(1, parent=2, kind=SERVER), True),
        (span(1, parent=2, kind=CONSUMER), True),
        (span(1, parent=2, kind=CLIENT), False),
        (span(1, parent=2, flags=0x301), True),
        (span(1, parent=2, flags=0x101), False),
    ],
)
def test_where_a_service_takes_the_work_up_it_starts_and_ends(made: Any, is_entry: bool) -> None:
    records = translated(request(made))[0].records
    assert [record["status"] for record in records] == (
        ["started", "succeeded"] if is_entry else ["succeeded"]
    )
    assert records[-1].get("final", False) is is_entry
    for record in records:
        assert_valid(record)
    if is_entry:
        begun, ended = records
        assert begun["id"] == f"{ended['id']}-start"
        assert begun["occurred_at"] == ended["started_at"] < ended["occurred_at"]
        assert "final" not in begun


def test_a_service_may_say_all_of_it_itself() -> None:
    told = {
        "dft.object.id": 4711,
        "dft.object.type": "order",
        "dft.flow": "orders",
        "dft.flow.version": "2",
        "dft.block": "validate",
        "dft.stage": "egress",
        "dft.status": "filtered",
        "dft.reason": "not ours",
        "dft.transaction": "tx-1",
        "dft.attempt": "3",
        "dft.parents": ["tx-0"],
        "dft.subject": "customer 7",
        "dft.final": True,
        "dft.reference.invoice": ["i-1", 2],
    }
    assert {*TOLD, "dft.reference.invoice"} - told.keys() == {"dft.object.id.from"}
    record = one(attributes={**told, "other": 1})
    kept = record.pop("attributes")
    assert kept.keys() & told.keys() == set()
    assert kept["other"] == 1
    assert {name: record[name] for name in record if name not in ("occurred_at", "started_at")} == {
        "id": f"{TRACE}-0000000000000001",
        "object": {"id": "4711", "type": "order"},
        "flow": "orders",
        "flow_version": "2",
        "block": "validate",
        "stage": "egress",
        "status": "filtered",
        "reason": "not ours",
        "transaction": "tx-1",
        "attempt": 3,
        "parents": ["tx-0"],
        "subject": "customer 7",
        "final": True,
        "references": {"invoice": ["i-1", "2"]},
    }


def test_the_resource_gives_defaults_and_the_span_has_the_last_word() -> None:
    resource = {
        "service.name": "shop",
        "service.namespace": "sales",
        "dft.flow": "orders",
        "dft.final": "false",
        "dft.object.id.from": "order.id",
        "dft.object.type": "order",
        "dft.unknown": "kept",
        "telemetry.sdk.name": "opentelemetry",
    }
    record = one(span(1, "check", attributes={"order.id": 4711}), resource=resource)
    assert record["object"] == {"id": "4711", "type": "order"}
    assert (record["flow"], record["block"]) == ("orders", "check")
    assert "final" not in record
    assert record["attributes"]["dft.unknown"] == "kept"
    assert "telemetry.sdk.name" not in record["attributes"]
    own = {"dft.flow": "returns", "dft.final": True, "order.id": "1", "dft.object.id": "2"}
    record = one(span(1, attributes=own), resource=resource)
    assert (record["flow"], record["final"], record["object"]["id"]) == ("returns", True, "2")
    assert one(span(1), resource=resource)["object"] == {"id": TRACE, "type": "trace"}
    assert one(resource={"service.namespace": "sales", "service.name": "s"})["flow"] == "sales"
    assert one(resource={})["flow"] == "unknown_service"


def test_what_went_wrong() -> None:
    raised = {"type": "ValueError", "message": "no such sku", "stacktrace": "Traceback…"}
    record = one(error="ValueError: no such sku", raised=raised)
    assert (record["status"], record["reason"]) == ("failed", "ValueError: no such sku")
    assert record["exception"] == raised
    assert one(error="")["reason"] == "The span ended in an error."
    timeout = one(error="", attributes={"error.type": "timeout"})
    assert timeout["reason"] == "The span ended in an error: timeout."
    handled = one(raised={"type": "KeyError", "message": "", "stacktrace": ""})
    assert (handled["status"], handled["exception"]) == ("succeeded", {"type": "KeyError"})
    assert "exception" not in one(raised={"escaped": "True"})
    assert one(attributes={"dft.status": "filtered"})["reason"]


def test_links_are_parents() -> None:
    record = one(links=(OTHER, TRACE, OTHER, "0" * 32))
    assert record["parents"] == [OTHER]
    many = tuple(f"{number:032x}" for number in range(1, 150))
    record = one(links=many)
    assert len(record["parents"]) == v.PARENTS_MAX
    assert record["attributes"]["dft.dropped"] == 49


def test_what_is_too_long_is_cut_and_counted() -> None:
    stack = "first line\n" + "x" * 90_000 + "\nlast line"
    record = one(
        name="n" * 300,
        error="m" * 5_000,
        raised={"type": "T" * 900, "message": "é" * 9_000, "stacktrace": stack},
        attributes={
            "long": "y" * 5_000,
            "red": "\x1b[31mred\x1b[0m\0",
            "list": list(range(150)),
            "n" * 101: 1,
            "": 1,
            "a\nb": 1,
        },
        dropped_attributes_count=7,
    )
    assert len(record["block"]) == v.NAME_MAX
    assert len(record["reason"]) == v.REASON_MAX
    assert record["exception"]["stacktrace"].startswith("first line")
    assert record["exception"]["stacktrace"].endswith("last line")
    kept = record["attributes"]
    assert len(kept["long"]) == v.ATTRIBUTE_TEXT_MAX
    assert kept["red"] == "\ufffd[31mred\ufffd[0m\ufffd"
    assert kept["list"] == list(range(100))
    assert (kept["dft.cut"], kept["dft.dropped"]) == (3, 7 + 3)
    emoji = "😀" * 40_000
    one(error=emoji, raised=dict.fromkeys(("type", "message", "stacktrace"), emoji))


def test_there_is_no_bound_to_what_a_plain_service_says() -> None:
    record = one(attributes={f"name {number}": "é" * 4_000 for number in range(120)})
    kept = record["attributes"]
    others = 3  # the parent, the scope, the service
    assert kept["dft.dropped"] + len(kept) - 1 == 120 + others
    assert 5 < len(kept) < 12
    assert len(orjson.dumps(kept)) <= v.ATTRIBUTES_BYTES_MAX
    record = one(attributes={f"name {number}": number for number in range(300)})
    assert len(record["attributes"]) == v.ATTRIBUTES_MAX - 1


def test_a_clock_that_was_set_back_loses_no_span() -> None:
    record = one(begin=50, end=20)
    assert "started_at" not in record
    assert record["attributes"]["otel.span.started_at"] > record["occurred_at"]
    assert len(translated(request(span(1, begin=50, end=20)))[0].records) == 1


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"trace_id": b""}, "trace_id"),
        ({"trace_id": bytes(16)}, "trace_id"),
        ({"trace_id": b"short"}, "trace_id"),
        ({"span_id": bytes(8)}, "span_id"),
        ({"span_id": b"much too long"}, "span_id"),
        ({"start_time_unix_nano": 0}, "zero"),
        ({"end_time_unix_nano": 0}, "zero"),
        ({"end_time_unix_nano": 2**64 - 1}, "24 hours"),
        ({"start_time_unix_nano": START + 30 * 3600 * 10**9}, "24 hours"),
    ],
)
def test_a_span_that_cannot_be_one_is_refused(kind: str, change: Any, word: str) -> None:
    bad = span(2)
    for name, value in change.items():
        setattr(bad, name, value)
    good, refused = translated(request(span(1), bad), kind)
    assert (good.why, refused.records) == ("", [])
    assert word in refused.why


# --- Values ----------------------------------------------------------------------------------


def expected(value: Any) -> Any:
    """What a record keeps of a value that needs no cutting."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= v.INT_MAX else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[str(value)]
        return int(value) if value.is_integer() and abs(value) <= v.INT_MAX else value
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@SETTINGS
@given(st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=6))
def test_whatever_attributes_say_both_encodings_give_the_same_valid_record(
    attributes: dict[str, Any],
) -> None:
    message = request(span(1, parent=2, attributes=attributes), resource=attributes)
    (binary,), (text,) = translated(message), translated(message, JSON)
    assert binary == text
    if not binary.why:
        assert_valid(binary.records[0])
        kept = binary.records[0]["attributes"]
        for name, value in attributes.items():
            if name not in kept:
                continue
            if isinstance(value, bool | int | float):
                assert kept[name] == expected(value)
            elif isinstance(value, bytes):
                assert kept[name].rstrip("…") in expected(value)
            elif isinstance(value, str) and value.isprintable():
                assert kept[name].rstrip("…") in value
            elif isinstance(value, list):
                assert len(kept[name]) == min(len(value), v.ATTRIBUTE_LIST_MAX)
            elif isinstance(value, dict):
                assert kept[name].startswith("{")


@SETTINGS
@given(
    st.dictionaries(st.sampled_from([*TOLD, "dft.reference.a", "order.id"]), VALUES, max_size=6),
    st.dictionaries(st.sampled_from([*TOLD, "service.name"]), VALUES, max_size=3),
    st.sampled_from([SERVER, CLIENT]),
)
def test_whatever_a_service_says_itself_is_read_or_refused_by_the_door(
    attributes: dict[str, Any], resource: dict[str, Any], kind: int
) -> None:
    message = request(span(1, kind=kind, attributes=attributes), resource=resource)
    (found,) = translated(message)
    for record in found.records:
        read = read_record(record, now=clock.now())
        assert isinstance(read, Record) or read[0].code != "unknown_field"


def test_values_within_values() -> None:
    nested: Any = "end"
    for _ in range(40):
        nested = [nested]
    message = request(
        span(1, attributes={"map": {"a": [1, {"b": b"\1"}]}, "lists": [[1], None], "deep": nested})
    )
    binary, text = (translated(message, kind)[0].records[-1] for kind in (PROTOBUF, JSON))
    assert binary == text
    kept = binary["attributes"]
    assert kept["map"] == '{"a":[1,{"b":"AQ=="}]}'
    assert kept["lists"] == ["[1]", "null"]
    assert kept["deep"][0].endswith('["…"]]]]]]]]]]]]]]]')


# --- Reading ---------------------------------------------------------------------------------


@SETTINGS
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 400))
def test_a_damaged_body_is_refused_or_read_as_far_as_it_goes(
    junk: bytes, start: int, length: int
) -> None:
    good = request(
        span(1, attributes={"a": [1, {"b": "c"}]}), span(2, parent=1)
    ).SerializeToString()
    for body in (junk, good[:start] + junk + good[start + length :]):
        try:
            for found in translate(read_spans(body, PROTOBUF), clock.now()):
                for record in found.records:
                    read_record(record, now=clock.now())
        except BadRequest as error:
            assert error.code in ("bad_protobuf", "too_many_spans")


NAMES = st.sampled_from(
    """resourceSpans scopeSpans resource scope spans traceId spanId parentSpanId name kind flags
    startTimeUnixNano endTimeUnixNano attributes key value stringValue intValue doubleValue
    boolValue bytesValue arrayValue kvlistValue values events links status code message""".split()
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)


@SETTINGS
@given(ANYTHING, ANYTHING, NAMES)
def test_any_json_is_refused_or_read(anything: Any, other: Any, name: str) -> None:
    wire = json.loads(as_json(request(span(1, attributes={"a": 1}))))
    inner = wire["resourceSpans"][0]["scopeSpans"][0]["spans"]
    inner.append({**inner[0], name: anything})
    inner.append({**inner[0], "attributes": [{"key": "k", "value": {name: other}}]})
    for body in (anything, {"resourceSpans": anything}, wire):
        try:
            found = list(translate(read_spans(json.dumps(body).encode(), JSON), clock.now()))
        except BadRequest as error:
            assert error.code in ("bad_body", "bad_json", "too_deep", "too_many_spans")
        else:
            if body is wire:
                assert found[0].why == ""
                assert len(found) == 3
            for each in found:
                for record in each.records:
                    read_record(record, now=clock.now())


def test_a_span_that_cannot_be_decoded_is_refused_alone() -> None:
    message = request(span(1, "first"), span(2, "twice ______"), span(3, "last"))
    body = message.SerializeToString().replace(b"twice ______", b"twice \xff\xff\xff\xff\xff\xff")
    found = list(read_spans(body, PROTOBUF))
    assert [type(each).__name__ for _, each in found] == ["Span", "Refused", "Span"]
    huge = request(span(1), span(2, attributes={"a": "x" * SPAN_BYTES_MAX}))
    (_, good), (_, refused) = read_spans(huge.SerializeToString(), PROTOBUF)
    assert isinstance(refused, Refused)
    assert str(SPAN_BYTES_MAX) in refused.why
    assert not isinstance(good, Refused)


@pytest.mark.parametrize("piece", [b"\x12\x00", b"\x12\x02\x12\x00", b"\x0a\x00", b"\x78\x01"])
def test_a_body_of_empty_messages_is_refused_before_it_is_read(piece: bytes) -> None:
    inner = piece * (4 * SPANS_MAX)
    size = len(inner)
    varint = bytearray()
    while size > 127:
        varint.append(size & 127 | 128)
        size >>= 7
    body = b"\x0a" + bytes(varint) + bytes([size]) + inner
    with pytest.raises(BadRequest) as caught:
        list(read_spans(body, PROTOBUF))
    assert (caught.value.code, caught.value.status) == ("too_many_spans", 413)


def test_a_far_future_moment_still_has_a_bound() -> None:
    late = clock.now() + timedelta(days=365)
    made = span(1)
    made.end_time_unix_nano = int(late.timestamp() * 10**9)
    body = request(made).SerializeToString()
    assert next(iter(translate(read_spans(body, PROTOBUF), late))).why == ""
    assert next(iter(translate(read_spans(body, PROTOBUF), clock.now()))).why != ""
