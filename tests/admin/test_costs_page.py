"""The page of costs: each currency by itself, rounded where it is read and exact in its CSV."""

from __future__ import annotations

import csv
import html
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.world import EVIL, at, make_people, signed_in
from tests.insights.world import limbs, put
from tests.tools import drain, post, record
from tracking import clock
from tracking.models import ResourceRate

pytestmark = pytest.mark.django_db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
EXACT = "0.000000000000000001"


@pytest.fixture(autouse=True)
def people(plain_static_files: None) -> None:
    make_people()


def price(resource: str, amount: str, currency: str = "EUR", **more: Any) -> None:
    known = {"tenant_id": "acme", "unit": "s", "valid_from": LONG_AGO, **more}
    ResourceRate(resource=resource, price=Decimal(amount), currency=currency, **known).save()


def page(person: str = "support", **query: str) -> str:
    answer = signed_in(person).get(reverse("admin:costs"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def text(shown: str) -> str:
    body = shown[shown.index('class="dft dft-insight"') :]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def rows(table: str, person: str = "support", **query: str) -> list[dict[str, str]]:
    asked = {**query, "format": "csv", "table": table}
    answer = signed_in(person).get(reverse("admin:costs"), asked)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(answer.content.decode().splitlines()))


def spend() -> None:
    """Of two flows: 10 s lost and 30 s that arrived, 5 USD in vain, and what has no price."""
    price("cpu", "0.125")
    now = clock.now()
    good: dict[str, Any] = {"object": {"id": "good", "type": "order"}, "block": "ship"}
    good["stage"] = "egress"
    bad: dict[str, Any] = {"object": {"id": "bad", "type": "order"}, "flow": "returns"}
    used = {"resource": "cpu", "unit": "s"}
    gap = {"resource": "disk", "unit": "GiB", "quantity": "1234.5"}
    post(
        [
            record(
                **good,
                status="failed",
                reason="no",
                occurred_at=at(now, -30),
                usage=[{**used, "quantity": "10"}],
            ),
            record(
                **good,
                attempt=2,
                occurred_at=at(now, -20),
                usage=[{**used, "quantity": "30"}, {**used, "quantity": EXACT}, gap],
            ),
            record(
                **bad,
                status="failed",
                reason="no",
                occurred_at=at(now, -10),
                cost={"amount": "5", "currency": "USD"},
            ),
        ]
    )
    drain()


def test_each_currency_has_its_figures_and_charts() -> None:
    spend()
    shown = page()
    seen = text(shown)
    assert "Some usage has no price and is in no sum: disk per GiB" in seen
    euro, dollar = seen[seen.index("In EUR") :].split("In USD")
    assert "spent 5.00 EUR usage 5.00 EUR, posted 0.00 EUR" in euro
    assert "lost attempts 1.25 EUR 25 % of it" in euro
    assert "spent without arriving 0.00 EUR" in euro
    assert "per delivered object 5.00 EUR 1 arrived in this time" in euro
    assert "failures in all 5.00 USD 100 % of it" in dollar
    assert 'title="5.000000000000000000125 EUR"' in shown
    assert "orders" in euro
    assert "returns" in dollar
    assert "1,234.5 GiB" in dollar


def test_a_flow_is_told_by_its_blocks_and_a_block_by_what_it_used() -> None:
    spend()
    assert "What did it cost over time, by block?" in text(page(flow="orders"))
    seen = text(page(flow="orders", block="ship"))
    assert "What did it cost over time, by resource?" in seen
    assert "cpu, per s" in seen
    assert "In USD" not in seen
    seen = text(page(resource="cpu"))
    assert "ship (orders)" in seen
    assert "5.00 EUR" in seen


def test_the_csv_has_all_digits_under_the_names_of_focus() -> None:
    spend()
    [group] = rows("costs-by-flow-EUR")
    assert (group["SubAccountName"], group["BillingCurrency"]) == ("orders", "EUR")
    assert group["BilledCost"] == group["x_UsageCost"] == "5.000000000000000000125"
    assert (group["x_LostAttemptCost"], group["x_FailureCost"]) == ("1.25", "1.25")
    assert (group["x_DeliveredObjects"], group["x_CostPerDelivered"]) == ("1", "5")
    steps = rows("costs-by-step-EUR")
    assert sum(Decimal(step["x_UsageCost"]) for step in steps) == Decimal(group["BilledCost"])
    failed = rows("costs-of-failures-USD")
    assert len(failed) == 24
    assert sum(Decimal(step["x_WithoutArrivingCost"]) for step in failed) == 5
    used = {row["ResourceName"]: row for row in rows("usage")}
    assert used["cpu"]["ConsumedQuantity"] == "40.000000000000000001"
    assert used["disk"]["BilledCost"] == ""
    assert [row["ConsumedQuantity"] for row in rows("usage-without-a-price")] == ["1234.5"]


def test_numbers_lead_closer_and_to_objects_for_who_may_see_them() -> None:
    spend()
    shown = html.unescape(page())
    objects = reverse("admin:tracking_transaction_changelist")
    assert "?flow=orders&by=block" in shown
    listed = re.findall(rf'href="({re.escape(objects)}\?[^"]+)"', shown)
    assert listed
    client = signed_in("support")
    failed = next(each for each in listed if "status=failed" in each and "flow=" not in each)
    seen = client.get(failed).content.decode()
    assert "bad" in seen
    assert "good" not in seen[seen.index("result_list") :]
    narrowed = html.unescape(page(flow="orders"))
    blocks = reverse("admin:tracking_transactionblockprogress_changelist")
    assert f"{blocks}?flow=orders&block=ship" in narrowed
    analyst = html.unescape(page("analyst"))
    assert "5.00 EUR" in text(analyst)
    assert objects not in analyst[analyst.index("dft-insight") :]
    assert "?flow=orders&by=block" in analyst


def test_the_export_is_linked_and_opens_with_the_session() -> None:
    spend()
    client = signed_in("analyst")
    shown = html.unescape(client.get(reverse("admin:costs")).content.decode())
    [link] = re.findall(r'href="(/api/v1/insights/costs/export\?[^"]+)"', shown)
    answer = client.get(link, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 200
    found = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))
    assert {row["BillingCurrency"] for row in found} == {"EUR", "USD"}


