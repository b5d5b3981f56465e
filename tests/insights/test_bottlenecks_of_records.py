"""Posted records through the real door: parallel and overlapping blocks, retries, open ends.

The oracle looks at every millisecond of every object, as docs/insights.md has it, and shares no
code with what derives rollups.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.insights.bottlenecks import bottlenecks
from tracking.insights.windows import window
from tracking.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PATH = (
    ("receive", "ingress"),
    ("split", "processing"),
    ("check", "processing"),
    ("price", "processing"),
    ("ship", "egress"),
)


@dataclass
class Visit:
    """Times in ms since the object's beginning; `end` is that of the record that decides it, `tie`
    the id of its first record."""

    block: str
    stage: str
    attempt: int
    queued: int | None
    started: int | None
    end: int
    status: str
    tie: str = ""

    @property
    def arrival(self) -> int:
        return min(time for time in (self.queued, self.started, self.end) if time is not None)

    @property
    def order(self) -> tuple[int, int, str]:
        return self.arrival, len(self.tie), self.tie


def some_visits(random: Random) -> list[Visit]:
    """An object's: now and then several blocks at once, a block again, one that nobody ended."""
    visits, now = [], 0
    for block, stage in PATH:
        if random.random() < 0.15:
            continue
        attempts = random.choice((1, 1, 1, 2, 3))
        begin = now - random.randrange(700) if random.random() < 0.4 else now + random.randrange(90)
        begin = max(0, begin)
        for attempt in range(1, attempts + 1):
            queued = begin if random.random() < 0.7 else None
            started = begin + random.randrange(300) if random.random() < 0.8 else None
            end = (started if started is not None else begin) + random.choice((0, 1, 77, 410))
            last = attempt == attempts
            status = random.choice((v.SUCCEEDED, v.SUCCEEDED, v.SKIPPED)) if last else v.FAILED
            if started is not None and random.random() < 0.12:
                end, status = started, v.STARTED
            visits.append(Visit(block, stage, attempt, queued, started, end, status))
            begin = end + random.randrange(200)
        now = begin
    return visits or [Visit("receive", "ingress", 1, None, None, 0, v.SUCCEEDED)]


def records(name: str, visits: list[Visit], start: datetime, random: Random) -> list[Any]:
    """Each visit in one record, or in one for each of its times."""

    def at(ms: int) -> str:
        return clock.iso(start + timedelta(milliseconds=ms))

    found: list[Any] = []
    for visit in visits:
        before = len(found)
        known = {"transaction": name, "object": {"id": name, "type": "order"}}
        known |= {"block": visit.block, "stage": visit.stage, "attempt": visit.attempt}
        last = {"status": visit.status, "occurred_at": at(visit.end)}
        if visit.status == v.FAILED:
            last["reason"] = "no"
        if random.random() < 0.5:
            if visit.queued is not None:
                last["queued_at"] = at(visit.queued)
            if visit.started is not None:
                last["started_at"] = at(visit.started)
        else:
            if visit.queued is not None:
                found.append(record(**known, status=v.QUEUED, occurred_at=at(visit.queued)))
            if visit.started is not None and visit.status != v.STARTED:
                found.append(record(**known, status=v.STARTED, occurred_at=at(visit.started)))
        found.append(record(**known, **last))
        own = [(each["occurred_at"], len(each["id"]), each["id"]) for each in found[before:]]
        visit.tie = min(own)[2]
    return found


