"""One transaction: as lists know it, its lifetime, its records, its relatives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.http import assert_problem, get, make_key, post_values
from tests.tools import drain, post, record
from tracking.core.canonical import leaf_hash
from tracking.models import FlowDefinition, FlowStep
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

BASE = "/api/v1/transactions"


def ask(path: str, key: str) -> dict[str, Any]:
    response = get(path, key)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def define(flow: str = "orders") -> None:
    definition = FlowDefinition.objects.create(tenant_id="acme", flow=flow, deadline_minutes=600)
    for position, (block, stage) in enumerate(
        (("receive", "ingress"), ("check", "processing"), ("ship", "egress"))
    ):
        FlowStep.objects.create(
            definition=definition, block=block, stage=stage, position=position, due_minutes=30
        )


def story(transaction: str = "t") -> list[dict[str, Any]]:
    """Received, checked with one failure and a retry, then failed for good; one correction."""
    common: dict[str, Any] = {"transaction": transaction, "object": {"id": "A-1", "type": "order"}}
    checked: dict[str, Any] = {**common, "block": "check", "stage": "processing"}
    return [
        record(
            **common,
            id=f"{transaction}-1",
            occurred_at="2026-01-31T10:00:00Z",
            queued_at="2026-01-31T09:59:58Z",
            started_at="2026-01-31T09:59:59Z",
            ended_at="2026-01-31T10:00:00Z",
            references={"po": ["4711", "4712"]},
            cost={"amount": "0.10", "currency": "EUR"},
        ),
        record(
            **checked,
            id=f"{transaction}-2",
            occurred_at="2026-01-31T10:01:00Z",
            status="failed",
            exception={"type": "Timeout", "message": "slow", "stacktrace": "at a\n\tat b"},
        ),
        record(
            **checked,
            id=f"{transaction}-3",
            occurred_at="2026-01-31T10:02:00Z",
            attempt=2,
            status="started",
        ),
        record(
            **checked,
            id=f"{transaction}-4",
            occurred_at="2026-01-31T10:03:00Z",
            attempt=2,
            status="failed",
            reason="gave up",
            exception={
                "type": "ValueError",
                "message": "bad",
                "code": "E7",
                "location": "check.py:7",
                "stacktrace": "Traceback\n  line 7",
            },
            cost={"amount": "0.205", "currency": "EUR"},
            usage=[{"resource": "cpu", "quantity": "1.5", "unit": "s"}],
        ),
        record(
            **common, id=f"{transaction}-5", block="mistake", occurred_at="2026-01-31T10:00:30Z"
        ),
        record(
            **common,
            id=f"{transaction}-6",
            occurred_at="2026-01-31T10:00:00Z",
            corrects=f"{transaction}-5",
        ),
    ]


def test_a_transaction_is_told_in_one_answer() -> None:
    key = make_key()
    define()
    post(story())
    drain()
    answer = ask(f"{BASE}/t", key)
    assert answer["object"] == {"id": "A-1", "type": "order"}
    assert (answer["status"], answer["stage"], answer["block"]) == ("failed", "processing", "check")
    assert answer["reason"] == "gave up"
    assert answer["error"] == {
        "block": "check",
        "type": "ValueError",
        "message": "bad",
        "record": "t-4",
    }
    assert answer["created_at"] == "2026-01-31T10:00:00.000Z"
    assert answer["updated_at"] == "2026-01-31T10:03:00.000Z"
    assert answer["durations"] == {"throughput_ms": 180_000, "queue_ms": 1_000, "work_ms": 61_000}
    assert answer["costs"] == [{"currency": "EUR", "amount": "0.305"}]
    assert answer["usage"] == [{"resource": "cpu", "unit": "s", "quantity": "1.5"}]
    assert answer["references"] == {"po": ["4711", "4712"]}
    assert (answer["records"], answer["withdrawn"], answer["retries"]) == (6, 1, 1)
    progress = answer["progress"]
    assert progress["stages"] == {"ingress": "done", "processing": "failed", "egress": "pending"}
    assert (progress["blocks_done"], progress["blocks_expected"], progress["percent"]) == (1, 3, 33)
    assert progress["path"]["source"] == "defined"
    assert [step["block"] for step in progress["path"]["steps"]] == ["receive", "check", "ship"]
    assert (answer["stalled"], answer["overdue"]) == (False, False)
    assert answer["as_of"]["behind_seconds"] == 0.0


def test_the_path_of_an_undefined_flow_is_learned() -> None:
    key = make_key()
    post(
        [
            record(transaction=f"t{n}", block=b, stage=s)
            for n in range(3)
            for b, s in (("in", "ingress"), ("out", "egress"))
        ]
    )
    post([record(transaction="new", block="in")])
    drain()
    assert ask(f"{BASE}/new", key)["progress"]["path"] == {
        "source": "learned",
        "version": None,
        "steps": [
            {"block": "in", "stage": "ingress", "optional": False},
            {"block": "out", "stage": "egress", "optional": False},
        ],
    }


def test_what_was_just_posted_is_found_before_the_lists_know_it() -> None:
    key = make_key()
    post_values([record(transaction="t", object={"id": "A", "type": "order"})], key)
    for page in ("", "/lifetime", "/blocks", "/lineage"):
        assert get(f"{BASE}/t{page}", key).status_code == 200
    assert ask(f"{BASE}/t", key)["as_of"]["leaf"] == 0
    before = ask(f"{BASE}/t", key)
    drain()
    after = ask(f"{BASE}/t", key)
    assert (before["seal_state"], after["seal_state"]) == ("recorded", "sealed")
    same = {"as_of": None, "seal_state": None}
    assert {**before, **same} == {**after, **same}


def test_a_lifetime_is_never_behind() -> None:
    key = make_key()
    post([record(transaction="t")])
    drain()
    post(
        [
            record(
                transaction="t",
                block="check",
                status="failed",
                reason="no",
                stage="processing",
                occurred_at="2026-01-31T11:00:00Z",
            )
        ]
    )
    assert ask(f"{BASE}/t", key)["status"] == "in_transit"
    assert ask(f"{BASE}/t/lifetime", key)["status"] == "failed"


def test_a_lifetime_tells_blocks_attempts_and_stack_traces() -> None:
    key = make_key()
    define()
    post(story())
    answer = ask(f"{BASE}/t/lifetime", key)
    assert (answer["recorded"], answer["truncated"]) == (6, False)
    assert answer["withdrawn_records"] == ["t-5"]
    receive, check = answer["timeline"]
    assert (receive["block"], receive["queue_ms"], receive["work_ms"]) == ("receive", 1_000, 1_000)
    assert (check["status"], check["attempts"], check["reason"]) == ("failed", 2, "gave up")
    assert check["exception"] == {
        "type": "ValueError",
        "message": "bad",
        "code": "E7",
        "location": "check.py:7",
        "stacktrace": "Traceback\n  line 7",
        "record": "t-4",
    }
    assert [
        (a["attempt"], a["status"], a["record"], a["work_ms"]) for a in check["latest_attempts"]
    ] == [
        (1, "failed", "t-2", None),
        (2, "failed", "t-4", 60_000),
    ]
    assert check["costs"] == [{"currency": "EUR", "amount": "0.205"}]
    assert answer["progress"]["path"]["source"] == "defined"


def test_a_lifetime_stays_bounded() -> None:
    key = make_key()
    post([record(transaction="t", attempt=n + 1) for n in range(250)])
    post([record(transaction=f"child-{n}", parents=["t"]) for n in range(120)])
    drain()
    answer = ask(f"{BASE}/t/lifetime", key)
    [block] = answer["timeline"]
    assert block["attempts"] == 250
    assert [a["attempt"] for a in block["latest_attempts"]] == list(range(151, 251))
    assert len(answer["children"]) == 100
    assert answer["more_children"] is True


def test_records_are_shown_as_posted_and_may_be_posted_again() -> None:
    key = make_key()
    rich = record(
        transaction="t",
        flow_version="2",
        queued_at="2026-01-31T09:00:00.001Z",
        parents=["p"],
        corrects="r-none",
        final=True,
        reason="tab\there",
        exception={"message": "m"},
        attributes={"a.b": [1, True, "x", 0.1], "n": 5, "$x": "y"},
        references={"po": "1", "so": ["2", "3"]},
        usage=[{"resource": "cpu", "quantity": 1.5, "unit": "s"}],
        cost={"amount": "1.50", "currency": "EUR"},
        payload={"hash": "ab", "size": 5, "content": "raw"},
        subject="somebody",
    )
    posted = json.loads(post_values([rich, record(transaction="t")], key).content)
    answer = ask(f"{BASE}/t/blocks", key)
    assert answer["count"] == 2
    assert {row["receipt"] for row in answer["results"]} == {
        r["receipt"] for r in posted["results"]
    }
    assert {row["batch"] for row in answer["results"]} == {posted["batches"][0]["id"]}
    again = post_values([row["record"] for row in answer["results"]], key)
    assert (again.status_code, json.loads(again.content)["duplicates"]) == (200, 2)


def test_one_record_by_its_id() -> None:
    key = make_key()
    posted = json.loads(
        post_values([record(id="a:b~c.d_e-f", occurred_at="1999-12-31T23:59:59.999Z")], key).content
    )
    answer = ask("/api/v1/blocks/a:b~c.d_e-f", key)
    stored = collection("journal").find_one({"_id": "acme/a:b~c.d_e-f"})
    assert answer["receipt"] == posted["results"][0]["receipt"] == leaf_hash(stored).hex()
    assert answer["marks"] == ["late"]
    assert answer["record"]["occurred_at"] == "1999-12-31T23:59:59.999Z"
    assert answer["producer"] == key.split("_")[1]


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/none",
        f"{BASE}/none/lifetime",
        f"{BASE}/none/blocks",
        f"{BASE}/none/lineage",
        f"{BASE}/a%00b",
        f"{BASE}/a%20b",
        f"{BASE}/{'x' * 129}",
        f"{BASE}/a/b",
        f"{BASE}/",
        "/api/v1/blocks/none",
        "/api/v1/blocks/%24ne",
        "/api/v1/nothing",
        "/api/v2/transactions",
        "/api/",
    ],
)
def test_what_is_not_there(path: str) -> None:
    assert_problem(get(path, make_key()), 404, "not_found")


@pytest.mark.parametrize("path", [BASE, f"{BASE}/t", f"{BASE}/t/lifetime", "/api/v1/blocks/r"])
def test_reading_changes_nothing(path: str) -> None:
    from django.test import Client

    for method in ("post", "put", "patch", "delete", "options"):
        response = getattr(Client(), method)(
            path, headers={"Authorization": f"Bearer {make_key()}"}
        )
        assert_problem(response, 405, "method_not_allowed")
        assert response["Allow"] == "GET, HEAD"


# --- Lineage ------------------------------------------------------------------------------------


def family(*pairs: tuple[str, str | None]) -> str:
    key = make_key()
    post(
        [record(transaction=child, parents=[parent] if parent else None) for child, parent in pairs]
    )
    drain()
    return key


def lineage(name: str, key: str) -> tuple[dict[str, int], set[tuple[str, str]]]:
    answer = ask(f"{BASE}/{name}/lineage", key)
    edges = {(edge["parent"], edge["child"]) for edge in answer["edges"]}
    return {node["id"]: node["depth"] for node in answer["nodes"]}, edges


def test_lineage_goes_both_ways() -> None:
    key = family(
        ("root", None), ("left", "root"), ("right", "root"), ("leaf", "left"), ("leaf", "right")
    )
    nodes, edges = lineage("left", key)
    assert nodes == {"root": -1, "left": 0, "leaf": 1}
    assert edges == {("root", "left"), ("left", "leaf")}
    nodes, edges = lineage("leaf", key)
    assert nodes == {"root": -2, "left": -1, "right": -1, "leaf": 0}
    assert edges == {("root", "left"), ("root", "right"), ("left", "leaf"), ("right", "leaf")}


def test_a_cycle_in_the_lineage_ends() -> None:
    key = family(("a", "c"), ("b", "a"), ("c", "b"))
    nodes, edges = lineage("a", key)
    assert set(nodes) == {"a", "b", "c"}
    assert edges == {("c", "a"), ("a", "b"), ("b", "c")}


def test_a_parent_that_never_came_is_a_name() -> None:
    key = family(("a", "ghost"))
    node = ask(f"{BASE}/a/lineage", key)["nodes"][0]
    assert node == {"id": "ghost", "object": None, "flow": None, "status": None, "depth": -1}


def test_a_large_family_is_cut_and_says_so() -> None:
    key = family(("root", None), *((f"child-{n}", "root") for n in range(600)))
    answer = ask(f"{BASE}/root/lineage", key)
    assert (len(answer["nodes"]), answer["truncated"]) == (500, True)
    assert len(answer["edges"]) == 499


def test_a_deep_family_is_cut_and_says_so() -> None:
    key = family(*((f"g{n:02}", f"g{n - 1:02}" if n else None) for n in range(60)))
    answer = ask(f"{BASE}/g30/lineage", key)
    assert {node["depth"] for node in answer["nodes"]} == set(range(-20, 21))
    assert answer["truncated"] is True
    assert ask(f"{BASE}/g19/lineage", key)["nodes"][0]["id"] == "g00"
