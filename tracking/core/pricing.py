"""What usage costs: a price list, and sums that stay exact. Pure.

A price applies to what was used from `valid_from` on and before `valid_to`, by the time of the
event; where the next price of its resource and unit begins, it ends at the latest, so that no
moment has two. Prices begin and end on the full hour: usage summed up by the hour costs what its
records cost one by one. What has no price is kept apart and never counted as nothing, and what is
of different currencies is never added together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

# Quantities have up to 33 digits and prices 27; the rest is room for sums. A digit too many is an
# error, because a rounded sum would depend on the order of its parts.
WIDE: Final = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow])
NOTHING: Final = Decimal(0)

# resource, unit, quantity, moment of the event or the hour it lies in
Usage = tuple[str, str, Decimal, datetime]


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one unit of a resource while it was in force; `valid_to` None: open end."""

    resource: str
    unit: str
    price: Decimal
    currency: str
    valid_from: datetime
    valid_to: datetime | None = None


class PriceList:
    """Prices by resource and unit; its moments and those asked for are all aware or all naive."""

    __slots__ = ("_lines",)

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        lines: dict[tuple[str, str], list[Rate]] = {}
        for rate in sorted(rates, key=_order):
            lines.setdefault((rate.resource, rate.unit), []).append(rate)
        self._lines = {
            line: ([rate.valid_from for rate in found], found) for line, found in lines.items()
        }

    def at(self, resource: str, unit: str, moment: datetime) -> Rate | None:
        """The price in force at `moment`; None: there is none."""
        found = self._lines.get((resource, unit))
        if found is None:
            return None
        begins, rates = found
        place = bisect_right(begins, moment) - 1
        if place < 0:
            return None
        rate = rates[place]
        return rate if rate.valid_to is None or moment < rate.valid_to else None

    def changes(self) -> set[datetime]:
        """The moments at which a price begins or ends."""
        rates = [rate for _begins, found in self._lines.values() for rate in found]
        ends = {rate.valid_to for rate in rates if rate.valid_to is not None}
        return ends | {rate.valid_from for rate in rates}


@dataclass(frozen=True, slots=True)
class Charge:
    """All that was used of a resource at one price; `rate` None: it had none."""

    resource: str
    unit: str
    quantity: Decimal
    rate: Rate | None

    @property
    def amount(self) -> Decimal | None:
        return WIDE.multiply(self.quantity, self.rate.price) if self.rate is not None else None


class Bill:
    """Usage by resource, unit and price, and posted amounts by currency; bills can be added up.

    A price is known by its resource, unit and beginning: bills are of one price list.
    """

    __slots__ = ("_used", "posted")

    def __init__(self) -> None:
        self.posted: dict[str, Decimal] = {}
        self._used: dict[tuple[str, str, datetime | None], tuple[Rate | None, Decimal]] = {}

    def __bool__(self) -> bool:
        return bool(self.posted or self._used)

    def use(self, resource: str, unit: str, quantity: Decimal, rate: Rate | None) -> None:
        key = (resource, unit, rate.valid_from if rate is not None else None)
        before = self._used.get(key)
        self._used[key] = (rate, WIDE.add(before[1], quantity) if before else quantity)

    def post(self, currency: str, amount: Decimal) -> None:
        """Add an amount that a producer posted."""
        self.posted[currency] = WIDE.add(self.posted.get(currency, NOTHING), amount)

    def add(self, other: Bill) -> None:
        for (resource, unit, _begin), (rate, quantity) in other._used.items():
            self.use(resource, unit, quantity, rate)
        for currency, amount in other.posted.items():
            self.post(currency, amount)

    def charges(self) -> list[Charge]:
        """By resource, unit and time; what had no price comes last of its unit."""
        found = [
            Charge(resource, unit, quantity, rate)
            for (resource, unit, _begin), (rate, quantity) in self._used.items()
        ]
        return sorted(found, key=_place)

    @property
    def unpriced(self) -> bool:
        """Whether some of it had no price, so that the sums are too small."""
        return any(rate is None for rate, _quantity in self._used.values())

    def usage_costs(self) -> dict[str, Decimal]:
        """What usage cost, by currency."""
        found: dict[str, Decimal] = {}
        for rate, quantity in self._used.values():
            if rate is not None:
                cost = WIDE.multiply(quantity, rate.price)
                found[rate.currency] = WIDE.add(found.get(rate.currency, NOTHING), cost)
        return dict(sorted(found.items()))

    def totals(self) -> dict[str, Decimal]:
        """Posted and usage together, by currency."""
        found = dict(self.posted)
        for currency, amount in self.usage_costs().items():
            found[currency] = WIDE.add(found.get(currency, NOTHING), amount)
        return dict(sorted(found.items()))


def bill_of(lines: Iterable[Usage], prices: PriceList) -> Bill:
    """The bill of usage, each line at the price of its moment."""
    bill = Bill()
    for resource, unit, quantity, moment in lines:
        bill.use(resource, unit, quantity, prices.at(resource, unit, moment))
    return bill


def text(value: Decimal) -> str:
    """All digits there are, without zeros at the end, an exponent or a minus before nothing."""
    return format(WIDE.normalize(WIDE.add(value, NOTHING)), "f")


def _order(rate: Rate) -> tuple[datetime, str, Decimal]:
    # of two that begin together, which nothing of ours records, always the same one
    return rate.valid_from, rate.currency, rate.price


def _place(charge: Charge) -> tuple[str, str, bool, float | datetime]:
    begin = charge.rate.valid_from if charge.rate is not None else 0.0
    return charge.resource, charge.unit, charge.rate is None, begin
