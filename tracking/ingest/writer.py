"""The one bulk insert: a batch of records and its seal-queue entry, in one transaction.

Inserts only, no upserts: an upsert that is retried inside a transaction may break a unique
index before MongoDB 6.0.25 (CVE-2025-10060).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import bson
import orjson
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError

from tracking import clock
from tracking import vocabulary as v
from tracking.core import merkle, native
from tracking.core.canonical import SALT_BYTES, VERSION, leaf_hash_of_text, part_hash_of
from tracking.core.record import Record, lane_of
from tracking.core.usual import read_usual, usual_part
from tracking.core.wire import WireRecord
from tracking.errors import BadRequest, WriteRefused
from tracking.ingest.group import GroupCommit
from tracking.mongo.connection import (
    CODEC,
    NAIVE,
    available,
    collection,
    database,
    forget_frames,
    run_transaction,
)
from tracking.signing.receipts import signed_receipt

JOURNAL = "journal"
SEAL_QUEUE = "seal_queue"
_DUPLICATE_KEY = 11000
_TOO_LARGE = 388  # for the cache; only an atomic post can be
# A producer is told to come again rather than kept waiting (docs/api.md).
_PATIENCE_SECONDS = 5.0
# Larger posts fill a transaction by themselves.
SMALL = 100
# What is made of so many records, some score of objects each, stays within a processor's cache.
_AT_ONCE = 64
# MongoDB takes a command of 16 MiB, and with little memory no much larger transaction. Documents
# are estimated from above: BSON has at most five times the bytes of JSON (a list of digits), a
# header without parents less than 4 KiB.
BATCH_BYTES = 15 * 1024 * 1024
_HEADER_BYTES = 4096
_PARENT_BYTES = 160


Documents = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What of a batch is one post's: `leaves` from place `first` on, and their Merkle root.

    `signature`: of the receipt, base64; None where this installation has no key.
    """

    id: str
    recorded_at: datetime
    first: int
    leaves: list[bytes]
    root: bytes
    signature: str | None


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
    return _small_posts.run(post) if len(records) <= SMALL else _write([post])[0]


def append_together(
    posts: Sequence[tuple[str, str, list[Record], datetime]],
) -> list[Batch | None]:
    """Append several posts, each (tenant, key, records, moment) and small, in one transaction.

    Where an id is known, each by itself: None stands for one of which nothing was appended.
    """
    return _write([_Post(*post) for post in posts])


def append_usual(tenant: str, key: str, wires: list[WireRecord], moment: datetime) -> Batch | None:
    """Append what `wires` spell, where all are usual and new and fit in one batch; else nothing.

    None says nothing about the reason. Some are read, stamped and encoded at a time: it takes a
    tenth less than doing each of it for all of them, and a fraction of the memory.
    """
    stamp = Stamp.of(tenant, clock.uuid7(moment), moment)
    documents: list[RawBSONDocument] = []
    leaves: list[bytes] = []
    size = 0
    for at in range(0, len(wires), _AT_ONCE):
        some = wires[at : at + _AT_ONCE]
        stored = _stored(stamp, key, some, at, moment)
        if stored is None:
            return None
        for document, leaf in stored:
            size += len(document)
            documents.append(RawBSONDocument(document))
            leaves.append(leaf)
        if size > BATCH_BYTES:
            return None
    if not _insert(documents, [_entry(stamp, moment, leaves)], fits=True):
        return None
    return _signed(stamp.batch, moment, 0, leaves)


def _stored(
    stamp: Stamp, key: str, wires: list[WireRecord], first: int, moment: datetime
) -> list[tuple[bytes, bytes]] | None:
    """The stored bytes and the leaf of each, from index `first` on; None if one is not usual."""
    found: list[tuple[bytes, bytes] | None] = [None] * len(wires)
    if native.COMPILED:
        found = stamp.stored(key, wires, first, moment)
    left = [place for place, one in enumerate(found) if one is None]
    if left:
        records = read_usual([wires[place] for place in left], moment)
        if None in records:
            return None
        documents: list[dict[str, Any]] = []
        leaves: list[bytes] = []
        places = [first + place for place in left]
        stamp.put(key, records, places, documents, leaves)  # type: ignore[arg-type]  # no None
        for place, document, leaf in zip(left, documents, leaves, strict=True):
            found[place] = bson.encode(document), leaf
    return found  # type: ignore[return-value]  # nor here


