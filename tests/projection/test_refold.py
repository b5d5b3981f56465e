"""A changed flow definition changes what it measured, and nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest

from tests.projection.world import assert_derived_equals_oracle, define, derived
from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking.core.lifetime import Definition, Step
from tracking.ledger.sealer import seal_once
from tracking.models import FlowStep
from tracking.mongo.connection import collection
from tracking.projection import follower as following
from tracking.projection.definitions import definitions_of
from tracking.projection.follower import Follower
from tracking.projection.rebuild import compare
from tracking.projection.refold import REFOLD, request_flow

pytestmark = pytest.mark.django_db(transaction=True)

LOADED = Definition(version="1", steps=(Step(block="receive", stage="ingress"),))


def percents(flow: str = "orders", tenant: str = "acme") -> list[int | None]:
    rows = collection("transaction").find({"tenant": tenant, "flow": flow}).sort("_id", 1)
    return [row.get("percent") for row in rows]


def test_a_new_definition_reaches_every_transaction_of_its_flow_alone() -> None:
    for tenant in ("acme", "acme-2"):
        make_tenant(tenant)
        post([record() for _ in range(3)], tenant)
        post([record(flow="returns") for _ in range(2)], tenant)
    drain()
    assert percents() == [None] * 3
    before = derived()["transaction"]

    define("acme", "orders", LOADED)
    request_flow("acme", "orders")
    drain()
    assert percents() == [99] * 3
    after = derived()["transaction"]
    changed = {key for key in after if after[key] != before[key]}
    assert len(changed) == 3
    assert all(key.startswith("acme/") for key in changed)
    assert collection(REFOLD).count_documents({}) == 0
    assert compare(lambda *_: None).equal
    assert_derived_equals_oracle()


def test_a_change_without_a_request_is_a_difference_that_compare_names() -> None:
    make_tenant()
    post([record(transaction="tx-1")])
    drain()
    define("acme", "orders", LOADED)
    found = compare(lambda *_: None)
    assert not found.equal
    assert found.differing == ["acme/tx-1"]


def test_a_flow_is_refolded_in_portions_and_goes_on_where_it_was_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "REFOLD_TRANSACTIONS", 2)
    make_tenant()
    post([record() for _ in range(5)])
    drain()
    define("acme", "orders", LOADED)
    request_flow("acme", "orders")
    one = Follower("drain")
    assert one.step() == 2
    assert sorted(percents(), key=str) == [99, 99, None, None, None]
    post([record()])  # news come before what is only refolded
    drain()
    assert percents() == [99] * 6
    assert collection(REFOLD).count_documents({}) == 0


def test_posts_that_never_end_and_definitions_that_never_end_share_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "REFOLD_TRANSACTIONS", 1)
    seconds = count()  # each step takes one
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    make_tenant()
    post([record(transaction=f"old-{n}") for n in range(9)])
    drain()
    define("acme", "orders", LOADED)
    request_flow("acme", "orders")
    follower = Follower("drain")
    for n in range(12):
        post([record(transaction=f"then-{n}")])
        seal_once()
        assert follower.step()
    rows = collection("transaction").find({"percent": 99})
    reached = Counter(row["transaction"].partition("-")[0] for row in rows)
    # by turns: at six steps what came in by then, at six one of the old
    assert reached == {"then": 11, "old": 6}


def test_a_request_is_not_done_before_its_time() -> None:
    make_tenant()
    post([record()])
    drain()
    define("acme", "orders", LOADED)
    request_flow("acme", "orders")
    later = clock.now() + timedelta(hours=1)
    collection(REFOLD).update_one({}, {"$set": {"not_before": later}})
    assert Follower("drain").step() == 0
    assert percents() == [None]


def test_steps_of_equal_positions_stand_in_one_order() -> None:
    make_tenant()
    blocks = ["c", "a", "d", "b"]
    steps = tuple(Step(block=block, stage="processing") for block in blocks)
    row = define("acme", "orders", Definition(version="1", steps=steps))
    FlowStep.objects.filter(definition=row).update(position=3)
    found = definitions_of("acme")("orders")[0]
    assert [step.block for step in found.steps] == sorted(blocks)


def test_a_later_version_measures_only_what_began_since() -> None:
    make_tenant()
    for hour in (10, 12):
        post([record(occurred_at=f"2026-01-31T{hour}:00:00Z", transaction=f"tx-{hour}")])
    drain()
    since = clock.from_ms(clock.to_ms(clock.now()) // 1000 * 1000).replace(
        year=2026, month=1, day=31, hour=11
    )
    define("acme", "orders", Definition(version="2", steps=LOADED.steps, valid_from=since))
    request_flow("acme", "orders")
    drain()
    rows = collection("transaction").find().sort("_id", 1)
    assert [row.get("definition") for row in rows] == [None, "2"]
