"""The learned path is what delivered transactions passed, whatever happened on the way."""

from __future__ import annotations

import pytest

from tests.tools import drain, make_tenant, post, record
from tracking.core.lifetime import Step
from tracking.mongo.connection import collection
from tracking.projection.paths import learned_path
from tracking.projection.rebuild import compare

pytestmark = pytest.mark.django_db(transaction=True)

PATH = (("receive", "ingress"), ("check", "processing"), ("load", "egress"))
LEARNED = [Step(block=block, stage=stage) for block, stage in PATH]


def delivered(name: str, *more: tuple[str, str]) -> list[dict[str, object]]:
    """The records of one transaction that went all the way."""
    return [
        record(
            id=f"{name}.{block}",
            transaction=name,
            block=block,
            stage=stage,
            occurred_at=f"2026-01-31T10:00:{second:02}Z",
        )
        for second, (block, stage) in enumerate([*PATH[:2], *more, PATH[2]])
    ]


def test_nothing_is_learned_from_what_has_not_arrived() -> None:
    make_tenant()
    post(delivered("tx-1")[:2])
    drain()
    assert learned_path("acme", "orders") == []


def test_the_path_of_delivered_transactions_in_its_order() -> None:
    make_tenant()
    post(delivered("tx-1") + delivered("tx-2"))
    drain()
    assert learned_path("acme", "orders") == LEARNED
    assert learned_path("acme", "returns") == []
    assert learned_path("bolt", "orders") == []


def test_a_block_that_fewer_than_half_passed_is_no_part_of_it() -> None:
    make_tenant()
    post(delivered("tx-1", ("repair", "processing")) + delivered("tx-2"))
    drain()
    blocks = [step.block for step in learned_path("acme", "orders")]
    assert blocks == ["receive", "check", "repair", "load"]
    post(delivered("tx-3"))
    drain()
    assert learned_path("acme", "orders") == LEARNED


def test_what_is_no_longer_delivered_is_forgotten() -> None:
    make_tenant()
    post(delivered("tx-1"))
    drain()
    failed = record(
        transaction="tx-1",
        block="check",
        stage="processing",
        status="failed",
        reason="recalled",
        occurred_at="2026-01-31T11:00:00Z",
    )
    post([failed])
    drain()
    assert learned_path("acme", "orders") == []
    assert collection("flow_block").count_documents({}) == 0, "no trace of what was"
    assert compare(lambda *_: None).equal


def test_a_difference_in_what_was_learned_is_named() -> None:
    make_tenant()
    post(delivered("tx-1"))
    drain()
    key = collection("flow_block").find_one({"block": "check"})["_id"]
    collection("flow_block").update_one({"_id": key}, {"$inc": {"transactions": 1}})
    found = compare(lambda *_: None)
    assert (found.equal, found.learned) == (False, [key])
