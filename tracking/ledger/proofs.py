"""Proofs out of the log: that a record is in it, and that it only grew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracking.core.merkle import consistency_ranges, inclusion_ranges, range_hash
from tracking.ledger.log import TreeReader, leaf_index
from tracking.ledger.signed import CHECKPOINT
from tracking.mongo.connection import collection


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as it is kept: `note` is the C2SP signed note."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The record whose leaf stands at `index` is in the tree of `checkpoint`."""

    index: int
    checkpoint: SignedCheckpoint
    hashes: list[bytes]


def _of(row: dict[str, Any]) -> SignedCheckpoint:
    return SignedCheckpoint(row["_id"], bytes(row["root"]), row["note"], row["signed_at"])


def latest_checkpoint() -> SignedCheckpoint | None:
    row = collection(CHECKPOINT).find_one({}, sort=[("_id", -1)])
    return _of(row) if row else None


def checkpoint_at(size: int) -> SignedCheckpoint | None:
    row = collection(CHECKPOINT).find_one({"_id": size})
    return _of(row) if row else None


def checkpoints_before(size: int | None, limit: int) -> list[SignedCheckpoint]:
    """Newest first; `size`: only smaller ones."""
    wanted = {} if size is None else {"_id": {"$lt": size}}
    return [_of(row) for row in collection(CHECKPOINT).find(wanted).sort("_id", -1).limit(limit)]


def prove_inclusion(batch: str, place: int, size: int | None = None) -> Inclusion | None:
    """The proof for the record at `place` of `batch` in the latest checkpoint, or that of `size`.

    None while the record is not sealed, and where there is no such checkpoint or it does not
    cover the record.
    """
    index = leaf_index(batch, place)
    if index is None:
        return None
    checkpoint = latest_checkpoint() if size is None else checkpoint_at(size)
    if checkpoint is None or checkpoint.size <= index:
        return None
    tree = TreeReader(checkpoint.size)
    ranges = inclusion_ranges(index, checkpoint.size)
    return Inclusion(index, checkpoint, [range_hash(each, tree.node_at) for each in ranges])


def prove_consistency(old: int, new: int) -> list[bytes]:
    """The proof that the tree of `new` leaves begins with that of `old`, both being logged."""
    if old == 0:
        return []
    tree = TreeReader(old, new)
    return [range_hash(each, tree.node_at) for each in consistency_ranges(old, new)]