def _part_of(wire: WireRecord) -> tuple[bytes, bytes] | None:
    found = usual_part(wire)
    return None if found is None else (bson.encode(found[0]), found[1])


def _write(posts: list[_Post]) -> list[Batch | None]:
    """Append the posts in one transaction; each as by itself where their ids collide."""
    documents: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    parts: dict[int, tuple[str, datetime, int, list[bytes]]] = {}
    by_tenant: dict[str, list[int]] = {}
    for place, post in enumerate(posts):
        by_tenant.setdefault(post.tenant, []).append(place)
    for tenant, places in by_tenant.items():
        moment = max(posts[place].moment for place in places)
        stamp = Stamp.of(tenant, clock.uuid7(moment), moment)
        leaves: list[bytes] = []
        slices: dict[int, slice] = {}
        for place in places:
            start, records = len(leaves), posts[place].records
            of_batch = range(start, start + len(records))
            stamp.put(posts[place].key, records, of_batch, documents, leaves)
            slices[place] = slice(start, len(leaves))
        entries.append(_entry(stamp, moment, leaves))
        for place, own in slices.items():
            parts[place] = (stamp.batch, moment, own.start, leaves[own])
    records = [record for post in posts for record in post.records]
    fits = bytes_of(records) <= BATCH_BYTES
    if _insert(documents, entries, fits=fits):
        return [_signed(*parts[place]) for place in range(len(posts))]
    if len(posts) == 1:
        return [None]
    return [_write([post])[0] for post in posts]


def _entry(stamp: Stamp, moment: datetime, leaves: list[bytes]) -> dict[str, Any]:
    """The batch's entry in the seal queue."""
    return {
        "_id": stamp.batch,
        "tenant": stamp.tenant,
        "recorded_at": moment,
        "count": len(leaves),
        "leaves": b"".join(leaves),
    }


def _signed(batch: str, moment: datetime, first: int, leaves: list[bytes]) -> Batch:
    root = merkle.root_hash(leaves)
    signature = signed_receipt(
        batch=batch, first=first, count=len(leaves), root=root, recorded_at=moment
    )
    return Batch(batch, moment, first, leaves, root, signature)


def bytes_of(records: Sequence[Record]) -> int:
    """More bytes of BSON than the records' documents can have."""
    parts = sum([len(record.part_bytes) for record in records])
    parents = sum([len(r.header["parents"]) for r in records if "parents" in r.header])
    return 5 * parts + _HEADER_BYTES * len(records) + _PARENT_BYTES * parents


def _share(records: list[Record]) -> int:
    """What the records take of a batch, in bytes, be it by their size or by their number."""
    number = len(records) * BATCH_BYTES // v.BATCH_RECORDS_MAX
    return max(number, bytes_of(records))


def _insert(documents: Documents, entries: list[dict[str, Any]], *, fits: bool) -> bool:
    """Insert all of it in one transaction; False, and nothing inserted, if an id is known.

    `fits`: the documents are sure to fit into one command.
    """

    def write(session: ClientSession) -> None:
        if fits:
            _insert_at_once(JOURNAL, documents, session)
        else:
            collection(JOURNAL).insert_many(documents, session=session)
        _insert_at_once(SEAL_QUEUE, entries, session)

    try:
        run_transaction(write, seconds=_PATIENCE_SECONDS)
    except DuplicateKeyError as error:
        forget_frames(error)
        return False
    except BulkWriteError as error:
        forget_frames(error)
        details = error.details or {}
        if all(e.get("code") == _DUPLICATE_KEY for e in details.get("writeErrors", ())):
            return False
        # The driver's own error quotes the documents, which no log may hold.
        codes = sorted({str(e.get("code")) for e in details.get("writeErrors", ())})
        if codes == [str(_TOO_LARGE)]:
            raise BadRequest(
                "transaction_too_large",
                "The records are too large for one transaction of this MongoDB; split the post.",
                status=413,
            ) from None
        raise WriteRefused(f"MongoDB refused the batch: {', '.join(codes)}.") from None
    return True


