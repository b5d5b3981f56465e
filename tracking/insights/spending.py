"""What was spent, read from rollups: usage at the price of its hour, and posted amounts.

Prices change on full hours. Cells are read so that none has a change inside, so all of a cell's
usage has one price, and sums of cells are exactly what their records cost one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from tracking.core.pricing import WIDE, PriceList, Rate
from tracking.insights.cells import ROLLUP, Run, cover
from tracking.insights.windows import floor_hour
from tracking.models.rollups import COST, NAMES, USAGE
from tracking.mongo.connection import collection

# A quantity or an amount is the sum of four numbers of nine digits each, times 10^-18.
_LIMBS: Final = ("q0", "q1", "q2", "q3")
_PLACES: Final = -18


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
    """Usage, then posted amounts, in no order; `bounds`: no line lies across one of them."""
    for kind in (USAGE, COST) if asked.resource is None else (USAGE,):
        yield from _lines(asked, kind, bounds, names, prices, grouping(kind, names))


def in_order(
    asked: Asked, bounds: Sequence[datetime], names: Sequence[str], prices: PriceList, kind: str
) -> Iterator[Line]:
    """Lines of one kind by time, as many as there are cells; read as they are asked for."""
    return _lines(asked, kind, bounds, names, prices, ordering(kind, names))


def _lines(
    asked: Asked,
    kind: str,
    bounds: Sequence[datetime],
    names: Sequence[str],
    prices: PriceList,
    stages: list[dict[str, Any]],
) -> Iterator[Line]:
    tell = _posted if kind == COST else _Priced(prices)
    for run in _runs(bounds, prices.changes() if kind == USAGE else ()):
        for row in collection(ROLLUP).aggregate([matching(asked, kind, run), *stages]):
            named = row["_id"]
            yield tell(row, named, tuple([named[name] for name in names]))


def _runs(bounds: Sequence[datetime], changes: Iterable[datetime]) -> list[Run]:
    # nothing of ours records a price that does not begin on the hour
    breaks = {*bounds, *map(floor_hour, changes)}
    return cover(bounds[0], bounds[-1], breaks=breaks)


def matching(asked: Asked, kind: str, run: Run) -> dict[str, Any]:
    at = {"$gte": run.start, "$lt": run.end}
    return {"$match": {**asked.where, "kind": kind, "grain": run.grain, "at": at}}


def grouping(kind: str, names: Collection[str]) -> list[dict[str, Any]]:
    """Cells of one time that have the same names, as one."""
    # by the time of the cell, too: within it the server's sums cannot run over
    sums = {name: {"$sum": f"${name}"} for name in _LIMBS}
    return [{"$group": {"_id": _naming(kind, names), **sums}}]


def ordering(kind: str, names: Collection[str]) -> list[dict[str, Any]]:
    """Cells by time, in the order of the index."""
    shape = {"_id": _naming(kind, names), **dict.fromkeys(_LIMBS, 1)}
    return [{"$sort": {"at": 1}}, {"$project": shape}]


def _naming(kind: str, names: Collection[str]) -> dict[str, str]:
    own = [name for name in NAMES[kind] if name != "block"]
    return {name: f"${name}" for name in ("at", *names, *own)}


def _exact(row: dict[str, Any]) -> Decimal:
    get = row.get
    scaled = (
        get("q0", 0)
        + get("q1", 0) * 1_000_000_000
        + get("q2", 0) * 1_000_000_000_000_000_000
        + get("q3", 0) * 1_000_000_000_000_000_000_000_000_000
    )
    return Decimal(scaled).scaleb(_PLACES, WIDE)


def _posted(row: dict[str, Any], named: dict[str, Any], names: tuple[str, ...]) -> Line:
    amount, lost, vain = _exact(row), bool(named["lost"]), bool(named["vain"])
    return Line(named["at"], names, "", "", amount, None, named["currency"], amount, lost, vain)


class _Priced:
    """Usage at the price of its hour; a page reads tens of thousands, at few prices."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._known: dict[tuple[str, str, datetime], Rate | None] = {}

    def __call__(self, row: dict[str, Any], named: dict[str, Any], names: tuple[str, ...]) -> Line:
        key = resource, unit, at = named["resource"], named["unit"], named["at"]
        try:
            rate = self._known[key]
        except KeyError:
            rate = self._known[key] = self._prices.at(*key)
        quantity, lost, vain = _exact(row), bool(named["lost"]), bool(named["vain"])
        if rate is None:
            return Line(at, names, resource, unit, quantity, None, None, None, lost, vain)
        amount = WIDE.multiply(quantity, rate.price)
        return Line(at, names, resource, unit, quantity, rate, rate.currency, amount, lost, vain)
