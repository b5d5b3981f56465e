"""Batches → log segments → signed checkpoints (docs/integrity.md).

Any number of sealers may run. Safety rests on two unique keys alone: a segment's start index
and the batch ids in it. A rival's segment makes the insert fail, everything is dropped and
read again. A crash between any two steps is repaired by whoever comes next: a segment without
a checkpoint is signed, and an entry of the queue that is in a segment already is only deleted.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from pymongo.errors import DuplicateKeyError

from tracking import clock
from tracking import vocabulary as v
from tracking.core.merkle import Frontier
from tracking.ledger.highwater import LogBehind, check_mark, read_mark
from tracking.ledger.log import (
    KEPT_LEVEL,
    SEGMENT,
    LogBroken,
    frontier_of,
    grow,
    head,
    size_after,
    split_hashes,
)
from tracking.ledger.signed import sign_tree, signed_before
from tracking.mongo.connection import collection, is_unavailable
from tracking.signing import keyring

logger = logging.getLogger(__name__)

SEAL_QUEUE = "seal_queue"
_IDLE_SECONDS = 0.1
# Between small segments: one for each of many small posts would cost more than the posts, and
# whoever reads the log later would read as many.
_GATHER_SECONDS = 0.1
_SMALL_SEGMENT = v.SEGMENT_LEAVES // 2
_LONGEST_PAUSE = 5.0
_ENTRIES = 1_000


def seal_once() -> int:
    """Seal once, remembering nothing."""
    return Sealer().seal_once()


class Sealer:
    """One sealer; remembers the tree as it left it, so as not to check all of it each time."""

    def __init__(self) -> None:
        self._tree: Frontier | None = None

    def seal_once(self) -> int:
        """Seal what waits in the queue into at most one segment; returns the leaves sealed.

        0 means that there was nothing to do or that a rival was first: in either case look
        again. Raises LogBehind or LogBroken where the log is not what was signed before.
        """
        tree = self._checked_tree()
        queue = collection(SEAL_QUEUE)
        entries = list(queue.find().sort([("recorded_at", 1), ("_id", 1)]).limit(_ENTRIES))
        if not entries:
            return 0
        chosen, done = _choose(entries)
        if done:
            queue.delete_many({"_id": {"$in": sorted(done)}})
        if not chosen:
            return 0
        start = tree.size
        leaves = b"".join(entry["leaves"] for entry in chosen)
        grown = Frontier(tree.size, tree.peaks)
        nodes = grown.append(split_hashes(leaves), KEPT_LEVEL)
        segment = {
            "_id": start,
            "count": grown.size - start,
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
            "leaves": leaves,
            "peaks": b"".join(grown.peaks),
            "nodes": b"".join(nodes),
        }
        try:
            collection(SEGMENT).insert_one(segment)
        except DuplicateKeyError:
            self._tree = None
            return 0
        sign_tree(grown)
        self._tree = grown
        queue.delete_many({"_id": {"$in": [entry["_id"] for entry in chosen]}})
        return grown.size - start

    def _checked_tree(self) -> Frontier:
        """The log's tree, on top of which it is right to seal."""
        mark = read_mark()  # before the log, which rivals let grow
        last = head()
        size = size_after(last)
        if self._tree is not None and self._tree.size == size:
            return self._tree
        check_mark(mark, size)
        tree = frontier_of(last)
        if last is not None:
            signed = signed_before(size)
            if signed.size < size:
                grow(signed, size)
                if signed.peaks != tree.peaks:
                    raise LogBroken(f"The peaks of segment {last['_id']} are not of its leaves.")
                sign_tree(tree)
            elif signed.peaks != tree.peaks:
                raise LogBroken(f"The peaks of segment {last['_id']} are not those signed.")
        self._tree = tree
        return tree


def _choose(entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], set[str]]:
    """What of the queue goes into the next segment, and what is sealed already."""
    sealed = _already_sealed([entry["_id"] for entry in entries])
    chosen: list[dict[str, Any]] = []
    leaves = 0
    for entry in entries:
        if entry["_id"] in sealed:
            continue
        if chosen and leaves + entry["count"] > v.SEGMENT_LEAVES:
            break
        chosen.append(entry)
        leaves += entry["count"]
    return chosen, sealed


def _already_sealed(batches: list[str]) -> set[str]:
    """Those of `batches` that stand in a segment."""
    found = collection(SEGMENT).aggregate(
        [
            {"$match": {"batches.batch": {"$in": batches}}},
            {"$project": {"batch": "$batches.batch"}},
        ]
    )
    wanted = set(batches)
    return {batch for segment in found for batch in segment["batch"] if batch in wanted}


def seal_until(stop: threading.Event) -> None:
    """Seal until told to stop; a database that is away is waited for."""
    sealer = Sealer()
    pause = _IDLE_SECONDS
    while not stop.is_set():
        try:
            sealed = sealer.seal_once()
            pause = _IDLE_SECONDS
        except Exception as error:
            sealed = 0
            sealer = Sealer()  # what it remembers may be what is wrong
            pause = min(pause * 2, _LONGEST_PAUSE)
            if is_unavailable(error):
                logger.warning("sealing waits for MongoDB: %s", type(error).__name__)
            elif isinstance(error, LogBehind | LogBroken | keyring.NoKeys):
                # Records are still accepted and wait in the queue for somebody to look into it.
                logger.critical("nothing is sealed: %s", error)
            else:
                # A sealer that ended would be missed by nobody until somebody read the lag.
                logger.exception("sealing failed and tries again")
        if not sealed:
            stop.wait(pause)
        elif sealed < _SMALL_SEGMENT:
            stop.wait(_GATHER_SECONDS)
