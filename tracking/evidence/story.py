"""What happened to an object, in plain words: the content of story.html and story.pdf.

A story is derived from the records and the flow's definition, by the reducer that pages use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from tracking import vocabulary as v
from tracking.core.lifetime import Block, Lifetime, fold
from tracking.core.spelling import amount, duration, quantity
from tracking.evidence.gather import Entry
from tracking.evidence.seals import Seals
from tracking.evidence.steps import (
    SAID,
    block_told,
    corrections_of,
    exception_told,
    record_told,
    state_of,
)
from tracking.evidence.text import cut, visible
from tracking.evidence.told import CorrectionTold, Export, Story, counted, some, utc, word
from tracking.projection.definitions import definitions_of

RECORDS_TOLD: Final = 500
BLOCKS_TOLD: Final = 400

_WARNINGS: Final = {
    v.WARN_MIXED_OBJECTS: "Its records name more than one object; the first is told of here.",
    v.WARN_MIXED_FLOWS: "Its records name more than one flow; the first is told of here.",
    v.WARN_OUT_OF_ORDER: "A later step has an earlier event time than a step before it.",
    v.WARN_CORRECTION_CYCLE: "Records correct each other in a circle; none is withdrawn by it.",
    v.WARN_CORRECTION_TARGET: "A record corrects one that is not among these records.",
    v.WARN_CAPPED: "There is more than a summary keeps; it stands in the records.",
}


def story_of(tenant: str, entries: Sequence[Entry], export: Export, seals: Seals) -> Story:
    """The story of one object from all its records, at least one, by event time."""
    life = fold([entry.document for entry in entries], definitions_of(tenant))
    by_id = {entry.id: entry for entry in entries}
    corrections = corrections_of(by_id, life)
    states = _states(entries, seals)
    most_blocks, most_records = export.most(BLOCKS_TOLD), export.most(RECORDS_TOLD)
    return Story(
        tenant=tenant,
        transaction=life.transaction,
        object_id=visible(life.object_id),
        object_type=visible(life.object_type),
        flow=visible(life.flow),
        status=life.status,
        summary_lines=_summary(tenant, life, corrections, export.moment),
        facts=_facts(tenant, life, len(entries)),
        blocks=[block_told(n, block) for n, block in enumerate(life.blocks[:most_blocks], 1)],
        blocks_left_out=max(0, len(life.blocks) - most_blocks),
        corrections=corrections,
        records=[
            record_told(n, entry, corrections, seals)
            for n, entry in enumerate(entries[:most_records], 1)
        ],
        recorded=len(entries),
        states=states,
        seal_lines=_seal_lines(states, seals),
        origin=seals.origin,
        export=export,
    )


# --- In short ---------------------------------------------------------------------------------


def _summary(
    tenant: str, life: Lifetime, corrections: list[CorrectionTold], now: datetime
) -> list[str]:
    version = f", version {visible(life.flow_version)}" if life.flow_version else ""
    lines = [
        f"This is what was recorded of the {visible(life.object_type)} “{visible(life.object_id)}”"
        f" of the tenant {tenant} on its way through the flow “{visible(life.flow)}”{version}.",
        f"Its first event was on {utc(life.first_at)} and its last on {utc(life.last_at)}:"
        f" {duration(life.throughput_ms)} from the first to the last.",
        _outcome(life, now),
    ]
    if corrections:
        count = len(corrections)
        lines.append(
            f"{counted(count, 'record was', 'records were')} withdrawn by a correction and"
            f" {'does' if count == 1 else 'do'} not count here. Withdrawn and correcting records"
            " both stand below, unchanged."
        )
    lines += [_WARNINGS[each] for each in life.warnings if each in _WARNINGS]
    return lines


def _outcome(life: Lifetime, now: datetime) -> str:
    where = f"“{visible(life.current.name)}” ({life.current.stage})"
    at = utc(life.current.decided_at)
    if life.status == v.DELIVERED:
        return f"It was delivered: {where} is where it arrived, on {at}."
    if life.status == v.TX_FAILED:
        return f"It failed in {where} on {at}. {_cause(life.current)}"
    if life.status == v.TX_FILTERED:
        return f"It was filtered out, on purpose, by {where} on {at}. {_cause(life.current)}"
    said = f"It was still on its way when this was exported. It was last in {where}, on {at}."
    if life.due_at and life.due_at <= now:
        said += f" Its deadline passed on {utc(life.due_at)}."
    if life.stalls_at and life.stalls_at <= now:
        said += " Nothing was heard of it for longer than its flow allows."
    if life.next_block:
        said += f" The next step would be “{visible(life.next_block)}”."
    return said


def _cause(block: Block) -> str:
    said = exception_told(block.deciding.deciding) or ""
    reason = block.reason
    if reason:
        said = f"Reason given: {visible(cut(reason, SAID))}" + (f" ({said})" if said else "")
    return said or "The producer gave no reason."


def _facts(tenant: str, life: Lifetime, recorded: int) -> list[tuple[str, str]]:
    costs = " + ".join(amount(value, currency) for currency, value in life.costs.items())
    used = [
        f"{quantity(value)} {visible(unit)} {visible(resource)}"
        for (resource, unit), value in life.usage.items()
    ]
    references = [f"{visible(name)}: {visible(value)}" for name, value in life.references]
    definition = life.definition.version if life.definition else None
    rows = [
        ("Object", f"{visible(life.object_id)} ({visible(life.object_type)})"),
        ("Tenant", tenant),
        ("Transaction", life.transaction),
        ("Flow", visible(life.flow)),
        ("Flow's version", visible(life.flow_version or "")),
        ("Measured by its definition", visible(definition or "")),
        ("State", word(life.status)),
        ("Where", f"{visible(life.current.name)} ({life.current.stage})"),
        ("First event", utc(life.first_at)),
        ("Last event", utc(life.last_at)),
        ("From first to last", duration(life.throughput_ms)),
        ("Waiting, in all", duration(life.queue_ms)),
        ("Being worked on, in all", duration(life.work_ms)),
        ("Cost", costs),
        ("Usage", some(used)),
        ("Attempts beyond the first", f"{life.retries:,}" if life.retries else ""),
        ("References", some(references)),
        ("Came from", some(life.parents)),
        ("Records", f"{recorded:,}"),
    ]
    return [(name, value) for name, value in rows if value]


# --- Seals ------------------------------------------------------------------------------------


def _states(entries: Sequence[Entry], seals: Seals) -> dict[str, int]:
    found = {v.RECORDED: 0, v.SEALED: 0, v.ANCHORED: 0}
    for entry in entries:
        found[state_of(entry, seals)] += 1
    return found


def _seal_lines(states: dict[str, int], seals: Seals) -> list[str]:
    lines = []
    sealed = states[v.SEALED] + states[v.ANCHORED]
    if sealed and seals.newest is not None:
        lines.append(
            f"{counted(sealed, 'record is', 'records are')} sealed: the checkpoint of"
            f" {seals.size:,} leaves, signed on {utc(seals.newest.signed_at)}, covers"
            f" {'it' if sealed == 1 else 'them'}."
        )
    if states[v.RECORDED]:
        lines.append(
            f"{counted(states[v.RECORDED], 'record is', 'records are')} recorded and not sealed:"
            " a signed receipt stands for it, but no checkpoint yet. Export again in a minute."
        )
    for row in seals.anchors:
        lines.append(
            f"The log of {row['size']:,} leaves was published outside the database on"
            f" {utc(row['anchored_at'])} ({word(row['kind'])}, {visible(row['target'])})."
        )
    if states[v.ANCHORED]:
        lines.append(f"{counted(states[v.ANCHORED], 'record is', 'records are')} covered by that.")
    elif not seals.anchors:
        lines.append("No checkpoint was published outside the database when this was exported.")
    return lines
