"""What is derived, as stored: compared as bytes, written only where it differs."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from tracking.core.lifetime import Lifetime
from tracking.core.rollup import entries_of
from tracking.core.tally import Tally
from tracking.mongo.connection import CODEC, RAW_CODEC, collection, without_documents
from tracking.projection.documents import (
    block_document,
    transaction_document,
    transaction_key,
)
from tracking.projection.paths import Learned, Path, path_in, path_of, place_key
from tracking.projection.rollups import PIECE, ROLLUP, keep, kept, piece_documents, write_tally

TRANSACTION = "transaction"
BLOCK_PROGRESS = "block_progress"
FLOW_BLOCK = "flow_block"
DERIVED = (TRANSACTION, BLOCK_PROGRESS, FLOW_BLOCK, ROLLUP, PIECE)


@dataclass(slots=True)
class Stored:
    """The derived documents of some transactions: decoded, and as bytes by key."""

    transactions: dict[str, tuple[dict[str, Any], bytes]]
    blocks: dict[str, dict[str, bytes]]


def stored_of(tenant: str, transactions: list[str]) -> Stored:
    """What is stored for these transactions; only the leader may rely on it."""
    found = Stored({}, {})
    if not transactions:
        return found
    keys = [transaction_key(tenant, transaction) for transaction in transactions]
    for row in collection(TRANSACTION, raw=True).find({"_id": {"$in": keys}}, batch_size=2_000):
        document = bson.decode(row.raw, CODEC)
        found.transactions[document["_id"]] = (document, row.raw)
    known = list(found.transactions)
    if known:
        rows = collection(BLOCK_PROGRESS, raw=True).find(
            {"transaction": {"$in": known}}, batch_size=5_000
        )
        for row in rows:
            its = found.blocks.setdefault(row["transaction"], {})
            its[row["_id"]] = row.raw
    return found


def records_kept(stored: Stored, tenant: str, transaction: str) -> int:
    """How many records the stored transaction document was derived from."""
    kept = stored.transactions.get(transaction_key(tenant, transaction))
    return int(kept[0]["records"]) if kept else 0


class Counted:
    """What the transactions of a step change in sums over many: learned paths, and rollups."""

    def __init__(self) -> None:
        self.learned = Learned()
        self.tally = Tally()

    def write(self, session: ClientSession, database: Database) -> None:
        """Write it in the session's transaction; may be called again on a retry."""
        write_learned(session, database, self.learned)
        write_tally(session, database, self.tally)


