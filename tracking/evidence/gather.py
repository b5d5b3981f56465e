"""The records of an object, one by one: as text for the package, as facts for its story."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.canonical import canonical, leaf_input, part_hash_of
from tracking.core.lifetime import record_id
from tracking.errors import DftError
from tracking.ledger.log import batch_starts
from tracking.mongo.connection import collection

Document = dict[str, Any]

# What the story tells nothing of; the records themselves have it.
_NOT_TOLD: Final = ("attributes", "payload")


class TooLarge(DftError):
    """More than one package holds; the text says what to do."""


class Altered(DftError):
    """A record is not what the log has: nothing that says otherwise may be signed."""


@dataclass(slots=True)
class Entry:
    """One record: its leaf, its place in the log, and its document without the bulk."""

    document: Document
    leaf: bytes
    index: int | None = None

    @property
    def id(self) -> str:
        return record_id(self.document)

    @property
    def batch(self) -> str:
        return str(self.document["batch"])


class Room:
    """What a package may still take, so that neither memory nor disk is at anybody's mercy."""

    def __init__(self) -> None:
        self.records, self.bytes = v.EVIDENCE_RECORDS_MAX, v.EVIDENCE_BYTES_MAX

    def take(self, size: int) -> None:
        self.records -= 1
        self.bytes -= size
        if self.records < 0 or self.bytes < 0:
            raise TooLarge(
                f"A package holds up to {v.EVIDENCE_RECORDS_MAX:,} records and"
                f" {v.EVIDENCE_BYTES_MAX >> 20} MiB of them. Ask for fewer objects; of a single one"
                " read records and proofs with /transactions/{id}/blocks and /blocks/{id}/proof."
            )


def records_of(tenant: str, transaction: str, room: Room) -> Iterator[tuple[bytes, Entry]]:
    """Each record's line of the package and its entry, by event time."""
    query = {"tenant": tenant, "transaction": transaction}
    order = [("occurred_at", 1), ("_id", 1)]
    for document in collection("journal").find(query, batch_size=500).sort(order):
        header = leaf_input(document)
        line, leaf = _line(document, header)
        room.take(len(line))
        yield line, Entry(_told(document), leaf)


def _line(document: Document, header: bytes) -> tuple[bytes, bytes]:
    """The record as JSON whose parts are the very texts that were hashed, and its leaf."""
    leaf = hashlib.sha256(b"\x00" + header).digest()
    if "salt" not in document:  # erased: its hash stands in the header
        return b'{"record":%b}' % header, leaf
    salt, part = bytes(document["salt"]), canonical(document.get("part") or {})
    if part_hash_of(salt, part) != document["part_hash"]:
        raise Altered(_sentence(document))
    return b'{"record":%b,"salt":"%b","part":%b}' % (header, salt.hex().encode(), part), leaf


def _told(document: Document) -> Document:
    """The document as its story needs it; long texts are cut where they are shown."""
    part: Mapping[str, Any] = document.get("part") or {}
    told = {name: value for name, value in part.items() if name not in _NOT_TOLD}
    if "exception" in told:
        told["exception"] = {
            name: value for name, value in told["exception"].items() if name != "stacktrace"
        }
    shown = {name: value for name, value in document.items() if name != "salt"}
    return {**shown, "part": told, "erased": "salt" not in document}


def place(entries: list[Entry]) -> None:
    """Give each entry its place in the log; of those that wait, check what waits.

    Raises Altered where neither log nor queue has a record's leaf.
    """
    starts = batch_starts({entry.batch for entry in entries})
    waiting = {entry.batch for entry in entries if entry.batch not in starts}
    if waiting:
        queued = {
            row["_id"]: bytes(row["leaves"])
            for row in collection("seal_queue").find({"_id": {"$in": sorted(waiting)}})
        }
        # What has left the queue since the log was looked at is in the log by now.
        starts |= batch_starts(waiting - queued.keys())
        for entry in entries:
            if entry.batch not in starts:
                at = 32 * int(entry.document["index"])
                if queued.get(entry.batch, b"")[at : at + 32] != entry.leaf:
                    raise Altered(_sentence(entry.document))
    for entry in entries:
        if entry.batch in starts:
            entry.index = starts[entry.batch] + int(entry.document["index"])


def _sentence(document: Document) -> str:
    return (
        f"Record {record_id(document)} is not the one that was recorded, so no evidence can be"
        " given: run `manage.py verify`, which names what was changed."
    )


def altered(entry: Entry) -> Altered:
    return Altered(_sentence(entry.document))
