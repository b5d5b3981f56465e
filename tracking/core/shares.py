"""Who a transaction's elapsed time belongs to: visit by visit, queue and work. Pure.

The rule (docs/insights.md): a moment at which visits work belongs to these in equal parts; else
one at which visits are queued to these in equal parts, as queue; else it was spent waiting for
the visit that begins next, or, where none does, for the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Presence:
    """When a visit was there, in ms: from `begin`; queued and working until before the second."""

    begin: int
    queued: tuple[int, int] | None = None
    works: tuple[int, int] | None = None


# At the same moment ends come before beginnings, and queues before work.
_WORK_ENDS, _QUEUE_ENDS, _QUEUES, _WORKS, _BEGINS = range(5)


def shares(visits: Sequence[Presence], total: int) -> list[tuple[int, int]]:
    """(queue, work) of each visit in whole ms, in all exactly `total`: time runs from 0 to there.

    `visits` stand in their order (docs/insights.md). Parts of a millisecond are rounded along it.
    """
    found = _one_by_one(visits, total)
    if found is not None:
        return found
    queue = [0.0] * len(visits)
    work = [0.0] * len(visits)
    events = _events(visits, total)
    working = queued = 0
    # What one visit that was there all the time would have got: `n` visits split a moment.
    worked = waited = 0.0
    now = 0
    gap = 0
    for at, kind, index in events:
        if at > now:
            if working:
                worked += (at - now) / working
            elif queued:
                waited += (at - now) / queued
            else:
                gap += at - now
            now = at
        if kind == _WORK_ENDS:
            working -= 1
            work[index] += worked
        elif kind == _QUEUE_ENDS:
            queued -= 1
            queue[index] += waited
        elif kind == _QUEUES:
            queued += 1
            queue[index] -= waited
        elif kind == _WORKS:
            working += 1
            work[index] -= worked
        else:
            queue[index] += gap
            gap = 0
    if visits:
        queue[-1] += gap + total - now
    return _whole(queue, work, total)


def _one_by_one(visits: Sequence[Presence], total: int) -> list[tuple[int, int]] | None:
    """The same where no visit begins before the one before has ended, as most do not."""
    found = []
    now = 0
    for visit in visits:
        begin = visit.begin
        if begin < now or begin > total:
            return None
        queue = begin - now
        work = 0
        now = begin
        if visit.queued is not None:
            if visit.queued[0] != begin or not begin <= visit.queued[1] <= total:
                return None
            now = visit.queued[1]
            queue += now - begin
        if visit.works is not None:
            if visit.works[0] != now or not now <= visit.works[1] <= total:
                return None
            work = visit.works[1] - now
            now = visit.works[1]
        found.append((queue, work))
    if found and now < total:
        queue, work = found[-1]
        found[-1] = (queue + total - now, work)
    return found


def _events(visits: Sequence[Presence], total: int) -> list[tuple[int, int, int]]:
    events = []
    for index, visit in enumerate(visits):
        begin = min(max(visit.begin, 0), total)
        events.append((begin, _BEGINS, index))
        for span, opens, closes in (
            (visit.queued, _QUEUES, _QUEUE_ENDS),
            (visit.works, _WORKS, _WORK_ENDS),
        ):
            if span is None:
                continue
            start, end = max(span[0], 0), min(span[1], total)
            if start < end:
                events.append((start, opens, index))
                events.append((end, closes, index))
    events.sort()
    return events


def _whole(queue: list[float], work: list[float], total: int) -> list[tuple[int, int]]:
    found = []
    passed, told = 0.0, 0
    last = len(queue) - 1
    for index, (waited, worked) in enumerate(zip(queue, work, strict=True)):
        passed += waited
        until_queue = min(max(round(passed), told), total)
        passed += worked
        # the last digit of sums of floats must not cost a millisecond
        until_work = total if index == last else min(max(round(passed), until_queue), total)
        if index == last and not worked:
            until_queue = total
        found.append((until_queue - told, until_work - until_queue))
        told = until_work
    return found
