"""POST /api/v1/otlp/v1/traces over HTTP: what an exporter is answered."""

from __future__ import annotations

import gzip
import itertools
import json
from typing import Any

import pytest
import zstandard
from django.http import HttpResponse
from django.test import Client
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.api.http import bearer, get, make_key
from tests.ingest.spans import CLIENT, SERVER, TRACE, any_value, as_json, request, span
from tests.tools import drain
from tracking import vocabulary as v
from tracking.errors import DatabaseUnavailable
from tracking.ingest.otlp import JSON, PROTOBUF
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)
TRACES = "/api/v1/otlp/v1/traces"


def send(body: bytes, key: str | None, kind: str = PROTOBUF, **headers: str) -> HttpResponse:
    return Client(raise_request_exception=False).post(
        TRACES,
        data=body,
        content_type=kind,
        CONTENT_TYPE=kind,
        headers={
            **(bearer(key) if key else {}),
            **{name.replace("_", "-"): text for name, text in headers.items()},
        },
    )


def export(message: Any, key: str, kind: str = PROTOBUF) -> tuple[int, str]:
    """How many spans were refused, and what was said."""
    body = message.SerializeToString() if kind == PROTOBUF else as_json(message)
    response = send(body, key, kind)
    assert (response.status_code, response["Content-Type"]) == (200, kind)
    if kind == PROTOBUF:
        partial = ExportTraceServiceResponse.FromString(response.content).partial_success
        return partial.rejected_spans, partial.error_message
    partial = json.loads(response.content).get("partialSuccess", {})
    return int(partial.get("rejectedSpans", 0)), partial.get("errorMessage", "")


def ids() -> list[str]:
    return sorted(each["_id"].partition("-")[2] for each in collection("journal").find())


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_spans_are_recorded_and_sent_again_are_duplicates(kind: str) -> None:
    key = make_key()
    message = request(span(1, "POST /orders", kind=SERVER), span(2, "check", parent=1))
    body = message.SerializeToString() if kind == PROTOBUF else as_json(message)
    for _ in range(2):
        response = send(body, key, kind)
        assert response.status_code == 200
        # OTLP demands that nothing is said of a full success
        assert response.content == (b"" if kind == PROTOBUF else b"{}")
        assert ids() == ["0000000000000001", "0000000000000001-start", "0000000000000002"]
    assert export(message, key, PROTOBUF if kind == JSON else JSON) == (0, "")
    assert len(ids()) == 3


@pytest.mark.parametrize(("kind", "empty"), [(PROTOBUF, b""), (JSON, b"{}")])
def test_nothing_to_record_is_a_success(kind: str, empty: bytes) -> None:
    response = send(empty, make_key(), kind)
    assert (response.status_code, response.content) == (200, empty)


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_refused_spans_are_counted_and_named_and_the_others_recorded(kind: str) -> None:
    key = make_key()
    assert export(request(span(9, "known")), key) == (0, "")
    bad = [
        span(0, "no id"),
        span(2, attributes={"dft.stage": "somewhere"}),
        span(3, attributes={"dft.transaction": "no spaces please"}),
        span(9, "known", end=50),
    ]
    refused, message = export(request(span(1), *bad, span(4)), key, kind)
    assert refused == 4
    for word in ("span_id", "/stage", "/transaction", "recorded with other content", "4 refused"):
        assert word in message
    assert len(ids()) == 6  # of each of three spans start and end


def test_an_answer_names_some_of_many_refused() -> None:
    bad = [span(0) for _ in range(3_000)]
    refused, message = export(request(*bad, span(1)), make_key())
    assert refused == 3_000
    assert "And 2995 more." in message
    assert len(message) < 1_000
    assert len(ids()) == 2


def test_more_spans_than_a_post_of_records_has_are_all_recorded() -> None:
    many = [span(number, parent=1, begin=number % 90) for number in range(2, 6_502)]
    refused, message = export(request(span(1), *many), make_key())
    assert (refused, message) == (0, "")
    assert collection("journal").count_documents({}) == 6_502
    assert max(entry["count"] for entry in collection("seal_queue").find()) <= v.BATCH_RECORDS_MAX


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
def test_compressed_bodies(kind: str, encoding: str, squeeze: Any) -> None:
    message = request(span(1, parent=2))
    body = message.SerializeToString() if kind == PROTOBUF else as_json(message)
    response = send(squeeze(body), make_key(), kind, Content_Encoding=encoding)
    assert response.status_code == 200
    assert ids() == ["0000000000000001"]


