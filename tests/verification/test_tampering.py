"""What was done to the database is found, and called what it is; a clean one never is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bson
import pytest

from tests.verification import acts, table, world
from tests.verification.fields import tamper, target
from tracking.models import LogCheckpoint, LogSegment, SealQueueEntry, TransactionBlock
from tracking.mongo.connection import collection
from tracking.verification.report import KINDS
from tracking.verification.shape import (
    CHECKPOINT,
    JOURNAL,
    QUEUE,
    SEGMENT,
    SEGMENT_BATCH,
    Shape,
)

FIELDS, ACTS = table.table(table.FIELDS), table.table(table.ACTS)
STORED = {
    TransactionBlock: JOURNAL,
    SealQueueEntry: QUEUE,
    LogSegment: SEGMENT,
    LogCheckpoint: CHECKPOINT,
}


def judge(rows: list[table.Row], do: Callable[[str], None], log: world.Stored, path: Path) -> None:
    note = world.newest_note(path / "checkpoints.txt")
    wrong = []
    for row in rows:
        do(row.what)
        alone, outside = world.check(), world.check(files=[note])
        found = (dict(alone.findings.counts), dict(outside.findings.counts))
        if found != (row.alone, row.outside):
            wrong.append((row.what, found))
        for finding in outside.findings.kept:
            if not (finding.record and finding.text.endswith(".")):
                wrong.append((row.what, finding))
        world.restore(log)
    assert not wrong
    assert world.check().clean


@pytest.mark.parametrize("name", world.COLLECTIONS)
def test_every_field_however_it_is_tampered_with(
    name: str, the_log: world.Stored, tmp_path: Path
) -> None:
    rows = [row for row in FIELDS if row.what.split()[0] == name]
    assert len(rows) > 10
    judge(rows, lambda what: tamper(*what.split()), the_log, tmp_path)


def test_whole_documents_whatever_is_done_to_them(the_log: world.Stored, tmp_path: Path) -> None:
    judge(ACTS, lambda what: acts.ACTS[what](), the_log, tmp_path)


def test_the_table_is_large_and_says_why_nothing_is_found() -> None:
    rows = FIELDS + ACTS
    assert len({row.what for row in rows}) == len(rows) >= 150
    assert all(bool(row.reason) is (not row.alone) for row in rows)
    assert {row.what for row in ACTS} == acts.ACTS.keys()
    named = {kind for row in rows for kind in row.outside}
    apart = {"outside_signature", "batch_twice", "derived"}
    assert named == KINDS.keys() - apart, "each has a test of its own elsewhere"


def test_the_table_has_every_stored_field(the_log: world.Stored) -> None:
    tried: dict[str, dict[str, set[str]]] = {}
    for row in FIELDS:
        name, path, verb = row.what.split()
        tried.setdefault(name, {}).setdefault(path, set()).add(verb)
    for model, shape in STORED.items():
        columns = {field.column: field.null for field in model._meta.concrete_fields}
        assert columns == {name: name in shape.optional for name in shape.fields}
        for column, may_be_absent in columns.items():
            # MongoDB gives a document without a key one of its own
            wanted = {"change", "retype"} if column == "_id" else {"change", "retype", "remove"}
            if may_be_absent and column != "part":
                wanted.add("add")
            assert tried[model._meta.db_table][column] >= wanted, column
        assert tried[model._meta.db_table]["extra"] == {"add"}
    for field in SEGMENT_BATCH.fields:
        assert tried["log_segment"][f"batches.0.{field}"] >= {"change", "retype", "remove"}
    document = bson.decode(target("journal")[1])
    assert document.keys() == JOURNAL.fields.keys(), "the record that has every field"
    for field in document["part"]:
        assert tried["journal"][f"part.{field}"] >= {"change", "retype", "remove"}


def test_what_is_stored_has_the_shape_that_is_asked_for(the_log: world.Stored) -> None:
    shapes: dict[str, Shape] = {model._meta.db_table: shape for model, shape in STORED.items()}
    for name, documents in the_log.documents.items():
        seen = {field for each in documents for field in bson.decode(each.raw)}
        assert seen == shapes[name].fields.keys()


def test_a_batch_that_stands_in_the_log_twice(the_log: world.Stored) -> None:
    """As after somebody dropped the index that keeps sealers from it."""
    segments = collection("log_segment")
    ((name, _spec),) = [
        (name, spec)
        for name, spec in segments.index_information().items()
        if spec["key"] == [("batches.batch", 1)]
    ]
    last = world.rows("log_segment")[-1]
    segments.drop_index(name)
    try:
        segments.insert_one({**last, "_id": last["_id"] + last["count"]})
        found = world.check().findings.counts
        assert found["batch_twice"] == 1
    finally:
        segments.delete_one({"_id": last["_id"] + last["count"]})
        segments.create_index([("batches.batch", 1)], name=name, unique=True)
    assert world.check().clean
