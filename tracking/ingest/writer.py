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
from tracking.ingest.group import GroupCommit
from tracking.mongo.connection import available, collection, run_transaction

JOURNAL = "journal"
SEAL_QUEUE = "seal_queue"
_DUPLICATE_KEY = 11000
# A producer is told to come again rather than kept waiting (docs/api.md).
_PATIENCE_SECONDS = 5.0
# Larger posts fill a transaction by themselves.
_SMALL = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """A recorded batch; `root` is the Merkle root of its leaves, in hex."""

    id: str
    recorded_at: datetime
    root: str
    leaves: list[bytes]


@dataclass(frozen=True, slots=True)
class _Post:
    tenant: str
    key: str
    records: list[Record]
    moment: datetime


def append(tenant: str, key: str, records: list[Record], moment: datetime) -> Batch | None:
    """Append all of `records`, or, where one of their ids is known, none: then None.

    Small posts that come in at the same time share a transaction, and a batch where they are
    of one tenant; the answer's `leaves` are those of `records`.
    """
    post = _Post(tenant, key, records, moment)
    return _small_posts.run(post) if len(records) <= _SMALL else _write([post])[0]


def _write(posts: list[_Post]) -> list[Batch | None]:
    """Append the posts in one transaction; each as by itself where their ids collide."""
    documents: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    answers: dict[int, Batch] = {}
    by_tenant: dict[str, list[int]] = {}
    for place, post in enumerate(posts):
        by_tenant.setdefault(post.tenant, []).append(place)
    for tenant, places in by_tenant.items():
        moment = max(posts[place].moment for place in places)
        batch = clock.uuid7(moment)
        leaves: list[bytes] = []
        slices: dict[int, slice] = {}
        for place in places:
            start = len(leaves)
            for record in posts[place].records:
                document = journal_document(
                    record, tenant, posts[place].key, batch, len(leaves), moment
                )
                documents.append(document)
                leaves.append(leaf_hash(document))
            slices[place] = slice(start, len(leaves))
        entries.append(
            {
                "_id": batch,
                "tenant": tenant,
                "recorded_at": moment,
                "count": len(leaves),
                "leaves": b"".join(leaves),
            }
        )
        root = merkle.root_hash(leaves).hex()
        for place, own in slices.items():
            answers[place] = Batch(batch, moment, root, leaves[own])
    if _insert(documents, entries):
        return [answers[place] for place in range(len(posts))]
    if len(posts) == 1:
        return [None]
    return [_write([post])[0] for post in posts]


def _insert(documents: list[dict[str, Any]], entries: list[dict[str, Any]]) -> bool:
    """Insert all of it in one transaction; False, and nothing inserted, if an id is known."""

    def write(session: ClientSession) -> None:
        collection(JOURNAL).insert_many(documents, session=session)
        collection(SEAL_QUEUE).insert_many(entries, session=session)

    try:
        run_transaction(write, seconds=_PATIENCE_SECONDS)
    except DuplicateKeyError:
        return False
    except BulkWriteError as error:
        details = error.details or {}
        if all(e.get("code") == _DUPLICATE_KEY for e in details.get("writeErrors", ())):
            return False
        # The driver's own error quotes the documents, which no log may hold.
        codes = sorted({str(e.get("code")) for e in details.get("writeErrors", ())})
        raise WriteRefused(f"MongoDB refused the batch: {', '.join(codes)}.") from None
    return True


# One for the process: its web threads meet here.
_small_posts: GroupCommit[_Post, Batch | None] = GroupCommit(
    _write, weight=lambda post: len(post.records), most=v.BATCH_RECORDS_MAX
)


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
