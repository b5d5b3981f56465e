"""Needs are in proportion to records, exact in decimals, and of each currency apart."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.insights.world import at, limbs, put
from tests.tools import drain, make_tenant, post, record
from tracking.core.pricing import PriceList, Rate
from tracking.insights.forecasts import needs
from tracking.insights.forecasts.needs import cost_of, needs_of, record_bytes, use_of
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

NOW = at("2026-03-29T10:00")
TOTALS = [
    {
        "span": "day",
        "from": at("2026-03-30T00:00"),
        "to": at("2026-03-31T00:00"),
        "expected": 100.0,
        "low80": 80.0,
        "high80": 120.0,
        "low95": 50.0,
        "high95": 150.0,
    }
]
RATES = PriceList(
    [
        Rate("cpu", "s", Decimal("0.002"), "EUR", at("2026-01-01T00:00"), at("2026-03-20T00:00")),
        Rate("cpu", "s", Decimal("0.003"), "EUR", at("2026-03-20T00:00")),
        Rate("gpu", "h", Decimal("9"), "USD", at("2026-03-20T00:00"), at("2026-03-25T00:00")),
    ]
)


def fill() -> None:
    for day, count in ((1, 300), (28, 100)):
        moment = at(f"2026-03-{day:02}T10:00")
        put("block", moment, {"records.succeeded": count}, stage="ingress", block="in")
    # the day before the four weeks, and today, which is not over: not of late
    for moment in (at("2026-02-28T10:00"), NOW):
        put("block", moment, {"records.succeeded": 7_777}, stage="ingress", block="in")
        used("cpu", "s", moment, 10**24)
    used("cpu", "s", at("2026-03-02T10:00"), 10**18)
    used("cpu", "s", at("2026-03-10T10:00"), 199 * 10**18)
    used("gpu", "h", at("2026-03-10T10:00"), 4 * 10**17)
    for currency, amount in (("EUR", 3), ("JPY", 800)):
        put(
            "cost",
            at("2026-03-10T10:00"),
            limbs(amount * 10**18),
            block="in",
            currency=currency,
            lost=False,
            vain=False,
        )


def used(resource: str, unit: str, moment: object, scaled: int) -> None:
    put(
        "usage",
        moment,  # type: ignore[arg-type]
        limbs(scaled),
        block="in",
        resource=resource,
        unit=unit,
        lost=False,
        vain=False,
    )


def test_needs_are_what_a_record_took_of_late_times_the_records_to_come() -> None:
    fill()
    use = use_of("acme", "orders", NOW)
    assert (use["from"], use["to"]) == (at("2026-03-01T00:00"), at("2026-03-29T00:00"))
    assert use["records"] == 400
    found = {
        (need.what, need.resource, need.currency): need
        for need in needs_of(use, TOTALS, RATES, NOW)
    }
    cpu = found["resource", "cpu", "EUR"]
    # 200 s of 400 records: half a second each, at today's price
    assert (cpu.lately, cpu.price) == (Decimal(200), Decimal("0.003"))
    assert cpu.by_span["day"].expected == 50
    assert (cpu.by_span["day"].low80, cpu.by_span["day"].high95) == (40, 75)
    assert cpu.costs is not None
    assert cpu.costs["day"].expected == Decimal("0.15")
    gpu = found["resource", "gpu", ""]
    assert (gpu.price, gpu.costs) == (None, None), "its price has ended"
    assert gpu.by_span["day"].expected == Decimal("0.1")
    assert found["records", "", ""].by_span["day"].expected == 100
    assert found["posted", "", "JPY"].by_span["day"].expected == 200
    costs = cost_of(list(found.values()))
    assert {currency: spans["day"].expected for currency, spans in costs.items()} == {
        "EUR": Decimal("0.15") + Decimal("0.75"),
        "JPY": Decimal(200),
    }
    assert costs["EUR"]["day"].high80 == Decimal("0.18") + Decimal("0.9")


def test_without_a_forecast_of_records_only_the_past_is_told() -> None:
    fill()
    found = needs_of(use_of("acme", "", NOW), [], RATES, NOW)
    assert {need.what for need in found} >= {"records", "resource", "posted"}
    assert all(not need.by_span for need in found)
    assert cost_of(found) == {}


def test_without_records_nothing_is_in_proportion_to_them() -> None:
    used("cpu", "s", at("2026-03-02T10:00"), 10**18)
    found = needs_of(use_of("acme", "orders", NOW), TOTALS, RATES, NOW)
    assert [need.what for need in found] == ["records"]


def test_storage_is_what_records_take_with_all_that_is_derived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_tenant()
    post([record() for _ in range(50)])
    drain()
    assert record_bytes() is None, "so few say nothing"
    monkeypatch.setattr(needs, "RECORDS_LEAST", 50)
    found = record_bytes()
    assert found is not None
    size = collection("journal").database.command("collStats", "journal")
    assert found > (size["storageSize"] + size["totalIndexSize"]) / size["count"] > 0
    lines = needs_of({**use_of("acme", "", NOW)}, TOTALS, RATES, NOW)
    storage = next(need for need in lines if need.what == "storage")
    assert float(storage.by_span["day"].expected) == pytest.approx(100 * found)
