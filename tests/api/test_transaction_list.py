"""GET /api/v1/transactions: every filter, its edges, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.api.http import assert_problem, get, make_key
from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.api import filters
from tracking.api.filters import PARAMETERS
from tracking.models import FlowDefinition, FlowStep
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v1/transactions"


def ask(key: str, **query: Any) -> list[str]:
    response = get(LIST, key, query)
    assert response.status_code == 200, response.content
    return sorted(row["id"] for row in json.loads(response.content)["results"])


def ago(**span: float) -> str:
    return clock.iso(clock.now() - timedelta(**span))


def seed() -> str:
    """Five transactions that differ in everything one can filter by."""
    key = make_key()
    definition = FlowDefinition.objects.create(
        tenant_id="acme", flow="slow", deadline_minutes=60, patience_minutes=60
    )
    FlowStep.objects.create(definition=definition, block="end", stage="egress")
    post(
        [
            record(
                transaction="done",
                object={"id": "A-1", "type": "order"},
                occurred_at=ago(days=3),
                references={"po": ["4711", "a:b"], "customer": "77"},
            ),
            record(
                transaction="done",
                object={"id": "A-1", "type": "order"},
                occurred_at=ago(days=2),
                block="deliver",
                stage="egress",
            ),
            record(
                transaction="broken",
                object={"id": "A-10", "type": "invoice"},
                occurred_at=ago(hours=3),
                status="failed",
                references={"vendor": "4711"},
                exception={"type": "ValueError", "message": "no"},
                parents=["done"],
            ),
            record(
                transaction="dropped",
                object={"id": "B-1", "type": "order"},
                occurred_at=ago(hours=2),
                status="filtered",
                reason="a test order",
            ),
            record(
                transaction="fresh",
                object={"id": "B-2", "type": "order"},
                flow="other",
                occurred_at=ago(minutes=1),
                block="load",
                status="started",
                stage="processing",
            ),
            record(
                transaction="late",
                object={"id": "B-3", "type": "order"},
                flow="slow",
                occurred_at=ago(hours=2),
                block="load",
            ),
            record(
                transaction="late",
                object={"id": "B-33", "type": "order"},
                flow="slow",
                occurred_at=ago(hours=2),
                block="load2",
            ),
        ]
    )
    drain()
    return key


CASES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["broken", "done", "dropped", "fresh", "late"]),
    ({"object_id": "A-1"}, ["done"]),
    ({"object_id": "A-"}, []),
    ({"object_id": "a-1"}, []),
    ({"object_id": '{"$ne": 1}'}, []),
    ({"object_type": "invoice"}, ["broken"]),
    ({"flow": "orders"}, ["broken", "done", "dropped"]),
    ({"flow": "orders", "status": "failed"}, ["broken"]),
    ({"status": "in_transit"}, ["fresh", "late"]),
    ({"status": "delivered"}, ["done"]),
    ({"status": "failed"}, ["broken"]),
    ({"status": "filtered"}, ["dropped"]),
    ({"status": "stalled"}, ["late"]),
    ({"status": "overdue"}, ["late"]),
    ({"status": "overdue", "flow": "slow"}, ["late"]),
    ({"stage": "egress"}, ["done"]),
    ({"stage": "processing"}, ["fresh"]),
    ({"block": "load"}, ["fresh", "late"]),
    ({"block": "load", "flow": "other"}, ["fresh"]),
    ({"block": "load", "block_status": "started"}, ["fresh"]),
    ({"block": "receive", "block_status": "started"}, []),
    ({"block_status": "started"}, ["fresh"]),
    ({"block_status": "failed", "flow": "orders"}, ["broken"]),
    ({"block": "receive", "block_status": "succeeded", "status": "delivered"}, ["done"]),
    ({"error_type": "ValueError"}, ["broken"]),
    ({"error_type": "Value"}, []),
    ({"reference": "4711"}, ["broken", "done"]),
    ({"reference": "po:4711"}, ["done"]),
    ({"reference": "customer:4711"}, []),
    ({"reference": "a:b"}, ["done"]),
    ({"reference": "po:a:b"}, ["done"]),
    ({"parent": "done"}, ["broken"]),
    ({"parent": "broken"}, []),
    ({"warning": "mixed_objects"}, ["late"]),
    ({"warning": "capped"}, []),
    ({"q": "A-1"}, ["broken", "done"]),
    ({"q": "B-"}, ["dropped", "fresh", "late"]),
    ({"q": "broken"}, ["broken"]),
    ({"q": "vendor:4711"}, ["broken"]),
    ({"q": "77"}, ["done"]),
    ({"q": "nothing of this"}, []),
    ({"q": ".*"}, []),
    ({"q": "A-1", "status": "failed"}, ["broken"]),
    ({"tenant": "acme", "status": "failed"}, ["broken"]),
]


def test_every_filter(subtests: pytest.Subtests) -> None:
    key = seed()
    for query, expected in CASES:
        with subtests.test(str(query)):
            assert ask(key, **query) == expected


def test_ranges_include_their_beginning_and_not_their_end() -> None:
    key = make_key()
    noon, later = "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.001Z"
    post([record(transaction="a", occurred_at=noon), record(transaction="b", occurred_at=later)])
    drain()
    for field in ("created", "updated"):
        assert ask(key, **{f"{field}_after": noon}) == ["a", "b"]
        assert ask(key, **{f"{field}_after": later}) == ["b"]
        assert ask(key, **{f"{field}_before": later}) == ["a"]
        assert ask(key, **{f"{field}_before": noon}) == []
        assert ask(key, **{f"{field}_after": noon, f"{field}_before": later}) == ["a"]
    assert ask(key, created_after="2026-01-31T13:00:00.001+01:00") == ["b"]


def test_the_record_id_finds_its_transaction() -> None:
    key = make_key()
    post([record(id="r-here", transaction="here"), record(transaction="elsewhere")])
    drain()
    assert ask(key, q="r-here") == ["here"]


def test_a_frequent_block_state_is_found_by_walking(monkeypatch: pytest.MonkeyPatch) -> None:
    key = seed()
    monkeypatch.setattr(filters, "_LOOKED_UP", 1)
    assert ask(key, block="load") == ["fresh", "late"]
    assert ask(key, block="load", block_status="succeeded") == ["late"]
    assert ask(key, block="receive", block_status="succeeded") == ["done"]
    assert ask(key, block_status="succeeded") == ["done", "late"]


def test_the_latest_event_comes_first() -> None:
    key = seed()
    rows = json.loads(get(LIST, key).content)["results"]
    times = [row["updated_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    assert rows[0]["id"] == "fresh"


def test_a_row_tells_what_the_clock_says() -> None:
    key = seed()
    rows = {row["id"]: row for row in json.loads(get(LIST, key).content)["results"]}
    assert (rows["late"]["stalled"], rows["late"]["overdue"]) == (True, True)
    assert (rows["fresh"]["stalled"], rows["fresh"]["overdue"]) == (False, False)
    assert (rows["done"]["stalled"], rows["done"]["overdue"]) == (False, False)


def test_the_answer_says_as_of_when() -> None:
    key = seed()
    assert json.loads(get(LIST, key).content)["as_of"] == {"leaf": 7, "behind_seconds": 0.0}
    post([record()])
    behind = json.loads(get(LIST, key).content)["as_of"]
    assert behind["leaf"] == 7
    assert behind["behind_seconds"] > 0


BAD: list[tuple[str, str, str]] = [
    ("status=done", "bad_parameter", "status"),
    ("status=Failed", "bad_parameter", "status"),
    ('status={"$ne":1}', "bad_parameter", "status"),
    ("status=failed,delivered", "bad_parameter", "status"),
    ("status=failed&status=delivered", "repeated_parameter", "status"),
    ("status=", "bad_parameter", "status"),
    ("stage=egres", "bad_parameter", "stage"),
    ("block_status=in_transit", "bad_parameter", "block_status"),
    ("warning=none", "bad_parameter", "warning"),
    ("object_id=%00", "bad_parameter", "object_id"),
    ("object_id=a%0Ab", "bad_parameter", "object_id"),
    ("object_id=" + "x" * 201, "bad_parameter", "object_id"),
    ("q=" + "x" * 10_000, "bad_parameter", "q"),
    ("q=a%00b", "bad_parameter", "q"),
    ("reference=" + "x" * 302, "bad_parameter", "reference"),
    ("parent=" + "x" * 129, "bad_parameter", "parent"),
    ("flow=" + "x" * 101, "bad_parameter", "flow"),
    ("tenant=" + "x" * 41, "bad_parameter", "tenant"),
    ("object_id[$ne]=1", "unknown_parameter", "object_id[$ne]"),
    ("object_id__contains=1", "unknown_parameter", "object_id__contains"),
    ("ordering=created_at", "unknown_parameter", "ordering"),
    ("page=2", "unknown_parameter", "page"),
    ("format=json", "unknown_parameter", "format"),
    ("limit=5", "unknown_parameter", "limit"),
    ("created_after=2026-01-31", "bad_parameter", "created_after"),
    ("created_after=2026-01-31T10:00:00", "bad_parameter", "created_after"),
    ("created_after=yesterday", "bad_parameter", "created_after"),
    ("created_before=1700000000", "bad_parameter", "created_before"),
    ("updated_after=0000-01-01T00:00:00Z", "bad_parameter", "updated_after"),
    ("updated_before=99999-01-01T00:00:00Z", "bad_parameter", "updated_before"),
    ("updated_before=9999-12-31T23:59:59Z", "bad_parameter", "updated_before"),
    ("page_size=0", "bad_parameter", "page_size"),
    ("page_size=501", "bad_parameter", "page_size"),
    ("page_size=-1", "bad_parameter", "page_size"),
    ("page_size=1e2", "bad_parameter", "page_size"),
    ("page_size=%D9%A3", "bad_parameter", "page_size"),
    ("page_size=" + "9" * 5_000, "bad_parameter", "page_size"),
    ("cursor=x", "bad_parameter", "cursor"),
    ("cursor=%00", "bad_parameter", "cursor"),
    ("cursor=bnVsbA", "bad_parameter", "cursor"),  # null
    ("cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLCJhIl0", "bad_parameter", "cursor"),  # 10^22
    ("cursor=WzEuNSwiYSJd", "bad_parameter", "cursor"),  # [1.5, "a"]
    ("cursor=WzEsIlx1ZDgwMCJd", "bad_parameter", "cursor"),  # half a surrogate
    ("cursor=WzEsWyJhIl1d", "bad_parameter", "cursor"),  # [1, ["a"]]
    ("cursor=" + "W" * 5_000, "bad_parameter", "cursor"),
]


def test_what_cannot_be_right_is_refused_by_name(subtests: pytest.Subtests) -> None:
    key = make_key()
    for text, code, parameter in BAD:
        with subtests.test(text[:40]):
            assert_problem(get(f"{LIST}?{text}", key), 400, code, parameter=parameter)


def test_too_many_parameters_are_refused() -> None:
    query = "&".join(f"a{number}=1" for number in range(2_000))
    assert_problem(get(f"{LIST}?{query}", make_key()), 400, "bad_request")


def test_every_filter_has_a_case_here() -> None:
    met = {name for query, _expected in CASES for name in query}
    assert met | {"created_after", "created_before", "updated_after", "updated_before"} == set(
        PARAMETERS
    )


def test_statuses_on_offer_are_the_vocabulary() -> None:
    offered = [
        value for value, _label in filters.TransactionFilter.base_filters["status"].extra["choices"]
    ]
    assert offered == [*v.TRANSACTION_STATUSES, v.STALLED, v.OVERDUE]


def test_a_search_that_names_too_much_says_so() -> None:
    key = make_key()
    make_tenant()
    rows = [
        {
            "_id": f"acme/t{n:05}",
            "tenant": "acme",
            "transaction": f"t{n:05}",
            "object_id": f"many-{n:05}",
            "object_type": "o",
            "flow": "f",
            "status": "failed",
            "stage": "egress",
            "block": "b",
            "created_at": clock.now(),
            "updated_at": clock.now(),
            "first_at": clock.now(),
            "last_at": clock.now(),
            "throughput_ms": 0,
            "records": 1,
            "withdrawn": 0,
            "blocks": 1,
            "retries": 0,
            "references": [],
            "parents": [],
            "usage": [],
            "costs": [],
            "path": [],
            "warnings": [],
            "ingress": "done",
            "processing": "done",
            "egress": "failed",
            "blocks_done": 0,
            "lane": 1,
        }
        for n in range(1_200)
    ]
    collection("transaction").insert_many(rows)
    answer = json.loads(get(LIST, key, {"q": "many-", "page_size": "500"}).content)
    assert (answer["count"], answer["count_is_bounded"]) == (1_000, True)
