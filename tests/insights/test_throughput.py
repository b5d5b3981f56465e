"""Throughput is what a naive count says, whatever the window, the step and the moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from tests.insights.world import at, put, sketch
from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.insights.counts import ENDINGS, Counts, Spans
from tracking.insights.throughput import (
    PREVIOUS,
    SAME_WEEKDAY,
    Throughput,
    change,
    throughput,
)
from tracking.insights.windows import DAY, HOUR, MINUTE, Window, ceil_hour, window
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

START = at("2026-02-20T00:00")
FLOWS = ("orders", "returns")
# A bucket's value is at most 1 % off what it holds.
EXACT = 0.0101


@dataclass
class Run:
    """An object's pass through a flow."""

    flow: str
    version: str
    first: datetime
    last: datetime | None
    status: str

    @property
    def span(self) -> int:
        assert self.last is not None
        return (self.last - self.first) // timedelta(milliseconds=1)


@dataclass
class Event:
    """A record; `visit`: it decides one, with so many tries before it."""

    flow: str
    block: str
    status: str
    at: datetime
    visit: bool = False
    retries: int = 0


@dataclass
class Past:
    """All that happened, and the naive count of it."""

    runs: list[Run] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def counts(self, start: datetime, end: datetime, of: Callable[[Any], bool]) -> Counts:
        found = Counts()
        for run in filter(of, self.runs):
            found.started += start <= run.first < end
            if run.last is not None and start <= run.last < end:
                setattr(found, run.status, getattr(found, run.status) + 1)
        for event in filter(of, self.events):
            found.records[event.status] += start <= event.at < end
        return found

    def in_transit(self, moment: datetime, of: Callable[[Any], bool]) -> int:
        return sum(
            run.first < moment and (run.last is None or run.last >= moment)
            for run in filter(of, self.runs)
        )

    def spans(
        self, start: datetime, end: datetime, of: Callable[[Any], bool], status: str = v.DELIVERED
    ) -> list[int]:
        return [
            run.span
            for run in filter(of, self.runs)
            if run.status == status and run.last is not None and start <= run.last < end
        ]

    def retries(self, start: datetime, end: datetime, of: Callable[[Any], bool]) -> int:
        return sum(event.retries for event in filter(of, self.events) if start <= event.at < end)


def quantile(spans: Iterable[int], share: float) -> float:
    ordered = sorted(spans)
    rank = share * (len(ordered) - 1)
    low = ordered[int(rank)]
    return low + (ordered[min(int(rank) + 1, len(ordered) - 1)] - low) * (rank - int(rank))


def assert_spans(found: Spans | None, wanted: list[int]) -> None:
    assert found is not None
    assert found.n == len(wanted)
    if not wanted:
        assert (found.mean, found.median, found.p95) == (None, None, None)
        return
    assert found.mean == pytest.approx(sum(wanted) / len(wanted))
    assert found.median == pytest.approx(quantile(wanted, 0.5), rel=EXACT, abs=1)
    assert found.p95 == pytest.approx(quantile(wanted, 0.95), rel=EXACT, abs=1)


def assert_same(found: Throughput, past: Past, asked: Window, flow: str | None) -> None:
    """Every number there is, against the naive count."""

    def ours(each: Any) -> bool:
        return flow is None or each.flow == flow

    hourly = found.retries is not None
    for step, begin, end in zip(found.steps, asked.begins, asked.ends, strict=True):
        assert (step.begin, step.end) == (begin, end)
        assert step.counts == past.counts(begin, end, ours), (begin, end)
        if begin > found.until:
            assert step.in_transit is None
        else:
            assert step.in_transit == past.in_transit(end, ours), end
        if hourly:
            assert step.retries == past.retries(begin, end, ours)
            assert_spans(step.spans, past.spans(begin, end, ours))
        else:
            assert (step.retries, step.spans) == (None, None)
    assert found.counts == past.counts(asked.start, asked.end, ours)
    assert found.in_transit == past.in_transit(asked.end, ours)
    if hourly:
        assert found.retries == past.retries(asked.start, asked.end, ours)
        assert found.spans is not None
        for status in ENDINGS:
            wanted = past.spans(asked.start, asked.end, ours, status)
            assert_spans(found.spans[status], wanted)
    for name, back in ((PREVIOUS, asked.previous()), (SAME_WEEKDAY, asked.same_weekday())):
        other = found.comparisons[name]
        cut = back.start + (found.until - asked.start)
        assert (other.start, other.end) == (back.start, cut)
        assert other.counts == past.counts(back.start, cut, ours), name
        if hourly:
            assert_spans(other.spans, past.spans(back.start, ceil_hour(cut), ours))
        for counts, begin, end in zip(other.steps, back.begins, back.ends, strict=True):
            wanted = past.counts(begin, end, ours)
            assert (counts.started, counts.ended) == (wanted.started, wanted.ended)
    assert_parts(found, past, asked, flow)


