"""Reading the log by leaf index."""

from __future__ import annotations

from typing import Any

from tracking.mongo.connection import collection

CURSOR = "cursor"
CURSOR_NAME = "transactions"
SEGMENT = "log_segment"
SEAL_QUEUE = "seal_queue"


def log_size() -> int:
    """The number of leaves in the log."""
    last = collection(SEGMENT).find_one({}, {"count": 1}, sort=[("_id", -1)])
    return int(last["_id"] + last["count"]) if last else 0


def next_batches(leaf: int, *, least: int) -> list[dict[str, Any]]:
    """The batches from leaf index `leaf` on, in log order, until they hold `least` leaves.

    `leaf` is the first leaf of a batch, or the size of the log (then there are none).
    """
    segments = collection(SEGMENT)
    holding = segments.find_one({"_id": {"$lte": leaf}}, {"_id": 1}, sort=[("_id", -1)])
    if holding is None:
        return []
    found: list[dict[str, Any]] = []
    held = 0
    rows = segments.find({"_id": {"$gte": holding["_id"]}}, {"leaves": 0}, batch_size=16)
    for segment in rows.sort("_id", 1):
        at = segment["_id"]
        for batch in segment["batches"]:
            if at >= leaf:
                found.append(batch)
                held += batch["count"]
                if held >= least:
                    return found
            at += batch["count"]
    return found