class Oracle:
    def __init__(self) -> None:
        self.queue: Counter[str] = Counter()
        self.work: Counter[str] = Counter()
        self.rounded: Counter[str] = Counter()
        self.edges: Counter[tuple[str, str]] = Counter()
        self.waits: Counter[tuple[str, str]] = Counter()
        self.arrived: Counter[str] = Counter()
        self.queued_ms: Counter[str] = Counter()
        self.worked_ms: Counter[str] = Counter()
        self.busy = self.idle = self.whole = 0

    def add(self, visits: list[Visit], events: list[int], status: str) -> None:
        first, last = min(events), max(events)
        visits = sorted(visits, key=lambda visit: visit.order)
        spans = [self._presence(visit, visits, last) for visit in visits]
        busy = 0
        for now in range(first, last):
            works = [i for i, (_q, work) in enumerate(spans) if work and work[0] <= now < work[1]]
            waits = [i for i, (wait, _w) in enumerate(spans) if wait and wait[0] <= now < wait[1]]
            busy += bool(works)
            for index in works:
                self.work[visits[index].block] += Fraction(1, len(works))
            if works:
                continue
            for index in waits:
                self.queue[visits[index].block] += Fraction(1, len(waits))
            if not waits:
                later = [visit for visit in visits if visit.arrival > now]
                self.queue[(later or [visits[-1]])[0].block] += Fraction(1)
        self.whole += last - first
        if status != v.IN_TRANSIT:
            self.busy += busy
            self.idle += last - first - busy
            self.edges[visits[-1].block, ""] += 1
        before: Visit | None = None
        for visit in visits:
            self.arrived[visit.block] += 1
            self.rounded[visit.block] += 1
            if visit.queued is not None and visit.started is not None:
                self.queued_ms[visit.block] += visit.started - visit.queued
            if visit.started is not None and visit.status != v.STARTED:
                self.worked_ms[visit.block] += visit.end - visit.started
            edge = (before.block if before else "", visit.block)
            self.edges[edge] += 1
            if before:
                begins = visit.started if visit.started is not None else visit.arrival
                self.waits[edge] += max(0, begins - before.end)
            before = visit

    @staticmethod
    def _presence(visit: Visit, visits: list[Visit], last: int) -> Any:
        end = visit.end
        if visit.status == v.STARTED:
            again = [o for o in visits if o.block == visit.block and o.attempt > visit.attempt]
            following = min(again, key=lambda other: other.attempt, default=None)
            end = following.arrival if following else last
        if visit.started is not None:
            wait = None if visit.queued is None else (visit.queued, visit.started)
            return wait, (visit.started, end)
        return (None if visit.queued is None else (visit.queued, end)), None


@pytest.mark.parametrize("seed", range(4))
def test_every_millisecond_is_put_down_as_the_rules_say(seed: int) -> None:
    random = Random(seed)
    make_tenant("acme")
    objects, posted = {}, []
    for number in range(25):
        name = f"tx-{seed}-{number}"
        visits = some_visits(random)
        own = records(name, visits, NOON + number * timedelta(minutes=7), random)
        start = NOON + number * timedelta(minutes=7)
        moments = [datetime.fromisoformat(each["occurred_at"]) for each in own]
        events = [(moment - start) // timedelta(milliseconds=1) for moment in moments]
        objects[name] = (visits, events)
        posted += own
    random.shuffle(posted)
    for cut in range(0, len(posted), 40):
        post(posted[cut : cut + 40])
        drain()

    oracle = Oracle()
    for name, (visits, events) in objects.items():
        oracle.add(visits, events, Transaction.objects.get(transaction=name).status)
    asked = window(NOON - HOUR, NOON + 4 * HOUR, "1h")
    found = bottlenecks("acme", asked, flow="orders", moment=NOON + 4 * HOUR)

    assert found.elapsed_ms == oracle.whole
    assert sum(block.counts.elapsed_ms for block in found.blocks) == oracle.whole
    assert sum(block.tenths for block in found.blocks) == 1_000
    for block in found.blocks:
        name, counts = block.name, block.counts
        # parts of a millisecond, once for each visit at the most
        assert abs(counts.queue_ms - oracle.queue[name]) <= oracle.rounded[name]
        assert abs(counts.work_ms - oracle.work[name]) <= oracle.rounded[name]
        assert counts.arrived == counts.visits == oracle.arrived[name]
        assert block.sums.queue.ms == oracle.queued_ms[name]
        assert block.sums.work.ms == oracle.worked_ms[name]
    assert {(edge.source, edge.target): edge.passed for edge in found.edges} == oracle.edges
    assert {(edge.source, edge.target): edge.wait.ms for edge in found.edges if edge.wait.ms} == {
        edge: ms for edge, ms in oracle.waits.items() if ms
    }
    assert found.objects.busy_ms + found.objects.idle_ms == oracle.busy + oracle.idle
    assert abs(found.objects.busy_ms - oracle.busy) <= sum(oracle.rounded.values())
    assert found.objects.started == len(objects)
    retried = sum(visit.attempt > 1 for visits, _events in objects.values() for visit in visits)
    assert sum(block.counts.retries for block in found.blocks) == retried
