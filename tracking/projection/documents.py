"""A lifetime → the documents that lists and search live on.

Pure. Absent is absent, never null; keys stand in one order, so that equal lifetimes give
equal bytes. Nothing in them depends on when or in which order the records came.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tracking import vocabulary as v
from tracking.core.lifetime import Block, Lifetime, record_id
from tracking.core.record import lane_of

Document = dict[str, Any]

_ERROR_SHOWN = 500


def transaction_key(tenant: str, transaction: str) -> str:
    return f"{tenant}/{transaction}"


def transaction_document(tenant: str, lifetime: Lifetime) -> Document:
    """The `transaction` document (models/transactions.py describes its fields)."""
    current, error = lifetime.current, lifetime.error
    shown = error if error is not None and error.exception_record else None
    exception: Mapping[str, str] = (shown.exception or {}) if shown else {}
    return _present(
        {
            "_id": transaction_key(tenant, lifetime.transaction),
            "tenant": tenant,
            "transaction": lifetime.transaction,
            "lane": lane_of(tenant, lifetime.transaction),
            "object_id": lifetime.object_id,
            "object_type": lifetime.object_type,
            "flow": lifetime.flow,
            "flow_version": lifetime.flow_version,
            "definition": lifetime.definition.version if lifetime.definition else None,
            "status": lifetime.status,
            "stage": current.stage,
            "block": current.name,
            "created_at": lifetime.created_at,
            "updated_at": lifetime.updated_at,
            "recorded_at": lifetime.recorded_at,
            "first_at": lifetime.first_at,
            "last_at": lifetime.last_at,
            "throughput_ms": lifetime.throughput_ms,
            "queue_ms": lifetime.queue_ms,
            "work_ms": lifetime.work_ms,
            "records": lifetime.records,
            "withdrawn": len(lifetime.withdrawn),
            "blocks": len(lifetime.blocks),
            "retries": lifetime.retries,
            "reason": current.reason if lifetime.status != v.IN_TRANSIT else None,
            "error_block": error.name if error else None,
            "error_type": exception.get("type"),
            "error_message": _cut(exception.get("message") or (error.reason if error else None)),
            "error_record": _error_record(error),
            "references": [{"name": name, "value": value} for name, value in lifetime.references],
            "parents": lifetime.parents,
            "usage": _usage(lifetime.usage),
            "costs": _costs(lifetime.costs),
            "path": [
                {"block": block.name, "stage": block.stage}
                for block in lifetime.blocks[: v.KEPT_PATH]
            ],
            "warnings": lifetime.warnings,
            **lifetime.stages,
            "blocks_done": lifetime.blocks_done,
            "blocks_expected": lifetime.blocks_expected,
            "percent": lifetime.percent,
            "next_block": lifetime.next_block,
            "next_due_at": lifetime.next_due_at,
            "stalls_at": lifetime.stalls_at,
            "due_at": lifetime.due_at,
        }
    )


def block_documents(tenant: str, lifetime: Lifetime) -> list[Document]:
    """One `block_progress` document for each block of the transaction."""
    return [block_document(tenant, lifetime, block) for block in lifetime.blocks]


def block_document(tenant: str, lifetime: Lifetime, block: Block) -> Document:
    """The `block_progress` document of one block.

    Spelled out, because most of what the follower writes are these.
    """
    key = transaction_key(tenant, lifetime.transaction)
    deciding = block.deciding
    document: Document = {
        "_id": f"{key}/{block.name}",
        "tenant": tenant,
        "transaction": key,
        "object_id": lifetime.object_id,
        "object_type": lifetime.object_type,
        "flow": lifetime.flow,
        "block": block.name,
        "stage": deciding.deciding["stage"],
        "status": deciding.status,
        "position": block.position,
    }
    if block.expected is not None:
        document["expected"] = block.expected
    document["attempts"] = len(block.attempts)
    document["attempt"] = deciding.number
    document["records"] = block.records
    document["first_at"] = block.first_at
    document["last_at"] = block.last_at
    document["updated_at"] = block.shown_last_at
    if (queue_ms := block.queue_ms) is not None:
        document["queue_ms"] = queue_ms
    if (work_ms := block.work_ms) is not None:
        document["work_ms"] = work_ms
    if (reason := block.reason) is not None:
        document["reason"] = reason
    if block.failure is not None:
        exception = block.exception or {}
        for name in ("type", "message", "code", "location"):
            if name in exception:
                document[f"error_{name}"] = exception[name]
        document["error_record"] = block.exception_record
    usage, costs = block.sums()
    document["usage"] = _usage(usage)
    document["costs"] = _costs(costs)
    return document


def _error_record(block: Block | None) -> str | None:
    """The record to open: the one with the exception, else the one that failed the block."""
    if block is None:
        return None
    return block.exception_record or record_id(block.deciding.deciding)


def _present(fields: Document) -> Document:
    return {name: value for name, value in fields.items() if value is not None}


def _cut(text: str | None) -> str | None:
    return text[:_ERROR_SHOWN] if text else None


def _usage(usage: Mapping[tuple[str, str], Decimal]) -> list[Document]:
    if not usage:
        return []
    return [
        {"resource": resource, "unit": unit, "quantity": format(quantity, "f")}
        for (resource, unit), quantity in sorted(usage.items())[: v.KEPT_USAGE]
    ]


def _costs(costs: Mapping[str, Decimal]) -> list[Document]:
    return [
        {"currency": currency, "amount": format(amount, "f")}
        for currency, amount in sorted(costs.items())
    ]
