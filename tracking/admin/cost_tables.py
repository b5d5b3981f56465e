"""Costs as tables: what stands below their charts, and in their CSV, under the names of FOCUS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from tracking.admin.cost_links import CostLinks
from tracking.core.spelling import digits_of, round_half_even
from tracking.insights.costs import Costs, Currency, Sums, each
from tracking.insights.tables import Table, Value

PERIOD: Final = {"ChargePeriodStart": "from (UTC)", "ChargePeriodEnd": "to (UTC)"}
GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "flow": {"SubAccountName": "flow"},
    "block": {"SubAccountName": "flow", "ServiceName": "block"},
    "resource": {"ResourceName": "resource", "ConsumedUnit": "unit"},
}
CURRENCY: Final = {"BillingCurrency": "currency"}
SUMS: Final = {
    "BilledCost": "total",
    "x_PostedCost": "posted",
    "x_UsageCost": "usage",
    "x_LostAttemptCost": "lost attempts",
    "x_WithoutArrivingCost": "without arriving",
    "x_FailureCost": "failures in all",
}
POSTED: Final = "posted amounts"
QUANTITY_DIGITS: Final = 6


def sums(found: Sums) -> tuple[Value, ...]:
    return found.total, found.posted, found.usage, found.lost, found.vain, found.failures


def group_name(by: str, names: tuple[str, ...], *, one_flow: bool = False) -> str:
    """As a chart calls it; `one_flow`: the page is about one, which need not be said again."""
    if by == "resource":
        return f"{names[0]}, per {names[1]}" if names[0] else POSTED
    return names[-1] if by == "flow" or one_flow else f"{names[1]} ({names[0]})"


def steps_table(found: Costs, currency: Currency) -> Table:
    """Each group in each step in which it cost anything."""
    rows = [
        (begin, end, *group.names, currency.code, *sums(group.steps[index]))
        for index, (begin, end) in enumerate(_periods(found))
        for group in currency.groups
        if index in group.steps
    ]
    columns = {**PERIOD, **GROUPS[found.by], **CURRENCY, **SUMS}
    return Table(f"costs-by-step-{currency.code}", columns, rows)


def shown_steps(
    found: Costs, currency: Currency, series: Mapping[str, Sequence[Value]], links: CostLinks
) -> Table:
    """What the chart shows: the dearest groups side by side, and the total."""
    columns = {**PERIOD, **{f"{n}": name for n, name in enumerate(series)}, "total": "total"}
    values = list(series.values())
    periods = _periods(found)
    return Table(
        "costs",
        columns,
        [
            (begin, end, *(each[index] for each in values), currency.steps[index].total)
            for index, (begin, end) in enumerate(periods)
        ],
        [{"ChargePeriodStart": links.step(begin, end)} for begin, end in periods],
        digits_of(currency.code),
    )


def failures_table(found: Costs, currency: Currency, links: CostLinks) -> Table:
    periods = _periods(found)
    rows = [
        (begin, end, currency.code, *sums(step))
        for (begin, end), step in zip(periods, currency.steps, strict=True)
    ]
    return Table(
        f"costs-of-failures-{currency.code}",
        {**PERIOD, **CURRENCY, **SUMS},
        rows,
        [
            {
                "x_LostAttemptCost": links.lost(begin, end, ()) if step.lost else "",
                "x_WithoutArrivingCost": links.vain(begin, end, ()) if step.vain else "",
                "BilledCost": links.spent(begin, end, ()) if step.total else "",
            }
            for (begin, end), step in zip(periods, currency.steps, strict=True)
        ],
        digits_of(currency.code),
    )


def groups_table(found: Costs, currency: Currency, links: CostLinks) -> Table:
    start, end = found.window.start, found.window.end
    columns = {
        **GROUPS[found.by],
        **CURRENCY,
        **SUMS,
        "x_cost_share": "of all",
        "x_failure_share": "failures, of its own",
    }
    if found.by == "flow":
        columns |= {"x_DeliveredObjects": "delivered", "x_CostPerDelivered": "per delivered object"}
    rows: list[tuple[Value, ...]] = []
    for group in currency.groups:
        whole = group.whole
        row = (*group.names, currency.code, *sums(whole))
        row += (share(whole.total, currency.whole.total), share(whole.failures, whole.total))
        if found.by == "flow":
            count = found.delivered.get(group.names[0], 0)
            row += (count, each(whole.total, count))
        rows.append(row)
    first = next(iter(GROUPS[found.by]))
    listed = [
        {
            first: links.group(group.names),
            "BilledCost": links.spent(start, end, group.names),
            "x_LostAttemptCost": links.lost(start, end, group.names) if group.whole.lost else "",
            "x_WithoutArrivingCost": links.vain(start, end, group.names)
            if group.whole.vain
            else "",
        }
        for group in currency.groups
    ]
    name = f"costs-by-{found.by}-{currency.code}"
    return Table(name, columns, rows, listed, digits_of(currency.code))


def shown_usage(found: Costs) -> Table:
    """As people read it: rounded."""
    table = usage_table(found)
    rows: list[tuple[Value, ...]] = []
    for charge, row in zip(found.charges, table.rows, strict=True):
        amount = charge.amount
        if charge.rate and amount is not None:
            amount = _rounded(amount, digits_of(charge.rate.currency))
        rows.append((row[0], _rounded(charge.quantity, QUANTITY_DIGITS), *row[2:-1], amount))
    return Table(table.name, table.columns, rows)


def shown_unpriced(found: Costs) -> Table:
    table = unpriced_table(found)
    rows = [
        (row[0], _rounded(e.quantity, QUANTITY_DIGITS), *row[2:])
        for e, row in zip(found.unpriced, table.rows, strict=True)
    ]
    return Table(table.name, table.columns, rows)


def _rounded(value: Decimal, digits: int | None) -> Decimal:
    """What would be shown as nothing stays as it is."""
    return value if digits is None else round_half_even(value, digits) or value


def usage_table(found: Costs) -> Table:
    """Usage by resource, unit and price."""
    columns = {
        "ResourceName": "resource",
        "ConsumedQuantity": "quantity",
        "ConsumedUnit": "unit",
        "ListUnitPrice": "price of a unit",
        "BillingCurrency": "currency",
        "x_PriceValidFrom": "since (UTC)",
        "x_PriceValidTo": "until (UTC)",
        "BilledCost": "cost",
    }
    rows = [
        (
            charge.resource,
            charge.quantity,
            charge.unit,
            *(
                (rate.price, rate.currency, rate.valid_from, rate.valid_to)
                if (rate := charge.rate)
                else (None,) * 4
            ),
            charge.amount,
        )
        for charge in found.charges
    ]
    return Table("usage", columns, rows)


def unpriced_table(found: Costs) -> Table:
    columns = {
        "ResourceName": "resource",
        "ConsumedQuantity": "quantity",
        "ConsumedUnit": "unit",
        "x_First": "first in (UTC)",
        "x_Last": "last in (UTC)",
    }
    rows = [(e.resource, e.quantity, e.unit, e.first, e.last) for e in found.unpriced]
    return Table("usage-without-a-price", columns, rows)


def share(part: Value, whole: Value) -> float | None:
    """Of costs that are not above nothing there is no share."""
    return float(part) / float(whole) if whole and float(whole) > 0 else None  # type: ignore[arg-type]


def _periods(found: Costs) -> list[tuple[Value, Value]]:
    return list(zip(found.window.begins, found.window.ends, strict=True))
