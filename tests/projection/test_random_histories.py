"""Whatever is posted, in whatever order and cut, what is derived is what the rules say."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from tests.core.histories import START
from tests.projection.rollups import assert_rollups_equal_oracle
from tests.projection.world import (
    assert_derived_equals_oracle,
    cut,
    define,
    derived,
    free_lead,
    histories,
    post_at,
)
from tests.tools import drain, make_tenant
from tracking.core.rollup import entries_of
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.projection.documents import transaction_document
from tracking.projection.follower import Follower
from tracking.projection.live import lifetime_of
from tracking.projection.rebuild import compare, rebuild
from tracking.projection.rollups import kept

pytestmark = pytest.mark.django_db(transaction=True)


def quietly(_done: int, _total: int) -> None:
    pass


@pytest.mark.parametrize("seed", range(16))
def test_any_cut_and_order_gives_what_the_rules_say(seed: int) -> None:
    random = Random(seed)
    make_tenant()
    records, definitions = histories(random, 14)
    for definition in definitions:
        define("acme", "orders", definition)
    follower = Follower("one")
    for number, batch in enumerate(cut(random, records)):
        # some event times lie ahead of their record time
        post_at(batch, moment=START + timedelta(seconds=random.choice((-5, 0, number))))
        for _ in range(random.randrange(3)):
            random.choice((seal_once, follower.step))()
    free_lead()
    drain()
    assert assert_derived_equals_oracle() == 14
    assert assert_rollups_equal_oracle() > 14
    assert compare(quietly).equal

    before = derived()
    rebuild("rebuild", quietly)
    assert derived() == before, "rebuilt, byte for byte"


@pytest.mark.parametrize("seed", range(100, 104))
def test_repeating_posts_changes_no_derived_document(seed: int) -> None:
    random = Random(seed)
    make_tenant()
    records, _definitions = histories(random, 8)
    post_at(records)
    drain()
    before = derived()
    size = collection("journal").count_documents({})
    random.shuffle(records)
    for batch in cut(random, records):
        assert post_at(batch, moment=START + timedelta(hours=2)).count("duplicate") == len(batch)
    drain()
    assert derived() == before
    assert collection("journal").count_documents({}) == size


def test_two_orders_of_the_same_posts_give_the_same_documents() -> None:
    """Two tenants get the same records at the same record times, cut and ordered otherwise."""
    random = Random(7)
    make_tenant("acme")
    make_tenant("bolt")
    records, definitions = histories(random, 10)
    for tenant in ("acme", "bolt"):
        for definition in definitions:
            define(tenant, "orders", definition)
        random.shuffle(records)
        for batch in cut(random, records):
            post_at(batch, tenant)
            seal_once()
            Follower("one").step()
    free_lead()
    drain()
    own = {"_id": 0, "tenant": 0, "lane": 0, "transaction": 0}
    for name, order in (("transaction", "transaction"), ("block_progress", "_id")):
        one, other = (
            list(collection(name).find({"tenant": tenant}, own).sort(order, 1))
            for tenant in ("acme", "bolt")
        )
        assert one == other
        assert len(one) >= 10


def test_one_objects_page_shows_what_the_follower_has_not_derived_yet() -> None:
    random = Random(11)
    make_tenant()
    records, _definitions = histories(random, 3)
    post_at(records[: len(records) // 2])
    drain()
    post_at(records[len(records) // 2 :])
    shown = {f"tx-{number}": lifetime_of("acme", f"tx-{number}") for number in range(3)}
    free_lead()
    drain()
    for name, live in shown.items():
        assert live is not None
        assert not live.truncated
        stored = collection("transaction").find_one({"_id": f"acme/{name}"})
        assert stored is not None
        assert kept(stored) == entries_of(live.lifetime)
        del stored["rolled"]
        assert transaction_document("acme", live.lifetime) == stored
    assert lifetime_of("acme", "unknown") is None
    assert lifetime_of("bolt", "tx-0") is None, "another tenant's"


def test_a_block_whose_records_were_all_withdrawn_disappears() -> None:
    from tests.tools import record

    make_tenant()
    wrong = record(id="a", transaction="tx", block="wrong", occurred_at="2026-01-01T10:00:00Z")
    post_at([wrong])
    drain()
    assert collection("block_progress").find_one({"_id": "acme/tx/wrong"}) is not None
    post_at([record(id="b", transaction="tx", block="right", corrects="a")])
    drain()
    blocks = [row["block"] for row in collection("block_progress").find()]
    assert blocks == ["right"]
    assert compare(quietly).equal
    assert_derived_equals_oracle()
