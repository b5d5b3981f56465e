"""One transaction: each of its records by itself, proved into the newest checkpoint.

Some twenty reads by key for each batch, however long the log is. What it cannot see is a record
that is gone, or one that another transaction now has: only the whole journal tells.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tracking import clock
from tracking.core.merkle import (
    BadProof,
    bagged,
    check_inclusion,
    completed,
    inclusion_ranges,
    range_hash,
    root_hash,
)
from tracking.core.note import BadNote, Checkpoint
from tracking.mongo.connection import collection
from tracking.verification.keys import Keys
from tracking.verification.log import CHECKPOINT, JOURNAL, SEGMENT
from tracking.verification.pending import Pending
from tracking.verification.records import HASH_BYTES, Reader, Row, Seen
from tracking.verification.report import TRANSACTION, CannotCheck, Report
from tracking.verification.segments import KEPT_LEVEL
from tracking.verification.shape import CHECKPOINT as CHECKPOINT_SHAPE
from tracking.verification.shape import checked, decoded


class _Tampered(Exception):
    """What a proof would be made of is not there; the sentence says what."""


def verify_transaction(
    tenant: str,
    transaction: str,
    *,
    now: datetime,
    keys: Keys,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Report:
    """Check the records of one transaction; raises CannotCheck where there are none."""
    report = Report(TRANSACTION, now, target=f"{tenant}/{transaction}")
    checkpoint = _newest(report, keys)
    rows: list[Row | Seen] = []
    reader = Reader()
    wanted = {"tenant": tenant, "transaction": transaction}
    for data in collection(JOURNAL).find_raw_batches(wanted):
        rows += reader.read(data)
    if not rows:
        raise CannotCheck(f"Tenant {tenant} has no record of a transaction {transaction}.")
    proofs = _Proofs(checkpoint)
    for number, row in enumerate(rows, 1):
        if isinstance(row, Seen):
            if row.kind is not None or row.leaf is None:
                report.findings.add(
                    row.kind or "record_form",
                    f"{row.key}: {row.text}",
                    tenant=tenant,
                    record=row.key,
                    expected="a record as it is stored",
                    found=row.text,
                )
                continue
            row = (row.batch, row.index, row.leaf, row.key, row.tenant, row.moment)
        _check(report, row, proofs)
        report.records += 1
        progress("records", number, len(rows))
    if report.later:
        report.notes.append(f"{report.later} of its records wait to be sealed.")
    report.ended_at = clock.now()
    return report


def _newest(report: Report, keys: Keys) -> Checkpoint | None:
    for data in collection(CHECKPOINT).find_raw_batches({}, sort=[("_id", -1)], limit=1):
        row, wrong = checked(data, CHECKPOINT_SHAPE)
        what = f"checkpoint {row.get('_id')}"
        if wrong:
            report.findings.add("checkpoint_form", f"{what}: {' '.join(wrong)}", record=what)
            return None
        try:
            checkpoint = keys.stored(row["note"])
        except BadNote as error:
            report.findings.add("checkpoint_signature", f"{what}: {error}", record=what)
            return None
        report.checkpoints = 1
        report.size, report.root = checkpoint.size, checkpoint.root
        return checkpoint
    return None


def _check(report: Report, row: Row, proofs: _Proofs) -> None:
    batch, place, leaf, key, tenant, _moment = row
    index = proofs.index_of(batch, place)
    checkpoint = proofs.checkpoint
    if index is None or checkpoint is None or index >= checkpoint.size:
        leaves = Pending().leaves(batch)
        if leaves is None:
            report.findings.add(
                "record_added",
                f"{key} was not recorded through the door: batch {batch} is neither in the log"
                " nor waiting.",
                tenant=tenant,
                record=key,
                expected="a place in the log or in the queue",
                found=leaf.hex(),
            )
        elif leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES] != leaf or place < 0:
            _changed(report, row, index, leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES])
        else:
            report.later += 1
        return
    try:
        hashes = proofs.of(index)
        check_inclusion(leaf, index, checkpoint.size, hashes, checkpoint.root)
    except BadProof:
        _changed(report, row, index, proofs.leaf(index))
    except _Tampered as error:
        report.findings.add("segment_tree", str(error), record=f"leaf {index}", leaf=index)


def _changed(report: Report, row: Row, index: int | None, wanted: bytes) -> None:
    _batch, _place, leaf, key, tenant, _moment = row
    # The leaf may be the record's, and yet not lead to what was signed.
    kind = "segment_tree" if wanted == leaf else "record_changed"
    report.findings.add(
        kind,
        f"{key} is not in the log that was signed."
        if wanted == leaf
        else f"{key} is not the record that it was recorded as.",
        tenant=tenant,
        record=key,
        leaf=index,
        expected=wanted.hex(),
        found=leaf.hex(),
    )


class _Proofs:
    """Inclusion proofs out of what segments keep; believed only because they lead to a root."""

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self.checkpoint = checkpoint
        self._segments: dict[int, dict[str, Any]] = {}

    def index_of(self, batch: str, place: int) -> int | None:
        for data in collection(SEGMENT).find_raw_batches({"batches.batch": batch}, limit=1):
            segment = decoded(data) or {}
            try:
                at = segment["_id"]
                for each in segment["batches"]:
                    if each["batch"] == batch and 0 <= place < each["count"]:
                        return int(at + place)
                    at += each["count"]
            except (KeyError, TypeError):
                return None
        return None

    def of(self, index: int) -> list[bytes]:
        assert self.checkpoint is not None  # noqa: S101
        ranges = inclusion_ranges(index, self.checkpoint.size)
        return [range_hash(each, self._node) for each in ranges]

    def leaf(self, index: int) -> bytes:
        start, segment = self._segment_of(index)
        place = (index - start) * HASH_BYTES
        return bytes(segment["leaves"][place : place + HASH_BYTES])

    def _node(self, level: int, index: int) -> bytes:
        first, last = index << level, ((index + 1) << level) - 1
        if level < KEPT_LEVEL:
            return root_hash([self.leaf(at) for at in range(first, last + 1)])
        start, segment = self._segment_of(last)
        names = completed(start, start + segment["count"], KEPT_LEVEL)
        try:
            at = names.index((level, index)) * HASH_BYTES
        except ValueError:
            raise _Tampered(f"Segment {start} does not keep what it completes.") from None
        return bytes(segment["nodes"][at : at + HASH_BYTES]) or bagged(())

    def _segment_of(self, index: int) -> tuple[int, dict[str, Any]]:
        for start, segment in self._segments.items():
            if start <= index < start + segment["count"]:
                return start, segment
        found = collection(SEGMENT).find_raw_batches(
            {"_id": {"$lte": index}}, sort=[("_id", -1)], limit=1
        )
        segment = next((decoded(data) or {} for data in found), {})
        kinds = {"_id": int, "count": int, "leaves": bytes, "nodes": bytes}
        if not all(isinstance(segment.get(name), kind) for name, kind in kinds.items()):
            raise _Tampered(f"The segment of leaf {index} cannot be read.")
        start = int(segment["_id"])
        if index >= start + segment["count"] or len(segment["leaves"]) != (
            segment["count"] * HASH_BYTES
        ):
            raise _Tampered(f"The log has no leaf {index}.")
        self._segments[start] = segment
        return start, segment
