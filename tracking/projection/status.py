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
    for the sealer (counted to 1,000); `behind_seconds`: age of the record that the
    sealer or the follower takes next, whichever is older; 0 when lists show all;
    `queue_seconds`: age of the record that the sealer takes next, 0 when none waits."""

    leaf: int
    log_size: int
    queued: int
    behind_seconds: float
    queue_seconds: float = 0.0


def lag(moment: datetime) -> Lag:
    """The lists' freshness at `moment`."""
    cursor = collection(CURSOR).find_one({"_id": CURSOR_NAME})
    leaf = int(cursor["leaf"]) if cursor else 0
    size = log_size()
    queued = collection(SEAL_QUEUE).count_documents({}, limit=1_000)
    waiting: list[datetime] = []
    queue_seconds = 0.0
    if leaf < size:
        waiting += [batch["recorded_at"] for batch in next_batches(leaf, least=1)[:1]]
    if queued:
        order = [("recorded_at", 1), ("_id", 1)]
        first = collection(SEAL_QUEUE).find_one({}, {"recorded_at": 1}, sort=order)
        if first:
            waiting.append(first["recorded_at"])
            queue_seconds = max(0.0, (moment - first["recorded_at"]).total_seconds())
    behind = max(0.0, (moment - min(waiting)).total_seconds()) if waiting else 0.0
    return Lag(leaf, size, queued, behind, queue_seconds)
