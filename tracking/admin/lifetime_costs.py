"""What a lifetime's page says about cost: sums by currency, usage with its price, blocks.

Amounts are exact until they are shown: rounded, with all their digits on pointing at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tracking.admin import display as show
from tracking.admin.lifetime_parts import Detail
from tracking.admin.timeline import Row
from tracking.core.costs import ObjectCost
from tracking.core.lifetime import Lifetime
from tracking.core.pricing import Bill, Charge

CHARGES_SHOWN: Final = 50
BLOCKS_SHOWN: Final = 50
NO_PRICE: Final = "no price"


@dataclass(frozen=True, slots=True)
class Money:
    shown: str
    exact: str


@dataclass(frozen=True, slots=True)
class Sums:
    """One currency's sums; `name` is the currency, or the block they are of."""

    name: str
    posted: Money | None
    usage: Money | None
    total: Money
    lost: Money | None


@dataclass(frozen=True, slots=True)
class Used:
    resource: str
    unit: str
    quantity: str
    price: str
    since: str
    amount: Money | None


@dataclass(frozen=True, slots=True)
class BlockSums:
    name: str
    anchor: str
    lines: list[Sums]
    unpriced: bool


@dataclass(frozen=True, slots=True)
class Costs:
    """`in_vain`: all of it, where the object did not arrive."""

    sums: list[Sums]
    in_vain: list[Money]
    status: str
    used: list[Used]
    more_used: int
    unpriced: bool
    blocks: list[BlockSums]
    more_blocks: int


def costs_of(cost: ObjectCost, life: Lifetime, *, anchors: Mapping[str, str]) -> Costs | None:
    """None where it cost nothing and used nothing; `anchors`: where the page shows a block."""
    if not cost.whole:
        return None
    charges = cost.whole.charges()
    vain = cost.in_vain.totals() if cost.in_vain else {}
    return Costs(
        sums=_sums(cost.whole, cost.lost),
        in_vain=[_money(amount, currency) for currency, amount in vain.items() if amount],
        status=show.word(life.status),
        used=[_used(charge) for charge in charges[:CHARGES_SHOWN]],
        more_used=max(0, len(charges) - CHARGES_SHOWN),
        unpriced=cost.whole.unpriced,
        blocks=[
            BlockSums(
                name=block.name,
                anchor=anchors.get(block.name, ""),
                lines=_sums(block.whole, block.lost),
                unpriced=block.whole.unpriced,
            )
            for block in cost.blocks[:BLOCKS_SHOWN]
        ],
        more_blocks=max(0, len(cost.blocks) - BLOCKS_SHOWN),
    )


def cost_fact(cost: ObjectCost) -> tuple[str, str]:
    """All of it in a line, and what the line is of."""
    usage = cost.whole.usage_costs()
    if not usage:
        # as it was posted: to that nothing was added that would need rounding
        posted = [show.amount(a, currency) for currency, a in sorted(cost.whole.posted.items())]
        said = "posted; its usage has no price" if cost.whole.unpriced else "posted"
        return " + ".join(posted) or show.NONE, said
    totals = cost.whole.totals()
    said = "posted, and usage at its price" if cost.whole.posted else "usage at its price"
    if cost.whole.unpriced:
        said += "; some usage has no price"
    return " + ".join(show.rounded(amount, currency) for currency, amount in totals.items()), said


def with_prices(rows: list[tuple[Row, Detail]], cost: ObjectCost) -> list[tuple[Row, Detail]]:
    """The rows, their usage told with what it cost."""
    bills = {block.name: block.whole for block in cost.blocks}
    for row, detail in rows:
        if detail.usage and row.name in bills:
            charges = bills[row.name].charges()
            detail.usage = [(c.resource, _told(c)) for c in charges[:CHARGES_SHOWN]]
            if len(charges) > CHARGES_SHOWN:
                detail.usage.append(("and", f"{len(charges) - CHARGES_SHOWN} more"))
    return rows


def _told(charge: Charge) -> str:
    used = f"{show.quantity(charge.quantity)} {charge.unit}"
    if charge.rate is None or charge.amount is None:
        return f"{used}, {NO_PRICE}"
    price = show.amount(charge.rate.price, charge.rate.currency)
    return f"{used} at {price}: {show.rounded(charge.amount, charge.rate.currency)}"


def _sums(whole: Bill, lost: Bill) -> list[Sums]:
    usage, in_vain = whole.usage_costs(), lost.totals()

    def of(found: Mapping[str, Decimal], currency: str) -> Money | None:
        return _money(found[currency], currency) if currency in found else None

    return [
        Sums(
            name=currency,
            posted=of(whole.posted, currency),
            usage=of(usage, currency),
            total=_money(total, currency),
            lost=of(in_vain, currency),
        )
        for currency, total in whole.totals().items()
    ]


def _used(charge: Charge) -> Used:
    rate, amount = charge.rate, charge.amount
    return Used(
        resource=charge.resource,
        unit=charge.unit,
        quantity=show.quantity(charge.quantity),
        price=show.amount(rate.price, rate.currency) if rate else "",
        since=show.stamp(rate.valid_from)[:16] if rate else "",
        amount=_money(amount, rate.currency) if rate and amount is not None else None,
    )


def _money(amount: Decimal, currency: str) -> Money:
    return Money(show.rounded(amount, currency), show.amount(amount, currency))
