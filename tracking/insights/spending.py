"""What was spent, read from rollups: usage at the price of its hour, and posted amounts.

Prices change on full hours. Cells are read so that none has a change inside, so all of a cell's
usage has one price, and sums of cells are exactly what their records cost one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tracking.core.pricing import WIDE, PriceList, Rate
from tracking.insights.cells import ROLLUP, Run, cover
from tracking.insights.windows import floor_hour
from tracking.models.rollups import COST, NAMES, USAGE
from tracking.mongo.connection import collection

# A quantity or an amount is the sum of four numbers of nine digits each, times 10^-18.
_LIMBS: Final = ("q0", "q1", "q2", "q3")
_PLACES: Final = -18
_NINE: Final = 10**9


@dataclass(frozen=True, slots=True)
class Line:
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
    """What is asked about; the caller has made sure that the tenant may be seen."""

    tenant: str
    flow: str | None = None
    block: str | None = None

    @property
    def where(self) -> dict[str, Any]:
        named = {"tenant": self.tenant, "flow": self.flow, "block": self.block}
        return {name: value for name, value in named.items() if value is not None}


def added_up(
    asked: Asked, bounds: Sequence[datetime], names: Sequence[str], prices: PriceList
) -> Iterator[Line]:
    """Usage, then posted amounts, in no order; `bounds`: no line lies across one of them."""
    for kind in (USAGE, COST):
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
    for run in _runs(bounds, prices.changes() if kind == USAGE else ()):
        for row in collection(ROLLUP).aggregate([matching(asked, kind, run), *stages]):
            yield _line(row, names, prices)


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


def _line(row: dict[str, Any], names: Sequence[str], prices: PriceList) -> Line:
    named = row["_id"]
    scaled = 0
    for limb in reversed(_LIMBS):
        scaled = scaled * _NINE + row.get(limb, 0)
    quantity = WIDE.scaleb(Decimal(scaled), _PLACES)
    resource, unit = named.get("resource", ""), named.get("unit", "")
    rate = None
    amount: Decimal | None = quantity
    currency = named.get("currency")
    if currency is None:
        rate = prices.at(resource, unit, named["at"])
        amount = WIDE.multiply(quantity, rate.price) if rate is not None else None
        currency = rate.currency if rate is not None else None
    return Line(
        at=named["at"],
        names=tuple(named[name] for name in names),
        resource=resource,
        unit=unit,
        quantity=quantity,
        rate=rate,
        currency=currency,
        amount=amount,
        lost=bool(named["lost"]),
        vain=bool(named["vain"]),
    )
