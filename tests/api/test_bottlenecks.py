"""GET /insights/bottlenecks: the same numbers as the page, for whoever may count."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.api.http import assert_problem, get, make_key
from tests.api.test_schema import assert_conforms
from tests.insights.world import at as moment
from tests.insights.world import put, sketch
from tests.tools import make_tenant
from tracking.models import Membership, User

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/v1/insights/bottlenecks"
DAY = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
NOON = moment("2026-03-02T12:00")
NAME = "<b>`check`</b> שלום"


@pytest.fixture(autouse=True)
def world(transactional_db: None) -> None:
    make_tenant("acme")
    make_tenant("globex")
    put("flow", NOON, {"started": 9, "ended.delivered": 8, "busy_ms": 3_000, "idle_ms": 5_000})
    put("flow", NOON, sketch("throughput.delivered", *[1_000] * 8))
    put("flow", NOON, {"started": 1}, flow="returns")
    put("flow", NOON, {"started": 99}, flow="secret", tenant="globex")
    checks = {"arrived": 9, "visits.succeeded": 8, "visits.failed": 1, "lost": 1, "retries": 1}
    checks |= {"share.queue_ms": 4_000, "share.work_ms": 1_000, **sketch("queue", *[500] * 8)}
    put("block", NOON, checks, stage="processing", block=NAME)
    ships = {"arrived": 8, "visits.succeeded": 8, "share.work_ms": 2_000, **sketch("work", 200)}
    put("block", NOON, ships, stage="egress", block="ship")
    for source, target, passed in (("", NAME, 8), (NAME, NAME, 1), (NAME, "ship", 8)):
        wait = sketch("wait", *[250] * passed) if source else {}
        put("edge", NOON, {"passed": passed, **wait}, source=source, target=target)
    put("edge", NOON, {"passed": 8}, source="ship", target="")


def asked(query: dict[str, Any] | None = None, key: str | None = None) -> dict[str, Any]:
    answer = get(PATH, key or make_key(), {**DAY, **(query or {})})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = json.loads(answer.content)
    assert_conforms(found, "Bottlenecks")
    return found


def test_it_tells_where_the_time_goes() -> None:
    found = asked({"step": "6h"})
    assert (found["tenant"], found["flow"], found["step"]) == ("acme", "orders", "6h")
    assert found["compared_from"] == "2026-03-01T00:00:00.000Z"
    assert found["compared_to"] == "2026-03-02T00:00:00.000Z"
    assert found["elapsed_ms"] == 7_000
    assert found["objects"]["throughput_time"]["n"] == 8
    assert (found["objects"]["processing_ms"], found["objects"]["idle_ms"]) == (3_000, 5_000)
    check, ship = found["blocks"]
    assert (check["rank"], check["block"], check["verdict"]) == (1, NAME, "bottleneck")
    assert check["sentence"].startswith(f"`{NAME}` takes 71 % of all elapsed time, 80 % of it ")
    assert found["summary"] == [
        f"`{NAME}` is the bottleneck: it takes 71 % of all elapsed time, 80 % of it waiting."
    ]
    assert check["elapsed_share"] + ship["elapsed_share"] == pytest.approx(1)
    assert (check["queue_ms"], check["work_ms"], ship["work_ms"]) == (4_000, 1_000, 2_000)
    assert [step["arrived"] for step in check["steps"]] == [0, 0, 9, 0]
    assert check["queue_time"]["median_ms"] == pytest.approx(500, rel=0.01)
    assert ship["waiting_time"]["n"] == 8
    assert check["rates"]["arrived_per_hour"] == pytest.approx(9 / 24)
    assert [(edge["source"], edge["target"], edge["passed"]) for edge in found["edges"]] == [
        (None, NAME, 8),
        (NAME, "ship", 8),
        ("ship", None, 8),
        (NAME, NAME, 1),
    ]
    assert [spot["block"] for spot in found["hot_spots"]] == [NAME]


def test_minutes_are_widened_to_hours_and_another_flow_is_asked_for() -> None:
    found = asked({"from": "2026-03-02T11:59:00Z", "to": "2026-03-02T12:01:00Z", "step": "1m"})
    assert (found["from"], found["to"], found["step"]) == (
        "2026-03-02T11:00:00.000Z",
        "2026-03-02T13:00:00.000Z",
        "1h",
    )
    assert len(found["blocks"]) == 2
    assert asked({"flow": "returns"})["blocks"] == []
    assert asked({"flow": "nobody knows it"})["flow"] == "nobody knows it"


def test_where_nothing_was_recorded_nothing_is_told() -> None:
    found = asked({"from": "2020-03-02T00:00:00Z", "to": "2020-03-03T00:00:00Z"})
    assert (found["flow"], found["blocks"], found["edges"], found["summary"]) == (None, [], [], [])


def test_another_tenants_flows_do_not_exist() -> None:
    assert asked({"flow": "secret"})["objects"]["started"] == 0
    assert_problem(get(PATH, make_key(), {**DAY, "tenant": "globex"}), 404, "not_found")
    assert asked(key=make_key("globex"))["flow"] == "secret"


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ({"step": "7x"}, "bad_parameter", "step"),
        ({"step": "0h"}, "bad_parameter", "step"),
        ({"from": "yesterday"}, "bad_parameter", "from"),
        ({"from": "2026-03-04T00:00:00Z"}, "bad_parameter", "to"),
        ({"from": "2000-01-01T00:00:00Z", "step": "1h"}, "too_many_steps", "step"),
        ({"flow": "x" * 101}, "bad_parameter", "flow"),
        ({"flow": ""}, "bad_parameter", "flow"),
        ({"block": "ship"}, "unknown_parameter", "block"),
    ],
)
def test_what_cannot_be_asked_is_named(query: dict[str, str], code: str, parameter: str) -> None:
    answer = get(PATH, make_key(), {**DAY, **query})
    assert assert_problem(answer, 400, code, parameter=parameter)


def test_a_key_needs_read_and_a_person_a_role_that_counts() -> None:
    assert_problem(get(PATH, make_key(scopes=("ingest",)), DAY), 403, "wrong_scope")
    for role, status in (("Analyst", 200), ("Support", 200), ("Administrator", 403)):
        user = User.objects.create(username=role.lower())
        user.groups.add(Group.objects.get(name=role))
        Membership.objects.create(user=user, tenant_id="acme")
        client = Client()
        client.force_login(user)
        assert client.get(PATH, DAY).status_code == status
