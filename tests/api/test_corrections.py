"""What was withdrawn influences nothing that is derived, and stays visible and linked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.api.http import bearer, make_key
from tests.tools import drain, post, record

pytestmark = pytest.mark.django_db(transaction=True)


def ask(path: str, key: str) -> Any:
    answer = Client().get(f"/api/v1{path}", headers=bearer(key))
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def said(id: str, block: str, status: str, minute: int, **fields: Any) -> dict[str, Any]:
    moment = f"2026-01-31T10:{minute:02}:00.000Z"
    return record(
        id=id, transaction="tx", block=block, status=status, occurred_at=moment, **fields,
        object=fields.pop("thing", {"id": "o", "type": "order"}),
    )  # fmt: skip


def wrong() -> dict[str, Any]:
    """All that one record can leave behind."""
    return said(
        "wrong", "ship", "failed", 30, stage="egress", attempt=3,
        exception={"type": "WrongError", "message": "not this one"},
        references={"invoice": "INV-13"}, parents=["parent-13"],
        usage=[{"resource": "gpu", "quantity": 7, "unit": "h"}],
        cost={"amount": "13", "currency": "CHF"}, flow_version="13",
    )  # fmt: skip


QUERIES = (
    "error_type=WrongError", "reference=INV-13", "parent=parent-13", "status=failed",
    "block=ship", "stage=egress", "block=ship&block_status=failed", "q=INV-13",
    "updated_after=2026-01-31T10:20:00Z",
)  # fmt: skip


@pytest.mark.parametrize("how", ["withdrawn", "replaced", "never posted"])
def test_nothing_is_found_by_what_was_withdrawn(how: str) -> None:
    key = make_key()
    mine = [said("good", "receive", "succeeded", 1, stage="ingress")]
    mine.append(said("right", "receive", "succeeded", 2, stage="ingress"))
    corrects = {} if how == "never posted" else {"corrects": "wrong"}
    if how == "withdrawn":
        mine.append(said("undo", "ship", "skipped", 40, stage="egress", **corrects))
    else:
        mine[1].update(corrects)
    post(mine)
    drain()
    if how != "never posted":
        post([wrong()])
    drain()
    for query in QUERIES:
        assert ask(f"/transactions?{query}", key)["count"] == 0, query
    assert ask("/transactions", key)["count"] == 1
    found = ask("/transactions/tx/lifetime", key)
    assert [block["block"] for block in found["timeline"]] == ["receive"]
    told = {
        "status": "in_transit", "error": None, "references": {}, "parents": [], "usage": [],
        "costs": [], "retries": 0, "flow_version": None, "block": "receive", "warnings": [],
        "last_at": "2026-01-31T10:02:00.000Z",
    }  # fmt: skip
    assert {name: found[name] for name in told} == told
    assert ask("/transactions/tx/lineage", key)["edges"] == []
    if how != "never posted":
        assert found["withdrawn_records"] == ["wrong"]


def test_both_stay_visible_and_name_each_other() -> None:
    key = make_key()
    post([
        wrong(),
        said("b", "ship", "succeeded", 31, stage="egress", corrects="wrong"),
        said("c", "ship", "succeeded", 32, stage="egress", corrects="wrong"),
        said("d", "ship", "succeeded", 33, stage="egress", corrects="c"),
        said("x", "pack", "succeeded", 34, corrects="y"),
        said("y", "pack", "succeeded", 35, corrects="x"),
    ])  # fmt: skip
    listed = {row["record"]["id"]: row for row in ask("/transactions/tx/blocks", key)["results"]}
    told = {
        id: (row["record"].get("corrects"), row["corrected_by"], row["withdrawn"])
        for id, row in listed.items()
    }
    assert told == {
        "wrong": (None, ["b", "c"], True),
        "b": ("wrong", [], False),
        "c": ("wrong", ["d"], True),
        "d": ("c", [], False),
        "x": ("y", ["y"], False),
        "y": ("x", ["x"], False),
    }
    for id, row in listed.items():
        alone = ask(f"/blocks/{id}", key)
        assert {name: alone[name] for name in row} == row
    assert listed["wrong"]["record"]["exception"]["type"] == "WrongError", "as it was recorded"
