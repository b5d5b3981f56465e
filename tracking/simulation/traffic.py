"""The records of all objects of a plan, in the order in which they are posted."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracking import clock
from tracking.simulation.flows import FLOWS
from tracking.simulation.plan import Plan
from tracking.simulation.story import Story

# A late record comes seconds after its neighbours, or minutes to hours (means of exponentials).
_LATE_SECONDS = (3.0, 900.0)
_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Emission:
    """A record and when it is posted. `place` is its place in its transaction's story."""

    at: datetime
    flow: str
    transaction: str
    place: int
    after: str
    wire: dict[str, Any]
    again: bool = False


def emissions(plan: Plan) -> Iterator[Emission]:
    """Every record of the plan, by the time of its posting; memory for open objects only."""
    waiting: list[tuple[datetime, int, Emission]] = []
    number = 0
    for index, begin in enumerate(_arrivals(plan)):
        while waiting and waiting[0][0] <= begin:
            yield heapq.heappop(waiting)[2]
        for emission in _of_object(plan, index, begin):
            number += 1
            heapq.heappush(waiting, (emission.at, number, emission))
    while waiting:
        yield heapq.heappop(waiting)[2]


def _arrivals(plan: Plan) -> Iterator[datetime]:
    """When objects begin, in order."""
    rng = random.Random(f"{plan.seed} arrivals")  # noqa: S311  (a simulation, not a secret)
    if plan.rate is None:
        moments = [_busy_moment(plan, rng) for _ in range(plan.objects or 0)]
        yield from sorted(moments)
        return
    at, count = plan.begin, 0
    while plan.objects is None or plan.seconds is not None or count < plan.objects:
        at = at + timedelta(seconds=rng.expovariate(plan.rate))
        if plan.end is not None and at >= plan.end:
            return
        if plan.objects is not None and count >= plan.objects:
            return
        count += 1
        yield clock.cut(at)


def _busy_moment(plan: Plan, rng: random.Random) -> datetime:
    """A moment of the past hours, more of them around two in the afternoon than at night."""
    while True:
        at = plan.begin + timedelta(hours=plan.hours * rng.random())
        busy = 0.5 - 0.5 * math.cos((at.hour + at.minute / 60 - 2) / 24 * 2 * math.pi)
        if rng.random() < 0.25 + 0.75 * busy:
            return clock.cut(at)


def _of_object(plan: Plan, index: int, begin: datetime) -> Iterator[Emission]:
    rng = random.Random(f"{plan.seed} object {index}")  # noqa: S311  (a simulation)
    flow = FLOWS[rng.choice(plan.flows)]
    name = f"{flow.prefix}-{plan.tag}-{index + 1:05}"
    story = Story(plan, flow, name, begin, rng)
    end = plan.end
    for part in story.all_parts():
        for place, told in enumerate(part.told):
            if end is not None and told.at > end:
                break
            at = told.at
            if rng.random() < plan.late:
                late = rng.expovariate(1 / rng.choice(_LATE_SECONDS))
                at += timedelta(seconds=late / plan.pace)
            made = (part.flow.name, part.transaction, place, told.after, told.wire)
            yield Emission(at, *made)
            if rng.random() < plan.duplicates:
                at += timedelta(seconds=rng.expovariate(1 / _AGAIN_SECONDS) / plan.pace)
                yield Emission(at, *made, again=True)
