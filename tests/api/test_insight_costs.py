"""GET /insights/costs and its export: what a time cost, exactly, to who may see numbers."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.api.http import assert_problem, get, make_key
from tests.api.test_schema import assert_conforms
from tests.tools import drain, make_tenant, post, record
from tracking.api import insight_costs
from tracking.insights import focus
from tracking.models import ResourceRate

pytestmark = pytest.mark.django_db(transaction=True)

COSTS, EXPORT = "/api/v1/insights/costs", "/api/v1/insights/costs/export"
SPAN = {"from": "2026-01-31T00:00:00Z", "to": "2026-02-02T00:00:00Z"}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def tenants(transactional_db: None) -> None:
    make_tenant("acme")
    make_tenant("globex")


def price(amount: str, currency: str = "EUR", **more: Any) -> None:
    known = {"tenant_id": "acme", "resource": "cpu", "unit": "s"}
    known |= {"valid_from": datetime(2020, 1, 1, tzinfo=UTC), **more}
    ResourceRate(price=Decimal(amount), currency=currency, **known).save()


def used(quantity: str, resource: str = "cpu", unit: str = "s") -> dict[str, str]:
    return {"resource": resource, "quantity": quantity, "unit": unit}


def world() -> None:
    """One object that arrives after a lost attempt, and one that fails, over a change of price."""
    price("0.5", valid_to=NOON)
    price("2", valid_from=NOON)
    good: dict[str, Any] = {"object": {"id": "good", "type": "order"}, "block": "render"}
    bad: dict[str, Any] = {"object": {"id": "bad", "type": "order"}, "block": "receive"}
    post(
        [
            record(
                **good,
                stage="processing",
                status="failed",
                reason="no",
                occurred_at="2026-01-31T11:59:59.999Z",
                usage=[used("10"), used("7", "disk", "GiB")],
            ),
            record(
                **good,
                stage="egress",
                attempt=2,
                occurred_at="2026-01-31T12:00:00Z",
                usage=[used("0.000000000000000001")],
                cost={"amount": "1.25", "currency": "EUR"},
            ),
            record(
                **bad,
                status="failed",
                reason="no",
                occurred_at="2026-02-01T08:30:00Z",
                flow="returns",
                usage=[used("3")],
                cost={"amount": "-4", "currency": "USD"},
            ),
        ]
    )
    drain()


def ask(key: str | None = None, **query: str) -> dict[str, Any]:
    response = get(COSTS, key or make_key(), {**SPAN, **query})
    assert response.status_code == 200, response.content
    answer = json.loads(response.content)
    assert_conforms(answer, "Costs")
    return answer


def sums(found: dict[str, Any]) -> list[str]:
    names = ("billed_cost", "posted_cost", "usage_cost")
    return [found[name] for name in (*names, "lost_attempts", "without_arriving", "failures")]


def test_costs_are_exact_by_currency_flow_and_step() -> None:
    world()
    answer = ask()
    assert (answer["from"], answer["to"]) == (
        "2026-01-31T00:00:00.000Z",
        "2026-02-02T00:00:00.000Z",
    )
    assert (answer["step"], answer["by"], answer["delivered"]) == ("1h", "flow", 1)
    euro, dollar = answer["currencies"]
    assert (euro["billing_currency"], dollar["billing_currency"]) == ("EUR", "USD")
    assert sums(euro) == ["12.250000000000000002", "1.25", "11.000000000000000002", "11", "6", "11"]
    assert euro["cost_per_delivered"] == "12.25"
    assert sums(dollar) == ["-4", "-4", "0", "-4", "-4", "-4"]
    assert [(g["flow"], g["billed_cost"]) for g in euro["groups"]] == [
        ("orders", "6.250000000000000002"),
        ("returns", "6"),
    ]
    assert [group["delivered"] for group in euro["groups"]] == [1, 0]
    steps = {step["from"]: step for step in euro["steps"]}
    assert len(steps) == 48
    assert steps["2026-01-31T11:00:00.000Z"]["usage_cost"] == "5"
    assert steps["2026-01-31T12:00:00.000Z"]["billed_cost"] == "1.250000000000000002"
    assert steps["2026-02-01T08:00:00.000Z"]["without_arriving"] == "6"
    assert euro["groups"][1]["steps"] == [steps["2026-02-01T08:00:00.000Z"]]
    [unpriced] = answer["unpriced"]
    assert (unpriced["resource_name"], unpriced["consumed_quantity"]) == ("disk", "7")
    assert unpriced["first"] == "2026-01-31T11:00:00.000Z"
    assert [charge["billed_cost"] for charge in answer["charges"]] == [
        *("5", "6.000000000000000002", None)
    ]
    assert answer["as_of"]["leaf"] == 3


def test_costs_are_grouped_and_narrowed_as_asked() -> None:
    world()
    key = make_key()
    [euro, _dollar] = ask(key, by="block")["currencies"]
    assert [(g["flow"], g["block"]) for g in euro["groups"]] == [
        ("orders", "render"),
        ("returns", "receive"),
    ]
    [euro, dollar] = ask(key, by="resource", step="1d")["currencies"]
    assert [(g["resource_name"], g["consumed_unit"]) for g in euro["groups"]] == [
        ("cpu", "s"),
        (None, None),
    ]
    assert [step["billed_cost"] for step in dollar["steps"]] == ["0", "-4"]
    [euro] = ask(key, flow="orders")["currencies"]
    assert euro["billed_cost"] == "6.250000000000000002"
    [euro] = ask(key, resource="cpu", flow="returns")["currencies"]
    assert (euro["billed_cost"], euro["posted_cost"]) == ("6", "0")
    assert ask(key, block="nowhere")["currencies"] == []


def test_an_answer_stays_bounded_and_says_what_it_leaves_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world()
    monkeypatch.setattr(insight_costs, "GROUPS_MOST", 1)
    monkeypatch.setattr(insight_costs, "_GROUPS_LEAST", 1)
    monkeypatch.setattr(insight_costs, "CHARGES_SHOWN", 2)
    answer = ask()
    euro = answer["currencies"][0]
    assert (len(euro["groups"]), euro["more_groups"]) == (1, True)
    assert (len(answer["charges"]), answer["more_charges"]) == (2, True)
    assert euro["billed_cost"] == "12.250000000000000002"


def test_windows_are_told_as_they_were_widened() -> None:
    key = make_key()
    answer = ask(key, **{"from": "2026-01-31T10:20:00Z", "to": "2026-01-31T12:40:00Z"})
    assert (answer["from"][11:16], answer["to"][11:16]) == ("10:00", "13:00")
    assert answer["step"] == "1h"
    year = ask(key, **{"from": "2025-02-10T00:00:00Z"})
    assert year["step"] == "1mo"


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ({"by": "currency"}, "by", "bad_parameter"),
        ({"step": "15m"}, "step", "bad_parameter"),
        ({"step": "1h", "from": "2020-01-01T00:00:00Z"}, "step", "too_many_steps"),
        ({"from": "yesterday"}, "from", "bad_parameter"),
        ({"to": "2025-01-01T00:00:00Z"}, "to", "bad_parameter"),
        ({"block": "x" * 101}, "block", "bad_parameter"),
        ({"resource": "a\nb"}, "resource", "bad_parameter"),
        ({"group": "flow"}, "group", "unknown_parameter"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    query: dict[str, str], parameter: str, code: str
) -> None:
    response = get(COSTS, make_key(), {**SPAN, **query})
    assert_problem(response, 400, code, parameter=parameter)


def test_another_tenants_costs_are_not_there() -> None:
    world()
    key = make_key("globex")
    for path in (COSTS, EXPORT):
        assert_problem(get(path, key, {**SPAN, "tenant": "acme"}), 404, "not_found")
    assert ask(key)["currencies"] == []
    assert_problem(get(COSTS, make_key(scopes=("ingest",)), SPAN), 403, "wrong_scope")


# --- The export -----------------------------------------------------------------------------------


def export(key: str | None = None, **query: str) -> list[dict[str, str]]:
    response = get(EXPORT, key or make_key(), {**SPAN, **query})
    assert response.status_code == 200
    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "focus-acme-20260131T00-20260202T00.csv" in response["Content-Disposition"]
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines[0] == ",".join(focus.COLUMNS)
    return list(csv.DictReader(lines))


def test_the_export_holds_each_charge_under_the_names_of_focus() -> None:
    world()
    rows = export()
    assert [
        (row["BillingCurrency"], row["BilledCost"], row["ChargePeriodStart"][5:16]) for row in rows
    ] == [
        ("EUR", "1.25", "01-31T00:00"),
        ("EUR", "5", "01-31T00:00"),
        ("EUR", "0.000000000000000002", "01-31T12:00"),
        ("USD", "-4", "02-01T00:00"),
        ("EUR", "6", "02-01T00:00"),
    ]
    assert {row["BillingAccountId"] for row in rows} == {"acme"}
    assert {row["BillingAccountName"] for row in rows} == {"Acme"}
    assert [row["x_WithoutArriving"] for row in rows] == ["false"] * 3 + ["true"] * 2
    assert len(export(step="1h", flow="returns")) == 2


def test_names_that_a_spreadsheet_would_run_are_marked() -> None:
    post([record(block="=1+1", cost={"amount": "-1", "currency": "EUR"})])
    drain()
    [row] = export()
    assert (row["ServiceName"], row["BilledCost"]) == ("'=1+1", "-1")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"step": "1w"}, "step"),
        ({"step": "1h", "from": "2020-01-01T00:00:00Z"}, "step"),
        ({"from": "2027-01-01T00:00:00Z"}, "to"),
        ({"by": "flow"}, "by"),
    ],
)
def test_an_export_that_cannot_be_asked_for_is_refused(
    query: dict[str, str], parameter: str
) -> None:
    response = get(EXPORT, make_key(), {**SPAN, **query})
    body = json.loads(response.content)
    assert (response.status_code, body["parameter"]) == (400, parameter)
    assert response["Content-Type"] == "application/problem+json"
