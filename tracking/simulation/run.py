"""Carrying out a plan: its records are posted, at once or as they happen, and counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tracking import vocabulary as v
from tracking.simulation.plan import Plan
from tracking.simulation.posting import Posted, Producer
from tracking.simulation.traffic import Emission, emissions

POST_RECORDS: Final = 500
# Live records are gathered this long, so that a high rate needs few posts.
TICK: Final = timedelta(milliseconds=250)
DEMO_OBJECTS: Final = 220
SHOWN_REFUSALS: Final = 10


@dataclass(slots=True)
class Summary:
    """What was posted, and what the tenant's lists must show of it once derived.

    `expected` counts transactions by flow and status. It holds for a tenant with the
    definitions of `demo_definitions`, and for one without.
    """

    tag: str
    posted: int = 0
    posts: int = 0
    repeated_posts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    expected: dict[str, Counter[str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False

    @property
    def statuses(self) -> Counter[str]:
        """The expected statuses over all flows."""
        return sum(self.expected.values(), Counter())

    @property
    def transactions(self) -> int:
        return sum(self.statuses.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "tag": self.tag,
            "complete": self.complete,
            "transactions": self.transactions,
            "posted": self.posted,
            "posts": self.posts,
            "repeated_posts": self.repeated_posts,
            "stored": self.outcomes[v.STORED],
            "duplicates": self.outcomes[v.DUPLICATE],
            "conflicts": self.outcomes[v.CONFLICT],
            "invalid": self.outcomes[v.INVALID],
            "records": {name: self.records[name] for name in v.STATUSES},
            "expected": {
                flow: {name: counts[name] for name in v.TRANSACTION_STATUSES}
                for flow, counts in sorted(self.expected.items())
            },
            "seconds": round(self.seconds, 3),
            "refusals": self.refusals,
        }


Report = Callable[[Summary], None]


def simulate(plan: Plan, producer: Producer, report: Report | None = None) -> Summary:
    """Post all of the plan's records; `report` is called after each post.

    Raises PostRefused when the server will not take them. Ctrl-C leaves what was posted in
    the summary that `report` saw last.
    """
    return _Run(plan, producer, report).run()


def seed_demo(url: str, key: str, *, now: datetime) -> Summary:
    """The last day of three small flows, for a first look at the product."""
    producer = Producer(url, key)
    try:
        return simulate(Plan(start=now, seed=20, objects=DEMO_OBJECTS), producer)
    finally:
        producer.close()


class _Run:
    def __init__(self, plan: Plan, producer: Producer, report: Report | None) -> None:
        self.plan, self.producer, self.report = plan, producer, report
        self.summary = Summary(plan.tag)
        # The place that decides what a transaction is: the last one told, not the last posted.
        self.latest: dict[str, tuple[int, str]] = {}
        self.began = time.monotonic()

    def run(self) -> Summary:
        batch: list[Emission] = []
        due: datetime | None = None
        for emission in emissions(self.plan):
            if batch and (len(batch) == POST_RECORDS or (due is not None and emission.at >= due)):
                self.post(batch, due)
                batch, due = [], None
            if self.plan.live and due is None:
                due = emission.at + TICK
            batch.append(emission)
        if batch:
            self.post(batch, due)
        self.summary.complete = True
        return self.summary

    def post(self, batch: list[Emission], due: datetime | None) -> None:
        if due is not None:
            # What is late at the end of a run is not waited for: everything is posted then.
            until = due if self.plan.end is None else min(due, self.plan.end)
            ahead = (until - self.plan.start).total_seconds() - (time.monotonic() - self.began)
            if ahead > 0:
                time.sleep(ahead)
        self.count(batch, self.producer.post([emission.wire for emission in batch]))
        if self.report is not None:
            self.report(self.summary)

    def count(self, batch: list[Emission], posted: Posted) -> None:
        summary = self.summary
        summary.posts += 1
        summary.repeated_posts += posted.tries - 1
        summary.posted += len(batch)
        summary.seconds = time.monotonic() - self.began
        for name, amount in (
            (v.STORED, posted.stored),
            (v.DUPLICATE, posted.duplicates),
            (v.CONFLICT, posted.conflicts),
            (v.INVALID, posted.invalid),
        ):
            summary.outcomes[name] += amount
        room = SHOWN_REFUSALS - len(summary.refusals)
        summary.refusals += posted.refusals[: max(0, room)]
        for emission in batch:
            if not emission.again:
                summary.records[emission.wire["status"]] += 1
                self.expect(emission)

    def expect(self, emission: Emission) -> None:
        counts = self.summary.expected.setdefault(emission.flow, Counter())
        known = self.latest.get(emission.transaction)
        if known is None or emission.place > known[0]:
            if known is not None:
                counts[known[1]] -= 1
            counts[emission.after] += 1
            self.latest[emission.transaction] = (emission.place, emission.after)
