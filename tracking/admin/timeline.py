"""A lifetime as a time line: one row per block, bars of queue and work time on one axis.

Pure. Everything is bounded: rows, and bars per row; what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.core.lifetime import Attempt, Block, Lifetime, Step, record_id

ROWS_MAX: Final = 400
BARS_MAX: Final = 40
ATTEMPTS_MAX: Final = 600
_BARS_FIRST: Final = 5
_TICKS: Final = 5
_MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """From `left`, `width` wide, in percent of the axis; `open`: it has no end yet."""

    kind: str  # queue, work, dot
    tone: str
    left: str
    width: str
    title: str
    open: bool = False


@dataclass(frozen=True, slots=True)
class AttemptLine:
    number: int
    label: SafeString
    queued: str
    started: str
    ended: str
    queue: str
    work: str
    record: str


@dataclass(slots=True)
class Row:
    """One block, or (`ghost`) one that is expected and has not come."""

    name: str
    stage: str
    anchor: str
    label: SafeString
    tone: str
    bars: list[Bar] = field(default_factory=list)
    hidden_bars: int = 0
    gap: str = ""
    gap_said: str = ""
    gap_odd: bool = False
    queue: str = show.NONE
    work: str = show.NONE
    first: str = show.NONE
    last: str = show.NONE
    attempts: list[AttemptLine] = field(default_factory=list)
    attempt_count: int = 0
    records: int = 0
    unexpected: bool = False
    ghost: bool = False
    due: str = ""
    failing: bool = False
    opened: bool = False
    block: Block | None = None
    deciding: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    left: str
    day: str
    time: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    rows: list[Row]
    hidden_rows: int
    ticks: list[Tick]
    span: str


def time_line(
    lifetime: Lifetime, expected: Sequence[Step], *, now: datetime, opened: str | None
) -> TimeLine:
    """`expected` are the steps of the definition or the learned path; `opened` names a block."""
    axis = _Axis(lifetime)
    known = {step.block for step in expected}
    failing = lifetime.error.name if lifetime.error else None
    shown = _bounded(lifetime.blocks, keep={failing, opened})
    rows: list[Row] = []
    before: Block | None = None
    for block in lifetime.blocks:
        if block.name in shown:
            row = _row(block, axis)
            row.gap, row.gap_said, row.gap_odd = _gap(before, block)
            row.unexpected = bool(lifetime.definition) and block.name not in known
            row.failing = block.name == failing
            row.opened = block.name == opened
            rows.append(row)
        before = block
    if lifetime.status == v.IN_TRANSIT:
        seen = {block.name for block in lifetime.blocks}
        rows.extend(
            _ghost(step, lifetime.first_at, now) for step in expected if step.block not in seen
        )
    _bound_attempts(rows)
    return TimeLine(
        rows=rows,
        hidden_rows=len(lifetime.blocks) - len(shown),
        ticks=axis.ticks(),
        span=show.duration((axis.high - axis.low) // _MS),
    )


class _Axis:
    """The common time axis of all bars."""

    def __init__(self, lifetime: Lifetime) -> None:
        moments = [lifetime.first_at, lifetime.last_at]
        for block in lifetime.blocks:
            for attempt in block.attempts.values():
                moments += [m for m in (attempt.queued, attempt.started, attempt.ended) if m]
        self.low, self.high = min(moments), max(moments)

    def place(self, moment: datetime) -> float:
        whole = self.high - self.low
        return 100 * ((moment - self.low) / whole) if whole else 0.0

    def bar(self, kind: str, tone: str, begin: datetime, end: datetime | None, title: str) -> Bar:
        left = self.place(begin)
        width = self.place(end or self.high) - left
        if width <= 0:
            kind, end = "dot", begin  # a bar without length is easily overlooked
        return Bar(kind, tone, f"{left:.3f}", f"{max(width, 0):.3f}", title, end is None)

    def ticks(self) -> list[Tick]:
        whole = self.high - self.low
        if not whole:
            return [Tick("0", f"{self.low:%Y-%m-%d}", f"{self.low:%H:%M:%S}")]
        short = whole < timedelta(seconds=20)
        ticks, day = [], ""
        for n in range(_TICKS):
            at = self.low + whole * n / (_TICKS - 1)
            this_day = f"{at:%Y-%m-%d}"
            time = show.stamp(at)[11:] if short else f"{at:%H:%M:%S}"
            ticks.append(
                Tick(f"{100 * n / (_TICKS - 1):.2f}", this_day if this_day != day else "", time)
            )
            day = this_day
        return ticks


def _row(block: Block, axis: _Axis) -> Row:
    attempts = [block.attempts[number] for number in sorted(block.attempts)]
    drawn = _first_and_last(attempts)
    tone = show.LOOKS[block.status][0]
    return Row(
        name=block.name,
        stage=block.stage,
        anchor=f"block-{block.position}",
        label=show.label(block.status),
        tone=tone,
        bars=[bar for attempt in drawn for bar in _bars(attempt, axis)],
        hidden_bars=len(attempts) - len(drawn),
        queue=show.duration(block.queue_ms),
        work=show.duration(block.work_ms),
        first=show.stamp(block.first_at),
        last=show.stamp(block.last_at),
        attempts=[_attempt_line(attempt) for attempt in drawn],
        attempt_count=len(attempts),
        records=block.records,
        block=block,
        deciding=record_id(block.deciding.deciding),
    )


def _bars(attempt: Attempt, axis: _Axis) -> Iterable[Bar]:
    tone = show.LOOKS[attempt.status][0]
    said = f"attempt {attempt.number}, {show.word(attempt.status)}"
    queued, started, ended = attempt.queued, attempt.started, attempt.ended
    if queued and (started is None or started >= queued):
        waited = f"{said}: waited {show.duration(attempt.queue_ms)}"
        if started or attempt.status == v.QUEUED:
            yield axis.bar("queue", "wait", queued, started, waited)
    if started and (ended is None or ended >= started):
        yield axis.bar(
            "work", tone, started, ended, f"{said}: worked {show.duration(attempt.work_ms)}"
        )
    elif attempt.status != v.QUEUED or queued is None:
        at = attempt.key[0]
        yield axis.bar("dot", tone, at, at, f"{said} at {show.stamp(at)}")


def _attempt_line(attempt: Attempt) -> AttemptLine:
    return AttemptLine(
        number=attempt.number,
        label=show.label(attempt.status),
        queued=show.stamp(attempt.queued),
        started=show.stamp(attempt.started),
        ended=show.stamp(attempt.ended),
        queue=show.duration(attempt.queue_ms),
        work=show.duration(attempt.work_ms),
        record=record_id(attempt.deciding),
    )


def _gap(before: Block | None, block: Block) -> tuple[str, str, bool]:
    """From the end of the block before to this one's first event: short, in words, odd."""
    if before is None or before.last_at is None or block.first_at is None:
        return "", "", False
    ms = (block.first_at - before.last_at) // _MS
    if ms == 0:
        return "", "", False
    if ms > 0:
        return f"+{show.duration(ms)}", f"{show.duration(ms)} after {before.name} ended", False
    early = show.duration(-ms)
    return f"−{early}", f"began {early} before {before.name} ended", True


def _ghost(step: Step, first_at: datetime, now: datetime) -> Row:
    due = ""
    if step.due:
        at = first_at + step.due
        due = f"due {show.stamp(at)[:16]} UTC, {show.ago(at, now)}"
    return Row(
        name=step.block,
        stage=step.stage,
        anchor="",
        label=show.label(v.PENDING, "optional" if step.optional else "not yet"),
        tone="none",
        ghost=True,
        due=due,
    )


def _bounded(blocks: Sequence[Block], keep: set[str | None]) -> set[str]:
    names = {block.name for block in blocks[:ROWS_MAX]}
    return names | {block.name for block in blocks[ROWS_MAX:] if block.name in keep}


def _bound_attempts(rows: list[Row]) -> None:
    """Hundreds of blocks with dozens of attempts each: the tables that matter most stay."""
    room = ATTEMPTS_MAX
    for row in sorted(rows, key=lambda row: not (row.failing or row.opened)):
        room -= len(row.attempts)
        if room < 0:
            row.attempts = []


def _first_and_last(attempts: list[Attempt]) -> list[Attempt]:
    if len(attempts) <= BARS_MAX:
        return attempts
    return attempts[:_BARS_FIRST] + attempts[_BARS_FIRST - BARS_MAX :]