def problem(response: HttpResponse, kind: str) -> str:
    """The message of an error, in the encoding of the request."""
    assert response["Content-Type"] == kind
    if kind == PROTOBUF:
        status = Status.FromString(response.content)
        assert status.code > 0
        return status.message
    found = json.loads(response.content)
    assert found["code"] > 0
    return str(found["message"])


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_errors_are_told_as_otlp_says(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key()
    good = request(span(1)).SerializeToString() if kind == PROTOBUF else as_json(request(span(1)))

    def refused(status: int, code: str, response: HttpResponse) -> HttpResponse:
        assert (response.status_code, problem(response, kind).partition(":")[0]) == (status, code)
        return response

    refused(400, "bad_protobuf" if kind == PROTOBUF else "bad_json", send(b"{", key, kind))
    response = refused(401, "key_missing", send(good, None, kind))
    assert response["WWW-Authenticate"].startswith("Bearer")
    refused(401, "key_malformed", send(good, "nonsense", kind))
    refused(403, "wrong_scope", send(good, make_key(scopes=("read",)), kind))
    refused(413, "body_too_large", send(b" " * (v.POST_BYTES_MAX + 1), key, kind))
    bomb = gzip.compress(b" " * (v.POST_BYTES_MAX + 1))
    refused(413, "body_too_large", send(bomb, key, kind, Content_Encoding="gzip"))
    refused(415, "unsupported_encoding", send(good, key, kind, Content_Encoding="br"))
    refused(400, "bad_encoding", send(good, key, kind, Content_Encoding="gzip"))

    def away(**_: object) -> None:
        raise DatabaseUnavailable("away")

    monkeypatch.setattr("tracking.api.otlp.accept", away)
    response = refused(503, "database_unavailable", send(good, key, kind))
    assert int(response["Retry-After"]) > 0
    assert collection("journal").count_documents({}) == 0


def test_a_key_that_is_too_fast_is_told_when_to_come_again(settings: Any) -> None:
    settings.DFT_RATE_RECORDS = settings.DFT_RATE_BURST_SECONDS = 1
    key = make_key()
    assert export(request(*map(span, range(1, 9))), key) == (0, "")
    response = send(b"", key)
    assert response.status_code == 429
    assert problem(response, PROTOBUF).startswith("rate_limited")
    assert int(response["Retry-After"]) > 0


def test_other_types_and_methods() -> None:
    key = make_key()
    response = send(b"x", key, "text/plain")
    assert response.status_code == 415
    assert PROTOBUF in problem(response, JSON)
    response = get(TRACES, key)
    assert (response.status_code, response["Allow"]) == (405, "POST")
    response = Client().post(
        f"{TRACES}?atomic=true", headers=bearer(key), data=b"x", content_type=PROTOBUF
    )
    assert problem(response, PROTOBUF).startswith("unknown_parameter")


def test_long_messages_are_well_formed() -> None:
    response = send(b"\0" * 10, make_key())
    assert len(Status.FromString(response.content).message) > 20


# --- How a trace reads -----------------------------------------------------------------------


def lifetime(key: str, transaction: str = TRACE) -> dict[str, Any]:
    answer = get(f"/api/v1/transactions/{transaction}/lifetime", key)
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    drain()
    listed = json.loads(get(f"/api/v1/transactions/{transaction}", key).content)
    for name in ("status", "flow", "object", "error", "warnings", "durations"):
        assert listed[name] == found[name]
    return found


def checkout(
    *, failing: bool = False, resources: tuple[dict[str, Any], dict[str, Any]] | None = None
) -> list[Any]:
    """The exports of two services: a server span around inner work and a call to the other."""
    shop, bank = resources or ({"service.name": "shop"}, {"service.name": "bank"})
    error = {"error": "card declined"} if failing else {}
    raised = {"type": "Declined", "message": "no money", "stacktrace": "Traceback…"}
    return [
        request(span(2, "validate", parent=1, begin=5, end=20), resource=shop),
        request(
            span(3, "Bank/Charge", parent=1, begin=25, end=90, kind=CLIENT, **error), resource=shop
        ),
        request(
            span(
                4,
                "Bank/Charge",
                parent=3,
                begin=30,
                end=80,
                kind=SERVER,
                raised=raised if failing else None,
                **error,
            ),
            resource=bank,
        ),
        request(span(1, "POST /orders", begin=0, end=100, kind=SERVER, **error), resource=shop),
    ]


@pytest.mark.parametrize("failing", [False, True])
def test_a_plain_trace_reads_as_what_became_of_its_root(failing: bool) -> None:
    exports = checkout(failing=failing)
    for number, order in enumerate(itertools.permutations(exports)):
        tenant = f"t{number}"
        key = make_key(tenant)
        for message in order:
            assert export(message, key) == (0, "")
        found = lifetime(key)
        assert found["status"] == ("failed" if failing else "delivered")
        assert found["flow"] == "shop"
        assert found["object"] == {"id": TRACE, "type": "trace"}
        assert found["block"] == "shop: POST /orders"
        assert found["durations"]["throughput_ms"] == 100
        assert found["warnings"] == ["mixed_flows"]
        assert [block["block"] for block in found["timeline"]] == [
            "shop: POST /orders",
            "shop: validate",
            "bank: Bank/Charge",
            "shop: Bank/Charge",
        ]
        states = {block["block"]: block["status"] for block in found["timeline"]}
        if failing:
            assert found["error"]["block"] == "shop: POST /orders"
            assert found["reason"] == "card declined"
            assert [name for name, state in states.items() if state == "succeeded"] == [
                "shop: validate"
            ]
            bank = next(b for b in found["timeline"] if b["block"] == "bank: Bank/Charge")
            assert bank["exception"]["message"] == "no money"
        else:
            assert set(states.values()) == {"succeeded"}
            assert found["progress"]["percent"] == 100
        if number == 5:
            break  # six orders of four exports, each a tenant of its own


def test_services_of_one_namespace_are_one_flow_and_an_object_need_be_named_once() -> None:
    key = make_key()
    shop = {"service.name": "shop", "service.namespace": "sales", "dft.object.id.from": "order"}
    bank = {"service.name": "bank", "service.namespace": "sales"}
    for message in checkout(resources=(shop, bank)):
        export(message, key)
        assert lifetime(key)["object"]["type"] == "trace"
    named = span(7, "pack", parent=1, begin=95, end=96, attributes={"order": "4711"})
    export(request(named, resource=shop), key)
    found = lifetime(key)
    assert (found["flow"], found["warnings"]) == ("sales", [])
    assert found["object"] == {"id": "4711", "type": "object"}
    page = json.loads(get("/api/v1/transactions", key, {"object_id": "4711"}).content)
    assert page["count"] == 1


def test_a_trace_whose_root_goes_elsewhere_still_ends() -> None:
    key = make_key()
    call = span(4, "charge", parent=3, kind=SERVER, begin=10, end=60)
    inner = span(5, "SELECT", parent=4, kind=CLIENT, begin=20, end=30, error="dead lock")
    export(request(inner), key)
    assert lifetime(key)["status"] == "failed"
    export(request(call), key)
    assert lifetime(key)["status"] == "delivered"  # the service coped


def test_before_its_end_a_trace_is_in_transit() -> None:
    key = make_key()
    export(request(span(2, "SELECT", parent=1, kind=CLIENT, begin=1, end=5)), key)
    assert lifetime(key)["status"] == "in_transit"


def test_work_taken_up_later_decides() -> None:
    key = make_key()
    export(request(span(1, "POST /orders", kind=SERVER, begin=0, end=20)), key)
    assert lifetime(key)["status"] == "delivered"
    failed = span(3, "ship", parent=1, kind=5, begin=500, end=900, error="no stock")
    export(request(failed), key)
    found = lifetime(key)
    assert (found["status"], found["block"]) == ("failed", "shop: ship")
    again = span(4, "ship", parent=1, kind=5, begin=1_500, end=1_900)
    export(request(again), key)
    assert lifetime(key)["status"] == "delivered"


def test_any_value_is_what_the_tests_think_it_is() -> None:
    assert any_value([]).WhichOneof("value") == "array_value"
    assert any_value({}).WhichOneof("value") == "kvlist_value"
    assert any_value(None).WhichOneof("value") is None
