"""What a time cost, by step and by what: one function for page, API and CSV.

Sums are exact. A currency is a list of its own; nothing is added across currencies. Usage without
a price is in no sum and stands apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from tracking import vocabulary as v
from tracking.core.pricing import NOTHING, WIDE, Bill, Charge
from tracking.errors import BadRequest
from tracking.insights.cells import cover, read
from tracking.insights.spending import Asked, Line, added_up
from tracking.insights.windows import (
    DAY,
    WEEK,
    Window,
    count_and_unit,
    floor_day,
    floor_hour,
    floor_month,
    months_after,
    usual_step,
)
from tracking.models.price_list import prices_of
from tracking.models.rollups import FLOW

# What sums are grouped by → the names of a group.
BY: Final[Mapping[str, tuple[str, ...]]] = {
    "flow": ("flow",),
    "block": ("flow", "block"),
    "resource": ("resource", "unit"),
}
_SHARING: Final = Context(prec=120, rounding=ROUND_HALF_EVEN)
_EACH: Final = Decimal("1E-9")


@dataclass(slots=True)
class Sums:
    """Of one currency. `lost`: on attempts that failed or were superseded; `vain`: on objects that
    failed or were filtered; `failures`: either, what is both counted once."""

    posted: Decimal = NOTHING
    usage: Decimal = NOTHING
    lost: Decimal = NOTHING
    vain: Decimal = NOTHING
    failures: Decimal = NOTHING

    @property
    def total(self) -> Decimal:
        return WIDE.add(self.posted, self.usage)

    # by position, as it is called for each line
    def add(self, amount: Decimal, posted: bool, lost: bool, vain: bool) -> None:
        if posted:
            self.posted = WIDE.add(self.posted, amount)
        else:
            self.usage = WIDE.add(self.usage, amount)
        if lost:
            self.lost = WIDE.add(self.lost, amount)
        if vain:
            self.vain = WIDE.add(self.vain, amount)
        if lost or vain:
            self.failures = WIDE.add(self.failures, amount)


@dataclass(slots=True)
class Group:
    """The part of a currency's sums that has these names (`BY`); of posted amounts, which are of
    no resource, these are empty. `steps`: only those in which there was something."""

    names: tuple[str, ...]
    whole: Sums = field(default_factory=Sums)
    steps: dict[int, Sums] = field(default_factory=lambda: defaultdict(Sums))


@dataclass(slots=True)
class Currency:
    """`steps`: one for each of the window's; `groups`: the dearest first."""

    code: str
    steps: list[Sums]
    groups: list[Group]
    whole: Sums = field(default_factory=Sums)


@dataclass(slots=True)
class Unpriced:
    """Usage without a price, and where the steps begin in which it lies first and last."""

    resource: str
    unit: str
    first: datetime
    last: datetime
    quantity: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class Costs:
    """`charges`: usage by resource, unit and price, as on an object's page. `delivered`: the
    objects that arrived in the window, by flow."""

    window: Window
    by: str
    currencies: list[Currency]
    charges: list[Charge]
    unpriced: list[Unpriced]
    delivered: Mapping[str, int]

    @property
    def delivered_in_all(self) -> int:
        return sum(self.delivered.values())


def costs_of(asked: Asked, window: Window, *, by: str = "flow") -> Costs:
    """`window`: as `by_the_hour` makes it.

    1. Read the cells between bounds: those of the steps, and the hours at which prices change.
    2. Price each line; what has no price is put apart.
    3. Add up: by currency, group and step.
    """
    prices = prices_of(asked.tenant)
    named = tuple(name for name in BY[by] if name in ("flow", "block"))
    bounds = (*window.begins, window.end)
    groups: dict[tuple[str, tuple[str, ...]], Group] = {}
    used: dict[tuple[str, str, datetime], Decimal] = {}
    unpriced: dict[tuple[str, str], Unpriced] = {}
    steps: dict[datetime, int] = {}
    for line in added_up(asked, bounds, named, prices):
        at, names, resource, unit, quantity, _rate, currency, amount, lost, vain = line
        if resource:
            place = resource, unit, at
            used[place] = WIDE.add(used.get(place, NOTHING), quantity)
        if currency is None or amount is None:
            _put_apart(unpriced, line)
            continue
        key = currency, names if named else (resource, unit)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(key[1])
        step = steps.get(at)
        if step is None:
            step = steps[at] = bisect_right(window.begins, at) - 1
        group.steps[step].add(amount, not resource, lost, vain)
    bill = Bill()
    for place, quantity in used.items():
        bill.use(*place[:2], quantity, prices.at(*place))
    return Costs(
        window=window,
        by=by,
        currencies=_currencies(groups, window),
        charges=bill.charges(),
        unpriced=sorted(unpriced.values(), key=lambda each: (each.resource, each.unit)),
        delivered=delivered_in(asked, window),
    )