def assert_parts(found: Throughput, past: Past, asked: Window, flow: str | None) -> None:
    assert found.by_flow == (flow is None)
    names = {run.flow if flow is None else run.version for run in past.runs}
    told = {part.name: part for part in found.parts}
    assert len(told) == len(found.parts)
    for name in names:

        def of(run: Any, name: str = name) -> bool:
            return run.flow == name if flow is None else (run.flow, run.version) == (flow, name)

        runs = Past(past.runs, [])
        wanted = runs.counts(asked.start, asked.end, of)
        if not (wanted.started or wanted.ended):
            assert name not in told
            continue
        assert told[name].counts == wanted
        if found.spans is not None:
            assert_spans(told[name].spans, past.spans(asked.start, asked.end, of))
    blocks = {(part.flow, part.block): part for part in found.blocks}
    for key in {(event.flow, event.block) for event in past.events}:
        inside = [
            event
            for event in past.events
            if (event.flow, event.block) == key
            and asked.start <= event.at < asked.end
            and flow in (None, event.flow)
        ]
        if not inside:
            assert key not in blocks
            continue
        part = blocks[key]
        by_status = Counter(event.status for event in inside)
        assert part.records == {status: by_status[status] for status in v.STATUSES}
        if found.retries is None:
            assert (part.visits, part.retries) == (None, None)
            continue
        visits = Counter(event.status for event in inside if event.visit)
        assert part.visits == {status: visits[status] for status in v.STATUSES}
        assert part.retries == sum(event.retries for event in inside)
        decided = sum(visits.values())
        assert part.failed_share == (visits[v.FAILED] / decided if decided else None)


# --- Against cells that were put there ----------------------------------------------------


def some_past(random: Random, days: int) -> Past:
    """What happened over so many days from START, and its cells."""
    past = Past()
    for _ in range(250):
        flow, version = random.choice(FLOWS), random.choice(("", "2"))
        first = START + random.randrange(days * 86_400_000) * timedelta(milliseconds=1)
        last, status = None, v.IN_TRANSIT
        if random.random() < 0.8:
            last = first + random.choice((0, 1, 60_000, 5_000_000, 400_000_000)) * timedelta(
                milliseconds=random.random() + 0.5
            )
            last = clock.from_ms(clock.to_ms(last))
            status = random.choice(ENDINGS)
        run = Run(flow, version, first, last, status)
        past.runs.append(run)
        put("flow", first, {"started": 1}, flow=flow, version=version, minutes={"started": 1})
        if last is None:
            # how long so far, at its latest event
            so_far = sketch(f"throughput.{v.IN_TRANSIT}", 1_000)
            put("flow", first + HOUR, so_far, flow=flow, version=version)
        else:
            numbers = {f"ended.{status}": 1, **sketch(f"throughput.{status}", run.span)}
            put("flow", last, numbers, flow=flow, version=version, minutes={status: 1})
    for _ in range(250):
        event = Event(
            random.choice(FLOWS),
            random.choice(("receive", "ship")),
            random.choice(v.STATUSES),
            START + random.randrange(days * 1440) * MINUTE,
            random.random() < 0.5,
            random.choice((0, 0, 1)),
        )
        past.events.append(event)
        numbers = {f"records.{event.status}": 1}
        if event.visit:
            numbers[f"visits.{event.status}"] = 1
        if event.retries:
            numbers["retries"] = event.retries
        put(
            "block",
            event.at,
            numbers,
            flow=event.flow,
            stage="processing",
            block=event.block,
            minutes={event.status: 1},
        )
    return past


WINDOWS = [
    (START + 12 * DAY, START + 20 * DAY, "1d", START + 40 * DAY),
    # not over: cut in the middle of an hour, and of a step
    (START + 12 * DAY, START + 20 * DAY, "1d", START + 16 * DAY + 5 * HOUR + 17 * MINUTE),
    (START + 14 * DAY, START + 15 * DAY, "1h", START + 14 * DAY + 90 * MINUTE),
    (START + 14 * DAY, START + 14 * DAY + 7 * HOUR, "15m", START + 14 * DAY + 100 * MINUTE),
    (START + 9 * DAY + 7 * MINUTE, START + 10 * DAY, "1h", START + 40 * DAY),
    (at("2026-03-01"), at("2026-05-01"), "1mo", at("2026-03-20T10:30")),
    (START + 3 * HOUR, START + 25 * DAY, "1w", START + 20 * DAY),
    # all of it is to come
    (START + 60 * DAY, START + 70 * DAY, "1d", START + 30 * DAY),
    # before anything happened, as is the time that it is compared with
    (at("1970-01-02"), at("1970-01-05"), "1d", START),
]