def _insert_at_once(name: str, documents: Documents, session: ClientSession) -> None:
    """One insert command, without the driver's machinery for any number of documents."""
    answer = database().command(
        {"insert": name, "documents": documents}, session=session, codec_options=CODEC
    )
    if errors := answer.get("writeErrors"):
        # The one error type of the driver's own bulk insert.
        raise BulkWriteError({"writeErrors": errors})


# One for the process: its web threads meet here.
_small_posts: GroupCommit[_Post, Batch | None] = GroupCommit(
    _write, weight=lambda post: _share(post.records), most=BATCH_BYTES
)


def known_records(tenant: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The stored documents among `ids`, by the producer's id; times as in a `Record`."""
    keys = [f"{tenant}/{id}" for id in ids]
    with available():
        journal = collection(JOURNAL).with_options(codec_options=NAIVE)
        found = list(journal.find({"_id": {"$in": keys}}))
    return {document["_id"].partition("/")[2]: document for document in found}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the server adds to the records of one batch; its times are UTC without saying so."""

    tenant: str
    batch: str
    moment: datetime
    late: datetime
    ahead: datetime

    @classmethod
    def of(cls, tenant: str, batch: str, moment: datetime) -> Stamp:
        bare = moment.replace(tzinfo=None)
        return cls(tenant, batch, bare, bare - v.LATE_AFTER, bare + v.AHEAD_MARKED)

    def stored(
        self, key: str, wires: list[WireRecord], first: int, moment: datetime
    ) -> list[tuple[bytes, bytes] | None]:
        """The stored bytes and the leaf of each, of a fresh salt; None where it is not plain."""
        own, late, ahead, latest = (
            clock.to_ms(each.replace(tzinfo=UTC))
            for each in (self.moment, self.late, self.ahead, moment + v.AHEAD_MAX)
        )
        return native.stamp(
            wires,
            first,
            tenant=self.tenant,
            producer=key,
            batch=self.batch,
            times=(own, late, ahead, latest),
            salts=os.urandom(SALT_BYTES * len(wires)),
            part_of=_part_of,
        )

    def put(
        self,
        key: str,
        records: list[Record],
        places: Sequence[int],
        documents: list[dict[str, Any]],
        leaves: list[bytes],
    ) -> None:
        """Append the stored document of each record, with a fresh salt, and its leaf.

        `places`: of each in the batch.
        """
        tenant, batch, moment, late, ahead = (
            self.tenant,
            self.batch,
            self.moment,
            self.late,
            self.ahead,
        )
        salts = os.urandom(SALT_BYTES * len(records))
        of_batch = f'"batch":"{batch}",'
        of_post = f'"producer":{_quoted(key)},'
        of_moment = f'"recorded_at":"{clock.iso(moment)}",'
        of_tenant = f'"tenant":{_quoted(tenant)},'
        prefix = _quoted(f"{tenant}/")[:-1]
        for place, (index, record) in enumerate(zip(places, records, strict=True)):
            document = record.header
            attempt, block, thing, queued, stage, transaction = record.fragments
            document["_id"] = f"{tenant}/{record.id}"
            document["v"] = VERSION
            document["tenant"] = tenant
            document["lane"] = lane = _lane_of(tenant, document["transaction"])
            document["recorded_at"] = moment
            document["producer"] = key
            document["batch"] = batch
            document["index"] = index
            marks = ""
            if not late <= document["occurred_at"] <= ahead:
                mark = v.MARK_CLOCK_SKEW if document["occurred_at"] > ahead else v.MARK_LATE
                document["marks"] = [mark]
                marks = f'"marks":["{mark}"],'
            elif "marks" in document:  # of a batch that came to nothing
                del document["marks"]
            document["salt"] = salt = salts[SALT_BYTES * place : SALT_BYTES * (place + 1)]
            document["part_hash"] = digest = part_hash_of(salt, record.part_bytes)
            leaves.append(
                leaf_hash_of_text(
                    f'{{"_id":{prefix}{record.id}",{attempt}{of_batch}{block}"index":{index},'
                    f'"lane":{lane},{marks}{thing}"part_hash":"{digest.hex()}",{of_post}'
                    f"{queued}{of_moment}{stage}{of_tenant}{transaction}"
                    f'"v":{VERSION}}}'
                )
            )
            if record.part:
                document["part"] = record.part
            documents.append(document)


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


_lane_of = lru_cache(maxsize=4096)(lane_of)
