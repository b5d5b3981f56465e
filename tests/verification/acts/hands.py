"""What the acts are made of, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

import bson
from bson.raw_bson import RawBSONDocument
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.verification.world import rows
from tracking import clock
from tracking.core.canonical import leaf_hash
from tracking.core.note import Signer
from tracking.mongo.connection import collection
from tracking.signing import keyring

Document = dict[str, Any]
Act = Callable[[], None]
ACTS: dict[str, Act] = {}


def act(function: Act) -> Act:
    ACTS[function.__name__] = function
    return function


def journal(**wanted: Any) -> list[Document]:
    return list(collection("journal").find(wanted).sort([("batch", 1), ("index", 1)]))


def sealed(segment: int) -> list[Document]:
    """The records of a segment's first batch."""
    return journal(batch=rows("log_segment")[segment]["batches"][0]["batch"])


def waiting() -> Document:
    return rows("seal_queue")[0]


def insert(name: str, document: Document | bytes) -> None:
    raw = document if isinstance(document, bytes) else bson.encode(document)
    collection(name, raw=True).insert_one(RawBSONDocument(raw))


def delete(name: str, **wanted: Any) -> None:
    assert collection(name).delete_many(wanted).deleted_count, wanted


def copy_of(document: Document, **fields: Any) -> Document:
    return {**document, "_id": "acme/slipped", **fields}


def own_batch(moment: datetime, document: Document, *, queue: bool) -> None:
    """A record and its batch, made as ingest would."""
    batch = clock.uuid7(moment)
    added = copy_of(document, batch=batch, index=0, recorded_at=clock.cut(moment))
    insert("journal", added)
    if queue:
        entry = {"_id": batch, "tenant": "acme", "recorded_at": clock.cut(moment), "count": 1}
        insert("seal_queue", {**entry, "leaves": leaf_hash(added)})


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """What the product does now, it does then."""
    with mock.patch.object(clock, "now", lambda: clock.cut(moment)):
        yield


def last(name: str) -> Document:
    return rows(name)[-1]


def stranger() -> Signer:
    """Another's key under the name of ours."""
    return Signer(keyring.origin(), Ed25519PrivateKey.generate())
