"""The nouns of a lifetime: steps of a definition, attempts, blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, Final

from tracking import vocabulary as v

_MS: Final = timedelta(milliseconds=1)
BASE_HOUR: Final = date(1970, 1, 1).toordinal() * 24
# Wide enough for any number of records: a rounded sum would depend on their order.
EXACT: Final = Context(prec=60)

Document = Mapping[str, Any]
Key = tuple[datetime, int, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One expected step of a flow; `due` counts from the transaction's first event."""

    block: str
    stage: str
    optional: bool = False
    due: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a flow definition."""

    version: str
    steps: tuple[Step, ...]
    valid_from: datetime | None = None
    patience: timedelta = v.PATIENCE_DEFAULT
    deadline: timedelta | None = None


@dataclass(slots=True)
class Attempt:
    """One attempt of a block, as the lifetime page shows it."""

    number: int
    key: Key
    status: str
    deciding: Document
    # the first of its records: event time, then length of id and id, so that ids which count
    # up, or hold the time, tell the order of equal times
    first: tuple[datetime, int, str]
    started: datetime | None = None
    # when it was queued, and when it ended: the earliest ones
    queues: list[datetime] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)
    queued: datetime | None = None
    ended: datetime | None = None

    def settle(self, handed: datetime | None = None) -> None:
        """B4: when it was queued and ended; `handed`: queued by the attempt before, for this."""
        started = self.started
        queued = handed
        if self.queues and (queued is None or self.queues[0] < queued):
            queued = self.queues[0]
        if queued is not None and started is not None and queued > started:
            queued = None
        self.queued = queued
        if not self.ends:
            self.ended = None
        elif started is None or self.ends[0] >= started:
            self.ended = self.ends[0]
        else:
            self.ended = next((end for end in self.ends if end >= started), None)

    @property
    def again(self) -> datetime | None:
        """Since when it is queued once more, after it had started: for the next attempt."""
        if self.started is None:
            return None
        return next((moment for moment in self.queues if moment > self.started), None)

    @property
    def arrival(self) -> datetime:
        """When the block first heard of it."""
        moment = self.first[0]
        if self.started is not None and self.started < moment:
            moment = self.started
        if self.queued is not None and self.queued < moment:
            moment = self.queued
        return moment

    @property
    def queue_ms(self) -> int | None:
        return span(self.queued, self.started)

    @property
    def work_ms(self) -> int | None:
        return span(self.started, self.ended)


@dataclass(slots=True)
class Block:
    """What became of one block of the transaction."""

    name: str
    attempts: dict[int, Attempt] = field(default_factory=dict)
    records: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    shown_last_at: datetime | None = None
    # records by minute since 1970 and rank of status: eight ranks a minute
    counts: dict[int, int] = field(default_factory=dict)
    # by attempt, hour since 1970, resource and unit; of posted cost: nothing, and the currency
    spent: dict[tuple[int, int, str, str], Decimal] = field(default_factory=dict)
    failure: tuple[tuple[int, Key], Document] | None = None
    position: int = 0
    # whether the flow's definition knows it; None without a definition
    expected: bool | None = None
    # whether its entry in the lists may differ from what its history was packed with
    changed: bool = True
    # of all attempts together
    queue_ms: int | None = None
    work_ms: int | None = None
    # the highest attempt (B1); a block has one from its first record on
    deciding: Attempt = field(init=False)

    @property
    def usage(self) -> dict[tuple[str, str], Decimal]:
        """Quantities by resource and unit."""
        return self.sums()[0]

    @property
    def costs(self) -> dict[str, Decimal]:
        """Posted amounts by currency."""
        return self.sums()[1]

    def sums(self) -> tuple[dict[tuple[str, str], Decimal], dict[str, Decimal]]:
        """`usage` and `costs`."""
        usage: dict[tuple[str, str], Decimal] = {}
        costs: dict[str, Decimal] = {}
        self.add_to(usage, costs)
        return usage, costs

    def add_to(self, usage: dict[tuple[str, str], Decimal], costs: dict[str, Decimal]) -> None:
        """Add its quantities and amounts to these."""
        for (_number, _hour, resource, unit), amount in self.spent.items():
            if resource:
                line = (resource, unit)
                known = usage.get(line)
                usage[line] = amount if known is None else EXACT.add(known, amount)
            else:
                known = costs.get(unit)
                costs[unit] = amount if known is None else EXACT.add(known, amount)

    def settle(self) -> None:
        """Say when it and each attempt was queued and worked (B4), once all records are in."""
        if len(self.attempts) == 1:
            attempt = self.deciding
            attempt.settle()
            self.queue_ms, self.work_ms = attempt.queue_ms, attempt.work_ms
            return
        handed = None
        for number in sorted(self.attempts):
            attempt = self.attempts[number]
            attempt.settle(handed)
            handed = attempt.again
        self.queue_ms = total(attempt.queue_ms for attempt in self.attempts.values())
        self.work_ms = total(attempt.work_ms for attempt in self.attempts.values())

    def put(self, position: int, expected: bool | None) -> None:
        """Give it its place among the transaction's blocks."""
        if position != self.position or expected is not self.expected:
            self.position, self.expected, self.changed = position, expected, True

    @property
    def status(self) -> str:
        return self.deciding.status

    @property
    def stage(self) -> str:
        stage: str = self.deciding.deciding["stage"]
        return stage

    @property
    def decided_at(self) -> datetime:
        return self.deciding.key[0]

    @property
    def reason(self) -> str | None:
        return part_of(self.deciding.deciding).get("reason")

    @property
    def exception(self) -> Mapping[str, str] | None:
        return part_of(self.failure[1]).get("exception") if self.failure else None

    @property
    def exception_record(self) -> str | None:
        return record_id(self.failure[1]) if self.failure else None


def record_id(document: Document) -> str:
    """The producer's id of a journal document, whose key is tenant/id."""
    return str(document["_id"]).partition("/")[2]


def hour_of(moment: datetime) -> int:
    """Hours since 1970 of a moment in UTC, naive or aware."""
    return moment.toordinal() * 24 + moment.hour - BASE_HOUR


def part_of(document: Document) -> Mapping[str, Any]:
    return document.get("part") or {}


def span(begin: datetime | None, end: datetime | None) -> int | None:
    if begin is None or end is None or end < begin:
        return None
    return (end - begin) // _MS


def total(spans: Iterable[int | None]) -> int | None:
    known = [span for span in spans if span is not None]
    return sum(known) if known else None
