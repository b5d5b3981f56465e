"""One object's page: its lifetime and its cost from its own journal records, never stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tracking.core.costs import ObjectCost, object_cost, resources_in
from tracking.core.lifetime import Lifetime, fold
from tracking.core.pricing import PriceList
from tracking.models.price_list import prices_of
from tracking.projection import journal
from tracking.projection.definitions import definitions_of

# Beyond it a page would take seconds; the list entry, derived by the follower, is complete.
RECORDS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Live:
    """A lifetime and the records it was read from; `truncated`: there are more of them."""

    lifetime: Lifetime
    recorded: int
    truncated: bool
    records: Sequence[dict[str, Any]] = field(repr=False)


def lifetime_of(tenant: str, transaction: str) -> Live | None:
    """The lifetime as of now, or None where no record names the transaction."""
    records = list(journal.records_of(tenant, transaction, limit=RECORDS_MAX + 1))
    if not records:
        return None
    kept = records[:RECORDS_MAX]
    return Live(fold(kept, definitions_of(tenant)), len(kept), len(records) > RECORDS_MAX, kept)


def cost_of(tenant: str, live: Live) -> ObjectCost:
    """What it cost, at the prices as they are listed now: those of the time of each event."""
    used = resources_in(live.records)
    prices = prices_of(tenant, used) if used else PriceList()
    return object_cost(live.records, live.lifetime, prices)
