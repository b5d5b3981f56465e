"""Whoever posts everything under one id must not stop everyone else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.projection.world import assert_derived_equals_oracle
from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.projection import derive, journal
from tracking.projection import follower as following
from tracking.projection.follower import Follower
from tracking.projection.rebuild import compare, rebuild
from tracking.projection.refold import REFOLD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ten records are many."""
    monkeypatch.setattr(derive, "HUGE", 10)
    monkeypatch.setattr(journal, "HELD", 10)
    make_tenant()
    yield


def of(transaction: str, count: int) -> list[dict[str, object]]:
    return [
        record(transaction=transaction, block=f"b{number % 4}", object={"id": "o", "type": "t"})
        for number in range(count)
    ]


def counts() -> dict[str, int]:
    return {row["transaction"]: row["records"] for row in collection("transaction").find()}


def due() -> None:
    collection(REFOLD).update_many({}, {"$set": {"not_before": clock.now()}})


def test_a_huge_transaction_is_deferred_and_finally_equal() -> None:
    post(of("huge", 12))
    drain()
    assert counts() == {"huge": 12}, "nobody knew before"
    post([*of("huge", 5), *of("small", 3)])
    drain()
    assert counts() == {"huge": 12, "small": 3}
    request = collection(REFOLD).find_one({})
    assert request is not None
    assert timedelta(0) < request["not_before"] - clock.now() <= following.DEFER

    due()
    drain()
    assert counts() == {"huge": 17, "small": 3}
    assert collection(REFOLD).count_documents({}) == 0
    assert compare(lambda *_: None).equal
    assert_derived_equals_oracle()


def test_one_request_waits_however_many_posts_come() -> None:
    post(of("huge", 12))
    drain()
    for _ in range(4):
        post(of("huge", 2))
        drain()
    assert collection(REFOLD).count_documents({}) == 1
    due()
    drain()
    assert counts() == {"huge": 20}


def test_each_huge_transaction_has_a_request_of_its_own() -> None:
    """However long their ids and however late they begin to differ."""
    names = ["x" * 127 + end for end in "ab"]
    for name in names:
        post(of(name, 12))
    drain()
    for name in names:
        post(of(name, 1))
    drain()
    assert collection(REFOLD).count_documents({}) == 2
    due()
    drain()
    assert set(counts().values()) == {13}


def test_a_rebuild_is_complete_at_once() -> None:
    post([*of("huge", 25), *of("small", 2)])
    seal_once()
    rebuild("rebuild", lambda *_: None)
    assert counts() == {"huge": 25, "small": 2}
    assert compare(lambda *_: None).equal
    assert_derived_equals_oracle()


def test_a_crash_before_a_deferred_derivation_loses_nothing() -> None:
    post(of("huge", 12))
    drain()
    post(of("huge", 3))
    drain()
    due()

    class Killed(Follower):
        def _write(self, *_: object, **__: object) -> None:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        Killed("drain").step()
    drain()
    assert counts() == {"huge": 15}
