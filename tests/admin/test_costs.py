"""The page of one object tells what it cost, and what was spent for nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.admin.world import EVIL, at, lifetime_url, signed_in
from tests.tools import post, record
from tracking import clock
from tracking.models import ResourceRate
from tracking.projection import live

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def price(resource: str, unit: str, amount: str, currency: str = "EUR", **more: Any) -> None:
    known = {"tenant_id": "acme", "valid_from": LONG_AGO, **more}
    ResourceRate(
        resource=resource, unit=unit, price=Decimal(amount), currency=currency, **known
    ).save()


def cost_of(transaction: str, person: str = "support") -> str:
    """The card as a reader sees it; empty: there is none."""
    answer = signed_in(person).get(lifetime_url(transaction))
    assert answer.status_code == 200
    html = answer.content.decode()
    if 'id="cost"' not in html:
        return ""
    card = html[html.index('id="cost"') :]
    card = card[card.index(">") + 1 : card.index("</section>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", card)).strip()


def spend(transaction: str, last: str, **more: Any) -> None:
    """Two attempts at one block: 1.5 s and 2 EUR, then 3 s of which nobody knows the price in h."""
    now = clock.now()
    common = {"transaction": transaction, "object": {"id": transaction, "type": "order"}}
    common |= {"block": "render", "stage": "processing"}
    first = {"resource": "cpu", "quantity": "1.5", "unit": "s"}
    second = [{"resource": "cpu", "quantity": "3", "unit": "s"}]
    second.append({"resource": "cpu", "quantity": "0.25", "unit": "h"})
    posted = {"amount": "2", "currency": "EUR"}
    post(
        [
            record(
                **common,
                status="failed",
                reason="no",
                occurred_at=at(now, -9),
                usage=[first],
                cost=posted,
            ),
            record(
                **{**common, "status": last, "reason": "so"},
                attempt=2,
                occurred_at=at(now, -8),
                usage=second,
                **more,
            ),
        ]
    )


def test_without_prices_usage_has_no_price_and_is_not_free() -> None:
    spend("tx-spent", "succeeded")
    seen = cost_of("tx-spent")
    assert "EUR 2.00 EUR 2.00 EUR – 2.00 EUR" in seen  # total, posted, usage, lost
    assert seen.count("no price") == 2
    assert "0.00" not in seen
    assert "Usage without a price is in no sum." in seen
    assert "without arriving" not in seen


def test_usage_is_told_with_its_price_its_amount_and_its_block() -> None:
    price("cpu", "s", "0.05")
    price("cpu", "h", "1000", "JPY")
    spend("tx-spent", "succeeded")
    seen = cost_of("tx-spent")
    assert "EUR 2.22 EUR 2.00 EUR 0.22 EUR 2.08 EUR" in seen  # 2.225, 0.225, 2.075
    assert "JPY 250 JPY – 250 JPY –" in seen
    assert "cpu 4.5 s 0.05 EUR since 2020-01-01 00:00 0.22 EUR" in seen
    assert "cpu 0.25 h 1,000 JPY since 2020-01-01 00:00 250 JPY" in seen
    assert "render 2.22 EUR 2.00 EUR 0.22 EUR 2.08 EUR" in seen
    assert "no price" not in seen
    html = signed_in("support").get(lifetime_url("tx-spent")).content.decode()
    assert 'title="2.225 EUR"' in html
    assert "4.5 s at 0.05 EUR: 0.22 EUR" in html


@pytest.mark.parametrize(
    ("last", "why"), [("failed", "it failed"), ("filtered", "it was filtered")]
)
def test_what_never_arrived_cost_all_of_it_in_vain(last: str, why: str) -> None:
    price("cpu", "s", "0.05")
    spend("tx-spent", last, cost={"amount": "1.5", "currency": "USD"})
    seen = cost_of("tx-spent")
    assert f"Spent without arriving, because {why}: 2.22 EUR + 1.50 USD , all of it" in seen
    assert "that has a price" in seen


def test_what_cost_nothing_has_no_card() -> None:
    assert cost_of("tx-waiting") == ""
    assert "1,234.50 EUR" in cost_of("tx-good")


def test_prices_are_those_of_the_time_of_each_event() -> None:
    now = clock.now()
    change = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    price("cpu", "s", "1", valid_to=change)
    price("cpu", "s", "3", valid_from=change, valid_to=change + timedelta(hours=1))
    common = {"transaction": "tx-long", "object": {"id": "long", "type": "order"}}
    values = []
    for n, moment in enumerate((change - timedelta(milliseconds=1), change, now)):
        used = [{"resource": "cpu", "quantity": "10", "unit": "s"}]
        values.append(record(**common, block=f"b{n}", occurred_at=clock.iso(moment), usage=used))
    post(values)
    seen = cost_of("tx-long")
    assert "EUR 40.00 EUR – 40.00 EUR –" in seen
    assert f"cpu 10 s 3.00 EUR since {change:%Y-%m-%d %H:%M} 30.00 EUR" in seen
    assert "b2 no price" in seen


def test_names_are_text_and_huge_amounts_are_whole() -> None:
    resource, unit = EVIL[:100], '<img src=x onerror="alert(1)">'
    price(resource, unit, "999999999999999.999999999999", "KWD")
    most = "999999999999999.999999999999999999"
    used = [{"resource": resource, "quantity": most, "unit": unit}]
    common = {"transaction": "tx-awkward", "object": {"id": "awkward", "type": "order"}}
    post([record(**common, id="awkward", occurred_at=at(clock.now(), -5), usage=used)])
    html = signed_in("developer").get(lifetime_url("tx-awkward")).content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "999,999,999,999,999.999999999999999999" in html
    assert "999,999,999,999,999,999,999,999,998,999.999 KWD" in html


def test_a_page_of_part_of_the_records_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    spend("tx-spent", "succeeded")
    monkeypatch.setattr(live, "RECORDS_MAX", 1)
    seen = cost_of("tx-spent")
    assert "Only the first 1 records, by event time, are counted here." in seen
    assert "3 s" not in seen
