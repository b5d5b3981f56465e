"""Rollups follow whatever happens to transactions: pieces, corrections, definitions, upgrades."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from random import Random

import pytest

from tests.core.histories import START
from tests.projection.rollups import assert_rollups_equal_oracle, stored_cells
from tests.projection.world import define, derived, free_lead, histories, post_at
from tests.tools import drain, make_tenant, record
from tracking import clock
from tracking.mongo.connection import collection
from tracking.projection import rollups
from tracking.projection.follower import Follower
from tracking.projection.rebuild import compare
from tracking.projection.rollups import kept

pytestmark = pytest.mark.django_db(transaction=True)


def quietly(_done: int, _total: int) -> None:
    pass


def started(number: int) -> dict[str, object]:
    moment = START + timedelta(seconds=number)
    return record(
        id=f"r{number}",
        transaction="tx",
        block="retry",
        stage="processing",
        status="started",
        attempt=number + 1,
        occurred_at=clock.iso(moment),
        usage=[{"resource": "cpu", "unit": "s", "quantity": "0.1"}],
    )


def test_a_transaction_of_very_many_attempts_keeps_its_entries_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "INLINE", 400)
    monkeypatch.setattr(rollups, "PIECE_CHARACTERS", 500)
    make_tenant()
    follower = Follower("one")
    sizes = []
    for first in range(0, 12, 3):
        post_at([started(number) for number in range(first, first + 3)])
        drain()
        sizes.append(collection("rollup_part").count_documents({}))
        assert_rollups_equal_oracle()
        stored = collection("transaction").find_one({"_id": "acme/tx"})
        assert stored is not None
        assert ("rolled" in stored, stored.get("rolled_in", 0)) == (not sizes[-1], sizes[-1])
    assert sizes[-1] > sizes[0]
    assert follower.step() == 0
    # what is withdrawn needs fewer
    gone = [
        record(id=f"w{n}", transaction="tx", corrects=f"r{n}", status="skipped", attempt=1)
        for n in range(1, 12)
    ]
    post_at(gone)
    drain()
    assert collection("rollup_part").count_documents({}) < sizes[-1]
    assert_rollups_equal_oracle()
    assert compare(quietly).equal


def test_a_late_record_corrects_the_past() -> None:
    make_tenant()
    end = record(id="b", transaction="tx", block="ship", stage="egress", status="succeeded")
    post_at([{**end, "occurred_at": "2026-01-05T10:30:00Z"}])
    drain()
    flow = {place[2]: cell for place, cell in stored_cells("acme").items() if place[0] == "flow"}
    assert [cell["started"] for cell in flow.values()] == [1, 1, 1]
    first = record(id="a", transaction="tx", block="receive", stage="ingress", status="succeeded")
    post_at([{**first, "occurred_at": "2026-01-04T09:00:00Z"}])
    drain()
    begun = {
        (place[1], place[2].isoformat()[:13])
        for place, cell in stored_cells("acme").items()
        if place[0] == "flow" and cell.get("started")
    }
    assert begun == {
        ("hour", "2026-01-04T09"),
        ("day", "2026-01-04T00"),
        ("month", "2026-01-01T00"),
    }
    assert_rollups_equal_oracle()
    assert compare(quietly).equal


def test_what_is_in_no_record_any_more_is_in_no_cell() -> None:
    make_tenant()
    wrong = record(id="a", transaction="tx", block="typo", occurred_at="2026-01-01T10:00:00Z")
    post_at([wrong])
    drain()
    assert any("typo" in place[5] for place in stored_cells("acme"))
    right = record(id="b", transaction="tx", block="right", occurred_at="2026-01-01T10:00:00Z")
    post_at([{**right, "corrects": "a"}])
    drain()
    assert not any("typo" in place[5] for place in stored_cells("acme"))
    assert_rollups_equal_oracle()


def test_what_was_derived_before_there_were_rollups_is_counted_after_the_migration() -> None:
    random = Random(5)
    make_tenant()
    records, definitions = histories(random, 8)
    for definition in definitions:
        define("acme", "orders", definition)
    post_at(records)
    drain()
    wanted = derived()
    collection("rollup").delete_many({})
    collection("transaction").update_many({}, {"$unset": {"rolled": 1}})
    assert not compare(quietly).equal

    migration = import_module("tracking.migrations.0010_rollup")
    collection("cursor").update_many({}, migration.AGAIN)
    free_lead()
    drain()
    assert derived() == wanted
    assert compare(quietly).equal


def test_a_missing_or_wrong_cell_is_found_by_comparing() -> None:
    make_tenant()
    post_at([record(id="a", transaction="tx")])
    drain()
    cell = collection("rollup").find_one({"kind": "block", "grain": "day"})
    assert cell is not None
    collection("rollup").update_one({"_id": cell["_id"]}, {"$inc": {"arrived": 1}})
    assert compare(quietly).rollups == [cell["_id"]]
    collection("rollup").delete_one({"_id": cell["_id"]})
    assert compare(quietly).rollups == [cell["_id"]]
    assert kept(collection("transaction").find_one({}) or {})
