"""What is derived, as stored: compared as bytes, written only where it differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.client_session import ClientSession

from tracking.core.lifetime import Lifetime
from tracking.mongo.connection import CODEC, RAW_CODEC, collection
from tracking.projection.documents import (
    block_documents,
    transaction_document,
    transaction_key,
)
from tracking.projection.paths import Place, contribution, place_key

TRANSACTION = "transaction"
BLOCK_PROGRESS = "block_progress"
FLOW_BLOCK = "flow_block"
DERIVED = (TRANSACTION, BLOCK_PROGRESS, FLOW_BLOCK)


@dataclass(slots=True)
class Stored:
    """The derived documents of some transactions: decoded, and as bytes by key."""

    transactions: dict[str, tuple[dict[str, Any], bytes]]
    blocks: dict[str, dict[str, bytes]]


def stored_of(tenant: str, transactions: list[str]) -> Stored:
    """What is stored for these transactions; only the leader may rely on it."""
    keys = [transaction_key(tenant, transaction) for transaction in transactions]
    found = Stored({}, {})
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


@dataclass(slots=True)
class Change:
    """The writes of one step, collected before its MongoDB transaction begins."""

    writes: dict[str, list[Any]] = field(default_factory=dict)
    learned: Counter[tuple[Place, str]] = field(default_factory=Counter)

    def add(self, name: str, document: Any) -> None:
        self.writes.setdefault(name, []).append(InsertOne(document))

    def replace(self, name: str, key: str, document: Any) -> None:
        self.writes.setdefault(name, []).append(ReplaceOne({"_id": key}, document))

    def set(self, name: str, key: str, fields: dict[str, Any]) -> None:
        self.writes.setdefault(name, []).append(UpdateOne({"_id": key}, {"$set": fields}))

    def drop(self, name: str, key: str) -> None:
        self.writes.setdefault(name, []).append(DeleteOne({"_id": key}))

    def compare(self, tenant: str, lifetime: Lifetime, stored: Stored) -> bool:
        """Collect the writes that make the stored documents this lifetime's; True if any."""
        document = transaction_document(tenant, lifetime)
        key = document["_id"]
        old, raw = stored.transactions.get(key, (None, None))
        changed = self._put(TRANSACTION, key, document, raw)
        if changed:
            self.learned.update(contribution(document))
            self.learned.subtract(contribution(old))
        before = stored.blocks.get(key, {})
        for block in block_documents(tenant, lifetime):
            changed |= self._put(
                BLOCK_PROGRESS, block["_id"], block, before.pop(block["_id"], None)
            )
        for gone in before:  # every record of the block was withdrawn
            self.drop(BLOCK_PROGRESS, gone)
            changed = True
        return changed

    def _put(self, name: str, key: str, document: dict[str, Any], raw: bytes | None) -> bool:
        encoded = bson.encode(document, codec_options=CODEC)
        if encoded == raw:
            return False
        stored = RawBSONDocument(encoded, RAW_CODEC)
        if raw is None:
            self.add(name, stored)
        else:
            self.replace(name, key, stored)
        return True

    def write(self, session: ClientSession) -> None:
        """Write everything in the session's transaction; may be called again on a retry."""
        for name, writes in self.writes.items():
            collection(name).bulk_write(writes, ordered=False, session=session)
        self._write_learned(session)

    def _write_learned(self, session: ClientSession) -> None:
        deltas: dict[Place, dict[str, int]] = {}
        for (place, name), amount in self.learned.items():
            if amount:
                deltas.setdefault(place, {})[name] = amount
        if not deltas:
            return
        rows = collection(FLOW_BLOCK)
        keys = {place_key(place): place for place in deltas}
        known = {
            row["_id"]
            for row in rows.find({"_id": {"$in": list(keys)}}, {"_id": 1}, session=session)
        }
        writes: list[Any] = []
        for key, place in keys.items():
            delta = {"transactions": 0, "positions": 0, **deltas[place]}
            if key in known:
                writes.append(UpdateOne({"_id": key}, {"$inc": delta}))
                continue
            tenant, flow, block, stage = place
            names = {"tenant": tenant, "flow": flow, "block": block, "stage": stage}
            writes.append(InsertOne({"_id": key, **names, **delta}))
        rows.bulk_write(writes, ordered=False, session=session)
        # A block that no delivered transaction passes any more leaves no trace: what is
        # derived depends on what is recorded, never on what was.
        rows.delete_many({"_id": {"$in": list(keys)}, "transactions": {"$lte": 0}}, session=session)
