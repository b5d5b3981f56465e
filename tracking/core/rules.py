"""The status and progress rules, numbered as in docs/status-rules.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from tracking import vocabulary as v
from tracking.core.blocks import Block, Definition, Step

STAGE_RANK: Final = {stage: rank for rank, stage in enumerate(v.STAGES)}
_GOOD: Final = frozenset((v.SUCCEEDED, v.SKIPPED, v.FILTERED))
_FINAL_STATUS: Final = {
    v.SUCCEEDED: v.DELIVERED,
    v.SKIPPED: v.DELIVERED,
    v.FAILED: v.TX_FAILED,
    v.FILTERED: v.TX_FILTERED,
}


def choose_definition(
    versions: Sequence[Definition], named: str | None, created_at: datetime
) -> Definition | None:
    """F6: the version that a transaction is measured by."""
    if named is not None:
        return next((d for d in versions if d.version == named), None)
    valid = [d for d in versions if d.valid_from is None or d.valid_from <= created_at]
    if not valid:
        return None
    return max(valid, key=lambda d: (d.valid_from is not None, d.valid_from or 0, d.version))


def status_of(
    blocks: list[Block], by_name: Mapping[str, Block], definition: Definition | None
) -> tuple[str, Block]:
    """T1–T6: the status, and the block that decided it (F4)."""
    finals = [b for b in blocks if b.deciding.deciding.get("final") and b.status in _FINAL_STATUS]
    if finals:
        last = max(finals, key=lambda b: b.deciding.key)
        return _FINAL_STATUS[last.status], last  # T1
    end = _last_egress(definition)
    if end is not None:
        arrived = by_name.get(end)
        if arrived is not None and arrived.status == v.SUCCEEDED:
            return v.DELIVERED, arrived  # T2
    else:
        egress = max(
            (b for b in blocks if b.stage == v.EGRESS), key=lambda b: b.deciding.key, default=None
        )
        if (
            egress is not None
            and egress.status == v.SUCCEEDED
            and not any(
                b.status in (v.FAILED, v.FILTERED) and b.decided_at > egress.decided_at
                for b in blocks
            )
        ):
            return v.DELIVERED, egress  # T3
    filters = [b for b in blocks if b.status == v.FILTERED]
    if filters:
        return v.TX_FILTERED, max(filters, key=lambda b: b.deciding.key)  # T4
    steps = {s.block: i for i, s in enumerate(definition.steps)} if definition else {}
    failures = [b for b in blocks if b.status == v.FAILED and not _overcome(b, blocks, steps)]
    if failures:
        return v.TX_FAILED, max(failures, key=lambda b: b.deciding.key)  # T5
    return v.IN_TRANSIT, max(blocks, key=lambda b: b.deciding.key)  # T6


def _overcome(failed: Block, blocks: list[Block], steps: Mapping[str, int]) -> bool:
    """T5: does a success lie beyond this failure?"""
    at = steps.get(failed.name)
    for block in blocks:
        if block.status != v.SUCCEEDED or block.decided_at <= failed.decided_at:
            continue
        other = steps.get(block.name)
        if at is None or other is None or other > at:
            return True
    return False


def _last_egress(definition: Definition | None) -> str | None:
    """The last expected egress block; an optional step is not expected."""
    if definition is None:
        return None
    ends = [s for s in reversed(definition.steps) if s.stage == v.EGRESS]
    return next((s.block for s in ends if not s.optional), ends[0].block if ends else None)


def error_of(blocks: list[Block], status: str, current: Block) -> Block | None:
    """F5: the block whose error the lists show."""
    if status == v.TX_FAILED:
        return current
    failed = [b for b in blocks if b.status == v.FAILED]
    return max(failed, key=lambda b: b.deciding.key, default=None)


def is_out_of_order(definition: Definition, by_name: Mapping[str, Block]) -> bool:
    """F7: do event times contradict the order of the steps?"""
    latest: datetime | None = None
    for step in definition.steps:
        block = by_name.get(step.block)
        if block is None:
            continue
        if latest is not None and block.decided_at < latest:
            return True
        latest = block.decided_at
    return False


def is_good(block: Block | None) -> bool:
    return block is not None and block.status in _GOOD


def done_of(expected: list[Step] | None, by_name: Mapping[str, Block]) -> int:
    """P2: how many blocks are done."""
    if expected is None:
        return sum(is_good(block) for block in by_name.values())
    return sum(is_good(by_name.get(step.block)) for step in expected)


def percent_of(status: str, done: int, expected: list[Step] | None) -> int | None:
    """P4."""
    if status == v.DELIVERED:
        return 100
    if not expected:
        return None
    return min(99, done * 100 // len(expected))


def stages_of(
    blocks: list[Block],
    by_name: Mapping[str, Block],
    definition: Definition | None,
    status: str,
) -> dict[str, str]:
    """P1: the state of each stage."""
    defined = {step.block: step.stage for step in definition.steps} if definition else {}
    stage_of = {block.name: defined.get(block.name, block.stage) for block in blocks}
    begun = {STAGE_RANK[stage] for stage in stage_of.values()}
    states = {}
    for stage in v.STAGES:
        inside = [block for block in blocks if stage_of[block.name] == stage]
        if status == v.TX_FAILED and any(block.status == v.FAILED for block in inside):
            states[stage] = v.STAGE_FAILED
        elif status == v.DELIVERED:
            states[stage] = v.DONE
        elif not inside:
            states[stage] = v.PENDING
        else:
            settled = all(is_good(block) for block in inside)
            if definition:
                complete = all(
                    is_good(by_name.get(step.block))
                    for step in definition.steps
                    if step.stage == stage and not step.optional
                )
            else:
                complete = status != v.IN_TRANSIT or any(rank > STAGE_RANK[stage] for rank in begun)
            states[stage] = v.DONE if settled and complete else v.ACTIVE
    return states
