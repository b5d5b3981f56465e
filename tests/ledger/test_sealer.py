"""Every recorded batch gets its place in the log, once, and the log only grows."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from tests.ledger.world import assert_log_is_whole, post, sealed_batches, segments
from tests.projection.world import assert_derived_equals_oracle, free_lead
from tests.tools import drain, make_tenant
from tracking import vocabulary as v
from tracking.core.canonical import leaf_hash
from tracking.ledger import sealer
from tracking.ledger.sealer import Sealer, seal_once, seal_until
from tracking.mongo.connection import collection
from tracking.projection.follower import Follower
from tracking.projection.log import log_size
from tracking.projection.rebuild import compare

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_empty_queue_seals_nothing() -> None:
    assert seal_once() == 0
    assert log_size() == 0


def test_a_segment_says_where_every_record_stands() -> None:
    first, second = post(3), post(2, seconds=1, tenant="bolt")
    assert seal_once() == 5
    segment = segments()[0]
    assert (segment["_id"], segment["count"]) == (0, 5)
    assert [batch["batch"] for batch in segment["batches"]] == [first, second]
    assert [batch["tenant"] for batch in segment["batches"]] == ["acme", "bolt"]
    in_order = collection("journal").find({"batch": first}).sort("index", 1)
    leaves = b"".join(leaf_hash(document) for document in in_order)
    assert segment["leaves"][: 3 * 32] == leaves
    assert collection("seal_queue").count_documents({}) == 0
    assert_log_is_whole()


def test_batches_are_sealed_by_record_time_then_by_batch() -> None:
    posted = [(seconds, post(seconds=seconds)) for seconds in (5, 1, 3, 1, 9, 1)]
    seal_once()
    assert sealed_batches() == [batch for _seconds, batch in sorted(posted)]


def test_segments_tile_the_log_however_the_batches_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(v, "SEGMENT_LEAVES", 20)
    dice = random.Random(3)
    for _ in range(30):
        post(dice.choice((1, 2, 7, 19, 20, 21, 45)), seconds=dice.random())
        if dice.random() < 0.3:
            seal_once()
    while seal_once():
        pass
    assert_log_is_whole()
    counts = [(segment["count"], len(segment["batches"])) for segment in segments()]
    assert all(count <= 20 or batches == 1 for count, batches in counts)
    assert any(count > 20 for count, _batches in counts), "one batch may be larger"


def test_a_late_batch_with_an_older_record_time_is_sealed_later_and_still_followed() -> None:
    """No time stamp can be the cursor: a slow commit becomes visible behind what was read."""
    newer = post(2, seconds=10)
    drain()
    older = post(3, seconds=-500)
    drain()
    assert sealed_batches() == [newer, older]
    assert assert_derived_equals_oracle() == 5
    assert compare(lambda *_: None).equal


def test_rival_sealers_seal_everything_once() -> None:
    make_tenant()
    stop = threading.Event()
    sealers = [threading.Thread(target=seal_until, args=(stop,)) for _ in range(4)]
    for thread in sealers:
        thread.start()
    try:
        dice = random.Random(1)
        for _ in range(60):
            post(dice.randrange(1, 9), seconds=dice.random())
        for _ in range(400):
            if not collection("seal_queue").count_documents({}):
                break
            stop.wait(0.05)
    finally:
        stop.set()
        for thread in sealers:
            thread.join()
    assert collection("seal_queue").count_documents({}) == 0
    assert_log_is_whole()
    free_lead()
    drain()
    assert_derived_equals_oracle()


@pytest.mark.parametrize("cleaned", [True, False])
@pytest.mark.parametrize(
    ("step", "before"),
    [
        ("_already_sealed", True),
        ("_already_sealed", False),
        ("head", True),
        ("head", False),
    ],
)
def test_whoever_is_overtaken_at_any_step_seals_nothing_twice(
    step: str, before: bool, cleaned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(3)
    own = getattr(sealer, step)

    def overtaken(*args: Any) -> Any:
        monkeypatch.undo()
        found = None if before else own(*args)
        entries = list(collection("seal_queue").find())
        assert seal_once() == 3, "the rival"
        if not cleaned:  # it was killed before it took them out of the queue
            collection("seal_queue").insert_many(entries)
        return own(*args) if before else found

    monkeypatch.setattr(sealer, step, overtaken)
    assert seal_once() == 0
    assert len(sealed_batches()) == 1
    post(2, seconds=1)
    while seal_once():
        pass
    assert collection("seal_queue").count_documents({}) == 0
    assert_log_is_whole()


def test_a_crash_between_segment_and_queue_is_repaired_by_the_next_round() -> None:
    post(3)
    entries = list(collection("seal_queue").find())
    seal_once()
    collection("seal_queue").insert_many(entries)
    assert seal_once() == 0
    assert collection("seal_queue").count_documents({}) == 0
    assert_log_is_whole()


def test_a_crash_in_the_queue_does_not_keep_new_batches_waiting() -> None:
    post(3)
    entries = list(collection("seal_queue").find())
    seal_once()
    collection("seal_queue").insert_many(entries)
    post(2, seconds=1)
    assert seal_once() == 2
    assert_log_is_whole()


def test_sealing_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    post(2)
    stop = threading.Event()
    errors = [AutoReconnect("away"), RuntimeError("not foreseen")]

    own = Sealer.seal_once

    def sometimes(self: Sealer) -> int:
        if errors:
            raise errors.pop(0)
        sealed = own(self)
        if not sealed:
            stop.set()
        return sealed

    monkeypatch.setattr(Sealer, "seal_once", sometimes)
    seal_until(stop)
    assert not errors
    assert_log_is_whole()


def test_the_follower_reads_every_batch_once_whatever_the_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tracking.projection import follower as following

    monkeypatch.setattr(following, "STEP_LEAVES", 4)
    monkeypatch.setattr(v, "SEGMENT_LEAVES", 10)
    dice = random.Random(9)
    for number in range(25):
        post(dice.randrange(1, 7), seconds=number)
        if number % 3 == 0:
            seal_once()
    while seal_once():
        pass
    follower = Follower("one")
    leaves = 0
    while done := follower.step():
        leaves += done
        at = collection("cursor").find_one({})["leaf"]
        assert at == leaves
    assert leaves == log_size()
    assert assert_derived_equals_oracle() == leaves
