"""What stands for an object's records: checkpoint, proofs, receipts, anchors.

Everything is checked here before it is handed out. What would not pass at the auditor's desk
must not be signed: a receipt for a record that was altered would make a forgery true.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tracking.core.merkle import (
    BadProof,
    check_consistency,
    check_inclusion,
    inclusion_ranges,
    range_hash,
)
from tracking.core.note import BadNote, Signer, sign_note
from tracking.errors import NotFound
from tracking.evidence.gather import Entry, altered
from tracking.ledger.log import LogBroken, TreeReader
from tracking.ledger.proofs import (
    SignedCheckpoint,
    checkpoint_at,
    latest_checkpoint,
    prove_consistency,
)
from tracking.mongo.connection import collection
from tracking.signing import keyring
from tracking.signing.receipts import receipt_text

ANCHOR: Final = "log_anchor"
_ANCHORS_READ: Final = 20


@dataclass(frozen=True, slots=True)
class Older:
    """A checkpoint that the newest one grew from, with the proof; `why`: asked for, anchored."""

    checkpoint: SignedCheckpoint
    hashes: list[bytes]
    why: str


@dataclass(slots=True)
class Seals:
    """The log as a package shows it; no checkpoint while nothing at all is sealed."""

    signer: Signer
    origin: str
    newest: SignedCheckpoint | None
    older: list[Older] = field(default_factory=list)
    anchors: list[dict[str, Any]] = field(default_factory=list)
    tree: TreeReader = field(default_factory=TreeReader)

    @classmethod
    def now(cls, *, asked: int | None = None) -> Seals:
        """As the log stands; `asked`: the size of an older checkpoint to prove growth from.

        Raises NoKeys where nothing can be signed here, NotFound for another size, LogBroken.
        """
        newest = latest_checkpoint()
        seals = cls(keyring.signer(keyring.RECEIPT), keyring.origin(), newest)
        if asked is not None and (newest is None or asked > newest.size):
            raise NotFound(f"checkpoint {asked}")
        if newest is None:
            return seals
        _check(newest)
        sizes = {} if asked in (None, newest.size) else {asked: "asked for"}
        # Of each target the newest anchor that this checkpoint has grown from.
        query = {"size": {"$lte": newest.size}}
        for row in collection(ANCHOR).find(query).sort("size", -1).limit(_ANCHORS_READ):
            if all(row["target"] != known["target"] for known in seals.anchors):
                stated = newest if row["size"] == newest.size else checkpoint_at(row["size"])
                if stated is None or stated.root != bytes(row["root"]):
                    if _may_be_lost(row["size"]):
                        continue
                    raise LogBroken(f"The anchor of {row['size']} leaves is of another log.")
                seals.anchors.append(row)
                if row["size"] != newest.size:
                    sizes.setdefault(row["size"], "anchored")
        for size in sorted(sizes, reverse=True):
            seals.older.append(_older(size, newest, sizes[size]))
        return seals

    @property
    def size(self) -> int:
        return self.newest.size if self.newest else 0

    @property
    def anchored(self) -> int:
        """How many leaves an anchored checkpoint covers."""
        return max((int(row["size"]) for row in self.anchors), default=0)

    def receipt(self, entry: Entry) -> str:
        """The receipt of this record alone, as a signed note: a producer's receipt is signed over
        the same text, for all records of the post."""
        document = entry.document
        text = receipt_text(
            self.origin,
            batch=entry.batch,
            first=document["index"],
            count=1,
            root=entry.leaf,
            recorded_at=document["recorded_at"],
        )
        return sign_note(text, [self.signer])

    def inclusion(self, entry: Entry) -> list[bytes] | None:
        """The proof in the newest checkpoint; None while it does not cover the record."""
        if entry.index is None:
            return None
        if self.newest is None or entry.index >= self.newest.size:
            if self.tree.node_at(0, entry.index) != entry.leaf:
                raise altered(entry)
            return None
        ranges = inclusion_ranges(entry.index, self.newest.size)
        hashes = [range_hash(each, self.tree.node_at) for each in ranges]
        try:
            check_inclusion(entry.leaf, entry.index, self.newest.size, hashes, self.newest.root)
        except BadProof as error:
            raise altered(entry) from error
        return hashes


def _may_be_lost(size: int) -> bool:
    """Whether the database was put back to a state before this size: what was anchored then may
    be told of still, by a collection that was not put back."""
    pins = keyring.pins()
    kept = [pins.kept(log.origin) for log in pins.logs]
    return any(each is not None and size > each for each in kept)


def _older(size: int, newest: SignedCheckpoint, why: str) -> Older:
    found = checkpoint_at(size)
    if found is None:
        raise NotFound(f"checkpoint {size}")
    _check(found)
    hashes = prove_consistency(size, newest.size)
    try:
        check_consistency(size, newest.size, found.root, newest.root, hashes)
    except BadProof as error:
        raise LogBroken(f"The log did not grow from its checkpoint of {size} leaves.") from error
    return Older(found, hashes, why)


def _check(checkpoint: SignedCheckpoint) -> None:
    """That it is signed by us and says what its row says."""
    try:
        said = keyring.pins().open_stored(checkpoint.note, checkpoint.size)
    except BadNote as error:
        raise LogBroken(f"Checkpoint {checkpoint.size} is none of ours: {error}") from error
    if said.root != checkpoint.root:
        raise LogBroken(f"Checkpoint {checkpoint.size} is not what its note says.")
