"""Stored documents → the JSON of the read API (docs/api.md). Pure.

Times are RFC 3339 with milliseconds and a Z, spans milliseconds, amounts decimal strings.
What is not known is null; lists are never null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tracking import vocabulary as v
from tracking.access.masking import Masking, has_masked
from tracking.anchoring.state import Anchored, Cutoffs
from tracking.clock import iso
from tracking.core.canonical import leaf_hash
from tracking.models import Transaction, TransactionBlock
from tracking.projection.corrections import Corrections

Shape = dict[str, Any]

_CORRECTIONS_SHOWN = 100

_HEADER = (
    "flow",
    "flow_version",
    "block",
    "transaction",
    "stage",
    "status",
    "attempt",
    "occurred_at",
    "queued_at",
    "started_at",
    "ended_at",
    "parents",
    "corrects",
    "final",
)


def time(moment: datetime | None) -> str | None:
    return iso(moment) if moment is not None else None


def transaction(row: Transaction, moment: datetime, limits: Cutoffs, masking: Masking) -> Shape:
    """One transaction as lists and its own page show it; `limits` were read after it."""
    references = masking.references((r["name"], r["value"]) for r in row.references or ())
    return {
        "id": row.transaction,
        "tenant": row.tenant_id,
        "object": {"id": row.object_id, "type": row.object_type},
        "flow": row.flow,
        "flow_version": row.flow_version,
        "definition": row.definition,
        "status": row.status,
        "stalled": is_past(row, row.stalls_at, moment),
        "overdue": is_past(row, row.due_at, moment),
        "stage": row.stage,
        "block": row.block,
        "reason": row.reason,
        "error": _error(row),
        "seal_state": limits.state_of(row.recorded_at),
        "created_at": time(row.created_at),
        "updated_at": time(row.updated_at),
        "recorded_at": time(row.recorded_at),
        "first_at": time(row.first_at),
        "last_at": time(row.last_at),
        "stalls_at": time(row.stalls_at),
        "due_at": time(row.due_at),
        "durations": {
            "throughput_ms": row.throughput_ms,
            "queue_ms": row.queue_ms,
            "work_ms": row.work_ms,
        },
        "progress": {
            "stages": {stage: getattr(row, stage) for stage in v.STAGES},
            "blocks": row.blocks,
            "blocks_done": row.blocks_done,
            "blocks_expected": row.blocks_expected,
            "percent": row.percent,
            "next_block": row.next_block,
            "next_due_at": time(row.next_due_at),
        },
        "records": row.records,
        "withdrawn": row.withdrawn,
        "retries": row.retries,
        "references": _by_name(references),
        "parents": list(row.parents or ()),
        "usage": list(row.usage or ()),
        "costs": list(row.costs or ()),
        "warnings": list(row.warnings or ()),
        "masked": has_masked(references),
    }


def is_past(row: Transaction, limit: datetime | None, moment: datetime) -> bool:
    return row.status == v.IN_TRANSIT and limit is not None and limit < moment


def node(row: Transaction) -> Shape:
    """A transaction as a relative of another."""
    return {
        "id": row.transaction,
        "object": {"id": row.object_id, "type": row.object_type},
        "flow": row.flow,
        "status": row.status,
    }


def record(row: TransactionBlock, corrections: Corrections, state: str, masking: Masking) -> Shape:
    """A record: `record` as it was posted, and what the server knows of it."""
    document = row.document()
    wire = posted(masking.document(document))
    return {
        "tenant": row.tenant_id,
        "record": wire,
        "masked": has_masked(wire),
        "recorded_at": time(row.recorded_at),
        "batch": row.batch,
        "index": row.index,
        "receipt": leaf_hash(document).hex(),
        "marks": list(row.marks or ()),
        "producer": row.producer,
        "corrected_by": corrections.corrected_by.get(row.record_id, [])[:_CORRECTIONS_SHOWN],
        "withdrawn": row.record_id in corrections.withdrawn_by,
        "state": state,
    }


def anchor(found: Anchored) -> Shape:
    """Where a checkpoint that covers a record was published, and when."""
    return {
        "kind": found.kind,
        "target": found.target,
        "size": found.size,
        "anchored_at": time(found.anchored_at),
    }


def posted(document: Mapping[str, Any]) -> Shape:
    """The wire record of a journal document: posted again, if unmasked, it is a duplicate."""
    wire: Shape = {
        "id": str(document["_id"]).partition("/")[2],
        "object": {"id": document["object_id"], "type": document["object_type"]},
    }
    for name in _HEADER:
        value = document.get(name)
        if value is not None:
            wire[name] = iso(value) if isinstance(value, datetime) else value
    part = dict(document.get("part") or {})
    if "attributes" in part:
        part["attributes"] = {item["name"]: item["value"] for item in part["attributes"]}
    if "references" in part:
        part["references"] = {item["name"]: item["values"] for item in part["references"]}
    return {**wire, **part}


def _by_name(references: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in references:
        found.setdefault(name, []).append(value)
    return found


def _error(row: Transaction) -> Shape | None:
    if row.error_block is None:
        return None
    return {
        "block": row.error_block,
        "type": row.error_type,
        "message": row.error_message,
        "record": row.error_record,
    }
