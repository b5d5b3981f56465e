"""How fresh the lists are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tracking.mongo.connection import collection
from tracking.projection.log import (
    CURSOR,
    CURSOR_NAME,
    SEAL_QUEUE,
    log_size,
    next_batches,
)


@dataclass(frozen=True, slots=True)
class Lag:
    """`leaf`: the next leaf to derive; `log_size`: leaves sealed; `queued`: batches that wait
    for the sealer (counted to 1,000); `behind_seconds`: age of the oldest record that lists
    do not show yet, 0 when they show all."""

    leaf: int
    log_size: int
    queued: int
    behind_seconds: float


def lag(moment: datetime) -> Lag:
    """The lists' freshness at `moment`."""
    cursor = collection(CURSOR).find_one({"_id": CURSOR_NAME})
    leaf = int(cursor["leaf"]) if cursor else 0
    size = log_size()
    queued = collection(SEAL_QUEUE).count_documents({}, limit=1_000)
    oldest: datetime | None = None
    if leaf < size:
        oldest = next_batches(leaf, least=1)[0]["recorded_at"]
    elif queued:
        waiting = collection(SEAL_QUEUE).find_one(
            {}, {"recorded_at": 1}, sort=[("recorded_at", 1), ("_id", 1)]
        )
        oldest = waiting["recorded_at"] if waiting else None
    behind = max(0.0, (moment - oldest).total_seconds()) if oldest else 0.0
    return Lag(leaf, size, queued, behind)
