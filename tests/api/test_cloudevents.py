"""CloudEvents 1.0 on POST /api/v1/blocks become records by docs/cloudevents.md."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.http import JSON, assert_problem, bearer, get, make_key, post_body
from tests.tools import record
from tracking import vocabulary as v
from tracking.ingest.cloudevents_envelope import EXTENSIONS
from tracking.ingest.decode import CLOUD_EVENT, CLOUD_EVENTS
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)
SOURCE = "/shop/orders"
TAG = hashlib.sha256(SOURCE.encode()).hexdigest()[:12]


def event(**changes: Any) -> dict[str, Any]:
    """A valid event; a change to `...` leaves the attribute out."""
    made = {
        "specversion": "1.0",
        "id": "e-1",
        "source": SOURCE,
        "type": "com.example.order.created",
        "subject": "4711",
        "time": "2026-01-31T10:00:00.123456789Z",
        "data": {"orderId": 4711, "total": "12.50"},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def send(*events: Any, key: str | None = None, query: str = "") -> dict[str, Any]:
    response = post_body(
        json.dumps(events), key or make_key(), content_type=CLOUD_EVENTS, query=query
    )
    assert response.status_code in (200, 201, 207, 422)
    found: dict[str, Any] = json.loads(response.content)
    return found


def stored(wire: dict[str, Any]) -> dict[str, Any]:
    """What is recorded of one event, as the API reads it back."""
    key = make_key()
    (result,) = send(wire, key=key)["results"]
    assert result["outcome"] == "stored", result
    found: dict[str, Any] = get(f"/api/v1/blocks/{result['id']}", key).json()["record"]
    return found


def problems(wire: Any) -> list[tuple[str, str]]:
    (result,) = send(wire)["results"]
    assert result["outcome"] == "invalid"
    return [(each["pointer"], each["code"]) for each in result["errors"]]


def test_an_event_of_a_service_that_knows_nothing_of_us() -> None:
    content = '{"orderId":4711,"total":"12.50"}'
    assert stored(event(partitionkey="eu", dataschema="https://example.com/order")) == {
        "id": f"e-1~{TAG}",
        "object": {"id": "4711", "type": "com.example.order"},
        "flow": "com.example.order",
        "block": "com.example.order.created",
        "transaction": stored(event(id="e-2", type="com.example.order.paid"))["transaction"],
        "stage": "processing",
        "status": "succeeded",
        "attempt": 1,
        "occurred_at": "2026-01-31T10:00:00.123Z",
        "attributes": {
            "ce.id": "e-1",
            "ce.source": SOURCE,
            "ce.type": "com.example.order.created",
            "ce.subject": "4711",
            "ce.partitionkey": "eu",
            "ce.dataschema": "https://example.com/order",
        },
        "payload": {
            "hash": "sha256:" + hashlib.sha256(content.encode()).hexdigest(),
            "size": len(content),
            "content_type": JSON,
            "content": content,
        },
    }


def test_data_may_be_a_whole_record() -> None:
    whole = record(attributes={"a": 1}, references={"invoice": "i-1"})
    found = stored(event(data=whole, subject=..., time=...))
    assert {name: found[name] for name in whole if name not in ("attributes", "references")} == {
        name: whole[name] for name in whole if name not in ("attributes", "references")
    }
    assert found["attributes"]["a"] == 1
    assert found["attributes"]["ce.source"] == SOURCE
    assert found["references"] == {"invoice": ["i-1"]}
    assert "payload" not in found


def test_the_envelope_fills_what_data_leaves_out() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    extensions = {
        "dftobjectid": "4712",
        "dftobjecttype": "order",
        "dftflow": "orders",
        "dftflowversion": "2",
        "dftblock": "validate",
        "dftstage": "egress",
        "dftstatus": "failed",
        "dfttransaction": "tx-1",
        "dftattempt": 2,
        "dftreason": "no stock",
        "dftparent": "tx-0",
        "dftsubject": "customer 7",
        "dftfinal": True,
        "dftdata": "record",
    }
    assert extensions.keys() == EXTENSIONS.keys()
    filled = stored(event(data=..., traceparent=f"00-{trace}-b7ad6b7169203331-01", **extensions))
    assert filled.pop("attributes").keys() == {
        *("ce.id", "ce.source", "ce.type", "ce.subject", "ce.traceparent")
    }
    assert filled == {
        "id": f"e-1~{TAG}",
        "object": {"id": "4712", "type": "order"},
        "flow": "orders",
        "flow_version": "2",
        "block": "validate",
        "stage": "egress",
        "status": "failed",
        "transaction": "tx-1",
        "attempt": 2,
        "reason": "no stock",
        "parents": ["tx-0"],
        "subject": "customer 7",
        "final": True,
        "occurred_at": "2026-01-31T10:00:00.123Z",
        "references": {"trace": [trace]},
    }
    own = stored(event(id="e-2", data={"status": "skipped", "flow": "own"}, dftflow="other"))
    assert (own["status"], own["flow"]) == ("skipped", "own")


def test_ids_are_unique_by_source_and_id() -> None:
    key = make_key()
    other = event(source="/elsewhere")
    assert send(event(), other, event(), key=key)["stored"] == 2
    again = send(event(), other, key=key)
    assert (again["duplicates"], again["stored"]) == (2, 0)
    assert send(event(data={"orderId": 1}), key=key)["conflicts"] == 1
    for long in ("x" * 500, "id with spaces", "ü"):
        (result,) = send(event(id=long), key=key)["results"]
        assert result["outcome"] == "stored"
        assert result["id"].startswith("ce-")
    assert collection("journal").count_documents({}) == 5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": ...}, [("/id", "required")]),
        ({"source": None}, [("/source", "required")]),
        ({"type": ""}, [("/type", "too_short")]),
        ({"specversion": ...}, [("/specversion", "required")]),
        ({"specversion": "0.3"}, [("/specversion", "bad_value")]),
        ({"id": 7}, [("/id", "bad_type")]),
        ({"id": ..., "source": ...}, [("/id", "required"), ("/source", "required")]),
        ({"time": ...}, [("/time", "required")]),
        ({"time": "yesterday"}, [("/time", "bad_time")]),
        ({"time": "2026-01-31T10:00:00"}, [("/time", "tz_required")]),
        ({"subject": ...}, [("/subject", "required")]),
        ({"subject": "x" * 201}, [("/subject", "too_long")]),
        ({"type": "a." + "x" * 100}, [("/type", "too_long")]),
        ({"source": "x" * 4_001}, [("/source", "too_long")]),
        ({"data_base64": "e30="}, [("/data_base64", "unknown_field")]),
        ({"datacontenttype": "application/xml"}, [("/datacontenttype", "bad_value")]),
        ({"BadName": "x"}, [("/BadName", "bad_name")]),
        ({"dftflwo": "x"}, [("/dftflwo", "unknown_field")]),
        ({"dftstage": "nowhere"}, [("/dftstage", "bad_value")]),
        ({"dftattempt": "many"}, [("/dftattempt", "bad_type")]),
        ({"dftdata": "both"}, [("/dftdata", "bad_value")]),
        ({"dftdata": "record", "data": [1]}, [("/data", "bad_type")]),
        ({"ext": 1.5}, [("/ext", "bad_type")]),
        ({"ext": {"a": 1}}, [("/ext", "bad_type")]),
        ({"ext": "\ud800"}, [("/ext", "bad_unicode")]),
        ({"ext": "\0"}, [("/ext", "control_char")]),
        ({"ext": 2**60}, [("/ext", "int_range")]),
        ({"data": {"a": "\ud800"}}, [("/data", "bad_value")]),
        ({"data": {"flow": "f", "blok": "b"}}, [("/data/blok", "unknown_field")]),
        ({"data": {"status": "failed"}}, [("/data/reason", "cause_required")]),
        ({"data": {"status": "lost"}}, [("/data/status", "bad_value")]),
        ({"data": {"object": {"id": ""}}}, [("/data/object/id", "too_short")]),
        ({"data": {"attributes": {"a": {}}}}, [("/data/attributes/a", "bad_type")]),
        ({"data": {"attributes": 1}}, [("/data/attributes", "bad_type")]),
    ],
)
def test_what_is_wrong_is_named_in_the_event_and_its_neighbours_are_stored(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    answer = send(event(id="before"), event(**changes), event(id="after"))
    assert [each["outcome"] for each in answer["results"]] == ["stored", "invalid", "stored"]
    errors = answer["results"][1]["errors"]
    assert [(each["pointer"], each["code"]) for each in errors] == expected


@pytest.mark.parametrize("wire", [7, None, "event", [], [event()]])
def test_what_is_no_event(wire: Any) -> None:
    assert problems(wire) == [("", "bad_type")]


def test_an_atomic_post_refuses_all_for_one() -> None:
    answer = send(event(), event(id=...), query="?atomic=true")
    codes = [[e["code"] for e in result["errors"]] for result in answer["results"]]
    assert codes == [["atomic_refused"], ["required"]]
    assert collection("journal").count_documents({}) == 0


def test_bodies_that_are_none() -> None:
    key = make_key()
    for body, kind in ((b"[]", CLOUD_EVENT), (b"{}", CLOUD_EVENTS), (b"7", CLOUD_EVENTS)):
        assert_problem(post_body(body, key, content_type=kind), 400, "bad_body")
    assert_problem(post_body(b"{", key, content_type=CLOUD_EVENT), 400, "bad_json")
    many = json.dumps([1] * (v.POST_RECORDS_MAX + 1))
    assert_problem(post_body(many, key, content_type=CLOUD_EVENTS), 413, "too_many_records")
    assert post_body(b"[]", key, content_type=CLOUD_EVENTS).status_code == 422


def test_data_too_large_to_keep_is_known_by_its_hash() -> None:
    kept = stored(event(data=["x" * 70_000]))["payload"]
    assert kept.keys() == {"hash", "size", "content_type"}
    assert kept["size"] > 70_000


def test_what_data_is_can_be_said() -> None:
    looks_ours = {"status": "failed", "orderId": 1}
    assert problems(event(data=looks_ours))[0] == ("/data/orderId", "unknown_field")
    assert stored(event(data=looks_ours, dftdata="payload"))["status"] == "succeeded"


@pytest.mark.parametrize("data", [None, 7, "text", [1, {"a": None}], {"order": {"id": 1}}, True])
def test_any_json_is_data(data: Any) -> None:
    found = stored(event(data=data))
    kept = found.get("payload", {}).get("content")
    assert (json.loads(kept) if kept else None) == data


# --- The package of the CloudEvents project ---------------------------------------------------


def made(number: int, data: Any, **more: Any) -> CloudEvent:
    attributes = {
        "id": f"e-{number}",
        "source": SOURCE,
        "type": "com.example.order.created",
        "specversion": "1.0",
        "subject": "4711",
        "time": datetime(2026, 1, 31, 10, tzinfo=UTC),
        **more,
    }
    return CloudEvent(attributes, data)


def over_the_wire(url: str, key: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    asking = urllib.request.Request(  # noqa: S310
        f"{url}/api/v1/blocks", data=body, headers={**headers, **bearer(key)}
    )
    with urllib.request.urlopen(asking, timeout=20) as response:  # noqa: S310
        found: dict[str, Any] = json.loads(response.read())
    return found


def test_the_cloudevents_package_posts_to_a_live_server(live_server: Any) -> None:
    key = make_key()
    structured = to_structured_event(made(1, {"orderId": 4711}, datacontenttype=JSON))
    binary = to_binary_event(
        made(2, {"block": "validate", "status": "skipped"}, datacontenttype=JSON, dftflow="ördérs")
    )
    for message in (structured, binary):
        answer = over_the_wire(live_server.url, key, message.body, dict(message.headers))
        assert answer["stored"] == 1, answer
    batch = b",".join(
        to_structured_event(made(number, {"orderId": number})).body for number in range(1, 5)
    )
    headers = {"Content-Type": f"{CLOUD_EVENTS}; charset=UTF-8"}
    answer = over_the_wire(live_server.url, key, b"[" + batch + b"]", headers)
    outcomes = [result["outcome"] for result in answer["results"]]
    assert outcomes == ["conflict", "conflict", "stored", "stored"]
    found = get(f"/api/v1/blocks/e-2~{TAG}", key).json()["record"]
    assert (found["flow"], found["block"], found["status"]) == ("ördérs", "validate", "skipped")


# --- Anything ---------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["object", "id", "type", "status", "flow", "attributes", "payload"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NAMES = st.sampled_from([*event(), *EXTENSIONS, "data_base64", "traceparent", "x", "/~", ""])


@settings(
    deadline=None,
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=5), max_size=3), st.booleans())
def test_every_event_is_answered(changes: list[dict[str, Any]], atomic: bool) -> None:
    key = make_key()
    events = [{**event(id=f"e{n}"), **change} for n, change in enumerate(changes)]
    body = json.dumps([*events, *changes])
    query = "?atomic=true" if atomic else ""
    response = post_body(body, key, content_type=CLOUD_EVENTS, query=query)
    assert response.status_code in (200, 201, 207, 422)
    for result in json.loads(response.content)["results"]:
        assert (result["outcome"] in ("invalid", "conflict")) == bool(result["errors"])
