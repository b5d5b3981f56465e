"""The one bulk insert: a batch of records and its seal-queue entry, in one transaction.

Inserts only, no upserts: an upsert that is retried inside a transaction may break a unique
index before MongoDB 6.0.25 (CVE-2025-10060).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError

from tracking import clock
from tracking import vocabulary as v
from tracking.core import merkle
from tracking.core.canonical import SALT_BYTES, VERSION, leaf_hash, part_hash
from tracking.core.record import Record, lane_of
from tracking.errors import WriteRefused
from tracking.mongo.connection import available, collection, run_transaction

JOURNAL = "journal"
SEAL_QUEUE = "seal_queue"
_DUPLICATE_KEY = 11000
# A producer is told to come again rather than kept waiting (docs/api.md).
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Batch:
    """A recorded batch; `root` is the Merkle root of its leaves, in hex."""

    id: str
    recorded_at: datetime
    root: str
    leaves: list[bytes]


def append(tenant: str, key: str, records: list[Record], moment: datetime) -> Batch | None:
    """Append all of `records`, or, where one of their ids is known, none: then None."""
    batch = clock.uuid7(moment)
    documents = [
        journal_document(record, tenant, key, batch, index, moment)
        for index, record in enumerate(records)
    ]
    leaves = [leaf_hash(document) for document in documents]
    entry = {
        "_id": batch,
        "tenant": tenant,
        "recorded_at": moment,
        "count": len(leaves),
        "leaves": b"".join(leaves),
    }

    def write(session: ClientSession) -> None:
        collection(JOURNAL).insert_many(documents, session=session)
        collection(SEAL_QUEUE).insert_one(entry, session=session)

    try:
        run_transaction(write, seconds=_PATIENCE_SECONDS)
    except DuplicateKeyError:
        return None
    except BulkWriteError as error:
        details = error.details or {}
        if all(e.get("code") == _DUPLICATE_KEY for e in details.get("writeErrors", ())):
            return None
        # The driver's own error quotes the documents, which no log may hold.
        codes = sorted({str(e.get("code")) for e in details.get("writeErrors", ())})
        raise WriteRefused(f"MongoDB refused the batch: {', '.join(codes)}.") from None
    return Batch(batch, moment, merkle.root_hash(leaves).hex(), leaves)


def known_records(tenant: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The stored documents among `ids`, by the producer's id."""
    keys = [f"{tenant}/{id}" for id in ids]
    with available():
        found = list(collection(JOURNAL).find({"_id": {"$in": keys}}))
    return {document["_id"].partition("/")[2]: document for document in found}


def journal_document(
    record: Record, tenant: str, key: str, batch: str, index: int, moment: datetime
) -> dict[str, Any]:
    """The document to store: the record and what the server adds, with a fresh salt."""
    header = dict(record.header)
    document: dict[str, Any] = {
        "_id": f"{tenant}/{header.pop('id')}",
        "v": VERSION,
        "tenant": tenant,
        "lane": lane_of(tenant, header["transaction"]),
        **header,
        "recorded_at": moment,
        "producer": key,
        "batch": batch,
        "index": index,
    }
    marks = []
    if header["occurred_at"] - moment > v.AHEAD_MARKED:
        marks.append(v.MARK_CLOCK_SKEW)
    if moment - header["occurred_at"] > v.LATE_AFTER:
        marks.append(v.MARK_LATE)
    if marks:
        document["marks"] = marks
    salt = os.urandom(SALT_BYTES)
    document["salt"] = salt
    document["part_hash"] = part_hash(salt, record.part)
    if record.part:
        document["part"] = record.part
    return document
