"""What a plan tells: the same for the same seed, valid, and as mixed as it was asked to be."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracking import vocabulary as v
from tracking.core.record import Record, read_record
from tracking.simulation.flows import FLOWS
from tracking.simulation.plan import Plan, PlanError
from tracking.simulation.traffic import Emission, emissions

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def plan(**fields: Any) -> Plan:
    return Plan(**{"start": NOON, "objects": 300, **fields})


def told(**fields: Any) -> list[Emission]:
    return list(emissions(plan(**fields)))


def test_equal_plans_tell_equal_records_in_equal_order() -> None:
    assert told() == told()


@pytest.mark.parametrize(
    "other", [{"seed": 2}, {"start": NOON + timedelta(seconds=1)}, {"faults": 0.1}]
)
def test_other_plans_use_other_ids(other: dict[str, Any]) -> None:
    ids = {emission.wire["id"] for emission in told()}
    assert ids.isdisjoint(emission.wire["id"] for emission in told(**other))


@pytest.mark.parametrize("fields", [{}, {"rate": 20.0, "seconds": 60.0}, {"faults": 0.9}])
def test_every_record_is_valid(fields: dict[str, Any]) -> None:
    for emission in told(**fields):
        record = read_record(emission.wire, now=NOON)
        assert isinstance(record, Record), record
        assert record.header["transaction"] == emission.transaction


def test_every_flow_status_and_outcome_occurs() -> None:
    found = told()
    assert {emission.wire["status"] for emission in found} == set(v.STATUSES)
    assert {emission.flow for emission in found} == {*FLOWS, "parcels"}
    last = {emission.transaction: emission for emission in sorted(found, key=lambda e: e.place)}
    ends = {emission.after for emission in last.values()}
    assert ends == set(v.TRANSACTION_STATUSES)


def test_an_id_stands_for_one_record_only() -> None:
    by_id: dict[str, dict[str, Any]] = {}
    for emission in told(duplicates=0.3):
        assert by_id.setdefault(emission.wire["id"], emission.wire) == emission.wire


def test_duplicates_are_repeated_records() -> None:
    counts = Counter(emission.wire["id"] for emission in told(duplicates=0.5))
    again = sum(emission.again for emission in told(duplicates=0.5))
    assert again == sum(count - 1 for count in counts.values())
    assert 0.4 < again / len(counts) < 0.6
    assert not any(emission.again for emission in told(duplicates=0.0))


def test_late_records_are_posted_after_later_ones() -> None:
    def out_of_order(**fields: Any) -> int:
        latest: Counter[str] = Counter()
        swaps = 0
        for emission in told(duplicates=0.0, **fields):
            swaps += emission.place < latest[emission.transaction]
            latest[emission.transaction] = max(latest[emission.transaction], emission.place)
        return swaps

    assert out_of_order(late=0.2) > 100
    assert out_of_order(late=0.0) == 0


def test_retries_raise_the_attempt_and_without_them_a_failure_ends_the_story() -> None:
    assert max(emission.wire.get("attempt", 1) for emission in told(faults=0.4, retries=1.0)) > 2
    assert all("attempt" not in emission.wire for emission in told(faults=0.4, retries=0.0))


def test_parcels_name_their_order_as_parent() -> None:
    found = told(splits=1.0, flows=("web-orders",))
    orders = {e.transaction for e in found if e.flow == "web-orders"}
    parcels = [e for e in found if e.flow == "parcels"]
    assert parcels
    assert all(set(e.wire["parents"]) <= orders for e in parcels)


def test_history_lies_before_the_start_and_nothing_happens_after_it() -> None:
    moments = [emission.wire["occurred_at"] for emission in told(skew=0.0, hours=6.0)]
    assert min(moments) >= "2026-11-22T06:00:00.000Z"
    assert max(moments) <= "2026-11-22T12:00:00.000Z"


def test_a_clock_that_is_off_tells_times_ahead_of_now() -> None:
    assert max(emission.wire["occurred_at"] for emission in told(skew=1.0)) > "2026-11-22T12:00:01"


def test_live_objects_begin_at_the_rate_and_end_with_the_seconds() -> None:
    found = told(rate=10.0, seconds=30.0, objects=None, late=0.0, skew=0.0, duplicates=0.0)
    assert 200 < len({e.wire["object"]["id"] for e in found if e.flow != "parcels"}) < 400
    assert [emission.at for emission in found] == sorted(emission.at for emission in found)
    assert max(emission.wire["occurred_at"] for emission in found) <= "2026-11-22T12:00:30.000Z"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"faults": 1.5}, "--faults is a probability"),
        ({"objects": 0}, "--objects must be more than 0"),
        ({"flows": ("orders",)}, "--flows takes some of web-orders"),
        ({"flows": ()}, "--flows takes some of"),
        ({"seconds": 5.0}, "--seconds needs a --rate"),
        ({"objects": None}, "--objects is needed"),
        ({"start": datetime(2026, 1, 1)}, "--start-time needs an offset"),  # noqa: DTZ001
    ],
)
def test_a_plan_that_cannot_be_carried_out(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence):
        plan(**fields)
