"""GET /api/v1/insights/throughput: the numbers of insights/throughput.py, for who may have them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.api.http import assert_problem, get, make_key
from tests.api.test_schema import assert_conforms
from tests.api.test_tenancy import person
from tests.insights.world import at, put, sketch
from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import vocabulary as v

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/insights/throughput"
DAY = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z", "step": "6h"}


def ask(key: str | None = None, **query: str) -> dict[str, Any]:
    response = get(URL, key or make_key(), query)
    assert response.status_code == 200, response.content
    shape = json.loads(response.content)
    assert_conforms(shape, "Throughput")
    return shape


def some_cells() -> None:
    put("flow", at("2026-03-01T23:59"), {"started": 5}, minutes={"started": 5})
    put("flow", at("2026-03-02T07:10"), {"started": 2}, version="2", minutes={"started": 2})
    ended = {"ended.delivered": 3, **sketch("throughput.delivered", 1_000, 2_000, 9_000)}
    put("flow", at("2026-03-02T08:00"), ended, minutes={"delivered": 3})
    put("flow", at("2026-03-02T20:00"), {"ended.failed": 1}, minutes={"failed": 1})
    put("flow", at("2026-03-01T01:00"), {"started": 4}, flow="returns", minutes={"started": 4})
    put("flow", at("2026-02-23T01:00"), {"started": 1}, minutes={"started": 1})
    numbers = {"records.succeeded": 3, "records.failed": 1, "visits.succeeded": 3}
    numbers |= {"visits.failed": 1, "retries": 2}
    at_eight = at("2026-03-02T08:00")
    put("block", at_eight, numbers, stage="egress", block="ship", minutes={"succeeded": 3})


def test_numbers_by_step() -> None:
    some_cells()
    shape = ask(**DAY)
    assert (shape["tenant"], shape["flow"], shape["step"]) == ("acme", None, "6h")
    assert (shape["from"], shape["to"]) == ("2026-03-02T00:00:00.000Z", "2026-03-03T00:00:00.000Z")
    assert shape["until"] == shape["to"]
    assert [step["started"] for step in shape["steps"]] == [0, 2, 0, 0]
    assert [step["delivered"] for step in shape["steps"]] == [0, 3, 0, 0]
    assert [step["in_transit"] for step in shape["steps"]] == [10, 9, 9, 8]
    assert [step["failed_share"] for step in shape["steps"]] == [None, 0.0, None, 1.0]
    assert shape["totals"]["in_transit"] == 8
    assert shape["totals"]["failed_share"] == 0.25
    assert shape["totals"]["records"] == {
        **dict.fromkeys(v.STATUSES, 0),
        "succeeded": 3,
        "failed": 1,
    }
    times = shape["steps"][1]["throughput_time"]
    assert (times["n"], times["mean_ms"]) == (3, 4_000)
    assert times["median_ms"] == pytest.approx(2_000, rel=0.01)
    assert shape["throughput_time"]["delivered"] == times
    previous, weekday = shape["compared"]["previous"], shape["compared"]["same_weekday"]
    assert (previous["started"], previous["change"]["started"]) == (9, round(-7 / 9, 6))
    assert (weekday["from"], weekday["to"]) == (
        "2026-02-23T00:00:00.000Z",
        "2026-02-24T00:00:00.000Z",
    )
    assert (weekday["started"], weekday["change"]["started"]) == (1, 1.0)
    # from nothing there is no share by which it grew
    assert weekday["change"]["delivered"] is None
    assert [step["started"] for step in previous["steps"]] == [4, 0, 0, 5]
    assert shape["by"] == "flow"
    assert {part["name"] for part in shape["parts"]} == {"orders"}
    (block,) = shape["blocks"]
    assert (block["flow"], block["block"], block["failed_share"]) == ("orders", "ship", 0.25)
    assert block["retries"] == 2


def test_of_one_flow_by_version() -> None:
    some_cells()
    shape = ask(flow="orders", **DAY)
    assert shape["totals"]["in_transit"] == 4
    assert shape["by"] == "version"
    assert [(part["name"], part["started"]) for part in shape["parts"]] == [("2", 2), ("", 0)]
    nothing = ask(flow="unheard of", **DAY)
    assert (nothing["totals"]["started"], nothing["totals"]["in_transit"]) == (0, 0)


def test_what_is_kept_by_the_hour_is_null_in_steps_of_minutes() -> None:
    some_cells()
    shape = ask(**{"from": "2026-03-02T07:00:00Z", "to": "2026-03-02T08:30:00Z", "step": "10m"})
    assert [step["started"] for step in shape["steps"]] == [0, 2, 0, 0, 0, 0, 0, 0, 0]
    assert shape["steps"][6]["records"]["succeeded"] == 3
    assert shape["throughput_time"] is None
    assert {step["throughput_time"] for step in shape["steps"]} == {None}
    assert shape["totals"]["retries"] is None
    assert shape["blocks"][0]["visits"] is None


def test_without_a_time_the_last_24_hours_are_meant() -> None:
    now = clock.now()
    put("flow", now, {"started": 1}, minutes={"started": 1})
    shape = ask()
    assert shape["step"] == "1h"
    assert len(shape["steps"]) == 24
    assert shape["totals"]["started"] == 1
    # the last, but for an hour that has just begun
    assert sum(step["started"] for step in shape["steps"][-2:]) == 1
    until = now - timedelta(days=2)
    day = ask(to=clock.iso(until))
    assert day["from"] < day["to"] <= shape["from"]
    assert ask(**{"from": clock.iso(until)})["to"] >= shape["until"]


def test_offsets_are_understood_and_seconds_widened() -> None:
    some_cells()
    given = {"from": "2026-03-02T01:00:00+01:00", "to": "2026-03-02T23:59:30Z", "step": "1d"}
    shape = ask(**given)
    assert (shape["from"], shape["to"]) == ("2026-03-02T00:00:00.000Z", "2026-03-03T00:00:00.000Z")


def test_nothing_recorded_is_all_zeros() -> None:
    shape = ask(**DAY)
    assert shape["totals"]["started"] == 0
    assert shape["totals"]["failed_share"] is None
    assert (shape["parts"], shape["blocks"]) == ([], [])
    assert shape["compared"]["previous"]["change"]["started"] is None


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ({"step": "1y"}, "bad_parameter", "step"),
        ({"step": "0h"}, "bad_parameter", "step"),
        ({"step": "1mo"}, "bad_parameter", "step"),
        ({**DAY, "step": ""}, "bad_parameter", "step"),
        ({**DAY, "step": "1m", "from": "2025-01-01T00:00:00Z"}, "too_many_steps", "step"),
        ({"from": "yesterday"}, "bad_parameter", "from"),
        ({"from": "2026-03-02"}, "bad_parameter", "from"),
        ({"from": "2026-03-02T00:00:00"}, "bad_parameter", "from"),
        ({"to": "1970-13-01T00:00:00Z"}, "bad_parameter", "to"),
        ({"from": "2026-03-03T00:00:00Z", "to": "2026-03-02T00:00:00Z"}, "bad_parameter", "to"),
        ({"from": "2026-03-03T00:00:00Z", "to": "2026-03-03T00:00:00Z"}, "bad_parameter", "to"),
        ({"flow": "x" * 101}, "bad_parameter", "flow"),
        ({"flow": "a\nb"}, "bad_parameter", "flow"),
        ({"flow": ""}, "bad_parameter", "flow"),
        ({"flwo": "orders"}, "unknown_parameter", "flwo"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_by_name(
    query: dict[str, str], code: str, parameter: str
) -> None:
    assert_problem(get(URL, make_key(), query), 400, code, parameter=parameter)


def test_the_limit_of_steps_is_told() -> None:
    query = {**DAY, "from": "2025-01-01T00:00:00Z", "step": "1m"}
    assert "1,500" in assert_problem(get(URL, make_key(), query), 400, "too_many_steps")["detail"]
    wide = {"from": "1970-01-01T00:00:00Z", "to": "2200-12-31T00:00:00Z", "step": "12mo"}
    assert len(ask(**wide)["steps"]) == 231


def test_a_tenant_counts_its_own() -> None:
    some_cells()
    put("flow", at("2026-03-02T07:10"), {"started": 70}, tenant="globex", flow="secret-flow")
    own, other = make_key(), make_key("globex")
    assert ask(own, **DAY)["totals"]["started"] == 2
    assert ask(other, **DAY)["totals"]["started"] == 70
    assert "secret-flow" not in get(URL, own, DAY).content.decode()
    assert_problem(get(URL, own, {**DAY, "tenant": "globex"}), 404, "not_found")
    assert_problem(get(URL, own, {**DAY, "tenant": "nobody"}), 404, "not_found")
    assert ask(own, tenant="acme", **DAY)["tenant"] == "acme"


def test_people_name_one_of_their_tenants() -> None:
    for tenant in ("acme", "globex"):
        make_tenant(tenant)
    some_cells()
    both = person("both", "acme", "globex", role="Analyst")
    assert_problem(both.get(URL, DAY), 400, "ambiguous_tenant", parameter="tenant")
    for tenant, started in (("acme", 2), ("globex", 0)):
        answer = both.get(URL, {**DAY, "tenant": tenant})
        assert json.loads(answer.content)["totals"]["started"] == started
    one = person("one", "globex", role="Support")
    assert json.loads(one.get(URL, DAY).content)["tenant"] == "globex"
    assert_problem(one.get(URL, {**DAY, "tenant": "acme"}), 404, "not_found")
    assert_problem(person("none", role="Support").get(URL, DAY), 404, "not_found")


def test_who_does_not_count_is_refused() -> None:
    make_tenant("acme")
    assert_problem(person("boss", "acme", role="Administrator").get(URL, DAY), 403, "forbidden")
    assert_problem(get(URL, make_key(scopes=("ingest", "verify")), DAY), 403, "wrong_scope")
    assert_problem(get(URL, None, DAY), 401, "key_missing")


def test_numbers_follow_what_is_posted() -> None:
    key = make_key()
    post([record(occurred_at="2026-03-02T07:00:00Z", stage="egress") for _ in range(3)])
    assert ask(key, **DAY)["totals"]["started"] == 0
    assert ask(key, **DAY)["as_of"]["leaf"] == 0
    drain()
    shape = ask(key, **DAY)
    assert (shape["totals"]["started"], shape["totals"]["delivered"]) == (3, 3)
    assert (shape["as_of"]["leaf"], shape["as_of"]["behind_seconds"]) == (3, 0.0)
