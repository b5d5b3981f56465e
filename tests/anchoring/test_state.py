"""Recorded, sealed, anchored: exact for a record, and for a list never more than is true."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from tests.anchoring.test_anchor import anchor_all
from tests.projection.world import post_at
from tests.tools import make_tenant, record
from tracking import clock
from tracking import vocabulary as v
from tracking.anchoring import state
from tracking.anchoring.anchor import targets
from tracking.anchoring.state import RecordState, cutoffs, state_of_record, states_of_batches
from tracking.anchoring.status import standings
from tracking.core.canonical import leaf_hash
from tracking.ledger import highwater
from tracking.ledger.log import leaf_index
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.projection.follower import Follower

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RANK = {name: rank for rank, name in enumerate(v.SEAL_STATES)}


def post(second: float, transaction: str, count: int = 1) -> str:
    """The batch of `count` records of one transaction, recorded at that second."""
    values = [record(transaction=transaction) for _ in range(count)]
    answer = post_at(values, moment=NOON + timedelta(seconds=second))
    return answer.batches[0].id


def of_record(batch: str, place: int) -> RecordState:
    document = collection("journal").find_one({"batch": batch, "index": place})
    assert document is not None
    return state_of_record(batch, place, leaf_hash(document))


def truth(batches: Iterable[str]) -> dict[str, str]:
    """By definition: from the place in the log, every checkpoint and every anchor."""
    sealed = max((row["_id"] for row in collection("log_checkpoint").find()), default=0)
    anchored = max((row["size"] for row in collection("log_anchor").find()), default=0)
    found = {}
    for batch in batches:
        index = leaf_index(batch, 0)
        if index is None or index >= sealed:
            found[batch] = v.RECORDED
        else:
            found[batch] = v.ANCHORED if index < anchored else v.SEALED
    return found


def listed() -> dict[str, str]:
    """What a list says of each transaction."""
    rows = list(collection("transaction").find())
    limits = cutoffs()
    return {row["transaction"]: limits.state_of(row["recorded_at"]) for row in rows}


def follow() -> None:
    follower = Follower("test")
    follower.lead()
    while follower.step():
        pass


def test_a_record_goes_from_recorded_to_sealed_to_anchored() -> None:
    make_tenant()
    batch = post(0, "tx-1", count=3)
    assert of_record(batch, 1).state == v.RECORDED
    assert states_of_batches([batch]) == {batch: v.RECORDED}
    seal_once()
    found = of_record(batch, 1)
    assert (found.state, found.leaf_index, found.checkpoint) == (v.SEALED, 1, 3)
    (checkpoint,) = collection("log_checkpoint").find()
    assert found.sealed_at == checkpoint["signed_at"]
    assert (found.anchored_at, found.anchors) == (None, ())
    anchor_all()
    found = of_record(batch, 2)
    (row,) = collection("log_anchor").find()
    assert (found.state, found.anchored_at) == (v.ANCHORED, row["anchored_at"])
    assert [(each.kind, each.size) for each in found.anchors] == [("file", 3)]
    later = post(1, "tx-2")
    seal_once()
    assert states_of_batches([batch, later, "unknown"]) == {
        batch: v.ANCHORED,
        later: v.SEALED,
        "unknown": v.RECORDED,
    }


@pytest.mark.parametrize("change", [{"block": "other"}, {"final": True}, {"index": 0}])
def test_a_record_that_is_not_what_was_sealed_is_not_said_to_be(change: dict[str, object]) -> None:
    make_tenant()
    batch = post(0, "tx-1", count=3)
    seal_once()
    anchor_all()
    sealed = {"batch": batch, "index": 1}
    if "index" in change:  # another, put in the place of one that was taken out
        collection("journal").delete_one({"batch": batch, "index": 0})
    collection("journal").update_one(sealed, {"$set": change})
    found = of_record(batch, int(str(change.get("index", 1))))
    assert found == RecordState(v.RECORDED, altered=True)
    assert of_record(batch, 2).state == v.ANCHORED


def test_the_first_anchor_at_each_target_that_covers_a_record_is_told() -> None:
    make_tenant()
    first, batch = post(0, "tx-1", count=3), post(1, "tx-1", count=2)
    for _ in range(2):
        with mock.patch.object(v, "SEGMENT_LEAVES", 2):
            seal_once()
    roots = {row["_id"]: row["root"] for row in collection("log_checkpoint").find()}
    assert set(roots) == {3, 5}

    def anchored(size: int, target: str, second: int, root: bytes | None = None) -> None:
        collection("log_anchor").insert_one(
            {
                "_id": f"{target}@{size}",
                "size": size,
                "root": roots.get(size, b"") if root is None else root,
                "kind": "file",
                "target": target,
                "anchored_at": NOON + timedelta(seconds=second),
            }
        )

    anchored(3, "a", 1)  # covers leaves 0 to 2
    anchored(5, "b", 2)
    anchored(5, "a", 9)
    anchored(5, "forked", 0, root=b"of another log")
    anchored(9, "beyond", 0)
    assert [(a.target, a.size) for a in of_record(first, 2).anchors] == [("a", 3), ("b", 5)]
    assert [(a.target, a.size) for a in of_record(batch, 0).anchors] == [("b", 5), ("a", 5)]


def test_anchors_of_a_log_that_went_on_otherwise_cover_nothing() -> None:
    """As after a restore from parts of different age."""
    make_tenant()
    batch = post(0, "tx-1")
    seal_once()
    follow()
    for size, root in ((1, b"other"), (50, b"beyond")):
        place = {"size": size, "root": root, "kind": "file", "target": targets()[0].label}
        key = f"{place['target']}@{size}"
        collection("log_anchor").insert_one({"_id": key, "anchored_at": NOON, **place})
    assert of_record(batch, 0).state == v.SEALED
    assert states_of_batches([batch]) == {batch: v.SEALED}
    assert listed() == {"tx-1": v.SEALED}
    hour_on = clock.now() + timedelta(hours=1)
    assert standings(hour_on)[0].late, "nor do they keep it from being late"
    post(1, "tx-2")
    seal_once()
    follow()
    anchor_all()
    assert set(listed().values()) == {v.ANCHORED}


def test_a_segment_that_no_checkpoint_covers_is_not_sealed() -> None:
    make_tenant()
    batch = post(0, "tx-1")
    seal_once()
    follow()
    anchor_all()
    other = post(1, "tx-2")
    seal_once()
    follow()
    collection("log_checkpoint").delete_one({"_id": 2})
    assert listed() == {"tx-1": v.ANCHORED, "tx-2": v.RECORDED}
    assert states_of_batches([batch, other]) == {batch: v.ANCHORED, other: v.RECORDED}


@pytest.mark.parametrize("seed", range(3))
def test_a_list_never_says_more_than_is_true_and_all_of_it_once_nothing_waits(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks that differ, posts that overtake each other, sealing and anchoring as it comes."""
    monkeypatch.setattr(state, "_READ_MOST", 5)
    monkeypatch.setattr(state, "_RUNS_MOST", 4)
    dice = random.Random(seed)
    make_tenant()
    batches: dict[str, list[str]] = {}
    moments: dict[str, datetime] = {}
    said: set[str] = set()
    for step in range(60):
        chance = dice.random()
        if chance < 0.5:
            name = f"tx-{dice.randrange(20)}"
            second = step + dice.choice((0, 0, 0, -0.5, -3, 2, -40))
            batch = post(second, name, dice.choice((1, 1, 3)))
            batches.setdefault(name, []).append(batch)
            moments[batch] = NOON + timedelta(seconds=second)
        elif chance < 0.7:
            seal_once()
        elif chance < 0.85:
            follow()
        else:
            anchor_all()
        if not dice.randrange(3):
            true = truth(moments)
            rows = {row["transaction"]: row for row in collection("transaction").find()}
            for name, claimed in listed().items():
                # of what the list shows: not of records that came later
                last = rows[name]["recorded_at"]
                within = [true[batch] for batch in batches[name] if moments[batch] <= last]
                assert RANK[claimed] <= min(map(RANK.__getitem__, within)), name
                said.add(claimed)
    while seal_once():
        pass
    follow()
    anchor_all()
    for _ in range(40):  # a page reads a bounded stretch of the log; the next one goes on
        if set(listed().values()) == {v.ANCHORED}:
            break
    assert set(listed().values()) == {v.ANCHORED}
    assert v.ANCHORED in said


def test_of_another_log_nothing_is_remembered() -> None:
    """A process goes on while the database is restored under it."""
    make_tenant()
    for round in range(2):
        highwater.path().unlink(missing_ok=True)
        for name in ("log_segment", "log_checkpoint", "log_anchor", "seal_queue", "journal"):
            collection(name).delete_many({})
        post(round, "tx-1")
        seal_once()
        (first,) = collection("log_checkpoint").find()
        collection("log_anchor").insert_one(
            {"_id": "x@1", "size": 1, "target": "x", "root": first["root"]}
        )
        post(5 - 4 * round, "tx-2")
        seal_once()
        assert cutoffs().anchored == NOON + timedelta(seconds=5 - 4 * round)


def test_without_an_anchor_nothing_is_anchored_and_what_was_never_derived_is_recorded() -> None:
    make_tenant()
    post(0, "tx-1")
    seal_once()
    assert cutoffs().state_of(NOON) == v.SEALED
    assert cutoffs().state_of(None) == v.RECORDED
