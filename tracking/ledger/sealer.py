"""Batches → log segments (docs/integrity.md).

Any number of sealers may run. Safety rests on two unique keys alone: a segment's start index
and the batch ids in it. A rival's segment makes the insert fail, everything is dropped and
read again. A crash between the insert and the clean-up of the queue is repaired by whoever
comes next, because an entry that is in a segment already is only deleted.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from pymongo.errors import DuplicateKeyError

from tracking import clock
from tracking import vocabulary as v
from tracking.mongo.connection import collection, is_unavailable

logger = logging.getLogger(__name__)

SEAL_QUEUE = "seal_queue"
LOG_SEGMENT = "log_segment"
_IDLE_SECONDS = 0.1
# Between small segments: one for each of many small posts would cost more than the posts, and
# whoever reads the log later would read as many.
_GATHER_SECONDS = 0.1
_SMALL_SEGMENT = v.SEGMENT_LEAVES // 2
_LONGEST_PAUSE = 5.0
_ENTRIES = 1_000


def log_size() -> int:
    """The number of leaves in the log."""
    last = collection(LOG_SEGMENT).find_one({}, projection={"count": 1}, sort=[("_id", -1)])
    return int(last["_id"] + last["count"]) if last else 0


def seal_once() -> int:
    """Seal what waits in the queue into at most one segment; returns the leaves sealed.

    0 means that there was nothing to do or that a rival was first: in either case look again.
    """
    queue = collection(SEAL_QUEUE)
    entries = list(queue.find().sort([("recorded_at", 1), ("_id", 1)]).limit(_ENTRIES))
    if not entries:
        return 0
    sealed = _already_sealed([entry["_id"] for entry in entries])
    if sealed:
        queue.delete_many({"_id": {"$in": sorted(sealed)}})
    chosen: list[dict[str, Any]] = []
    leaves = 0
    for entry in entries:
        if entry["_id"] in sealed:
            continue
        if chosen and leaves + entry["count"] > v.SEGMENT_LEAVES:
            break
        chosen.append(entry)
        leaves += entry["count"]
    if not chosen:
        return 0
    segment = {
        "_id": log_size(),
        "count": leaves,
        "sealed_at": clock.now(),
        "batches": [
            {
                "batch": entry["_id"],
                "tenant": entry["tenant"],
                "recorded_at": entry["recorded_at"],
                "count": entry["count"],
            }
            for entry in chosen
        ],
        "leaves": b"".join(entry["leaves"] for entry in chosen),
    }
    try:
        collection(LOG_SEGMENT).insert_one(segment)
    except DuplicateKeyError:
        return 0
    queue.delete_many({"_id": {"$in": [entry["_id"] for entry in chosen]}})
    return leaves


def _already_sealed(batches: list[str]) -> set[str]:
    """Those of `batches` that stand in a segment."""
    found = collection(LOG_SEGMENT).aggregate(
        [
            {"$match": {"batches.batch": {"$in": batches}}},
            {"$project": {"batch": "$batches.batch"}},
        ]
    )
    wanted = set(batches)
    return {batch for segment in found for batch in segment["batch"] if batch in wanted}


def seal_until(stop: threading.Event) -> None:
    """Seal until told to stop; a database that is away is waited for."""
    pause = _IDLE_SECONDS
    while not stop.is_set():
        try:
            sealed = seal_once()
            pause = _IDLE_SECONDS
        except Exception as error:
            sealed = 0
            pause = min(pause * 2, _LONGEST_PAUSE)
            if is_unavailable(error):
                logger.warning("sealing waits for MongoDB: %s", type(error).__name__)
            else:
                # A sealer that ended would be missed by nobody until somebody read the lag.
                logger.exception("sealing failed and tries again")
        if not sealed:
            stop.wait(pause)
        elif sealed < _SMALL_SEGMENT:
            stop.wait(_GATHER_SECONDS)
