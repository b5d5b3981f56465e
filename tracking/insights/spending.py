"""What was spent, read from rollups: usage at the price of its hour, and posted amounts.

Prices change on full hours. Cells are read so that none has a change inside, so all of a cell's
usage has one price, and sums of cells are exactly what their records cost one by one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

from tracking.core.pricing import WIDE, PriceList, Rate
from tracking.insights.cells import ROLLUP, Run, cover
from tracking.insights.windows import DAY, HOUR, floor_hour
from tracking.models.rollups import COST, NAMES, USAGE
from tracking.mongo.connection import collection

# A quantity or an amount is the sum of four numbers of nine digits each, times 10^-18.
_LIMBS: Final = ("q0", "q1", "q2", "q3")
_PLACES: Final = -18
# Queries that are worth less to read: of more, cells are put together here.
_CHANGES_MOST: Final = 24
_SPLITS_MOST: Final = 3
_MS: Final = timedelta(milliseconds=1)


class Line(NamedTuple):
    """Usage of one unit of a resource, or amounts posted in one currency (`resource` is empty).

    `names`: the cells' values of the fields asked for. Usage without a price has no `rate`,
    `currency` or `amount`.
    """

    at: datetime
    names: tuple[str, ...]
    resource: str
    unit: str
    quantity: Decimal
    rate: Rate | None
    currency: str | None
    amount: Decimal | None
    lost: bool
    vain: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about; the caller has made sure that the tenant may be seen.

    With a resource only its usage: posted amounts are of none.
    """

    tenant: str
    flow: str | None = None
    block: str | None = None
    resource: str | None = None

    @property
    def where(self) -> dict[str, Any]:
        """As a filter on cells of usage, and without a resource on those of cost."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def added_up(
    asked: Asked, bounds: Sequence[datetime], names: Sequence[str], prices: PriceList
) -> Iterator[Line]:
    """Usage, then posted amounts, in no order, with as few lines as there can be; no line lies
    across one of `bounds`, and its `at` is the first moment that it may lie in."""
    for kind in (USAGE, COST) if asked.resource is None else (USAGE,):
        for run, moment in parts(bounds, prices.changes() if kind == USAGE else ()):
            yield from _lines(asked, kind, run, names, prices, grouping(kind, names, moment))


def in_order(
    asked: Asked, bounds: Sequence[datetime], names: Sequence[str], prices: PriceList, kind: str
) -> Iterator[Line]:
    """Lines of one kind by time, as many as there are cells; read as they are asked for."""
    changes = _hours(prices.changes()) if kind == USAGE else ()
    for run in cover(bounds[0], bounds[-1], breaks={*bounds, *changes}):
        yield from _lines(asked, kind, run, names, prices, ordering(kind, names))


def _lines(
    asked: Asked,
    kind: str,
    run: Run,
    names: Sequence[str],
    prices: PriceList,
    stages: list[dict[str, Any]],
) -> Iterator[Line]:
    tell = _posted if kind == COST else _Priced(prices)
    for row in collection(ROLLUP).aggregate([matching(asked, kind, run), *stages]):
        named = row["_id"]
        at = max(named["at"], run.start)
        yield tell(row, named, at, tuple([named[name] for name in names]))


# --- What is read --------------------------------------------------------------------------------


def parts(bounds: Sequence[datetime], changes: Iterable[datetime]) -> Iterator[tuple[Run, Any]]:
    """The cells to read, and by which moment the server puts them together: that of the step, or
    where prices change within it, of the time between changes."""
    start, end = bounds[0], bounds[-1]
    inside = sorted({change for change in _hours(changes) if start < change < end})
    if len(inside) > _CHANGES_MOST:
        for run in cover(start, end, breaks={*bounds, *inside}):
            yield run, "$at"
        return
    for begin, until in pairwise((start, *inside, end)):
        for run in cover(begin, until, breaks=bounds):
            yield from _put_together(run, bounds)


def _put_together(run: Run, bounds: Sequence[datetime]) -> Iterator[tuple[Run, Any]]:
    """The moment is that of the cell, of the run, or the beginning of a step by its width."""
    inside = bounds[bisect_right(bounds, run.start) : bisect_left(bounds, run.end)]
    cells = (run.end - run.start) // (HOUR if run.grain == "hour" else DAY)
    # sums of a month's cells are far from where the server's would run over; of years' they are not
    if run.grain == "month" or len(inside) == cells - 1:
        yield run, "$at"
    elif len(inside) <= _SPLITS_MOST:
        for begin, end in pairwise((run.start, *inside, run.end)):
            yield Run(run.grain, begin, end), {"$literal": begin}
    elif len(widths := {after - before for before, after in pairwise(inside)}) == 1:
        [width] = widths
        beyond = {"$subtract": ["$at", inside[0] - width]}
        yield run, {"$subtract": ["$at", {"$mod": [beyond, width // _MS]}]}
    else:
        yield run, "$at"


def _hours(moments: Iterable[datetime]) -> set[datetime]:
    # nothing of ours records a price that does not begin on the hour
    return set(map(floor_hour, moments))


def matching(asked: Asked, kind: str, run: Run) -> dict[str, Any]:
    at = {"$gte": run.start, "$lt": run.end}
    return {"$match": {**asked.where, "kind": kind, "grain": run.grain, "at": at}}


def grouping(kind: str, names: Collection[str], moment: Any) -> list[dict[str, Any]]:
    """Cells that have the same names, as one for each moment."""
    sums = {name: {"$sum": f"${name}"} for name in _LIMBS}
    return [{"$group": {"_id": _naming(kind, names, moment), **sums}}]


def ordering(kind: str, names: Collection[str]) -> list[dict[str, Any]]:
    """Cells by time, in the order of the index."""
    shape = {"_id": _naming(kind, names, "$at"), **dict.fromkeys(_LIMBS, 1)}
    return [{"$sort": {"at": 1}}, {"$project": shape}]


def _naming(kind: str, names: Collection[str], moment: Any) -> dict[str, Any]:
    own = [name for name in NAMES[kind] if name != "block"]
    return {"at": moment, **{name: f"${name}" for name in (*names, *own)}}


# --- What it is ----------------------------------------------------------------------------------


def _exact(row: dict[str, Any]) -> Decimal:
    get = row.get
    scaled = (
        get("q0", 0)
        + get("q1", 0) * 1_000_000_000
        + get("q2", 0) * 1_000_000_000_000_000_000
        + get("q3", 0) * 1_000_000_000_000_000_000_000_000_000
    )
    if not isinstance(scaled, int):
        raise OverflowError("A sum of rollups ran over 64 bits.")
    return Decimal(scaled).scaleb(_PLACES, WIDE)


def _posted(
    row: dict[str, Any], named: dict[str, Any], at: datetime, names: tuple[str, ...]
) -> Line:
    amount, lost, vain = _exact(row), bool(named["lost"]), bool(named["vain"])
    return Line(at, names, "", "", amount, None, named["currency"], amount, lost, vain)


class _Priced:
    """Usage at the price of its hour; a page reads tens of thousands, at few prices."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._known: dict[tuple[str, str, datetime], Rate | None] = {}

    def __call__(
        self, row: dict[str, Any], named: dict[str, Any], at: datetime, names: tuple[str, ...]
    ) -> Line:
        resource, unit = named["resource"], named["unit"]
        key = resource, unit, at
        try:
            rate = self._known[key]
        except KeyError:
            rate = self._known[key] = self._prices.at(*key)
        quantity, lost, vain = _exact(row), bool(named["lost"]), bool(named["vain"])
        if rate is None:
            return Line(at, names, resource, unit, quantity, None, None, None, lost, vain)
        amount = WIDE.multiply(quantity, rate.price)
        return Line(at, names, resource, unit, quantity, rate, rate.currency, amount, lost, vain)
