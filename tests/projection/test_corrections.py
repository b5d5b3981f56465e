"""Corrections come in any order and reach nobody else's records."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.projection.world import assert_derived_equals_oracle, derived, free_lead
from tests.tools import drain, make_tenant, post, record
from tracking.mongo.connection import collection
from tracking.projection.corrections import corrections_of
from tracking.projection.paths import learned_path
from tracking.projection.rebuild import compare, rebuild

pytestmark = pytest.mark.django_db(transaction=True)


def said(id: str, block: str, status: str, minute: int, **fields: Any) -> dict[str, Any]:
    return record(
        id=id, transaction=fields.pop("transaction", "tx"), block=block, status=status,
        object={"id": "o", "type": "order"}, occurred_at=f"2026-01-31T10:{minute:02}:00Z",
        **fields,
    )  # fmt: skip


def transaction(name: str = "tx", tenant: str = "acme") -> dict[str, Any]:
    found = collection("transaction").find_one({"_id": f"{tenant}/{name}"})
    assert found is not None
    return found


def test_a_correction_may_come_before_what_it_corrects_and_in_any_order() -> None:
    def story(name: str) -> list[dict[str, Any]]:
        return [
            said(f"{name}a", "check", "failed", 1, transaction=name, reason="wrong"),
            said(
                f"{name}b", "check", "failed", 2, transaction=name, corrects=f"{name}a", reason="x"
            ),
            said(f"{name}c", "check", "succeeded", 3, transaction=name, corrects=f"{name}b"),
            said(f"{name}d", "load", "succeeded", 4, transaction=name, stage="egress"),
            said(f"{name}e", "load", "skipped", 5, transaction=name, corrects=f"{name}d"),
        ]

    make_tenant()
    orders = [
        list(order)
        for number in range(0, 120, 3)
        for order in [list(itertools.permutations(story(f"t{number}-")))[number]]
    ]
    for step in range(5):
        post([order[step] for order in orders])
        drain()
        assert_derived_equals_oracle()
    post([each for order in orders for each in (order[0], order[4])])  # duplicates
    drain()
    rows = list(collection("transaction").find())
    assert len(rows) == 40
    for row in rows:
        assert (row["status"], row["withdrawn"], row["records"]) == ("in_transit", 3, 5)
        assert [each["block"] for each in row["path"]] == ["check"]
    assert compare(lambda *_: None).equal


def test_nobody_corrects_over_the_wall_of_a_transaction_or_tenant() -> None:
    make_tenant("acme")
    make_tenant("bolt")
    post([said("a", "check", "failed", 1, reason="wrong")])
    post([said("x", "check", "succeeded", 2, transaction="other", corrects="a")])
    post([said("y", "check", "succeeded", 2, corrects="a")], "bolt")
    drain()
    assert (transaction()["status"], transaction()["withdrawn"]) == ("failed", 0)
    for name, tenant in (("other", "acme"), ("tx", "bolt")):
        found = transaction(name, tenant)
        assert found["warnings"] == ["correction_without_target"]
        assert (found["withdrawn"], found["status"]) == (0, "in_transit")
    assert corrections_of("acme", "tx").corrected_by == {}


def test_a_withdrawal_takes_a_transaction_back_out_of_the_learned_path() -> None:
    make_tenant()
    post([
        said("a", "receive", "succeeded", 1),
        said("b", "load", "succeeded", 2, stage="egress"),
    ])  # fmt: skip
    drain()
    assert [step.block for step in learned_path("acme", "orders")] == ["receive", "load"]
    post([said("c", "load", "skipped", 3, stage="egress", corrects="b")])
    drain()
    assert learned_path("acme", "orders") == []
    post([said("d", "load", "succeeded", 4, stage="egress")])
    drain()
    assert [step.block for step in learned_path("acme", "orders")] == ["receive", "load"]
    assert_derived_equals_oracle()


def test_a_transaction_that_is_withdrawn_whole_and_begun_again_is_derived_as_by_a_rebuild() -> None:
    make_tenant()
    steps = [
        said("a", "receive", "started", 1),
        said("b", "receive", "skipped", 2, corrects="a", reason="another object's"),
        said("c", "receive", "skipped", 3, corrects="a", reason="twice"),
        said("d", "check", "started", 4),
        said("e", "check", "skipped", 5, corrects="d"),
        said("f", "check", "succeeded", 6, corrects="e"),
    ]
    statuses = []
    for each in steps:
        post([each])
        drain()
        assert_derived_equals_oracle()
        assert compare(lambda *_: None).equal
        statuses.append(transaction()["status"])
    assert statuses == [
        "in_transit", "filtered", "filtered", "in_transit", "filtered", "in_transit",
    ]  # fmt: skip
    before = derived()
    free_lead()
    rebuild("rebuild", lambda *_: None)
    assert derived() == before


def test_of_a_large_transaction_corrections_are_read_once_there_are_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tracking.projection import corrections as reading

    monkeypatch.setattr(reading, "_LARGE", 2)
    make_tenant()
    post([said(f"a{n}", "check", "succeeded", n) for n in range(4)])
    drain()
    assert corrections_of("acme", "tx").withdrawn_by == {}
    post([said("b", "check", "succeeded", 9, corrects="a0")])
    drain()
    assert corrections_of("acme", "tx").withdrawn_by == {"a0": ["b"]}
