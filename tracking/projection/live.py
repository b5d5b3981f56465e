"""One object's page: its lifetime from its own journal records, never stale."""

from __future__ import annotations

from dataclasses import dataclass

from tracking.core.lifetime import Lifetime, fold
from tracking.projection import journal
from tracking.projection.definitions import definitions_of

# Beyond it a page would take seconds; the list entry, derived by the follower, is complete.
RECORDS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Live:
    """A lifetime and the number of records it was read from; `truncated`: there are more."""

    lifetime: Lifetime
    recorded: int
    truncated: bool


def lifetime_of(tenant: str, transaction: str) -> Live | None:
    """The lifetime as of now, or None where no record names the transaction."""
    records = list(journal.records_of(tenant, transaction, limit=RECORDS_MAX + 1))
    if not records:
        return None
    kept = records[:RECORDS_MAX]
    return Live(fold(kept, definitions_of(tenant)), len(kept), len(records) > RECORDS_MAX)