def _put_apart(found: dict[tuple[str, str], Unpriced], line: Line) -> None:
    key = (line.resource, line.unit)
    known = found.get(key) or found.setdefault(key, Unpriced(*key, line.at, line.at))
    known.quantity = WIDE.add(known.quantity, line.quantity)
    known.first, known.last = min(known.first, line.at), max(known.last, line.at)


def _currencies(
    groups: Mapping[tuple[str, tuple[str, ...]], Group], window: Window
) -> list[Currency]:
    found: dict[str, list[Group]] = defaultdict(list)
    for (code, _names), group in groups.items():
        found[code].append(group)
    return [_currency(code, found[code], window) for code in sorted(found)]


def _currency(code: str, groups: Iterable[Group], window: Window) -> Currency:
    found = Currency(code, [Sums() for _begin in window.begins], list(groups))
    for group in found.groups:
        for step, part in group.steps.items():
            for whole in (group.whole, found.steps[step], found.whole):
                _join(whole, part)
    found.groups.sort(key=lambda group: (-group.whole.total, group.names))
    return found


def _join(whole: Sums, part: Sums) -> None:
    whole.posted = WIDE.add(whole.posted, part.posted)
    whole.usage = WIDE.add(whole.usage, part.usage)
    whole.lost = WIDE.add(whole.lost, part.lost)
    whole.vain = WIDE.add(whole.vain, part.vain)
    whole.failures = WIDE.add(whole.failures, part.failures)


def joined(parts: Iterable[Sums]) -> Sums:
    whole = Sums()
    for part in parts:
        _join(whole, part)
    return whole


def delivered_in(asked: Asked, window: Window) -> dict[str, int]:
    """Objects that arrived, by flow; of flows in which none did, nothing."""
    found: dict[str, int] = defaultdict(int)
    runs = cover(window.start, window.end)
    for cell in read(asked.tenant, FLOW, runs, flow=asked.flow, fields=("ended.delivered",)):
        found[cell["flow"]] += cell.get("ended", {}).get(v.DELIVERED, 0)
    return {flow: count for flow, count in found.items() if count}


def each(total: Decimal, count: int) -> Decimal | None:
    """What one of `count` cost, rounded half to even to nine digits after the point."""
    if not count:
        return None
    return _SHARING.divide(total, Decimal(count)).quantize(_EACH, context=_SHARING)


# --- The window ----------------------------------------------------------------------------------


def usual_cost_step(start: datetime, end: datetime) -> str:
    """An hour at least; weeks, which months are not made of, are months here."""
    step = usual_step(start, end)
    return {"m": "1h", "w": "1mo"}.get(step[-1], step)


def by_the_hour(window: Window) -> Window:
    """What costs can be told of: full hours; and steps of days, weeks and months are those of the
    calendar, which are read as such: the first and the last may be cut short.

    Raises `BadRequest` where steps begin within an hour.
    """
    wide = window.by_the_hour()
    count, unit = count_and_unit(wide.step)
    if unit in ("d", "w", "mo"):
        return Window(wide.start, wide.end, wide.step, tuple(_calendar(wide, count, unit)))
    if any(floor_hour(begin) != begin for begin in wide.begins):
        raise BadRequest(
            "bad_parameter",
            "Costs are known by the hour: step is a number of full hours, days, weeks or months.",
            parameter="step",
        )
    return wide


def _calendar(window: Window, count: int, unit: str) -> Iterator[datetime]:
    """The start; then midnights, Mondays, or months that are a multiple away from January."""
    yield window.start
    day, month = floor_day(window.start), floor_month(window.start)
    if unit == "mo":
        begin = months_after(month, count - (month.month - 1) % count)
    else:
        begin = day + count * DAY if unit == "d" else day + count * WEEK - day.weekday() * DAY
    while begin < window.end:
        yield begin
        if unit == "mo":
            begin = months_after(begin, count)
        else:
            begin += count * (DAY if unit == "d" else WEEK)
