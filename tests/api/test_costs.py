"""GET /transactions/{id}/lifetime: what one object cost, exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.api.http import get, make_key
from tests.api.test_schema import assert_conforms
from tests.tools import make_tenant, post, record
from tracking.models import ResourceRate
from tracking.projection import live

pytestmark = pytest.mark.django_db(transaction=True)

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


def story(last: str = "succeeded") -> list[dict[str, Any]]:
    """Before and at noon, a retry, a record that was withdrawn, and usage nobody has a price of."""
    common: dict[str, Any] = {"transaction": "t", "object": {"id": "A", "type": "order"}}
    check = {**common, "block": "check", "stage": "processing"}
    return [
        record(
            **common,
            occurred_at="2026-01-31T11:59:59.999Z",
            usage=[used("1.50"), used("7", "disk", "GiB")],
            cost={"amount": "0.10", "currency": "EUR"},
        ),
        record(
            **check,
            status="failed",
            reason="no",
            occurred_at="2026-01-31T12:00:00Z",
            usage=[used("2")],
            cost={"amount": "3", "currency": "USD"},
        ),
        record(
            **check,
            id="wrong",
            attempt=2,
            occurred_at="2026-01-31T12:30:00Z",
            usage=[used("1000000")],
            cost={"amount": "1000000", "currency": "EUR"},
        ),
        record(
            **check,
            corrects="wrong",
            attempt=2,
            status=last,
            reason="so",
            occurred_at="2026-01-31T12:30:00Z",
            usage=[used("0.000000000000000001")],
        ),
    ]


def ask(key: str | None = None) -> dict[str, Any]:
    response = get("/api/v1/transactions/t/lifetime", key or make_key())
    assert response.status_code == 200, response.content
    answer = json.loads(response.content)
    assert_conforms(answer, "Lifetime")
    return answer


def changed_at_noon() -> None:
    price("0.05", valid_to=NOON)
    price("0.000000000002", valid_from=NOON)


def test_cost_is_exact_by_resource_block_and_currency() -> None:
    changed_at_noon()
    post(story())
    answer = ask()
    cost = answer["cost"]
    assert cost == {
        "totals": [
            {
                "billing_currency": "EUR",
                "billed_cost": "0.175000000004000000000000000002",
                "posted_cost": "0.1",
                "usage_cost": "0.075000000004000000000000000002",
            },
            {
                "billing_currency": "USD",
                "billed_cost": "3",
                "posted_cost": "3",
                "usage_cost": "0",
            },
        ],
        "lost_attempts": [
            {"billing_currency": "EUR", "billed_cost": "0.000000000004"},
            {"billing_currency": "USD", "billed_cost": "3"},
        ],
        "charges": [
            {
                "resource_name": "cpu",
                "consumed_quantity": "1.5",
                "consumed_unit": "s",
                "list_unit_price": "0.05",
                "billed_cost": "0.075",
                "billing_currency": "EUR",
                "price_valid_from": "2020-01-01T00:00:00.000Z",
                "price_valid_to": "2026-01-31T12:00:00.000Z",
            },
            {
                "resource_name": "cpu",
                "consumed_quantity": "2.000000000000000001",
                "consumed_unit": "s",
                "list_unit_price": "0.000000000002",
                "billed_cost": "0.000000000004000000000000000002",
                "billing_currency": "EUR",
                "price_valid_from": "2026-01-31T12:00:00.000Z",
                "price_valid_to": None,
            },
            {
                "resource_name": "disk",
                "consumed_quantity": "7",
                "consumed_unit": "GiB",
                "list_unit_price": None,
                "billed_cost": None,
                "billing_currency": None,
                "price_valid_from": None,
                "price_valid_to": None,
            },
        ],
        "more_charges": False,
        "without_arriving": None,
        "unpriced": True,
        "partial": False,
    }
    receive, check = answer["timeline"]
    assert receive["cost"]["totals"][0]["billed_cost"] == "0.175"
    assert receive["cost"]["lost_attempts"] == []
    assert [line["billing_currency"] for line in check["cost"]["totals"]] == ["EUR", "USD"]
    assert check["cost"]["lost_attempts"] == cost["lost_attempts"]
    # what was posted is told as before
    assert receive["costs"] == [{"currency": "EUR", "amount": "0.10"}]


@pytest.mark.parametrize("last", ["failed", "filtered"])
def test_what_did_not_arrive_was_spent_in_vain(last: str) -> None:
    changed_at_noon()
    post(story(last))
    cost = ask()["cost"]
    assert cost["without_arriving"] == [
        {name: line[name] for name in ("billing_currency", "billed_cost")}
        for line in cost["totals"]
    ]
    assert len(cost["without_arriving"]) == 2


def test_without_a_price_nothing_is_counted_as_nothing() -> None:
    price("1", unit="h")
    price("1", resource="CPU")
    price("1", tenant_id="globex")
    post(story())
    cost = ask()["cost"]
    assert {line["list_unit_price"] for line in cost["charges"]} == {None}
    assert [line["consumed_quantity"] for line in cost["charges"]] == [
        "3.500000000000000001",
        "7",
    ]
    assert [line["billed_cost"] for line in cost["totals"]] == ["0.1", "3"]
    assert cost["unpriced"] is True


def test_a_new_price_leaves_what_was_used_before_as_it_was() -> None:
    key = make_key()
    price("0.05")
    post(story())
    before = ask(key)["cost"]["totals"]
    [rate] = ResourceRate.objects.all()
    begin = datetime(2199, 1, 1, tzinfo=UTC)
    rate.follow(price=Decimal(9), currency="USD", valid_from=begin)
    assert ask(key)["cost"]["totals"] == before


def test_an_object_that_cost_nothing_says_so() -> None:
    price("1")
    post([record(transaction="t")])
    answer = ask()
    assert answer["cost"]["totals"] == answer["cost"]["charges"] == []
    assert (answer["cost"]["unpriced"], answer["timeline"][0]["cost"]) == (False, None)


def test_a_cost_stays_bounded_and_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    price("2", unit="u-0001")
    values = [
        record(
            transaction="t",
            attempt=n + 1,
            occurred_at="2026-01-31T12:00:00Z",
            usage=[used("1", unit=f"u-{20 * n + line:04}") for line in range(20)],
        )
        for n in range(20)
    ]
    post(values)
    cost = ask()["cost"]
    assert (len(cost["charges"]), cost["more_charges"], cost["partial"]) == (100, True, False)
    assert cost["totals"][0]["billed_cost"] == "2"
    monkeypatch.setattr(live, "RECORDS_MAX", 10)
    answer = ask()
    assert (answer["truncated"], answer["cost"]["partial"]) == (True, True)