def test_steps_of_minutes_are_refused_beside_the_form() -> None:
    spend()
    seen = text(page(step="15m"))
    assert "Costs are known by the hour" in seen
    assert "In EUR" not in seen
    for query in ({"by": "colour"}, {"from": "x", "span": "own"}, {"step": "9999mo"}):
        assert signed_in("support").get(reverse("admin:costs"), query).status_code == 200


def test_without_a_step_hours_days_and_months_are_chosen() -> None:
    put("cost", clock.now(), limbs(10**18), block="b", currency="EUR", lost=False, vain=False)
    put("flow", clock.now(), {"started": 1})
    for span, most in (("1h", 1), ("24h", 24), ("30d", 30), ("12mo", 12)):
        assert len(rows("costs-of-failures-EUR", span=span)) == most


def test_it_is_compared_with_as_much_of_the_time_before() -> None:
    now = clock.now()
    names: dict[str, Any] = {"block": "b", "currency": "EUR", "lost": False, "vain": False}
    put("flow", now, {"started": 1})
    put("cost", now, limbs(3 * 10**18), **names)
    assert "nothing in the time before" in text(page(span="24h"))
    put("cost", now - timedelta(hours=24), limbs(2 * 10**18), **names)
    assert "▲ +50 % on the time before" in text(page(span="24h"))


def test_more_currencies_than_are_drawn_can_be_chosen() -> None:
    now = clock.now()
    put("flow", now, {"started": 1})
    for code in ("AUD", "EUR", "JPY", "KWD"):
        put("cost", now, limbs(10**18), block="b", currency=code, lost=False, vain=False)
    shown = page()
    assert text(shown).count("What did failures cost?") == 3
    assert "currency=KWD" in shown
    seen = text(page(currency="KWD"))
    assert "1.000 KWD" in seen
    assert "In AUD" not in seen


def test_names_are_text_and_money_may_be_huge_or_negative() -> None:
    now = clock.now()
    flow, resource = EVIL[:100], "</title><script>alert(2)</script>"
    put("flow", now, {"started": 1}, flow=flow)
    price(resource, "999999999999999.999999999999", "KWD")
    put(
        "usage",
        now,
        limbs(10**33 - 1),
        flow=flow,
        block="b",
        resource=resource,
        unit="s",
        lost=True,
        vain=True,
    )
    put("cost", now, limbs(-(10**18)), flow=flow, block="b", currency="EUR", lost=True, vain=True)
    for by in ("flow", "block", "resource"):
        shown = page(by=by)
        assert "<script>alert" not in shown
        assert "999,999,999,999,999,999,999,999,998,999.999 KWD" in shown
        assert "-1.00 EUR" in shown


def test_nothing_spent_says_how_costs_come_about() -> None:
    put("flow", clock.now(), {"started": 1})
    assert "Nothing was spent in this time" in text(page())


def test_only_who_counts_sees_costs_and_only_of_their_tenants() -> None:
    spend()
    address = reverse("admin:costs")
    assert signed_in("administrator").get(address).status_code == 403
    assert Client().get(address).status_code == 302
    assert "5.00" not in text(page("stranger"))
    assert "5.00" not in text(page("stranger", tenant="acme"))
    assert "belong to no tenant" in text(page("nobody"))
