"""What docs/insights.md counts, counted from the raw files: apart from the product.

Nothing of `tracking` is imported here, on purpose. The files are read by Python's own parsers
and mapped as their description says; the words of docs/insights.md are put down a second time,
by the plainest means (fractions, sorting, no merging of anything). Times are whole ms since 1970.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

XES = "{http://www.xes-standard.org/}"
STAGES = ("ingress", "processing", "egress")
# of equal times the later one of these decides
STATUSES = ("queued", "started", "skipped", "succeeded", "filtered", "failed")
ENDS = STATUSES[2:]
# of a span that is none: it begins when all is over
NEVER = (1 << 62, 1 << 62)
ONE_MS = timedelta(milliseconds=1)

Name = tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """One line of the journal, as the mapping makes it."""

    case: str
    id: str
    at: int
    stage: str
    block: str
    status: str
    attempt: int = 1


@dataclass
class Visit:
    """One attempt of one block; `first`: its first record, `decided`: when its status was."""

    stage: str
    block: str
    attempt: int
    first: Record
    decided: int
    status: str
    queued: int | None = None
    started: int | None = None
    ended: int | None = None
    retry: bool = False
    lost: bool = False
    queue_share: Fraction = Fraction(0)
    work_share: Fraction = Fraction(0)

    @property
    def arrival(self) -> int:
        known = (self.first.at, self.queued, self.started)
        return min(each for each in known if each is not None)

    @property
    def begin(self) -> int:
        """Of its work; its arrival where it does not say when."""
        return self.arrival if self.started is None else self.started

    @property
    def end(self) -> int:
        return self.decided if self.ended is None else self.ended

    @property
    def queue(self) -> int | None:
        if self.queued is None or self.started is None:
            return None
        return self.started - self.queued

    @property
    def work(self) -> int | None:
        if self.started is None or self.ended is None:
            return None
        return self.ended - self.started


@dataclass
class Facts:
    """Counts and spans, each with its time and its name; `objects`: first event, last, status."""

    counts: list[tuple[int, Name, Fraction | int]] = field(default_factory=list)
    spans: list[tuple[int, Name, int]] = field(default_factory=list)
    objects: list[tuple[int, int, str]] = field(default_factory=list)

    def within(self, start: int, end: int) -> tuple[dict[Name, Fraction], dict[Name, list[int]]]:
        """The sums of counts and the sorted spans from `start` until before `end`."""
        counts: dict[Name, Fraction] = defaultdict(Fraction)
        spans: dict[Name, list[int]] = defaultdict(list)
        for _at, name, count in _between(self.counts, start, end):
            if count:
                counts[name] += count
        for _at, name, span in _between(self.spans, start, end):
            spans[name].append(span)
        return dict(counts), {name: sorted(each) for name, each in spans.items()}

    def in_transit(self, moment: int) -> int:
        """Started before it, and not ended before it."""
        return sum(
            first < moment and (status == "in_transit" or last >= moment)
            for first, last, status in self.objects
        )


def _between(facts: list[Any], start: int, end: int) -> list[Any]:
    """Of facts by time."""
    return facts[bisect_left(facts, (start,)) : bisect_left(facts, (end,))]


def quantile(ordered: list[int], share: Fraction) -> Fraction:
    """Between two neighbours by rank it lies as far as the rank does."""
    place = share * (len(ordered) - 1)
    below = place.numerator // place.denominator
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


# --- The files ---------------------------------------------------------------------------------


def ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // ONE_MS


def bpic2012(path: Path) -> Iterator[list[Record]]:
    """The records of each case, in the order of the file."""
    states = {"SCHEDULE": "queued", "START": "started", "COMPLETE": "succeeded"}
    stages = dict.fromkeys(("A_SUBMITTED", "A_PARTLYSUBMITTED"), "ingress") | dict.fromkeys(
        ("A_APPROVED", "A_REGISTERED", "A_ACTIVATED", "A_DECLINED", "A_CANCELLED"), "egress"
    )
    with gzip.open(path) as file:
        # the file is known, and another parser than the product's is what it takes
        for _, trace in ElementTree.iterparse(file):  # noqa: S314
            if trace.tag != f"{XES}trace":
                continue
            (case,) = (each.get("value", "") for each in trace if each.get("key") == "concept:name")
            starts: Counter[str] = Counter()
            records = []
            for place, event in enumerate(trace.iter(f"{XES}event")):
                said = {each.get("key"): each.get("value", "") for each in event}
                block, state = said["concept:name"], said["lifecycle:transition"]
                starts[block] += block.startswith("W_") and state == "START"
                records.append(
                    Record(
                        case=case,
                        id=f"{case}.{place}",
                        at=ms(datetime.fromisoformat(said["time:timestamp"])),
                        stage=stages.get(block, "processing"),
                        block=block,
                        status="filtered"
                        if block in ("A_DECLINED", "A_CANCELLED")
                        else states[state],
                        attempt=max(1, starts[block]),
                    )
                )
            yield records
            trace.clear()


def olist(path: Path) -> Iterator[list[Record]]:
    """The records of each order."""
    columns = (
        ("order_purchase_timestamp", "purchase", "ingress"),
        ("order_approved_at", "approve", "processing"),
        ("order_delivered_carrier_date", "hand-to-carrier", "processing"),
        ("order_delivered_customer_date", "deliver", "egress"),
    )
    further = {
        "canceled": ("cancel", "egress", "filtered"),
        "unavailable": ("stock", "processing", "failed"),
    }
    zone = ZoneInfo("America/Sao_Paulo")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            case = row["order_id"]
            records = []
            for column, block, stage in columns:
                if row[column]:
                    local = datetime.strptime(row[column], "%m/%d/%Y %H:%M").replace(tzinfo=zone)
                    id_ = f"{case}.{block}"
                    records.append(Record(case, id_, ms(local), stage, block, "succeeded"))
            if row["order_status"] in further:
                block, stage, status = further[row["order_status"]]
                last = max(each.at for each in records)
                records.append(Record(case, f"{case}.{block}", last + 1, stage, block, status))
            yield records


# --- What is counted ---------------------------------------------------------------------------


def facts(cases: Iterator[list[Record]], last_step: str) -> Facts:
    """`last_step`: the egress block whose success delivers (both logs have a definition)."""
    found = Facts()
    for records in cases:
        _count(records, last_step, found)
    found.counts.sort()
    found.spans.sort()
    return found


def visits_of(records: list[Record]) -> list[Visit]:
    """In their order: by arrival; of equals by the ids of their first records."""
    kept: dict[str, dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        kept[record.block][record.attempt].append(record)
    visits = []
    for attempts in kept.values():
        passed_on: list[int] = []
        for attempt in sorted(attempts):
            own = attempts[attempt]
            visit = _visit(own)
            queued = [*passed_on, *(each.at for each in own if each.status == "queued")]
            # what is queued once it started is queued for the next attempt
            passed_on = [at for at in queued if visit.started is not None and at > visit.started]
            visit.queued = min((at for at in queued if at not in passed_on), default=None)
            visit.retry = attempt > min(attempts)
            visit.lost = visit.status == "failed" or attempt < max(attempts)
            visits.append(visit)
    return sorted(visits, key=_order)


def _visit(own: list[Record]) -> Visit:
    first = min(own, key=lambda each: (each.at, len(each.id), each.id))
    deciding = max(own, key=lambda each: (each.at, STATUSES.index(each.status), each.id))
    visit = Visit(
        deciding.stage, deciding.block, deciding.attempt, first, deciding.at, deciding.status
    )
    visit.started = min((each.at for each in own if each.status == "started"), default=None)
    ends = [each.at for each in own if each.status in ENDS]
    visit.ended = min(
        (at for at in ends if visit.started is None or at >= visit.started), default=None
    )
    return visit


def _order(visit: Visit) -> tuple[int, int, str]:
    return visit.arrival, len(visit.first.id), visit.first.id


def _status(visits: list[Visit], last_step: str) -> str:
    standing = {visit.block: visit for visit in sorted(visits, key=lambda each: each.attempt)}
    if last_step in standing and standing[last_step].status == "succeeded":
        return "delivered"
    if any(visit.status == "filtered" for visit in standing.values()):
        return "filtered"
    if any(visit.status == "failed" for visit in standing.values()):
        # in both logs what fails is the last that happens: no success lies beyond it
        return "failed"
    return "in_transit"


def _count(records: list[Record], last_step: str, found: Facts) -> None:
    visits = visits_of(records)
    status = _status(visits, last_step)
    first, last = min(each.at for each in records), max(each.at for each in records)
    found.objects.append((first, last, status))
    counts, spans = found.counts, found.spans
    busy = _share_out(visits, first, last)
    counts.append((first, ("flow", "started"), 1))
    if status != "in_transit":
        counts += (
            (last, ("flow", "ended", status), 1),
            (last, ("flow", "busy_ms"), busy),
            (last, ("flow", "idle_ms"), last - first - busy),
            (last, ("flow", "retries"), sum(visit.retry for visit in visits)),
        )
    spans.append((last, ("flow", "throughput", status), last - first))
    for record in records:
        at = ("block", record.stage, record.block)
        counts.append((record.at, (*at, "records", record.status), 1))
    for visit in visits:
        at = ("block", visit.stage, visit.block)
        counts += (
            (visit.arrival, (*at, "arrived"), 1),
            (visit.end, (*at, "visits", visit.status), 1),
            (visit.end, (*at, "retries"), int(visit.retry)),
            (visit.end, (*at, "lost"), int(visit.lost)),
            (visit.end, (*at, "share", "queue_ms"), visit.queue_share),
            (visit.end, (*at, "share", "work_ms"), visit.work_share),
        )
        for name, span in (("queue", visit.queue), ("work", visit.work)):
            if span is not None:
                spans.append((visit.end, (*at, name), span))
    counts.append((visits[0].arrival, ("edge", "", visits[0].block, "passed"), 1))
    for source, target in pairwise(visits):
        edge = ("edge", source.block, target.block)
        counts.append((target.arrival, (*edge, "passed"), 1))
        spans.append((target.arrival, (*edge, "wait"), max(0, target.begin - source.end)))
    if status != "in_transit":
        counts.append((last, ("edge", visits[-1].block, "", "passed"), 1))


def _share_out(visits: list[Visit], first: int, last: int) -> Fraction:
    """Give each visit its share of the throughput time; returns the time in which any works.

    Between two neighbouring times at which anything begins or ends nothing changes, so each of
    these pieces is looked at by itself.
    """
    works = {id(visit): _works(visit, visits, last) for visit in visits}
    queues = {id(visit): _queues(visit, visits, last) for visit in visits}
    edges = {first, last} | {visit.arrival for visit in visits}
    for begin, end in (*works.values(), *queues.values()):
        edges |= {begin, end}
    busy = Fraction(0)
    for begin, end in pairwise(sorted(edge for edge in edges if first <= edge <= last)):
        length = Fraction(end - begin)
        working = [v for v in visits if works[id(v)][0] <= begin and end <= works[id(v)][1]]
        queued = [v for v in visits if queues[id(v)][0] <= begin and end <= queues[id(v)][1]]
        coming = [v for v in visits if v.arrival >= end]
        if working:
            busy += length
            for visit in working:
                visit.work_share += length / len(working)
        elif queued:
            for visit in queued:
                visit.queue_share += length / len(queued)
        else:
            waited_for = coming[0] if coming else visits[-1]
            waited_for.queue_share += length
    return busy


def _until(visit: Visit, visits: list[Visit], last: int) -> int:
    """A visit that nobody ended lasts until the block's next attempt, or the last event."""
    if visit.ended is not None:
        return visit.ended
    following = [v for v in visits if v.block == visit.block and v.attempt > visit.attempt]
    return min(following, key=lambda v: v.attempt).arrival if following else last


def _works(visit: Visit, visits: list[Visit], last: int) -> tuple[int, int]:
    if visit.started is None:
        return NEVER
    return visit.started, _until(visit, visits, last)


def _queues(visit: Visit, visits: list[Visit], last: int) -> tuple[int, int]:
    """One that never says when work began is queued until its end."""
    if visit.queued is None:
        return NEVER
    if visit.started is None:
        return visit.queued, _until(visit, visits, last)
    return visit.queued, visit.started
