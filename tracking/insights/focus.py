"""Costs as rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification.

https://focus.finops.org/focus-specification/v1-2/. docs/costs.md says what each column holds here
and why. A row is what one block of a flow used of one unit of a resource at one price, or what
was posted for it in one currency, within one charge period. Usage without a price is no charge
and has no currency: it is in no row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from heapq import merge
from itertools import groupby
from typing import Final

from tracking.core.pricing import NOTHING, WIDE, Rate, text
from tracking.errors import BadRequest
from tracking.insights.spending import Asked, Line, in_order
from tracking.insights.tables import Value
from tracking.insights.windows import (
    DAY,
    HOUR,
    Window,
    floor_day,
    floor_hour,
    floor_month,
    months_after,
    window,
)
from tracking.models.price_list import prices_of
from tracking.models.rollups import COST, USAGE

_Move = Callable[[datetime], datetime]

PROVIDER: Final = "Data Flow Tracking"
CATEGORY: Final = "Integration"
MANDATORY: Final = frozenset(
    """
    BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd
    BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargePeriodEnd
    ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost PricingQuantity
    PricingUnit ProviderName PublisherName ServiceCategory ServiceName
    """.split()
)
COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ServiceCategory",
    "ServiceName",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    # what FOCUS has no column for
    "x_FlowVersion",
    "x_LostAttempt",
    "x_WithoutArriving",
)
# Of one year in hours, and a leap year's.
PERIODS_MAX: Final = 8_784
STEPS: Final[Mapping[str, tuple[_Move, _Move]]] = {
    "1h": (floor_hour, lambda hour: hour + HOUR),
    "1d": (floor_day, lambda day: day + DAY),
    "1mo": (floor_month, lambda month: months_after(month, 1)),
}
_NAMES: Final = ("flow", "version", "block")
# names, resource, unit, beginning of the price, currency, lost, vain
_Key = tuple[tuple[str, ...], str, str, datetime | None, str, bool, bool]


@dataclass(frozen=True, slots=True)
class Account:
    """Whose costs they are: the tenant."""

    slug: str
    name: str


@dataclass(slots=True)
class _Sum:
    line: Line
    quantity: Decimal = NOTHING
    amount: Decimal = NOTHING


def charge_periods(start: datetime, end: datetime, step: str) -> Window:
    """The hours, days or months of the calendar between two moments, widened to full hours.

    Raises `BadRequest` where there are too many, or the step or a bound is not possible.
    """
    if step not in STEPS:
        raise BadRequest("bad_parameter", f"step is one of {', '.join(STEPS)}.", parameter="step")
    whole = window(start, end, "1200mo").by_the_hour()
    floor, following = STEPS[step]
    begins = [whole.start]
    while (begin := following(floor(begins[-1]))) < whole.end:
        if len(begins) == PERIODS_MAX:
            raise BadRequest(
                "too_many_steps",
                f"At most {PERIODS_MAX:,} charge periods fit into one export: choose a wider step"
                " or less time.",
                parameter="step",
            )
        begins.append(begin)
    return Window(whole.start, whole.end, step, tuple(begins))


def focus_rows(
    account: Account, periods: Window, *, flow: str | None = None
) -> Iterator[list[Value]]:
    """The rows by time, each with a value or None (null) for each of `COLUMNS`.

    `periods`: of `charge_periods`, which its steps are; where a price begins or ends inside, the
    period of its rows does. Holds one period in memory.
    """
    asked = Asked(account.slug, flow)
    prices = prices_of(account.slug)
    bounds = (*periods.begins, periods.end)
    lines = merge(
        *(in_order(asked, bounds, _NAMES, prices, kind) for kind in (USAGE, COST)),
        key=lambda line: line.at,
    )
    ends = periods.ends
    for index, inside in groupby(lines, key=lambda line: periods.index(line.at) or 0):
        begin, end = periods.begins[index], ends[index]
        for found in _added_up(inside):
            yield list(_row(account, begin, end, found).values())


def _added_up(lines: Iterable[Line]) -> list[_Sum]:
    sums: dict[_Key, _Sum] = {}
    for line in lines:
        if line.amount is None or line.currency is None:
            continue
        since = line.rate.valid_from if line.rate else None
        key = (line.names, line.resource, line.unit, since, line.currency, line.lost, line.vain)
        found = sums.get(key) or sums.setdefault(key, _Sum(line))
        found.quantity = WIDE.add(found.quantity, line.quantity)
        found.amount = WIDE.add(found.amount, line.amount)
    # usage of nothing is no charge; of one key all have a price or none has
    return [sums[key] for key in sorted(sums) if sums[key].quantity or not key[1]]


def _row(account: Account, begin: datetime, end: datetime, found: _Sum) -> dict[str, Value]:
    line, amount = found.line, found.amount
    flow, version, block = line.names
    month = floor_month(begin)
    row: dict[str, Value] = dict.fromkeys(COLUMNS)
    row |= dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), amount)
    row |= dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName"), PROVIDER)
    row |= {
        "BillingAccountId": account.slug,
        "BillingAccountName": account.name,
        "BillingCurrency": line.currency,
        "BillingPeriodStart": month,
        "BillingPeriodEnd": months_after(month, 1),
        "ServiceCategory": CATEGORY,
        "ServiceName": block,
        "SubAccountId": flow,
        "SubAccountName": flow,
        "Tags": _tags(flow, version, block),
        "x_FlowVersion": version or None,
        "x_LostAttempt": _flag(line.lost),
        "x_WithoutArriving": _flag(line.vain),
    }
    row |= _used(line, found.quantity, line.rate) if line.rate else _POSTED
    if line.rate:
        # within the period the price may begin or end, and what it prices with it
        begin = max(begin, line.rate.valid_from)
        end = min(end, line.rate.valid_to) if line.rate.valid_to else end
    return row | {"ChargePeriodStart": begin, "ChargePeriodEnd": end}


# An amount that a producer knew: there is no quantity of it, which usage and purchases must have.
_POSTED: Final[dict[str, Value]] = {
    "ChargeCategory": "Adjustment",
    "ChargeDescription": "Amounts posted with records",
    "ChargeFrequency": "One-Time",
}


def _used(line: Line, quantity: Decimal, rate: Rate) -> dict[str, Value]:
    price = rate.price
    sku = f"{line.resource} / {line.unit}"
    return {
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{line.resource}: {text(price)} {rate.currency} per {line.unit}",
        "ChargeFrequency": "Usage-Based",
        "ConsumedQuantity": quantity,
        "ConsumedUnit": line.unit,
        "ContractedUnitPrice": price,
        "ListUnitPrice": price,
        "PricingCategory": "Standard",
        "PricingQuantity": quantity,
        "PricingUnit": line.unit,
        "ResourceId": line.resource,
        "ResourceName": line.resource,
        "SkuId": sku,
        "SkuMeter": line.resource,
        "SkuPriceId": sku,
    }


def _tags(flow: str, version: str, block: str) -> str:
    tags = {"dft/flow": flow, "dft/version": version, "dft/block": block}
    return json.dumps({name: value for name, value in tags.items() if value}, ensure_ascii=False)


def _flag(value: bool) -> str:
    return "true" if value else "false"
