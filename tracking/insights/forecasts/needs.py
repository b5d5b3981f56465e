"""What the load to come needs: storage, and of each resource how much at what cost.

Needs are in proportion to records: so much as each took on average in the last four weeks. Their
intervals are those of the records. Amounts are decimals, of each currency apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from pymongo.errors import OperationFailure

from tracking.core.pricing import PriceList
from tracking.insights.forecasts.series import MEASURES, RECORDS
from tracking.insights.spending import Asked, added_up
from tracking.insights.sums import total
from tracking.insights.windows import DAY, floor_day
from tracking.mongo.connection import collection

LATELY: Final = 28 * DAY
# An estimate is not worth more digits.
ESTIMATED: Final = Context(prec=9, rounding=ROUND_HALF_EVEN)
SPANS: Final = ("day", "week", "month")
BYTES: Final = "bytes"
RECORDS_LEAST: Final = 10_000
# What grows with every record; the rest is small or bounded.
_GROWING: Final = (
    "journal",
    "seal_queue",
    "log_segment",
    "transaction",
    "block_progress",
    "rollup_part",
)

Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """`low` and `high`: what it lies between 8 times of 10, and 95 times of 100."""

    expected: Decimal
    low80: Decimal
    high80: Decimal
    low95: Decimal
    high95: Decimal

    def times(self, each: Decimal) -> Bounds:
        return Bounds(
            *(ESTIMATED.multiply(value, each) for value in self._all()),
        )

    def _all(self) -> tuple[Decimal, ...]:
        return self.expected, self.low80, self.high80, self.low95, self.high95


@dataclass(frozen=True, slots=True)
class Need:
    """`unit` of records and storage is a word of ours; `cost` None: there is no price, or it is
    nothing that has one. `lately`: of the last four weeks. `by_span`: day, week, month, as far
    as these are told."""

    what: str
    resource: str
    unit: str
    lately: Decimal
    by_span: Mapping[str, Bounds]
    currency: str = ""
    price: Decimal | None = None
    costs: Mapping[str, Bounds] | None = None


def use_of(tenant: str, flow: str, moment: datetime) -> Shape:
    """What the records of the last four weeks took, as it is kept with a forecast."""
    end = floor_day(moment)
    start = end - LATELY
    kind, numbers = MEASURES[RECORDS]
    records = sum(total(tenant, kind, start, end, numbers=numbers, flow=flow or None).values())
    used: dict[tuple[str, str], Decimal] = {}
    posted: dict[str, Decimal] = {}
    # without prices: what it costs is worked out when it is read
    for line in added_up(Asked(tenant, flow or None), (start, end), (), PriceList()):
        if line.resource:
            key = line.resource, line.unit
            used[key] = used.get(key, Decimal(0)) + line.quantity
        elif line.currency is not None:
            posted[line.currency] = posted.get(line.currency, Decimal(0)) + line.quantity
    return {
        "from": start,
        "to": end,
        "records": records,
        "used": [
            {"resource": resource, "unit": unit, "quantity": format(quantity, "f")}
            for (resource, unit), quantity in sorted(used.items())
        ],
        "posted": [
            {"currency": currency, "amount": format(amount, "f")}
            for currency, amount in sorted(posted.items())
        ],
        "record_bytes": record_bytes(),
    }


def record_bytes() -> float | None:
    """What a record takes on disk with all that is derived of it, indexes included; of all tenants
    alike. None where the database does not tell, or too little is recorded: files have a size of
    their own."""
    size = count = 0
    for name in _GROWING:
        try:
            rows = list(collection(name).aggregate([{"$collStats": {"storageStats": {}}}]))
        except OperationFailure:
            if name == _GROWING[0]:
                return None
            continue
        for row in rows:  # one for each shard
            stats = row["storageStats"]
            size += stats["storageSize"] + stats["totalIndexSize"]
            if name == _GROWING[0]:
                count += stats["count"]
    return size / count if count >= RECORDS_LEAST else None


def needs_of(
    use: Shape, totals: Iterable[Shape], prices: PriceList, moment: datetime
) -> list[Need]:
    """`totals`: of records, as kept; at the prices of `moment`."""
    spans = {each["span"]: _bounds(each) for each in totals}
    records = Decimal(use["records"])
    found = [Need("records", "", "records", records, spans)]
    if use["record_bytes"]:
        each = Decimal(str(use["record_bytes"]))
        found.append(_need("storage", "", BYTES, records, each, spans))
    if not records:
        return found
    for row in use["used"]:
        quantity = Decimal(row["quantity"])
        each = ESTIMATED.divide(quantity, records)
        resource, unit = row["resource"], row["unit"]
        rate = prices.at(resource, unit, moment)
        by_span = _scaled(spans, each)
        found.append(
            Need(
                "resource",
                resource,
                unit,
                quantity,
                by_span,
                rate.currency if rate else "",
                rate.price if rate else None,
                _scaled(by_span, rate.price) if rate else None,
            )
        )
    for row in use["posted"]:
        amount = Decimal(row["amount"])
        by_span = _scaled(spans, ESTIMATED.divide(amount, records))
        found.append(Need("posted", "", "", amount, by_span, row["currency"], None, by_span))
    return found


def cost_of(needs: Sequence[Need]) -> dict[str, dict[str, Bounds]]:
    """By currency and span, all that has a price and all that is posted together."""
    found: dict[str, dict[str, Bounds]] = {}
    for need in needs:
        for span, bounds in (need.costs or {}).items():
            of_currency = found.setdefault(need.currency, {})
            before = of_currency.get(span)
            of_currency[span] = _added(before, bounds) if before else bounds
    return dict(sorted(found.items()))


def _need(
    what: str,
    resource: str,
    unit: str,
    records: Decimal,
    each: Decimal,
    spans: Mapping[str, Bounds],
) -> Need:
    lately = ESTIMATED.multiply(records, each)
    return Need(what, resource, unit, lately, _scaled(spans, each))


def _scaled(spans: Mapping[str, Bounds], each: Decimal) -> dict[str, Bounds]:
    return {span: bounds.times(each) for span, bounds in spans.items()}


def _added(one: Bounds, other: Bounds) -> Bounds:
    # all costs are in proportion to the same records: their bounds are reached together
    return Bounds(
        *(
            ESTIMATED.add(mine, theirs)
            for mine, theirs in zip(one._all(), other._all(), strict=True)
        )
    )


def _bounds(total_: Shape) -> Bounds:
    names = ("expected", "low80", "high80", "low95", "high95")
    return Bounds(*(Decimal(str(total_[name])) for name in names))
