"""Who a transaction's elapsed time belongs to: visit by visit, queue and work. Pure.

The rule (docs/insights.md): a moment at which visits work belongs to these in equal parts; else
one at which visits are queued to these in equal parts, as queue; else it was spent waiting for
the visit that begins next, or, where none does, for the last.
"""

from __future__ import annotations

from collections.abc import Sequence

# When a visit was there, in ms from the transaction's first event: its arrival; from when until
# before when it was queued, and worked. What is empty or lies before or behind does not count.
Presence = tuple[int, int, int, int, int]

# At the same moment ends come before beginnings, and queues before work.
_WORK_ENDS, _QUEUE_ENDS, _QUEUES, _WORKS, _BEGINS = range(5)


def shares(visits: Sequence[Presence], total: int) -> list[tuple[int, int]]:
    """(queue, work) of each visit in whole ms, in all exactly `total`: time runs from 0 to there.

    `visits` stand in their order (docs/insights.md). Parts of a millisecond are rounded along it.
    """
    return _one_by_one(visits, total) or _side_by_side(visits, total)


def _one_by_one(visits: Sequence[Presence], total: int) -> list[tuple[int, int]] | None:
    """The answer where no visit begins before the one before has ended; else None."""
    found = []
    now = 0
    for begin, queued, unqueued, starts, stops in visits:
        if begin > now:
            at = begin
        elif now and begin < now:
            return None
        else:
            at = now  # what was before the first event counts to no one
        queue = at - now
        if unqueued > at and unqueued > queued:
            if queued > at or unqueued > starts:
                return None
            queue += unqueued - at
            at = unqueued
        work = 0
        if stops > at and stops > starts:
            if starts > at:
                return None
            work = stops - at
            at = stops
        if at > total:
            return None
        found.append((queue, work))
        now = at
    if found and now < total:
        queue, work = found[-1]
        found[-1] = (queue + total - now, work)
    return found


def _side_by_side(visits: Sequence[Presence], total: int) -> list[tuple[int, int]]:
    queue = [0.0] * len(visits)
    work = [0.0] * len(visits)
    working = queued = 0
    # What one visit that was there all the time would have got: `n` visits split a moment.
    worked = waited = 0.0
    now = 0
    gap = 0
    for at, kind, index in _events(visits, total):
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


def _events(visits: Sequence[Presence], total: int) -> list[tuple[int, int, int]]:
    events = []
    for index, (begin, queued, unqueued, starts, stops) in enumerate(visits):
        events.append((min(max(begin, 0), total), _BEGINS, index))
        for start, end, opens, closes in (
            (queued, unqueued, _QUEUES, _QUEUE_ENDS),
            (starts, stops, _WORKS, _WORK_ENDS),
        ):
            since, until = max(start, 0), min(end, total)
            if since < until:
                events.append((since, opens, index))
                events.append((until, closes, index))
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
