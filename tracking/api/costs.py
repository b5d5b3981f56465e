"""The cost of one object → JSON, under the names of FOCUS 1.2 where it has one (docs/api.md).

Amounts are exact decimal strings: nothing is rounded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tracking.api import shapes
from tracking.core.costs import ObjectCost
from tracking.core.pricing import NOTHING, Bill, Charge, text

Shape = dict[str, Any]

CHARGES_SHOWN: Final = 100


def cost_shape(cost: ObjectCost, *, partial: bool) -> Shape:
    """`partial`: the object has more records than were read."""
    return {
        **bill_shape(cost.whole, cost.lost),
        "without_arriving": None if cost.in_vain is None else _amounts(cost.in_vain.totals()),
        "unpriced": cost.whole.unpriced,
        "partial": partial,
    }


def bill_shape(whole: Bill, lost: Bill) -> Shape:
    charges = whole.charges()
    usage = whole.usage_costs()
    return {
        "totals": [
            {
                "billing_currency": currency,
                "billed_cost": text(total),
                "posted_cost": text(whole.posted.get(currency, NOTHING)),
                "usage_cost": text(usage.get(currency, NOTHING)),
            }
            for currency, total in whole.totals().items()
        ],
        "lost_attempts": _amounts(lost.totals()),
        "charges": [charge_shape(charge) for charge in charges[:CHARGES_SHOWN]],
        "more_charges": len(charges) > CHARGES_SHOWN,
    }


def _amounts(totals: Mapping[str, Decimal]) -> list[Shape]:
    return [
        {"billing_currency": currency, "billed_cost": text(amount)}
        for currency, amount in totals.items()
    ]


def charge_shape(charge: Charge) -> Shape:
    rate, amount = charge.rate, charge.amount
    return {
        "resource_name": charge.resource,
        "consumed_quantity": text(charge.quantity),
        "consumed_unit": charge.unit,
        "list_unit_price": text(rate.price) if rate else None,
        "billed_cost": text(amount) if amount is not None else None,
        "billing_currency": rate.currency if rate else None,
        "price_valid_from": shapes.time(rate.valid_from) if rate else None,
        "price_valid_to": shapes.time(rate.valid_to) if rate else None,
    }
