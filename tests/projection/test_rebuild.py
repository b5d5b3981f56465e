"""Whatever is derived can be dropped and derived again, also when that is interrupted."""

from __future__ import annotations

from random import Random

import pytest

from tests.projection.world import derived, free_lead, histories, post_at
from tests.tools import drain, make_tenant, post, record
from tracking.mongo.connection import collection
from tracking.projection import follower as following
from tracking.projection.follower import Follower
from tracking.projection.rebuild import compare, rebuild

pytestmark = pytest.mark.django_db(transaction=True)


def quietly(_done: int, _total: int) -> None:
    pass


def some_history() -> dict[str, dict[str, bytes]]:
    make_tenant()
    records, _definitions = histories(Random(5), 6)
    post_at(records)
    drain()
    return derived()


def test_a_rebuild_repairs_whatever_was_changed() -> None:
    before = some_history()
    collection("transaction").update_one({}, {"$set": {"status": "delivered", "percent": 7}})
    collection("block_progress").delete_many({"position": 1})
    collection("flow_block").update_many({}, {"$inc": {"transactions": 3}})
    collection("transaction").insert_one({"_id": "acme/ghost", "tenant": "acme"})
    assert not compare(quietly).equal
    free_lead()
    rebuild("rebuild", quietly)
    assert derived() == before
    assert compare(quietly).equal


def test_a_rebuild_that_was_killed_is_finished_by_whoever_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = some_history()
    monkeypatch.setattr(following, "STEP_LEAVES", 10)
    killed = Follower("killed")
    killed.start_over()
    killed.step()  # a part is dropped
    assert len(derived()["block_progress"]) < len(before["block_progress"])
    free_lead()
    drain()
    assert derived() == before


def test_a_rebuild_takes_the_lead_and_hands_it_back() -> None:
    some_history()
    Follower("running").lead(force=True)
    rebuild("rebuild", quietly)
    post([record()])
    drain()  # the lead is free: nobody waits for a lease to end
    assert compare(quietly).equal


def test_a_rebuild_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    some_history()
    monkeypatch.setattr(following, "STEP_LEAVES", 10)
    told: list[tuple[int, int]] = []
    free_lead()
    leaves = rebuild("rebuild", lambda done, total: told.append((done, total)))
    assert leaves == collection("journal").count_documents({})
    assert told[0] == (0, leaves)
    assert told[-1] == (leaves, leaves)
    assert told == sorted(told)


def test_compare_names_what_the_journal_does_not_know() -> None:
    some_history()
    ghost = {"_id": "acme/ghost", "tenant": "acme", "transaction": "ghost"}
    collection("transaction").insert_one(ghost)
    found = compare(quietly)
    assert found.orphans == ["acme/ghost"]
    assert not found.equal


def test_compare_names_blocks_without_a_transaction() -> None:
    some_history()
    ghost = {"_id": "acme/ghost/b", "tenant": "acme", "transaction": "acme/ghost"}
    collection("block_progress").insert_one(ghost)
    found = compare(quietly)
    assert not found.equal
    assert found.orphans == ["acme/ghost/b"]


def test_compare_changes_nothing() -> None:
    before = some_history()
    collection("transaction").update_one({}, {"$set": {"percent": 7}})
    changed = derived()
    assert not compare(quietly).equal
    assert derived() == changed != before
