"""The steps of a story, its corrections and its records, one by one."""

from __future__ import annotations

from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.lifetime import Attempt, Block, Lifetime
from tracking.core.spelling import amount, duration, quantity, stamp
from tracking.evidence.gather import Entry
from tracking.evidence.seals import Seals
from tracking.evidence.text import cut, visible
from tracking.evidence.told import (
    AttemptTold,
    BlockTold,
    CorrectionTold,
    RecordTold,
    some,
    utc,
    word,
)

ATTEMPTS_TOLD: Final = 20  # of each block: the first and the last
SAID: Final = 300
_MARKS: Final = {
    v.MARK_LATE: "came more than a day after its event time",
    v.MARK_CLOCK_SKEW: "its event time lay ahead of our clock",
}

_BLOCK_WORDS: Final = {
    v.QUEUED: "It waited to begin{}, since {}",
    v.STARTED: "It had begun{}, and not ended when last heard of on {}",
    v.SUCCEEDED: "It succeeded{}, on {}",
    v.FAILED: "It failed{}, on {}",
    v.SKIPPED: "It was skipped{}, on {}",
    v.FILTERED: "It filtered the object out{}, on {}",
}


def block_told(number: int, block: Block) -> BlockTold:
    attempts = [block.attempts[each] for each in sorted(block.attempts)]
    kept = attempts
    if len(attempts) > ATTEMPTS_TOLD:
        kept = attempts[: ATTEMPTS_TOLD // 2] + attempts[-(ATTEMPTS_TOLD // 2) :]
    said = []
    if block.reason:
        said.append(f"Reason given: {visible(cut(block.reason, 2 * SAID))}")
    if block.failure is not None:
        error = exception_told(block.failure[1], most=2 * SAID)
        earlier = "" if block.status == v.FAILED else "An earlier error, since overcome: "
        said.append(f"{earlier}{error} (record {block.exception_record})")
    for currency, value in sorted(block.costs.items()):
        said.append(f"Cost: {amount(value, currency)}")
    if block.usage:
        lines = sorted(block.usage.items())
        said.append(
            "Usage: "
            + some([f"{quantity(n)} {visible(unit)} {visible(what)}" for (what, unit), n in lines])
        )
    if block.expected is False:
        said.append("The flow's definition does not know this step.")
    return BlockTold(
        number=number,
        name=visible(block.name),
        stage=block.stage,
        status=block.status,
        sentence=_sentence(block, len(attempts)),
        said=said,
        attempts=[_attempt(each) for each in kept],
        left_out=len(attempts) - len(kept),
    )


def _sentence(block: Block, attempts: int) -> str:
    tried = "" if attempts == 1 else f" at the last of {attempts:,} attempts"
    spans = []
    if block.queue_ms is not None:
        spans.append(f"waited {duration(block.queue_ms)}")
    if block.work_ms is not None:
        spans.append(f"worked {duration(block.work_ms)}")
    took = f"; it {' and '.join(spans)}" if spans else ""
    return f"{_BLOCK_WORDS[block.status].format(tried, utc(block.decided_at))}{took}."


def _attempt(attempt: Attempt) -> AttemptTold:
    document = attempt.deciding
    reason = (document.get("part") or {}).get("reason")
    said = [visible(cut(reason, SAID))] if reason else []
    if error := exception_told(document):
        said.append(error)
    return AttemptTold(
        number=attempt.number,
        status=word(attempt.status),
        queued=stamp(attempt.queued),
        started=stamp(attempt.started),
        ended=stamp(attempt.ended),
        waited=duration(attempt.queue_ms),
        worked=duration(attempt.work_ms),
        said=" · ".join(said),
        record=attempt.key[2],
    )


def exception_told(document: Any, most: int = SAID) -> str:
    error = (document.get("part") or {}).get("exception") or {}
    said = ": ".join(visible(error[name]) for name in ("type", "message") if error.get(name))
    more = [f"{name} {visible(error[name])}" for name in ("code", "location") if error.get(name)]
    if more:
        said = f"{said} ({', '.join(more)})" if said else ", ".join(more)
    return cut(said, most)


# --- Corrections and records ------------------------------------------------------------------


def corrections_of(by_id: dict[str, Entry], life: Lifetime) -> list[CorrectionTold]:
    found = []
    for entry in by_id.values():
        target = entry.document.get("corrects")
        if target in life.withdrawn and target in by_id:
            found.append(
                CorrectionTold(
                    withdrawn=target,
                    by=entry.id,
                    was=_said_by(by_id[target].document),
                    stands=_said_by(entry.document),
                )
            )
    return found


def _said_by(document: Any) -> str:
    return (
        f"“{visible(document['block'])}” {word(document['status'])},"
        f" attempt {document['attempt']}, {utc(document['occurred_at'])}"
    )


def record_told(
    number: int, entry: Entry, corrections: list[CorrectionTold], seals: Seals
) -> RecordTold:
    document = entry.document
    part = document["part"]
    notes = []
    if document.get("flow_version"):
        notes.append(f"Flow version: {visible(document['flow_version'])}")
    if part.get("reason"):
        notes.append(f"Reason: {visible(part['reason'])}")
    if error := exception_told(document, most=4_600):
        notes.append(f"Error: {error}")
    if cost := part.get("cost"):
        notes.append(f"Cost: {amount(cost['amount'], cost['currency'])}")
    if document.get("final"):
        notes.append("This record ends the transaction.")
    notes += [f"Marked {word(each)}: {_MARKS[each]}." for each in document.get("marks") or ()]
    by = [each.by for each in corrections if each.withdrawn == entry.id]
    notes += [f"Withdrawn by record {each}; it no longer counts." for each in by]
    if document.get("corrects"):
        notes.append(f"Corrects record {document['corrects']}.")
    if document["erased"]:
        notes.append("What it said beyond these fields was erased; its hash remains.")
    return RecordTold(
        number=number,
        id=entry.id,
        block=visible(document["block"]),
        attempt=document["attempt"],
        status=word(document["status"]),
        occurred=stamp(document["occurred_at"]),
        recorded=stamp(document["recorded_at"]),
        state=state_of(entry, seals),
        leaf=entry.leaf.hex(),
        place=f"leaf {entry.index:,}" if entry.index is not None else "",
        notes=notes,
        withdrawn=bool(by),
    )


def state_of(entry: Entry, seals: Seals) -> str:
    if entry.index is None or entry.index >= seals.size:
        return v.RECORDED
    return v.ANCHORED if entry.index < seals.anchored else v.SEALED
