"""GET /api/v1/insights/forecast: what is kept, for who may have it, and why it is withheld."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.api.http import assert_problem, get, make_key
from tests.api.test_schema import assert_conforms
from tests.insights.told import tell
from tests.insights.world import limbs, put
from tests.tools import make_tenant
from tracking import clock
from tracking.insights.forecasts.grains import DAILY
from tracking.insights.windows import DAY, floor_day

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/insights/forecast"


def today() -> datetime:
    return floor_day(clock.now())


def ask(key: str | None = None, **query: str) -> dict[str, Any]:
    response = get(URL, key or make_key(), query)
    assert response.status_code == 200, response.content
    shape = json.loads(response.content)
    assert_conforms(shape, "Forecast")
    return shape


def test_what_is_to_come_with_intervals_and_its_worth() -> None:
    start = today()
    put("flow", start - DAY, {"started": 7}, flow="orders")
    put("flow", start - 2 * DAY, {"started": 9}, flow="orders")
    tell(start, flow="orders")
    shape = ask(flow="orders")
    assert (shape["verdict"], shape["measure"], shape["step"]) == ("shown", "started", "1d")
    assert (shape["mase"], shape["coverage"]) == (0.7321, {"80": 0.81, "95": 0.94})
    assert shape["origins"] == 40
    assert shape["yardsticks"][0] == {"name": "seasonal naive 7", "ratio": 0.75, "chance": 0.001}
    assert len(shape["steps"]) == 31
    assert shape["steps"][1] == {
        "from": clock.iso(start + DAY),
        "to": clock.iso(start + 2 * DAY),
        "expected": 100.0,
        "low80": 90.0,
        "high80": 120.0,
        "low95": 80.0,
        "high95": 140.0,
        "actual": None,
    }
    assert [step["expected"] for step in shape["seen"][-7:]] == [None, *[95.0] * 6]
    assert shape["seen"][-1]["actual"] == 7
    assert shape["seen"][-2]["actual"] is None, "of the first day nobody knows whether it was full"
    assert shape["track_record"] is None


def test_by_the_hour_of_all_flows_a_step_that_is_over_shows_what_came() -> None:
    now = clock.now()
    start = now.replace(minute=0, second=0, microsecond=0)
    put("block", start - 4 * (DAY / 24), {"records.queued": 1}, stage="ingress", block="in")
    put("block", start - 2 * (DAY / 24), {"records.queued": 5}, stage="ingress", block="in")
    tell(start - 3 * (DAY / 24), grain="hour", measure="records", steps=168)
    shape = ask(step="1h", measure="records")
    assert (shape["flow"], shape["step"], len(shape["steps"])) == (None, "1h", 168)
    assert [step["actual"] for step in shape["steps"][:2]] == [0, 5]


def test_withheld_it_says_why_and_tells_nothing() -> None:
    tell(today(), verdict="no_pattern")
    shape = ask()
    assert shape["verdict"] == "no_pattern"
    assert shape["reason"].startswith("Withheld: no pattern was found")
    assert shape["steps"] == []
    assert all(step["expected"] is None for step in shape["seen"])
    assert ask(flow="nothing")["verdict"] == "waiting"
    short = {"steps": 30, "needed": DAILY.shortest, "day": 1, "beyond": None, "yards": []}
    tell(today(), verdict="short", facts=short, mase=None, coverage={}, origins=0)
    assert "26 more days are needed" in ask()["reason"]


def test_needs_are_of_records_by_the_day_whatever_is_asked_for() -> None:
    start = today()
    names = {"block": "in", "resource": "cpu", "unit": "s", "lost": False, "vain": False}
    put("usage", start - DAY, limbs(10**18), **names)
    use = {
        "from": start - 28 * DAY,
        "to": start,
        "records": 1_000,
        "used": [{"resource": "cpu", "unit": "s", "quantity": "250"}],
        "posted": [{"currency": "EUR", "amount": "10"}],
        "record_bytes": 2_000.0,
    }
    tell(start, measure="records", use=use)
    tell(start, grain="hour", steps=24, totals=[])
    shape = ask(step="1h")
    needs = {each["what"]: each for each in shape["needs"]}
    assert list(needs) == ["records", "storage", "resource", "posted"]
    (week,) = needs["resource"]["by_span"]
    assert (week["span"], week["from"]) == ("week", clock.iso(start + DAY))
    assert (week["expected"], week["low80"], week["billed_cost"]) == ("176.375", "157.5", None)
    assert needs["storage"]["by_span"][0]["expected"] == "1411000"
    (cost,) = shape["costs"]
    assert (cost["billing_currency"], cost["by_span"][0]["expected"]) == ("EUR", "7.055")


def test_another_tenant_is_not_there() -> None:
    make_tenant("globex")
    tell(today(), tenant="globex", flow="secret")
    assert_problem(get(URL, make_key(), {"tenant": "globex"}), 404, "not_found")
    assert ask(flow="secret")["verdict"] == "waiting"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("step", "2h", "bad_parameter"),
        ("measure", "money", "bad_parameter"),
        ("horizon", "3", "unknown_parameter"),
        ("flow", "x" * 101, "bad_parameter"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_name(name: str, value: str, code: str) -> None:
    problem = assert_problem(get(URL, make_key(), {name: value}), 400, code)
    assert problem["parameter"] == name
