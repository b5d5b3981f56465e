"""Prices and costs are exact: held against fractions, one use at a time, by whoever is naive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core import oracle
from tests.core.histories import START, history
from tracking.core.costs import object_cost
from tracking.core.lifetime import fold
from tracking.core.pricing import Bill, PriceList, Rate, bill_of
from tracking.core.spelling import amount, quantity, rounded

HOUR = timedelta(hours=1)
MS = timedelta(milliseconds=1)
DAY = datetime(2026, 3, 1, tzinfo=UTC)
MOST = Decimal("999999999999999.999999999999999999")
DEAREST = Decimal("999999999999999.999999999999")
LINES = [(resource, unit) for resource in ("cpu", "gpu") for unit in ("s", "h")]

Use = tuple[str, str, Decimal, datetime]

quantities = st.one_of(
    st.sampled_from([Decimal(0), MOST, Decimal("1E-18")]),
    st.decimals(0, 10**15 - 1, places=18),
    st.decimals(0, 10, places=2),
)
amounts = st.one_of(
    st.sampled_from([Decimal(0), DEAREST, Decimal("1E-12")]),
    st.decimals(0, 10**15 - 1, places=12),
    st.decimals(0, 10, places=2),
)


@st.composite
def price_lists(draw: st.DrawFn) -> list[Rate]:
    """Periods that touch, leave gaps or have no end, and never overlap."""
    found = []
    for resource, unit in LINES:
        edges = sorted(draw(st.lists(st.integers(0, 12), unique=True, max_size=5)))
        for place, begin in enumerate(edges):
            following = edges[place + 1] if place + 1 < len(edges) else None
            within = st.integers(begin + 1, following or 14)
            end = draw(st.one_of(st.just(following), within))
            found.append(
                Rate(
                    resource=resource,
                    unit=unit,
                    price=draw(amounts),
                    currency=draw(st.sampled_from(["EUR", "USD", "JPY"])),
                    valid_from=DAY + begin * HOUR,
                    valid_to=None if end is None else DAY + end * HOUR,
                )
            )
    return draw(st.permutations(found))


# on the boundaries of prices, a millisecond beside them, and anywhere between
moments = st.builds(
    lambda hour, beside: DAY + hour * HOUR + beside * MS,
    st.integers(0, 14),
    st.sampled_from([0, 0, -1, 1, 1_800_000]),
)
uses = st.lists(
    st.builds(lambda line, q, at: (*line, q, at), st.sampled_from(LINES), quantities, moments),
    max_size=30,
)


def in_force(rates: Iterable[Rate], resource: str, unit: str, at: datetime) -> list[Rate]:
    return [
        rate
        for rate in rates
        if (rate.resource, rate.unit) == (resource, unit)
        and rate.valid_from <= at
        and (rate.valid_to is None or at < rate.valid_to)
    ]


def naive(rates: list[Rate], used: list[Use]) -> tuple[dict[str, Fraction], dict[Any, Fraction]]:
    """Cost by currency, and what had no price by resource and unit."""
    costs: dict[str, Fraction] = defaultdict(Fraction)
    unpriced: dict[Any, Fraction] = defaultdict(Fraction)
    for resource, unit, used_up, at in used:
        match in_force(rates, resource, unit, at):
            case []:
                unpriced[resource, unit] += Fraction(used_up)
            case [rate]:
                costs[rate.currency] += Fraction(used_up) * Fraction(rate.price)
    return dict(costs), dict(unpriced)


def exact(found: dict[Any, Decimal]) -> dict[Any, Fraction]:
    return {name: Fraction(value) for name, value in found.items()}


def unpriced_of(bill: Bill) -> dict[Any, Fraction]:
    return {(c.resource, c.unit): Fraction(c.quantity) for c in bill.charges() if c.rate is None}


@given(price_lists(), uses, st.integers(0, 30), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_a_bill_is_what_fractions_say_in_whatever_order_and_parts(
    rates: list[Rate], used: list[Use], cut: int, random: Random
) -> None:
    costs, unpriced = naive(rates, used)
    prices = PriceList(rates)
    bill = bill_of(used, prices)
    assert exact(bill.usage_costs()) == costs
    assert unpriced_of(bill) == unpriced
    assert bill.unpriced is bool(unpriced)
    by_charge: dict[str, Fraction] = defaultdict(Fraction)
    for charge in bill.charges():
        if charge.rate is not None and charge.amount is not None:
            by_charge[charge.rate.currency] += Fraction(charge.amount)
    assert dict(by_charge) == costs

    shuffled = random.sample(used, len(used))
    parts = bill_of(shuffled[:cut], prices)
    parts.add(bill_of(shuffled[cut:], prices))
    assert exact(parts.totals()) == exact(bill.totals())
    assert parts.charges() == bill.charges()


@given(price_lists(), uses)
@settings(max_examples=150, deadline=None)
def test_usage_summed_by_the_hour_costs_what_its_records_cost(
    rates: list[Rate], used: list[Use]
) -> None:
    by_hour: dict[Any, Decimal] = {}
    wide = Context(prec=100, traps=[Inexact])
    for resource, unit, used_up, at in used:
        line = (resource, unit, at.replace(minute=0, second=0, microsecond=0))
        by_hour[line] = wide.add(by_hour.get(line, Decimal(0)), used_up)
    summed = [(resource, unit, q, hour) for (resource, unit, hour), q in by_hour.items()]
    prices = PriceList(rates)
    assert exact(bill_of(summed, prices).totals()) == exact(bill_of(used, prices).totals())


def rate(price: str, begin: int, end: int | None = None, **more: Any) -> Rate:
    to = None if end is None else DAY + end * HOUR
    fields = {"resource": "cpu", "unit": "s", "currency": "EUR", **more}
    return Rate(price=Decimal(price), valid_from=DAY + begin * HOUR, valid_to=to, **fields)


def test_a_price_applies_from_its_first_millisecond_and_not_at_its_end() -> None:
    prices = PriceList([rate("2", 1, 2), rate("3", 2, 4), rate("5", 6)])

    def price_at(moment: datetime) -> str | None:
        found = prices.at("cpu", "s", moment)
        return str(found.price) if found else None

    assert [price_at(DAY + hour * HOUR - MS) for hour in range(1, 8)] == [
        *(None, "2", "3", "3", None, None, "5")
    ]
    assert [price_at(DAY + hour * HOUR) for hour in range(8)] == [
        *(None, "2", "3", "3", None, None, "5", "5")
    ]
    assert prices.at("cpu", "h", DAY + HOUR) is None
    assert prices.at("CPU", "s", DAY + HOUR) is None
    assert PriceList().at("cpu", "s", DAY) is None


def test_where_prices_overlap_in_spite_of_all_the_later_one_ends_the_other() -> None:
    rates = [rate("2", 0), rate("3", 2, 4), rate("7", 2, 4, currency="USD")]
    for order in (rates, rates[::-1]):
        prices = PriceList(order)
        found = [prices.at("cpu", "s", DAY + hour * HOUR) for hour in range(5)]
        assert [str(r.price) if r else None for r in found] == ["2", "2", "7", "7", None]


def test_the_largest_sums_lose_no_digit() -> None:
    prices = PriceList([rate(str(DEAREST), 0)])
    bill = bill_of([("cpu", "s", MOST, DAY)] * 20_000, prices)
    bill.use("cpu", "s", Decimal("1E-18"), prices.at("cpu", "s", DAY))
    wanted = (20_000 * Fraction(MOST) + Fraction(1, 10**18)) * Fraction(DEAREST)
    assert Fraction(bill.usage_costs()["EUR"]) == wanted
    assert Fraction(MOST * DEAREST) != Fraction(MOST) * Fraction(DEAREST), "Decimal's own digits"


def test_nothing_costs_nothing_and_a_price_of_nothing_is_a_price() -> None:
    assert not bill_of([], PriceList())
    assert bill_of([], PriceList()).totals() == {}
    free = bill_of([("cpu", "s", Decimal(5), DAY)], PriceList([rate("0", 0)]))
    assert (free.totals(), free.unpriced) == ({"EUR": Decimal(0)}, False)
    unknown = bill_of([("cpu", "s", Decimal(5), DAY)], PriceList())
    assert (unknown.totals(), unknown.unpriced) == ({}, True)


# --- One object -----------------------------------------------------------------------------

# Histories last a minute and use cpu and gpu by s and h, so a change of price falls within some.
CHANGING = [
    rate("0.000000000001", 0, 12),
    Rate("cpu", "s", DEAREST, "EUR", START, START + HOUR),
    Rate("cpu", "h", Decimal("0.5"), "USD", START, None),
    Rate("gpu", "s", Decimal("7.25"), "USD", START - HOUR, START),  # ended when they begin
]


def test_an_objects_cost_is_what_its_records_say_one_by_one() -> None:
    seen = set()
    for seed in range(400):
        random = Random(seed)
        records, versions = history(random)
        rates = random.sample(CHANGING, random.randrange(len(CHANGING) + 1))
        earlier = timedelta(seconds=random.choice((0, 0, 1)))  # the first of them before START
        records = [{**r, "occurred_at": r["occurred_at"] - earlier} for r in records]

        def defined(flow: str, versions: list[Any] = versions) -> list[Any]:
            return versions if flow == "orders" else []

        life = fold(records, defined)
        cost = object_cost(random.sample(records, len(records)), life, PriceList(rates))

        transaction, blocks = oracle.derive(records, defined)
        status = {block["block"]: block["status"] for block in blocks}
        counting = oracle.counting_records(oracle.unique(records))
        last: dict[str, int] = defaultdict(int)
        for r in counting:
            last[r["block"]] = max(last[r["block"]], r["attempt"])
        lost = [
            r for r in counting if r["attempt"] < last[r["block"]] or status[r["block"]] == "failed"
        ]
        assert exact(cost.whole.totals()) == totals(counting, rates), seed
        assert exact(cost.lost.totals()) == totals(lost, rates), seed
        assert exact(cost.whole.posted) == {c: Fraction(a) for c, a in life.costs.items()}
        for block in cost.blocks:
            own = [r for r in counting if r["block"] == block.name]
            assert exact(block.whole.totals()) == totals(own, rates), seed
            assert exact(block.lost.totals()) == totals([r for r in lost if r in own], rates)
        arrived = transaction["status"] not in ("failed", "filtered")
        assert (cost.in_vain is None) is arrived
        seen.update(
            {("unpriced", cost.whole.unpriced), ("lost", bool(cost.lost)), ("arrived", arrived)}
        )
        seen.add(("withdrawn", bool(life.withdrawn)))
    assert len(seen) == 8, "the histories leave something out"


def totals(records: list[dict[str, Any]], rates: list[Rate]) -> dict[str, Fraction]:
    found: dict[str, Fraction] = defaultdict(Fraction)
    for record in records:
        part = record.get("part", {})
        used = [
            (u["resource"], u["unit"], Decimal(u["quantity"]), record["occurred_at"])
            for u in part.get("usage", ())
        ]
        for currency, value in naive(rates, used)[0].items():
            found[currency] += value
        if posted := part.get("cost"):
            found[posted["currency"]] += Fraction(posted["amount"])
    return dict(found)


# --- Shown ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("1234.5", "EUR", "1,234.50 EUR"),
        ("0.125", "EUR", "0.12 EUR"),
        ("0.135", "EUR", "0.14 EUR"),
        ("-0.125", "EUR", "-0.12 EUR"),
        ("0.005", "EUR", "under 0.01 EUR"),
        ("-0.000000001", "EUR", "over -0.01 EUR"),
        ("0", "EUR", "0.00 EUR"),
        ("1.5", "JPY", "2 JPY"),
        ("2.5", "JPY", "2 JPY"),
        ("0.4", "JPY", "under 1 JPY"),
        ("0.0005", "KWD", "under 0.001 KWD"),
        ("1.0005", "KWD", "1.000 KWD"),
        ("0.00000125", "XAU", "0.00000125 XAU"),
        (f"{MOST}", "EUR", "1,000,000,000,000,000.00 EUR"),
    ],
)
def test_sums_are_rounded_half_to_even_where_they_are_shown(
    value: str, currency: str, shown: str
) -> None:
    assert rounded(Decimal(value), currency) == shown


def test_what_was_recorded_is_shown_with_all_its_digits() -> None:
    assert quantity(MOST) == "999,999,999,999,999.999999999999999999"
    whole = Fraction(MOST) * Fraction(DEAREST)
    digits = str(whole.numerator * (10**30 // whole.denominator))
    exactly = Decimal(f"{digits[:-30]}.{digits[-30:]}")
    assert amount(exactly, "EUR").replace(",", "") == f"{digits[:-30]}.{digits[-30:]} EUR"
