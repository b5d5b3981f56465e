"""What one object cost: its records' usage at the price of their event time, and posted amounts.

Pure. The records that count are those of the reducer (docs/status-rules.md, C1-C5), so its sums of
usage and of posted amounts are these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tracking import vocabulary as v
from tracking.core.blocks import Document, part_of, record_id
from tracking.core.corrections import withdraws_only
from tracking.core.lifetime import Lifetime
from tracking.core.pricing import Bill, PriceList

NOT_ARRIVED: Final = frozenset((v.TX_FAILED, v.TX_FILTERED))


@dataclass(slots=True)
class BlockCost:
    """`lost` is the part of `whole` spent on attempts that failed or were superseded."""

    name: str
    whole: Bill
    lost: Bill


@dataclass(slots=True)
class ObjectCost:
    """`blocks`: those that cost anything, in the order of the lifetime."""

    blocks: list[BlockCost]
    whole: Bill
    lost: Bill
    arrived: bool

    @property
    def in_vain(self) -> Bill | None:
        """All of it, where the object failed or was filtered: spent without arriving."""
        return None if self.arrived else self.whole


def object_cost(records: Sequence[Document], lifetime: Lifetime, prices: PriceList) -> ObjectCost:
    """The cost of a transaction's journal documents, which `lifetime` was folded from."""
    # an attempt is lost when a later one took its place, or when it is the last one and failed
    kept = {
        block.name: block.deciding.number for block in lifetime.blocks if block.status != v.FAILED
    }
    lasting = {block.name: Bill() for block in lifetime.blocks}
    lost = {block.name: Bill() for block in lifetime.blocks}
    for record in _counting(records, lifetime.withdrawn):
        part = part_of(record)
        name = record["block"]
        bill = (lasting if record["attempt"] == kept.get(name) else lost)[name]
        for used in part.get("usage") or ():
            resource, unit, quantity = used["resource"], used["unit"], Decimal(used["quantity"])
            bill.use(resource, unit, quantity, prices.at(resource, unit, record["occurred_at"]))
        if cost := part.get("cost"):
            bill.post(cost["currency"], Decimal(cost["amount"]))
    blocks = (
        BlockCost(name, _sum((bill, lost[name])), lost[name]) for name, bill in lasting.items()
    )
    found = [block for block in blocks if block.whole]
    return ObjectCost(
        blocks=found,
        whole=_sum(block.whole for block in found),
        lost=_sum(block.lost for block in found),
        arrived=lifetime.status not in NOT_ARRIVED,
    )


def resources_in(records: Iterable[Document]) -> set[str]:
    """The resources whose prices the records ask for."""
    return {used["resource"] for record in records for used in part_of(record).get("usage") or ()}


def _counting(records: Sequence[Document], withdrawn: Set[str]) -> Iterator[Document]:
    """The records that count, each once; those that only withdraw where nothing else is left."""
    by_id = {record_id(record): record for record in records}
    left = [record for name, record in by_id.items() if name not in withdrawn]
    real = [record for record in left if not withdraws_only(record)]
    return iter(real or left)


def _sum(bills: Iterable[Bill]) -> Bill:
    whole = Bill()
    for bill in bills:
        whole.add(bill)
    return whole
