"""How much comes to a block, how much leaves it, and what it could do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tracking.insights.counts import Spans
from tracking.insights.observed import BlockSums, Counts
from tracking.insights.windows import HOUR, Window

_MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Rates:
    """Of the part of the window that has passed; None: not known.

    `arrived`, `left`, `most_left` (in its busiest full step) and `one_alone` (what it ends one
    after the other, by its mean work time) are visits per hour. By Little's law the times of all
    visits, over the time in which they passed, tell how many were there at once on average:
    `waiting` and `at_work`. `most_at_work` is the latter in its busiest full step, and so the
    least that it can work on at once.
    """

    arrived: float
    left: float
    most_left: float | None
    one_alone: float | None
    waiting: float | None
    at_work: float | None
    most_at_work: float | None

    @property
    def utilisation(self) -> float | None:
        """At most this share of what it can do at once is in use."""
        if self.at_work is None or not self.most_at_work:
            return None
        return min(1.0, self.at_work / self.most_at_work)


def passed_of(window: Window, moment: datetime) -> timedelta:
    """How much of it is over; all of it where it has not begun, so that nothing is divided by 0."""
    until = min(window.end, moment)
    return until - window.start if until > window.start else window.span


def rates_of(
    sums: BlockSums,
    work: Spans,
    left: int,
    steps: Sequence[Counts],
    window: Window,
    moment: datetime,
) -> Rates:
    """`work`: its work times."""
    passed = passed_of(window, moment)
    hours = passed / HOUR
    counts = sums.counts
    full = [
        (step, end - begin)
        for step, begin, end in zip(steps, window.begins, window.ends, strict=False)
        if end <= moment
    ]
    most_at_work = None
    # work counts where it ended: in steps shorter than it takes it would pile up by chance
    if work.p95 is not None and full and work.p95 <= min(span for _step, span in full) / _MS:
        most_at_work = max(step.worked_ms / (span / _MS) for step, span in full)
    return Rates(
        arrived=counts.arrived / hours,
        left=left / hours,
        most_left=max((step.ended / (span / HOUR) for step, span in full), default=None),
        one_alone=HOUR / _MS / work.mean if work.mean else None,
        waiting=counts.queued_ms / (passed / _MS) if sums.queue.n else None,
        at_work=counts.worked_ms / (passed / _MS) if work.n else None,
        most_at_work=most_at_work,
    )
