"""A lifetime → what GET /transactions/{id}/lifetime adds to the transaction itself."""

from __future__ import annotations

from typing import Any, Final

from tracking.access.scope import Who, visible_to
from tracking.api import shapes
from tracking.api.costs import bill_shape, cost_shape
from tracking.api.permissions import may_see_records
from tracking.core.lifetime import Attempt, Block, Definition, Lifetime
from tracking.models import Transaction, TransactionBlock
from tracking.projection.documents import block_documents
from tracking.projection.live import Live, cost_of
from tracking.projection.paths import learned_path

Shape = dict[str, Any]

ATTEMPTS_SHOWN: Final = 100
CHILDREN_SHOWN: Final = 100
WITHDRAWN_SHOWN: Final = 100
STACKTRACES_SHOWN: Final = 100


def lifetime_shape(who: Who, tenant: str, live: Live) -> Shape:
    lifetime = live.lifetime
    exceptions = _exceptions(who, tenant, lifetime)
    children = list(
        visible_to(who, Transaction)
        .filter(tenant_id=tenant, parents__holds=lifetime.transaction)
        .order_by("-updated_at", "-key")[: CHILDREN_SHOWN + 1]
    )
    withdrawn = sorted(lifetime.withdrawn)
    documents = block_documents(tenant, lifetime)
    cost = cost_of(tenant, live)
    costs = {block.name: bill_shape(block.whole, block.lost) for block in cost.blocks}
    return {
        "recorded": live.recorded,
        "truncated": live.truncated,
        "timeline": [
            _block(block, document, exceptions.get(block.name), costs.get(block.name))
            for block, document in zip(lifetime.blocks, documents, strict=True)
        ],
        "cost": cost_shape(cost, partial=live.truncated),
        "withdrawn_records": withdrawn[:WITHDRAWN_SHOWN],
        "children": [shapes.node(child) for child in children[:CHILDREN_SHOWN]],
        "more_children": len(children) > CHILDREN_SHOWN,
    }


def path_shape(tenant: str, flow: str, definition: Definition | None) -> Shape:
    """The expected path: defined in the admin, or learned from what others of the flow did."""
    steps = definition.steps if definition else learned_path(tenant, flow)
    return {
        "source": "defined" if definition else "learned",
        "version": definition.version if definition else None,
        "steps": [
            {"block": step.block, "stage": step.stage, "optional": step.optional} for step in steps
        ],
    }


def _block(block: Block, document: Shape, exception: Shape | None, cost: Shape | None) -> Shape:
    attempts = sorted(block.attempts.values(), key=lambda attempt: attempt.number)
    return {
        "block": block.name,
        "stage": block.stage,
        "status": block.status,
        "position": block.position,
        "expected": document.get("expected"),
        "first_at": shapes.time(block.first_at),
        "last_at": shapes.time(block.last_at),
        "queue_ms": block.queue_ms,
        "work_ms": block.work_ms,
        "records": block.records,
        "reason": block.reason,
        "exception": exception,
        "attempts": len(attempts),
        "latest_attempts": [_attempt(attempt) for attempt in attempts[-ATTEMPTS_SHOWN:]],
        "usage": document["usage"],
        "costs": document["costs"],
        "cost": cost,
    }


def _attempt(attempt: Attempt) -> Shape:
    document = attempt.deciding
    return {
        "attempt": attempt.number,
        "status": attempt.status,
        "queued_at": shapes.time(attempt.queued),
        "started_at": shapes.time(attempt.started),
        "ended_at": shapes.time(attempt.ended),
        "queue_ms": attempt.queue_ms,
        "work_ms": attempt.work_ms,
        "reason": (document.get("part") or {}).get("reason"),
        "record": str(document["_id"]).partition("/")[2],
    }


def _exceptions(who: Who, tenant: str, lifetime: Lifetime) -> dict[str, Shape]:
    """The last exception of each block, with its stack trace for whoever may see raw records."""
    records = {b.name: b.exception_record for b in lifetime.blocks if b.exception_record}
    keys = [f"{tenant}/{record}" for record in records.values()][:STACKTRACES_SHOWN]
    parts = dict(
        visible_to(who, TransactionBlock).filter(pk__in=keys).values_list("pk", "part")
        if keys and may_see_records(who)
        else ()
    )
    found = {}
    for block in lifetime.blocks:
        if block.exception is None:
            continue
        record = records[block.name]
        whole = (parts.get(f"{tenant}/{record}") or {}).get("exception") or block.exception
        found[block.name] = {
            **{
                name: whole.get(name)
                for name in ("type", "message", "code", "location", "stacktrace")
            },
            "record": record,
        }
    return found