def test_numbers_are_those_of_a_naive_count(db: None) -> None:
    make_tenant("globex")
    past = some_past(Random(3), 30)
    put("flow", START + DAY, {"started": 500}, tenant="globex", minutes={"started": 500})
    for start, end, step, moment in WINDOWS:
        for flow in (None, "orders"):
            asked = window(start, end, step)
            found = throughput("acme", asked, flow=flow, moment=moment)
            assert found.until == max(start, min(end, moment))
            assert_same(found, past, asked, flow)


def test_of_an_unknown_flow_or_tenant_there_is_nothing(db: None) -> None:
    some_past(Random(4), 2)
    asked = window(START, START + DAY, "1h")
    for tenant, flow in (("acme", "nothing"), ("globex", None)):
        found = throughput(tenant, asked, flow=flow, moment=asked.end)
        assert found.counts == Counts()
        assert (found.in_transit, found.parts, found.blocks) == (0, [], [])
        assert found.counts.failed_share is None
        assert found.spans == {status: Spans(0) for status in ENDINGS}


def test_only_the_busiest_blocks_are_told(db: None) -> None:
    for number in range(205):
        numbers = {"records.succeeded": number + 1}
        put("block", START, numbers, stage="ingress", block=f"b-{number:03}")
    asked = window(START, START + HOUR, "1h")
    found = throughput("acme", asked, moment=asked.end)
    assert [part.block for part in found.blocks[:2]] == ["b-204", "b-203"]
    assert (len(found.blocks), found.more_blocks) == (200, 5)


@pytest.mark.parametrize(
    ("now", "before", "wanted"),
    [(12, 8, 0.5), (4, 8, -0.5), (8, 8, 0.0), (5, 0, None), (0, 5, -1.0), (None, 5, None)],
)
def test_a_change_is_a_share_of_what_was(now: Any, before: Any, wanted: float | None) -> None:
    assert change(now, before) == wanted


# --- Against records that were posted -----------------------------------------------------


def story(random: Random, number: int) -> list[dict[str, Any]]:
    """An object's records: some retried, some failed, filtered, late, or still on their way."""
    moment = START + random.randrange(6 * 86_400) * timedelta(seconds=1)
    flow = random.choice(FLOWS)
    common = {
        "transaction": f"tx-{number}",
        "object": {"id": f"o-{number}", "type": "order"},
        "flow": flow,
        "flow_version": random.choice((None, "2")),
    }
    found = []
    for block, stage in (("receive", "ingress"), ("price", "processing"), ("ship", "egress")):
        for attempt in (1, 2):
            moment += random.randrange(1, 30_000_000) * timedelta(milliseconds=1)
            fate = random.random()
            status = "failed" if fate < 0.2 else "filtered" if fate < 0.25 else "succeeded"
            if fate > 0.95:
                status = "started"
            found.append(
                record(
                    **common,
                    id=f"r-{number}-{block}-{attempt}",
                    block=block,
                    stage=stage,
                    status=status,
                    attempt=attempt,
                    reason="no" if status in ("failed", "filtered") else None,
                    occurred_at=clock.iso(moment),
                )
            )
            if status != "failed":
                break
        if status != "succeeded":
            break
    return found


def recorded_past(wires: list[dict[str, Any]]) -> Past:
    """The same told by the transactions' own documents and the records as they were posted."""
    past = Past()
    for row in collection("transaction").find({"tenant": "acme"}):
        over = row["status"] != v.IN_TRANSIT
        last = row["last_at"] if over else None
        version = row.get("flow_version") or ""
        past.runs.append(Run(row["flow"], version, row["first_at"], last, row["status"]))
    for wire in wires:
        moment = datetime.fromisoformat(wire["occurred_at"])
        retry = int(wire["attempt"] > 1)
        past.events.append(Event(wire["flow"], wire["block"], wire["status"], moment, True, retry))
    return past


def test_numbers_are_those_of_the_records_posted() -> None:
    make_tenant("acme")
    make_tenant("globex")
    random = Random(5)
    wires = [wire for number in range(120) for wire in story(random, number)]
    shuffled = random.sample(wires, len(wires))
    post(shuffled[:200])
    drain()
    # what is late, and what comes twice, after the rest was derived
    post(shuffled[150:])
    post([record(occurred_at=clock.iso(START), flow="orders")], "globex")
    drain()
    past = recorded_past(wires)
    assert {run.status for run in past.runs} == {v.IN_TRANSIT, *ENDINGS}
    for start, end, step in (
        (START, START + 8 * DAY, "1d"),
        (START + 2 * DAY, START + 3 * DAY, "1h"),
        (START + 2 * DAY + 7 * MINUTE, START + 2 * DAY + 5 * HOUR, "5m"),
        (at("2026-02-01"), at("2026-04-01"), "1mo"),
    ):
        for flow in (None, "returns"):
            asked = window(start, end, step)
            found = throughput("acme", asked, flow=flow, moment=end)
            assert_same(found, past, asked, flow)
