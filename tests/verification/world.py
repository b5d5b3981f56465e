"""A small real log, what may be done to it past the product, and how to take it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import bson
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from tests.tools import make_tenant, record
from tracking import clock
from tracking.ingest.accept import Producer, accept
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.signing import keyring
from tracking.verification.keys import installed_keys
from tracking.verification.report import Report
from tracking.verification.run import verify

COLLECTIONS = ("journal", "seal_queue", "log_segment", "log_checkpoint")
# An hour ago and two minutes between batches: everything is older than the merge delay.
START = clock.now() - timedelta(hours=1)
STEP = timedelta(minutes=2)
END = START + timedelta(minutes=40)
SEGMENTS = 8
RICH = "rich"  # the record that has every field there is
BIG = 2**40


def rich_record() -> dict[str, Any]:
    return record(
        id=RICH,
        transaction="tx-rich",
        flow_version="2",
        attempt=3,
        status="failed",
        occurred_at=clock.iso(START - timedelta(days=9)),
        queued_at=clock.iso(START - timedelta(days=9, minutes=3)),
        started_at=clock.iso(START - timedelta(days=9, minutes=2)),
        ended_at=clock.iso(START - timedelta(days=9, minutes=1)),
        parents=["tx-a", "tx-b"],
        corrects="r-before",
        final=True,
        reason="No stock.",
        exception={"type": "E", "message": "m", "code": "7", "location": "a.py:1"},
        attributes={
            "bool": True,
            "big": BIG,
            "half": 0.5,
            "int": 7,
            "list": ["x", 1, False],
            "text": "t",
        },
        references={"po": ["1", "2"]},
        usage=[{"resource": "cpu", "quantity": "1.5", "unit": "s"}],
        cost={"amount": "1.20", "currency": "EUR"},
        payload={"hash": "h", "size": 10, "content_type": "text/plain", "content": "c"},
        subject="person-1",
    )


def post(count: int, moment: datetime, tenant: str = "acme", *first: dict[str, Any]) -> str:
    values = list(first)
    for number in range(count - len(first)):
        reason, happened = f"{moment}, {number}", clock.iso(moment)
        values.append(record(reason=reason, attributes={"n": number}, occurred_at=happened))
    answer = accept(producer=Producer(tenant, "test"), values=values, moment=moment)
    assert answer.count("stored") == count, answer.results
    return answer.batches[0].id


def build() -> None:
    """Eight segments of 41 records of two tenants, and two batches that wait."""
    for tenant in ("acme", "bolt"):
        make_tenant(tenant)
    moment = START
    for number in range(SEGMENTS):
        with mock.patch.object(clock, "now", lambda at=moment: at + timedelta(seconds=1)):
            if number == 2:
                post(4, moment, "acme", rich_record())
            else:
                post(4, moment)
            if number % 3 == 0:
                post(3, moment + timedelta(milliseconds=5), "bolt")
            assert seal_once()
        moment += STEP
    post(2, END - timedelta(seconds=2))
    post(3, END - timedelta(seconds=1), "bolt")


def check(now: datetime = END, **options: Any) -> Report:
    return verify(now=now, keys=installed_keys(), **options)


def assert_verified(now: datetime | None = None) -> Report:
    """The database as it is now is clean: no false alarm."""
    report = check(now or clock.now())
    assert report.clean, report.as_dict()["findings"][:5]
    assert report.records + report.later == collection("journal").count_documents({})
    return report


def newest_note(path: Path) -> Path:
    """A file with the newest checkpoint, as somebody outside keeps it."""
    path.write_text(rows("log_checkpoint")[-1]["note"], encoding="utf-8")
    return path


# --- Hands on the database --------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """Everything as it is: the collections, and how far this machine has signed."""

    documents: dict[str, list[RawBSONDocument]]
    mark: str


def mark_path() -> Path:
    return keyring.directory() / "high-water.json"


def stored() -> Stored:
    documents = {name: list(collection(name, raw=True).find()) for name in COLLECTIONS}
    return Stored(documents, mark_path().read_text())


def restore(before: Stored) -> None:
    mark_path().write_text(before.mark)
    for name, documents in before.documents.items():
        # only what differs: a write to disk takes longer than all the rest
        kept = {each.raw for each in documents}
        now = list(collection(name, raw=True).find())
        wrong = [each for each in now if each.raw not in kept]
        gone = kept - {each.raw for each in now}
        try:
            keys = [each["_id"] for each in wrong[:6]]
        except (BSONError, ValueError, OverflowError):  # what nobody can read
            keys = []
        if len(keys) == len(wrong):
            for key in keys:
                collection(name).delete_one({"_id": key})
        else:
            collection(name).delete_many({})
            gone = kept
        if gone:
            collection(name, raw=True).insert_many(
                [each for each in documents if each.raw in gone], ordered=True
            )


def rows(name: str) -> list[dict[str, Any]]:
    return list(collection(name).find().sort("_id", 1))


def replace(name: str, key: Any, document: dict[str, Any] | bytes) -> None:
    """Put a document in place of another, whatever it is."""
    collection(name).delete_one({"_id": key})
    raw = document if isinstance(document, bytes) else bson.encode(document)
    collection(name, raw=True).insert_one(RawBSONDocument(raw))


def edit(name: str, key: Any, change: Callable[[dict[str, Any]], None]) -> None:
    document = bson.decode(collection(name, raw=True).find_one({"_id": key}).raw)
    change(document)
    replace(name, key, document)


def key_of(record_id: str, tenant: str = "acme") -> str:
    return f"{tenant}/{record_id}"
