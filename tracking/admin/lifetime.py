"""What the page of one transaction shows, read from the journal alone: it is never stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.access.masking import Masking
from tracking.admin import display as show
from tracking.admin.lifetime_costs import Costs, cost_fact, costs_of, with_prices
from tracking.admin.lifetime_parts import (
    Detail,
    Reference,
    Relative,
    Shown,
    children_of,
    parents_of,
    records_of,
    references_of,
    with_details,
)
from tracking.admin.timeline import Row, TimeLine, time_line
from tracking.anchoring.state import cutoffs
from tracking.core.costs import ObjectCost
from tracking.core.lifetime import Lifetime, Step
from tracking.models import Transaction
from tracking.projection.live import cost_of, lifetime_of
from tracking.projection.paths import learned_path


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    label: SafeString
    state: str
    done: str


@dataclass(frozen=True, slots=True)
class Page:
    tenant: str
    transaction: str
    object_id: str
    object_type: str
    flow: str
    labels: SafeString
    seal: SafeString
    tone: str
    where: str
    where_stage: str
    since: SafeString | str
    headline: str
    failing: str
    facts: list[tuple[str, str, str]]
    warnings: list[tuple[str, str]]
    stages: list[Stage]
    percent: int | None
    path_source: str
    learned: bool
    next_block: str
    next_due: str
    late: bool
    line: TimeLine
    rows: list[tuple[Row, Detail]]
    costs: Costs | None
    references: list[Reference]
    parents: list[Relative]
    parents_more: int
    children: list[Relative]
    children_more: bool
    records: list[Shown]
    recorded: int
    truncated: bool
    withdrawn: int
    may_read_raw: bool
    masked: bool


def page_of(
    tenant: str,
    transaction: str,
    *,
    visible: QuerySet[Transaction],
    moment: datetime,
    masking: Masking,
    raw: bool,
    open_block: str | None,
) -> Page | None:
    """The page's content as of `moment`, or None where no record names the transaction.

    `visible`: the transactions that the reader may know of; `raw`: whether they may see raw
    records, stack traces and attributes; `masking`: how they see what is personal.
    """
    live = lifetime_of(tenant, transaction)
    if live is None:
        return None
    life = live.lifetime
    cost = cost_of(tenant, live)
    expected: Sequence[Step] = (
        learned_path(tenant, life.flow) if life.definition is None else life.definition.steps
    )
    line = time_line(life, expected, now=moment, opened=open_block)
    failing = next((row for row in line.rows if row.failing), None)
    states = show.states_of(life, moment)
    next_block, next_due_at = _next(life, expected)
    rows = with_details(tenant, line.rows, masking, raw=raw)
    references = references_of(life, masking)
    records = records_of(tenant, transaction, life, masking) if raw else []
    parents, parents_more = parents_of(visible, tenant, life, moment)
    children, children_more = children_of(visible, tenant, transaction, moment)
    return Page(
        tenant=tenant,
        transaction=transaction,
        object_id=life.object_id,
        object_type=life.object_type,
        flow=life.flow,
        labels=show.labels(states),
        seal=show.seal(cutoffs().state_of(life.recorded_at)),
        tone=show.LOOKS[states[-1]][0],
        where=life.current.name,
        where_stage=life.current.stage,
        since=show.when(life.updated_at, moment),
        headline=_headline(life, states),
        failing=failing.anchor if failing else "",
        facts=_facts(life, live.recorded, cost),
        warnings=[(show.word(w), show.WARNING_SENTENCES.get(w, "")) for w in life.warnings],
        stages=[_stage(name, life, expected) for name in v.STAGES],
        percent=life.percent,
        path_source=_path_source(life, expected),
        learned=life.definition is None and bool(expected),
        next_block=next_block or "",
        next_due=_due(next_due_at, moment),
        late=bool(next_due_at and next_due_at <= moment),
        line=line,
        rows=with_prices(rows, cost),
        costs=costs_of(cost, life, anchors={row.name: row.anchor for row in line.rows}),
        references=references,
        parents=parents,
        parents_more=parents_more,
        children=children,
        children_more=children_more,
        records=records,
        recorded=live.recorded,
        truncated=live.truncated,
        withdrawn=len(life.withdrawn),
        may_read_raw=raw,
        masked=any(record.raw.masked for record in records)
        or not all(reference.sought for reference in references),
    )


def _headline(life: Lifetime, states: list[str]) -> str:
    """Why it is where it is, in the producer's own words."""
    if life.status == v.TX_FAILED:
        exception = life.current.exception or {}
        said = ": ".join(x for x in (exception.get("type"), exception.get("message")) if x)
        return said or life.current.reason or "The producer gave no reason."
    if life.status == v.TX_FILTERED:
        return life.current.reason or ""
    if v.STALLED in states:
        return "No news for longer than the flow's patience."
    return life.current.reason or ""


def _facts(life: Lifetime, recorded: int, cost: ObjectCost) -> list[tuple[str, str, str]]:
    """Name, value and hint."""
    costs, said = cost_fact(cost)
    used = [f"{show.quantity(q)} {unit} {resource}" for (resource, unit), q in life.usage.items()]
    more = f" and {len(used) - 3} more" if len(used) > 3 else ""
    version = life.definition.version if life.definition else life.flow_version
    return [
        ("Throughput time", show.duration(life.throughput_ms), "first to last event"),
        ("Queue time", show.duration(life.queue_ms), "waiting for blocks, all attempts"),
        ("Work time", show.duration(life.work_ms), "inside blocks, all attempts"),
        ("Cost", costs, said),
        ("Usage", ", ".join(used[:3]) + more if used else show.NONE, "all records that count"),
        ("Retries", f"{life.retries:,}", "attempts beyond the first"),
        ("First event", show.stamp(life.first_at), "UTC"),
        ("Last event", show.stamp(life.last_at), "UTC"),
        ("Definition", version or show.NONE, "version of the flow it is measured by"),
        ("Records", f"{recorded:,}", f"{len(life.withdrawn)} withdrawn" if life.withdrawn else ""),
    ]


def _stage(name: str, life: Lifetime, expected: Sequence[Step]) -> Stage:
    good = {b.name for b in life.blocks if b.status in (v.SUCCEEDED, v.SKIPPED, v.FILTERED)}
    steps = [step for step in expected if step.stage == name and not step.optional]
    named = {step.block for step in expected if step.stage == name}
    extra = [b for b in life.blocks if b.stage == name and b.name not in named]
    if steps:
        done = f"{sum(s.block in good for s in steps)} of {len(steps)} {_blocks(len(steps))}"
    else:
        count = len(extra)
        done = f"{count} {_blocks(count)}" if count else "no block"
    return Stage(name, show.label(life.stages[name]), life.stages[name], done)


def _blocks(count: int) -> str:
    return "block" if count == 1 else "blocks"


def _path_source(life: Lifetime, expected: Sequence[Step]) -> str:
    if life.definition is not None:
        return f"measured by version {life.definition.version} of the flow definition"
    if expected:
        return "no definition: compared with the path that delivered transactions usually take"
    return "no definition, and nothing of this flow was delivered yet"


def _next(life: Lifetime, expected: Sequence[Step]) -> tuple[str | None, datetime | None]:
    if life.status != v.IN_TRANSIT:
        return None, None
    if life.definition is not None:
        return life.next_block, life.next_due_at or life.due_at
    seen = {block.name for block in life.blocks}
    return next((step.block for step in expected if step.block not in seen), None), None


def _due(at: datetime | None, now: datetime) -> str:
    return f"due {show.stamp(at)[:16]} UTC, {show.ago(at, now)}" if at else ""
