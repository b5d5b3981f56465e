"""Histories out of cells: full steps in UTC, with zeros where nothing was."""

from __future__ import annotations

import pytest

from tests.insights.world import at, put
from tracking.insights.forecasts.due import RENEWED_HOURS, Series, due_of, series_of
from tracking.insights.forecasts.grains import DAILY, HOURLY
from tracking.insights.forecasts.series import (
    RECORDS,
    STARTED,
    flows_by_volume,
    history_of,
    tenants,
)
from tracking.insights.forecasts.store import claim, claimed_by, give_back, keep
from tracking.insights.windows import DAY, HOUR, MINUTE

pytestmark = pytest.mark.django_db

NOW = at("2026-03-10T14:30")


def started(moment: str, count: int, **more: str) -> None:
    put("flow", at(moment), {"started": count}, **more)


def recorded(moment: str, *, flow: str = "orders", tenant: str = "acme", **counts: int) -> None:
    numbers = {f"records.{status}": count for status, count in counts.items()}
    put("block", at(moment), numbers, flow=flow, tenant=tenant, stage="ingress", block="in")


def counts(grain: object, measure: str = STARTED, flow: str = "orders", steps: int = 1_000) -> list:
    return history_of("acme", flow, measure, grain, NOW, steps=steps).counts  # type: ignore[arg-type]


def test_gaps_are_zeros_and_only_full_steps_count() -> None:
    # of the first hour nobody knows whether all of it was recorded; the last is not over
    for moment, count in (("10:05", 9), ("11:59", 2), ("13:00", 3), ("13:20", 4), ("14:01", 9)):
        started(f"2026-03-10T{moment}", count)
    found = history_of("acme", "orders", STARTED, HOURLY, NOW, steps=100)
    assert (found.start, found.counts, found.end) == (
        at("2026-03-10T11:00"),
        [2, 0, 7],
        at("2026-03-10T14:00"),
    )
    assert found.between(at("2026-03-10T10:00"), at("2026-03-10T13:00")) == [None, 2, 0]
    assert found.between(at("2026-03-10T13:00"), at("2026-03-10T15:00")) == [7, None]


def test_an_hour_counts_only_when_the_follower_had_time_for_it() -> None:
    for hour in (10, 11, 12):
        started(f"2026-03-10T{hour}:00", 1)
    soon = at("2026-03-10T13:09")
    assert history_of("acme", "orders", STARTED, HOURLY, soon, steps=9).counts == [1]
    assert history_of("acme", "orders", STARTED, HOURLY, soon + MINUTE, steps=9).counts == [1, 1]


def test_days_are_of_utc_and_versions_are_taken_together() -> None:
    started("2026-03-06T12:00", 1)
    started("2026-03-07T00:00", 2, version="1")
    started("2026-03-07T23:59", 3, version="2")
    started("2026-03-09T00:00", 4)
    started("2026-03-10T01:00", 99)
    assert counts(DAILY) == [5, 0, 4]
    assert counts(DAILY, steps=2) == [0, 4], "a history that is longer is not left out at its start"


def test_records_are_of_all_blocks_and_statuses_and_flows_add_up() -> None:
    recorded("2026-03-07T10:00", queued=1)
    recorded("2026-03-08T10:00", queued=1, started=2, succeeded=3)
    recorded("2026-03-09T10:00", failed=4, skipped=5, filtered=6)
    recorded("2026-03-09T11:00", flow="returns", succeeded=7)
    recorded("2026-03-09T11:00", tenant="globex", succeeded=99)
    put("flow", at("2026-03-09T11:00"), {"started": 50})
    assert counts(DAILY, RECORDS) == [6, 15]
    assert counts(DAILY, RECORDS, flow="") == [6, 22]
    assert counts(DAILY, RECORDS, flow="nothing") == []
    assert flows_by_volume("acme", NOW) == ["orders", "returns"]
    assert tenants() == ["acme", "globex"]


def document(series: Series, start: object, verdict: str = "no_pattern") -> dict:
    grain = series.grain.name
    return {
        "_id": f"{series.tenant}/{grain}/{series.measure}/{series.flow}",
        "kind": "now",
        "tenant": series.tenant,
        "flow": series.flow,
        "measure": series.measure,
        "grain": grain,
        "made_at": start,
        "start": start,
        "verdict": verdict,
    }


def test_each_series_is_due_once_and_again_when_steps_have_passed() -> None:
    recorded("2026-03-01T10:00", succeeded=1)
    recorded("2026-03-01T10:00", flow="busy", succeeded=2)
    every = series_of("acme", NOW)
    assert {(each.flow, each.measure, each.grain.name) for each in every} == {
        (flow, measure, grain)
        for flow in ("", "busy", "orders")
        for measure in (STARTED, RECORDS)
        for grain in ("hour", "day")
    }
    assert [each.flow for each in every[::4]] == ["", "busy", "orders"], "the busiest first"
    assert due_of(["acme", "globex"], NOW) == every
    for each in every[1:]:
        keep(document(each, each.grain.floor(NOW)))
    assert due_of(["acme"], NOW) == every[:1]
    keep(document(every[0], NOW))
    assert due_of(["acme"], NOW) == []
    later = NOW + RENEWED_HOURS * HOUR
    assert {each.grain.name for each in due_of(["acme"], later)} == {"hour"}
    assert len(due_of(["acme"], NOW + DAY)) == len(every)


def test_one_at_a_time_forecasts() -> None:
    assert claim("one:1", NOW, HOUR)
    assert claim("one:1", NOW + MINUTE, HOUR), "it goes on"
    assert not claim("two:2", NOW + HOUR, HOUR)
    assert claimed_by() == "one:1"
    assert claim("two:2", NOW + HOUR + MINUTE, HOUR), "the first one's time is over"
    assert not claim("one:1", NOW + HOUR + MINUTE, HOUR)
    assert claim("three:3", NOW, HOUR, gone=True)
    give_back("three:3", NOW)
    assert claim("one:1", NOW, HOUR)
