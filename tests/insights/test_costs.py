"""Costs out of cells are those of what was used and posted, one by one, and exact."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from tests.insights.world import at, limbs, put
from tests.tools import make_tenant
from tracking.errors import BadRequest
from tracking.insights import focus
from tracking.insights.costs import BY, Costs, Currency, Sums, by_the_hour, costs_of, each
from tracking.insights.spending import Asked, parts
from tracking.insights.tables import csv_lines
from tracking.insights.windows import window
from tracking.models import ResourceRate

pytestmark = pytest.mark.django_db

START = at("2026-02-10T00:00")
HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)
FIELDS = ("posted", "usage", "lost", "vain", "failures")


@dataclass(frozen=True)
class Event:
    """Something used (`resource`) or posted (`currency`), as a record would tell it."""

    at: datetime
    flow: str
    version: str
    block: str
    resource: str
    unit: str
    currency: str
    amount: Decimal
    lost: bool
    vain: bool

    def put(self) -> None:
        cells: dict[str, Any] = {"block": self.block}
        if self.resource:
            cells |= {"resource": self.resource, "unit": self.unit}
        else:
            cells |= {"currency": self.currency}
        put(
            "usage" if self.resource else "cost",
            self.at,
            limbs(int(self.amount.scaleb(18))),
            flow=self.flow,
            version=self.version,
            **cells,
            lost=self.lost,
            vain=self.vain,
        )


def price(resource: str, unit: str, amount: str, currency: str = "EUR", **more: Any) -> None:
    known = {"tenant_id": "acme", "valid_from": datetime(2020, 1, 1, tzinfo=UTC), **more}
    ResourceRate(
        resource=resource, unit=unit, price=Decimal(amount), currency=currency, **known
    ).save()


def used(moment: str, amount: str, **more: Any) -> Event:
    known = {"flow": "orders", "version": "", "block": "render", "resource": "cpu", "unit": "s"}
    known |= {"currency": "", "lost": False, "vain": False, **more}
    return Event(at=at(moment), amount=Decimal(amount), **known)


def posted(moment: str, amount: str, currency: str, **more: Any) -> Event:
    return used(moment, amount, resource="", unit="", currency=currency, **more)


def costs(start: str, end: str, step: str = "1d", *, by: str = "flow", **asked: Any) -> Costs:
    found = by_the_hour(window(at(start), at(end), step))
    return costs_of(Asked("acme", **asked), found, by=by)


def of(found: Costs, code: str) -> Currency:
    return next(each for each in found.currencies if each.code == code)


def numbers(sums: Sums) -> tuple[str, ...]:
    return tuple(str(Fraction(getattr(sums, name))) for name in FIELDS)


# --- Random cells against a naive sum -------------------------------------------------------------


def random_prices(chance: Random) -> list[ResourceRate]:
    """Prices that touch, leave gaps and have no end, in several currencies."""
    found = []
    for resource, unit in (("cpu", "s"), ("cpu", "h"), ("gpu", "s")):
        edges = sorted(chance.sample(range(-24, 24 * 45), chance.randint(0, 6)))
        for place, begin in enumerate(edges):
            last = edges[place + 1] if place + 1 < len(edges) else begin + 400
            end = chance.choice([last, chance.randint(begin + 1, last)])
            found.append(
                ResourceRate(
                    tenant_id="acme",
                    resource=resource,
                    unit=unit,
                    price=Decimal(chance.randrange(10**14)).scaleb(-12),
                    currency=chance.choice(["EUR", "USD"]),
                    valid_from=START + begin * HOUR,
                    valid_to=START + end * HOUR,
                )
            )
            found[-1].save()
    return found


def random_events(chance: Random) -> list[Event]:
    found = []
    beside = [0, 1, 1_800_000, 3_599_999]
    for _ in range(150):
        is_usage = chance.random() < 0.7
        resource, unit = chance.choice([("cpu", "s"), ("cpu", "h"), ("gpu", "s"), ("disk", "GiB")])
        scaled = chance.choice([chance.randrange(10**33), chance.randrange(10**9), 0])
        found.append(
            Event(
                at=START + chance.randrange(45 * 24) * HOUR + chance.choice(beside) * MS,
                flow=chance.choice(["orders", "returns"]),
                version=chance.choice(["", "2"]),
                block=chance.choice(["render", "ship"]),
                resource=resource if is_usage else "",
                unit=unit if is_usage else "",
                currency="" if is_usage else chance.choice(["EUR", "JPY"]),
                amount=Decimal(scaled if is_usage else chance.choice([1, -1]) * scaled).scaleb(-18),
                lost=chance.random() < 0.3,
                vain=chance.random() < 0.3,
            )
        )
    return found


def priced(event: Event, rates: list[ResourceRate]) -> tuple[str, Fraction] | None:
    """Currency and amount of one event; None: it has no price."""
    if not event.resource:
        return event.currency, Fraction(event.amount)
    for rate in rates:
        same = (rate.resource, rate.unit) == (event.resource, event.unit)
        if same and rate.valid_from <= event.at < rate.valid_to:
            return rate.currency, Fraction(event.amount) * Fraction(rate.price)
    return None


def naive(event: Event, amount: Fraction) -> dict[str, Fraction]:
    return {
        "posted": Fraction(0) if event.resource else amount,
        "usage": amount if event.resource else Fraction(0),
        "lost": amount if event.lost else Fraction(0),
        "vain": amount if event.vain else Fraction(0),
        "failures": amount if event.lost or event.vain else Fraction(0),
    }


def place_of(event: Event, by: str) -> tuple[str, ...]:
    return {
        "flow": (event.flow,),
        "block": (event.flow, event.block),
        "resource": (event.resource, event.unit),
    }[by]


@pytest.mark.parametrize("seed", range(4))
def test_sums_of_cells_are_sums_of_events(seed: int) -> None:
    chance = Random(seed)
    make_tenant()
    rates = random_prices(chance)
    events = random_events(chance)
    for event in events:
        event.put()
    for step in ("1h", "7h", "1d", "1w", "1mo"):
        start = START + chance.randrange(300) * HOUR
        end = start + chance.randint(1, 60 * 24 if step != "1h" else 200) * HOUR
        asked = by_the_hour(window(start, end, step))
        inside = [event for event in events if start <= event.at < end]
        for by in BY:
            flow = chance.choice([None, "orders"])
            chosen = [event for event in inside if flow in (None, event.flow)]
            compare(costs_of(Asked("acme", flow), asked, by=by), chosen, rates)
        compare_export(start, end, inside, rates)


def compare(found: Costs, events: list[Event], rates: list[ResourceRate]) -> None:
    whole: Any = defaultdict(Fraction)
    unpriced: Any = defaultdict(Fraction)
    for event in events:
        cost = priced(event, rates)
        if cost is None:
            unpriced[event.resource, event.unit] += Fraction(event.amount)
            continue
        currency, amount = cost
        step = sum(begin <= event.at for begin in found.window.begins) - 1
        names = place_of(event, found.by)
        for field, value in naive(event, amount).items():
            for place in ((), ("step", step), ("group", names), ("group", names, step)):
                whole[(currency, *place, field)] += value
    seen = {}
    for currency in found.currencies:
        code = currency.code
        places = [((), currency.whole)]
        places += [(("step", step), sums) for step, sums in enumerate(currency.steps)]
        for group in currency.groups:
            places.append((("group", group.names), group.whole))
            places += [(("group", group.names, step), s) for step, s in group.steps.items()]
        for place, sums in places:
            seen |= {(code, *place, f): Fraction(getattr(sums, f)) for f in FIELDS}
        totals = [group.whole.total for group in currency.groups]
        assert totals == sorted(totals, reverse=True)
    assert {k: n for k, n in seen.items() if n} == {k: n for k, n in whole.items() if n}
    parts = {(each.resource, each.unit): Fraction(each.quantity) for each in found.unpriced}
    assert parts == unpriced


def as_written(rows: Iterable[Sequence[Any]]) -> list[dict[str, str]]:
    """Rows of an export as its reader has them."""
    return list(csv.DictReader("".join(csv_lines([focus.COLUMNS, *rows], of=2)).splitlines()))


def compare_export(
    start: datetime, end: datetime, events: list[Event], rates: list[ResourceRate]
) -> None:
    """Each row is a product of its own, lies within its periods, and nothing is missing."""
    wanted: Any = defaultdict(Fraction)
    for event in events:
        if cost := priced(event, rates):
            key = (cost[0], event.flow, event.version, event.block, event.resource, event.unit)
            wanted[(*key, event.lost, event.vain)] += cost[1]
    for step in focus.STEPS:
        account = focus.Account("acme", "Acme")
        periods = focus.charge_periods(start, end, step)
        seen: Any = defaultdict(Fraction)
        before = ""
        for row in as_written(focus.focus_rows(account, periods)):
            key = tuple(
                row[name]
                for name in (
                    *("BillingCurrency", "SubAccountId", "x_FlowVersion", "ServiceName"),
                    *("ResourceId", "PricingUnit"),
                )
            )
            flags = (row["x_LostAttempt"] == "true", row["x_WithoutArriving"] == "true")
            cost = Fraction(row["BilledCost"])
            seen[(*key, *flags)] += cost
            if row["ChargeCategory"] == "Usage":
                assert Fraction(row["ListUnitPrice"]) * Fraction(row["PricingQuantity"]) == cost
            began, ended = row["ChargePeriodStart"], row["ChargePeriodEnd"]
            assert f"{start:%Y-%m-%dT%H:%M:%SZ}" <= began < ended <= f"{end:%Y-%m-%dT%H:%M:%SZ}"
            assert row["BillingPeriodStart"] <= began < ended <= row["BillingPeriodEnd"]
            assert before[: 13 if step == "1h" else 10 if step == "1d" else 7] <= began
            before = began
        assert {k: n for k, n in seen.items() if n} == {k: n for k, n in wanted.items() if n}


# --- By hand --------------------------------------------------------------------------------------


def test_a_price_that_changes_within_a_day_prices_each_hour_by_its_own() -> None:
    make_tenant()
    change = at("2026-03-04T14:00")
    price("cpu", "s", "1", valid_to=change)
    price("cpu", "s", "3", currency="USD", valid_from=change, valid_to=change + HOUR)
    for moment in ("2026-03-04T13:59", "2026-03-04T14:00", "2026-03-04T14:59", "2026-03-04T15:00"):
        used(moment, "10").put()
    found = costs("2026-03-01T00:00", "2026-04-01T00:00", "1mo")
    assert numbers(of(found, "EUR").whole) == ("0", "10", "0", "0", "0")
    assert numbers(of(found, "USD").whole) == ("0", "60", "0", "0", "0")
    [gap] = found.unpriced
    assert (gap.resource, gap.unit, gap.quantity) == ("cpu", "s", 10)
    assert gap.first == at("2026-03-04T15:00")
    assert [(c.quantity, c.rate and c.rate.price) for c in found.charges] == [
        (10, 1),
        (20, 3),
        (10, None),
    ]


def test_what_is_lost_and_in_vain_is_a_failure_once() -> None:
    make_tenant()
    for lost, vain, amount in ((0, 0, 1), (1, 0, 10), (0, 1, 100), (1, 1, 1000)):
        posted("2026-03-04T10:00", str(amount), "EUR", lost=bool(lost), vain=bool(vain)).put()
    [euro] = costs("2026-03-04T00:00", "2026-03-05T00:00").currencies
    assert (euro.whole.total, euro.whole.lost, euro.whole.vain) == (1111, 1010, 1100)
    assert euro.whole.failures == 1110


def test_no_rate_no_currency_and_nothing_counted_as_nothing() -> None:
    make_tenant()
    price("gpu", "s", "0")
    used("2026-03-04T10:00", "7").put()
    used("2026-03-04T10:00", "5", resource="gpu").put()
    found = costs("2026-03-04T00:00", "2026-03-05T00:00")
    assert [each.quantity for each in found.unpriced] == [7]
    [euro] = found.currencies
    # a price of 0 is a price
    assert (euro.whole.total, len(euro.groups)) == (0, 1)


def test_other_tenants_prices_and_cells_are_not_mine() -> None:
    make_tenant()
    make_tenant("globex")
    price("cpu", "s", "1", tenant_id="globex")
    used("2026-03-04T10:00", "7").put()
    put(
        "cost",
        at("2026-03-04T10:00"),
        limbs(10**18),
        tenant="globex",
        block="b",
        currency="EUR",
        lost=False,
        vain=False,
    )
    found = costs("2026-03-04T00:00", "2026-03-05T00:00")
    assert not found.currencies
    assert len(found.unpriced) == 1


def test_a_block_is_asked_about_with_its_flow_alone() -> None:
    make_tenant()
    for flow, block, amount in (("a", "x", "1"), ("a", "y", "2"), ("b", "x", "4")):
        posted("2026-03-04T10:00", amount, "EUR", flow=flow, block=block).put()
    span = ("2026-03-04T00:00", "2026-03-05T00:00")
    [euro] = costs(*span, flow="a", block="x", by="resource").currencies
    assert (euro.whole.total, euro.groups[0].names) == (1, ("", ""))
    [euro] = costs(*span, by="block").currencies
    assert [(g.names, int(g.whole.total)) for g in euro.groups] == [
        (("b", "x"), 4),
        (("a", "y"), 2),
        (("a", "x"), 1),
    ]


def test_of_a_resource_its_usage_alone_is_told() -> None:
    make_tenant()
    price("cpu", "s", "1")
    price("gpu", "s", "10")
    used("2026-03-04T10:00", "2").put()
    used("2026-03-04T10:00", "3", resource="gpu", block="ship").put()
    posted("2026-03-04T10:00", "100", "EUR").put()
    found = costs("2026-03-04T00:00", "2026-03-05T00:00", resource="gpu", by="block")
    [euro] = found.currencies
    assert [(g.names, int(g.whole.total)) for g in euro.groups] == [(("orders", "ship"), 30)]


def test_delivered_objects_are_those_that_arrived_in_the_window() -> None:
    make_tenant()
    for flow, moment in (
        ("a", "2026-03-04T10:00"),
        ("a", "2026-03-05T00:00"),
        ("b", "2026-03-04T09:00"),
    ):
        put("flow", at(moment), {"ended.delivered": 2, "ended.failed": 5}, flow=flow)
    put("flow", at("2026-03-04T10:00"), {"started": 1}, flow="c")
    found = costs("2026-03-04T00:00", "2026-03-05T00:00")
    assert found.delivered == {"a": 2, "b": 2}
    assert found.delivered_in_all == 4


def test_each_is_rounded_half_to_even_and_of_nobody_unknown() -> None:
    assert each(Decimal(2), 3) == Decimal("0.666666667")
    assert each(Decimal("0.000000001"), 2) == 0
    assert each(Decimal("0.000000003"), 2) == Decimal("0.000000002")
    assert each(Decimal(1), 0) is None


# --- Windows --------------------------------------------------------------------------------------


def test_steps_of_days_weeks_and_months_are_the_calendars() -> None:
    def begins(start: str, end: str, step: str) -> list[str]:
        found = by_the_hour(window(at(start), at(end), step))
        assert found.end == at(end)
        return [f"{begin:%y-%m-%dT%H}" for begin in found.begins]

    assert begins("2025-11-15T07:00", "2026-02-02T00:00", "1mo") == [
        *("25-11-15T07", "25-12-01T00", "26-01-01T00", "26-02-01T00")
    ]
    assert begins("2025-11-15T07:00", "2026-05-02T00:00", "3mo") == [
        *("25-11-15T07", "26-01-01T00", "26-04-01T00")
    ]
    assert begins("2026-01-01T00:00", "2026-02-01T00:00", "1mo") == ["26-01-01T00"]
    assert begins("2026-03-04T07:00", "2026-03-07T09:00", "1d") == [
        *("26-03-04T07", "26-03-05T00", "26-03-06T00", "26-03-07T00")
    ]
    # the 4th is a Wednesday
    assert begins("2026-03-04T00:00", "2026-03-17T00:00", "1w") == [
        *("26-03-04T00", "26-03-09T00", "26-03-16T00")
    ]
    assert begins("2026-03-04T07:00", "2026-03-09T00:00", "2d") == [
        *("26-03-04T07", "26-03-06T00", "26-03-08T00")
    ]


def test_windows_are_widened_to_hours_and_steps_within_one_are_refused() -> None:
    wide = by_the_hour(window(at("2026-03-04T10:20"), at("2026-03-04T12:40"), "1h"))
    assert (wide.start, wide.end) == (at("2026-03-04T10:00"), at("2026-03-04T13:00"))
    assert len(wide.begins) == 3
    with pytest.raises(BadRequest, match="full hours"):
        by_the_hour(window(at("2026-03-04T10:00"), at("2026-03-04T13:00"), "15m"))
    # one step of any width is that of the window
    by_the_hour(window(at("2026-03-04T10:00"), at("2026-03-04T11:00"), "90m"))


# --- What is read ---------------------------------------------------------------------------------


def told(bounds: list[str], *changes: str) -> list[tuple[str, str, int, Any]]:
    """Each run by its grain, its beginning and length in hours, and by which moment it is told."""
    return [
        (run.grain, f"{run.start:%m-%dT%H}", (run.end - run.start) // HOUR, moment)
        for run, moment in parts([at(each) for each in bounds], [at(each) for each in changes])
    ]


def test_cells_are_put_together_where_they_are() -> None:
    days = [f"2026-03-{day:02}T00:00" for day in range(2, 6)]
    assert told(days) == [("day", "03-02T00", 72, "$at")]
    early = {"$literal": at("2026-03-03T00:00")}
    late = {"$literal": at("2026-03-03T10:00")}
    # a change within a day: its hours, before and after
    assert told(days, "2026-03-03T10:00") == [
        ("day", "03-02T00", 24, "$at"),
        ("hour", "03-03T00", 10, early),
        ("hour", "03-03T10", 14, late),
        ("day", "03-04T00", 24, "$at"),
    ]
    month = {"$literal": at("2026-03-02T00:00")}
    assert told(["2026-03-02T00:00", "2026-04-01T00:00", "2026-07-01T00:00"]) == [
        ("day", "03-02T00", 720, month),
        ("month", "04-01T00", 2184, "$at"),
    ]


def test_many_equal_steps_are_told_by_their_width_and_many_changes_by_each_cell() -> None:
    weeks = [f"{at('2026-03-02T00:00') + n * timedelta(weeks=1):%Y-%m-%dT%H:%M}" for n in range(9)]
    [(grain, _begin, hours, moment)] = told(weeks)
    beyond = {"$subtract": ["$at", at("2026-03-02T00:00")]}
    assert (grain, hours) == ("day", 8 * 168)
    assert moment == {"$subtract": ["$at", {"$mod": [beyond, 604_800_000]}]}
    changes = [f"2026-03-{day:02}T05:00" for day in range(3, 30)]
    assert {moment for *_run, moment in told([weeks[0], weeks[-1]], *changes)} == {"$at"}


# --- FOCUS ----------------------------------------------------------------------------------------


def export(start: str, end: str, step: str = "1d", **more: Any) -> list[dict[str, str]]:
    periods = focus.charge_periods(at(start), at(end), step)
    rows = focus.focus_rows(focus.Account("acme", "Acme Ltd"), periods, **more)
    return as_written(rows)


def test_the_exports_columns_are_those_of_focus_1_2() -> None:
    own = [name for name in focus.COLUMNS if name.startswith("x_")]
    standard = [name for name in focus.COLUMNS if not name.startswith("x_")]
    assert set(standard) >= focus.MANDATORY
    # theirs first and by the alphabet, then ours
    assert [*sorted(standard), *own] == list(focus.COLUMNS)
    assert all(name.isalnum() and name[0].isupper() for name in standard)


def test_a_row_says_what_where_when_and_how_much() -> None:
    make_tenant()
    change = at("2026-03-04T14:00")
    price("cpu", "s", "0.000000000001", valid_to=change)
    price("cpu", "s", "2", valid_from=change)
    used("2026-03-04T13:59", "0.000000000000000001", version="7", lost=True).put()
    used("2026-03-04T14:00", "1.50", version="7").put()
    used("2026-03-04T14:00", "0", block="idle").put()
    used("2026-03-04T14:00", "9", resource="nobody's").put()
    posted("2026-03-05T08:00", "-12.5", "JPY", vain=True).put()
    first, second, third = export("2026-03-01T00:00", "2026-04-01T00:00")
    assert first == {
        **dict.fromkeys(focus.COLUMNS, ""),
        **dict.fromkeys(
            ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"),
            "0.000000000000000000000000000001",
        ),
        **dict.fromkeys(
            ("ProviderName", "PublisherName", "InvoiceIssuerName"), "Data Flow Tracking"
        ),
        "BillingAccountId": "acme",
        "BillingAccountName": "Acme Ltd",
        "BillingCurrency": "EUR",
        "BillingPeriodStart": "2026-03-01T00:00:00Z",
        "BillingPeriodEnd": "2026-04-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": "cpu: 0.000000000001 EUR per s",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": "2026-03-04T00:00:00Z",
        "ChargePeriodEnd": "2026-03-04T14:00:00Z",
        "ConsumedQuantity": "0.000000000000000001",
        "ConsumedUnit": "s",
        "ContractedUnitPrice": "0.000000000001",
        "ListUnitPrice": "0.000000000001",
        "PricingCategory": "Standard",
        "PricingQuantity": "0.000000000000000001",
        "PricingUnit": "s",
        "ResourceId": "cpu",
        "ResourceName": "cpu",
        "ServiceCategory": "Integration",
        "ServiceName": "render",
        "SkuId": "cpu / s",
        "SkuMeter": "cpu",
        "SkuPriceId": "cpu / s",
        "SubAccountId": "orders",
        "SubAccountName": "orders",
        "Tags": '{"dft/flow": "orders", "dft/version": "7", "dft/block": "render"}',
        "x_FlowVersion": "7",
        "x_LostAttempt": "true",
        "x_WithoutArriving": "false",
    }
    assert (second["BilledCost"], second["ChargePeriodStart"]) == ("3", "2026-03-04T14:00:00Z")
    assert second["ChargePeriodEnd"] == "2026-03-05T00:00:00Z"
    assert (third["BilledCost"], third["BillingCurrency"]) == ("-12.5", "JPY")
    assert (third["ChargeCategory"], third["PricingQuantity"]) == ("Adjustment", "")
    assert (third["ListUnitPrice"], third["ResourceId"], third["SkuId"]) == ("", "", "")
    assert third["x_WithoutArriving"] == "true"
    assert export("2026-03-05T00:00", "2026-03-06T00:00", flow="returns") == []


def test_no_nulls_where_focus_allows_none() -> None:
    make_tenant()
    price("cpu", "s", "1")
    used("2026-03-04T13:59", "1").put()
    posted("2026-03-05T08:00", "1", "JPY").put()
    nullable = {"ChargeClass", "PricingQuantity", "PricingUnit"}
    for row in export("2026-03-01T00:00", "2026-04-01T00:00", "1mo"):
        assert not [name for name in focus.MANDATORY - nullable if not row[name]]
        if row["ChargeCategory"] == "Usage":
            assert row["PricingQuantity"]
            assert row["PricingUnit"]


@pytest.mark.parametrize(
    ("step", "end", "code"),
    [("1h", "2028-01-01T00:00", "too_many_steps"), ("1w", "2026-02-01T00:00", "bad_parameter")],
)
def test_an_export_of_too_much_is_refused(step: str, end: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        focus.charge_periods(at("2026-01-01T00:00"), at(end), step)
    assert refused.value.code == code
    assert refused.value.members["parameter"] == "step"


def test_a_year_by_the_hour_is_not_too_much() -> None:
    periods = focus.charge_periods(at("2028-01-01T00:00"), at("2029-01-01T00:00"), "1h")
    assert len(periods.begins) == 8_784
