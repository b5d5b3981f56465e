"""What records cost, read off the raw journal one by one. Shares nothing with the product.

docs/status-rules.md (C1-C5, B1, B2, T1-T6) and docs/costs.md, said once more in the simplest way,
for flows without a definition. Every figure is a plain sum of decimals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Context, Decimal, Inexact, getcontext, setcontext
from itertools import groupby
from typing import Any

RANK = {"queued": 0, "started": 1, "skipped": 2, "succeeded": 3, "filtered": 4, "failed": 5}

Document = dict[str, Any]


def exactly() -> None:
    """A digit lost is an error from here on."""
    setcontext(Context(prec=400, traps=[Inexact]))


def figure() -> Decimal:
    return Decimal(0)


@dataclass
class Naive:
    """`spent`: currency, day, flow, block, resource, unit (empty: posted), lost, in vain → amount;
    `by_hour`: currency, hour, flow, lost, in vain → amount; `unpriced`: resource, unit → quantity;
    `delivered`: flow, day → objects."""

    spent: dict[tuple[Any, ...], Decimal] = field(default_factory=lambda: defaultdict(figure))
    by_hour: dict[tuple[Any, ...], Decimal] = field(default_factory=lambda: defaultdict(figure))
    unpriced: dict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(figure))
    delivered: dict[tuple[str, datetime], int] = field(default_factory=lambda: defaultdict(int))
    statuses: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    records: int = 0
    counting: int = 0
    lines: int = 0


def summed(database: Any, tenant: str) -> Naive:
    """`database`: PyMongo's, whose moments are naive and in UTC."""
    assert getcontext().traps[Inexact]
    found = Naive()
    rates = list(database["resource_rate"].find({"tenant_id": tenant}))
    journal = database["journal"].find({"tenant": tenant}).sort([("tenant", 1), ("transaction", 1)])
    for _transaction, records in groupby(journal, key=lambda document: document["transaction"]):
        _take(found, list(records), rates)
    return found


def _take(found: Naive, records: list[Document], rates: list[Document]) -> None:
    counting = list(_counting(records))
    found.records += len(records)
    found.counting += len(counting)
    decided = {
        name: _decided([record for record in counting if record["block"] == name])
        for name in {record["block"] for record in counting}
    }
    status = _status(list(decided.values()))
    found.statuses[status] += 1
    vain = status in ("failed", "filtered")
    flow = min(counting, key=_key)["flow"]
    if status == "delivered":
        last = max(record["occurred_at"] for record in counting)
        found.delivered[flow, _day(last)] += 1
    for record in counting:
        block = decided[record["block"]]
        lost = record["attempt"] != block["attempt"] or block["status"] == "failed"
        for currency, resource, unit, amount in _lines(record, rates):
            found.lines += 1
            if currency is None:
                found.unpriced[resource, unit] += amount
                continue
            at = record["occurred_at"]
            names = (flow, record["block"], resource, unit)
            found.spent[(currency, _day(at), *names, lost, vain)] += amount
            found.by_hour[currency, _hour(at), flow, lost, vain] += amount


def _lines(
    record: Document, rates: list[Document]
) -> Iterator[tuple[str | None, str, str, Decimal]]:
    """Currency (None: no price), resource, unit (empty: posted), and amount, or quantity."""
    part = record.get("part", {})
    for used in part.get("usage", ()):
        resource, unit, quantity = used["resource"], used["unit"], Decimal(used["quantity"])
        rate = _rate(rates, resource, unit, record["occurred_at"])
        if rate is None:
            yield None, resource, unit, quantity
        else:
            yield rate["currency"], resource, unit, quantity * rate["price"].to_decimal()
    if cost := part.get("cost"):
        yield cost["currency"], "", "", Decimal(cost["amount"])


def _rate(rates: list[Document], resource: str, unit: str, at: datetime) -> Document | None:
    for rate in rates:
        if (rate["resource"], rate["unit"]) != (resource, unit) or at < rate["valid_from"]:
            continue
        if rate.get("valid_to") is None or at < rate["valid_to"]:
            return rate
    return None


# --- Which records count, and what became of the object -------------------------------------------


def _id(record: Document) -> str:
    return record["_id"].split("/", 1)[1]


def _key(record: Document) -> tuple[datetime, int, str]:
    return record["occurred_at"], RANK[record["status"]], _id(record)


def _counting(records: list[Document]) -> Iterable[Document]:
    aims = {_id(record): record["corrects"] for record in records if record.get("corrects")}
    circular = {start for start in aims if _comes_back(start, aims)}
    withdrawn = {
        target for source, target in aims.items() if not (source in circular and target in circular)
    }
    left = [record for record in records if _id(record) not in withdrawn]
    real = [r for r in left if not (r["status"] == "skipped" and r.get("corrects"))]
    # what only takes back counts where nothing else is left, as filtered (C5)
    return real or [{**record, "status": "filtered"} for record in left]


def _comes_back(start: str, aims: dict[str, str]) -> bool:
    at = start
    for _ in aims:
        at = aims.get(at, "")
        if at == start:
            return True
    return False


def _decided(records: list[Document]) -> Document:
    highest = max(record["attempt"] for record in records)
    return max((r for r in records if r["attempt"] == highest), key=_key)


def _status(blocks: list[Document]) -> str:
    finals = [b for b in blocks if b.get("final") and b["status"] not in ("queued", "started")]
    if finals:
        said = max(finals, key=_key)["status"]
        return "delivered" if said in ("succeeded", "skipped") else said
    egress = [block for block in blocks if block["stage"] == "egress"]
    if egress:
        last = max(egress, key=_key)
        worse = [b for b in blocks if b["status"] in ("failed", "filtered")]
        if last["status"] == "succeeded" and not any(
            b["occurred_at"] > last["occurred_at"] for b in worse
        ):
            return "delivered"
    if any(block["status"] == "filtered" for block in blocks):
        return "filtered"
    for block in blocks:
        if block["status"] == "failed" and not any(
            b["status"] == "succeeded" and b["occurred_at"] > block["occurred_at"] for b in blocks
        ):
            return "failed"
    return "in_transit"


def _hour(moment: datetime) -> datetime:
    return moment - timedelta(
        minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond
    )


def _day(moment: datetime) -> datetime:
    return _hour(moment) - timedelta(hours=moment.hour)