class Change:
    """Writes of one step; what it changes in sums is counted apart, for the whole step."""

    def __init__(self, counted: Counted | None = None) -> None:
        self.new: dict[str, list[Any]] = {}
        self.writes: dict[str, list[Any]] = {}
        self.counted = Counted() if counted is None else counted

    def add(self, name: str, document: Any) -> None:
        self.new.setdefault(name, []).append(document)

    def replace(self, name: str, key: str, document: Any) -> None:
        self.writes.setdefault(name, []).append(ReplaceOne({"_id": key}, document))

    def set(self, name: str, key: str, fields: dict[str, Any]) -> None:
        self.writes.setdefault(name, []).append(UpdateOne({"_id": key}, {"$set": fields}))

    def drop(self, name: str, key: str) -> None:
        self.writes.setdefault(name, []).append(DeleteOne({"_id": key}))

    # --- a transaction ---------------------------------------------------------------------

    def add_new(self, tenant: str, lifetime: Lifetime) -> list[str]:
        """Collect the writes for a transaction of which nothing is stored.

        Returns its entries in rollups, as `update` does.
        """
        document = transaction_document(tenant, lifetime)
        entries = entries_of(lifetime)
        for piece in piece_documents(document["_id"], keep(document, entries)):
            self.add(PIECE, piece)
        self.add(TRANSACTION, document)
        for block in lifetime.blocks:
            self.add(BLOCK_PROGRESS, block_document(tenant, lifetime, block))
        self.counted.learned.add(tenant, path_of(lifetime))
        self.counted.tally.exchange(tenant, [], entries)
        return entries

    def update(
        self,
        tenant: str,
        lifetime: Lifetime,
        known: Set[str],
        path: Path | None,
        rolled: list[str],
        *,
        whole: bool,
    ) -> list[str]:
        """Collect the writes for a transaction that has got further records.

        `known` are the blocks that are stored, `path` what it was learned by, `rolled` its
        entries in rollups; `whole`: all blocks name another object or flow than before.
        """
        document = transaction_document(tenant, lifetime)
        entries = entries_of(lifetime)
        self._keep_pieces(document, entries, rolled)
        self.replace(TRANSACTION, document["_id"], document)
        for block in lifetime.blocks:
            if not (whole or block.changed):
                continue
            document = block_document(tenant, lifetime, block)
            if block.name in known:
                self.replace(BLOCK_PROGRESS, document["_id"], document)
            else:
                self.add(BLOCK_PROGRESS, document)
        passed = path_of(lifetime)
        if passed != path:
            self.counted.learned.add(tenant, passed)
            self.counted.learned.add(tenant, path, -1)
        self.counted.tally.exchange(tenant, rolled, entries)
        return entries

    def compare(self, tenant: str, lifetime: Lifetime, stored: Stored) -> bool:
        """Collect the writes that make the stored documents this lifetime's; True if any."""
        document = transaction_document(tenant, lifetime)
        key = document["_id"]
        old, raw = stored.transactions.get(key, (None, None))
        entries = entries_of(lifetime)
        pieces = keep(document, entries)
        rolled = kept(old) if old is not None else []
        changed = self._put(TRANSACTION, key, document, raw)
        if changed:
            self.counted.learned.add(tenant, path_of(lifetime))
            self.counted.learned.add(tenant, path_in(old) if old is not None else None, -1)
        if rolled != entries:
            changed = True
            self._replace_pieces(key, pieces, rolled)
            self.counted.tally.exchange(tenant, rolled, entries)
        before = stored.blocks.get(key, {})
        for block in lifetime.blocks:
            document = block_document(tenant, lifetime, block)
            raw = before.pop(document["_id"], None)
            changed |= self._put(BLOCK_PROGRESS, document["_id"], document, raw)
        for gone in before:  # every record of the block was withdrawn
            self.drop(BLOCK_PROGRESS, gone)
            changed = True
        return changed

    def _keep_pieces(self, document: dict[str, Any], entries: list[str], rolled: list[str]) -> None:
        self._replace_pieces(document["_id"], keep(document, entries), rolled)

    def _replace_pieces(self, key: str, pieces: list[str], rolled: list[str]) -> None:
        """Most transactions have none, neither before nor now."""
        before = keep({}, rolled) if rolled else []
        for place, piece in enumerate(piece_documents(key, pieces)):
            if place < len(before):
                self.replace(PIECE, piece["_id"], piece)
            else:
                self.add(PIECE, piece)
        for piece in piece_documents(key, before)[len(pieces) :]:
            self.drop(PIECE, piece["_id"])

    def _put(self, name: str, key: str, document: dict[str, Any], raw: bytes | None) -> bool:
        if raw is None:
            self.add(name, document)
            return True
        encoded = bson.encode(document, codec_options=CODEC)
        if encoded == raw:
            return False
        self.replace(name, key, RawBSONDocument(encoded, RAW_CODEC))
        return True

    # --- into the database -----------------------------------------------------------------

    def write(self, session: ClientSession, database: Database) -> None:
        """Write it in the session's transaction; may be called again on a retry."""
        with without_documents():
            for name, documents in self.new.items():
                # unordered: nothing of a transaction depends on the order of its writes
                database[name].insert_many(documents, ordered=False, session=session)
            for name, writes in self.writes.items():
                database[name].bulk_write(writes, ordered=False, session=session)


def write_learned(session: ClientSession, database: Database, learned: Learned) -> None:
    """Write what a step's transactions add to learned paths, in the session's transaction."""
    counted = learned.counts()
    deltas = {place: counts for place, counts in counted.items() if any(counts.values())}
    if not deltas:
        return
    rows = database[FLOW_BLOCK]
    keys = {place_key(place): place for place in deltas}
    known = {
        row["_id"] for row in rows.find({"_id": {"$in": list(keys)}}, {"_id": 1}, session=session)
    }
    writes: list[Any] = []
    for key, place in keys.items():
        delta = deltas[place]
        if key in known:
            writes.append(UpdateOne({"_id": key}, {"$inc": delta}))
            continue
        tenant, flow, block, stage = place
        names = {"tenant": tenant, "flow": flow, "block": block, "stage": stage}
        writes.append(InsertOne({"_id": key, **names, **delta}))
    rows.bulk_write(writes, ordered=False, session=session)
    if all(delta["transactions"] > 0 for delta in deltas.values()):
        return
    # A block that no delivered transaction passes any more leaves no trace: what is
    # derived depends on what is recorded, never on what was.
    rows.delete_many({"_id": {"$in": list(keys)}, "transactions": {"$lte": 0}}, session=session)
