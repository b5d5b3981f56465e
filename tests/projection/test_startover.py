"""Starting over: dropped and walked in guarded steps, by whoever leads, while posts come in."""

from __future__ import annotations

from random import Random

import pytest

from tests.projection.world import assert_derived_equals_oracle, derived, free_lead
from tests.tools import drain, make_tenant, post, record
from tracking.mongo.connection import collection
from tracking.projection import startover
from tracking.projection.follower import Follower
from tracking.projection.rebuild import compare
from tracking.projection.startover import Walk

pytestmark = pytest.mark.django_db(transaction=True)


def walk() -> Walk:
    found = collection("cursor").find_one({})
    assert found is not None
    return Walk.of(found)


def test_any_follower_goes_on_with_it_and_nothing_posted_meanwhile_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(startover, "STEP_TRANSACTIONS", 4)
    monkeypatch.setattr(startover, "STEP_DOCUMENTS", 10)
    random = Random(7)
    tenants = [make_tenant(name) for name in ("acme", "globex", "initech")]
    for tenant in tenants:
        post([record(object={"id": f"o{n % 9}", "type": "order"}) for n in range(30)], tenant)
    drain()
    Follower("starter").start_over()
    assert walk().dropping
    steps = 0
    posted = 90
    while walk().under_way:
        free_lead()
        assert Follower(f"follower-{steps}").step() > 0
        if walk().walking and random.random() < 0.5:
            # objects before and behind the place of the walk, sealed and not
            thing = {"id": f"o{random.randrange(12)}", "type": "order"}
            post([record(object=thing, block=f"b{steps}")], random.choice(tenants))
            posted += 1
        steps += 1
        assert steps < 500
    assert steps > 10
    free_lead()
    drain()
    assert compare(lambda *_: None).equal
    assert collection("journal").count_documents({}) == posted
    kept = sum(row["records"] for row in collection("transaction").find())
    assert kept == posted


def test_it_gives_what_was_there_and_drops_what_does_not_belong() -> None:
    make_tenant()
    post([record() for _ in range(20)])
    drain()
    before = derived()
    collection("transaction").insert_one({"_id": "acme/stray", "tenant": "acme"})
    collection("block_progress").update_one({}, {"$set": {"status": "failed", "attempts": 9}})
    assert derived() != before
    Follower("drain").start_over()
    drain()
    assert derived() == before
    assert_derived_equals_oracle()
