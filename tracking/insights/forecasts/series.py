"""Histories out of rollups: how many objects started and how many records there were, by step.

UTC, full steps alone; a step in which nothing happened counts 0. The first step of a history is
left out: recording may have begun in its middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tracking import vocabulary as v
from tracking.insights.cells import ROLLUP, Run
from tracking.insights.forecasts.grains import Grain
from tracking.insights.sums import Numbers, sums
from tracking.models.rollups import BLOCK, FLOW, MONTH
from tracking.mongo.connection import collection

STARTED: Final = "started"
RECORDS: Final = "records"
# What is forecast → the kind of cells and the numbers in them that make it up.
MEASURES: Final[Mapping[str, tuple[str, Numbers]]] = {
    STARTED: (FLOW, {STARTED: STARTED}),
    RECORDS: (BLOCK, {status: f"records.{status}" for status in v.STATUSES}),
}
# The follower needs a moment, and so do services that post in batches.
SETTLED: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class History:
    """`counts` by step from `start` on; `first` is of the flow, and may lie before."""

    grain: Grain
    start: datetime
    counts: list[int]

    @property
    def end(self) -> datetime:
        return self.start + len(self.counts) * self.grain.step

    def between(self, start: datetime, end: datetime) -> list[int | None]:
        """By step; None outside of what is known."""
        first = (start - self.start) // self.grain.step
        steps = (end - start) // self.grain.step
        return [
            self.counts[place] if 0 <= place < len(self.counts) else None
            for place in range(first, first + steps)
        ]


def settled(grain: Grain, moment: datetime) -> datetime:
    """The end of the last step that is over and counted."""
    return grain.floor(moment - SETTLED)


def history_of(
    tenant: str, flow: str, measure: str, grain: Grain, moment: datetime, *, steps: int
) -> History:
    """Of the last `steps` steps, or as many as there are; `flow` "": of all flows together.

    The caller has made sure that `tenant` may be seen (access/scope.py).
    """
    end = settled(grain, moment)
    start = max(end - steps * grain.step, v.TIME_MIN)
    kind, numbers = MEASURES[measure]
    # one step more shows whether the first one was full
    run = Run(grain.name, start - grain.step, end)
    found = sums(tenant, kind, [run], by=("at",), numbers=numbers, flow=flow or None)
    by_step = {at: sum(each.values()) for (at,), each in found.items()}
    seen = [at for at, count in by_step.items() if count]
    if not seen:
        return History(grain, end, [])
    start = max(start, min(seen) + grain.step)
    count = max(0, (end - start) // grain.step)
    return History(
        grain, start, [by_step.get(start + place * grain.step, 0) for place in range(count)]
    )


def tenants() -> list[str]:
    """Those of which anything is counted."""
    return sorted(collection(ROLLUP).distinct("tenant"))


def flows_by_volume(tenant: str, moment: datetime, *, months: int = 3) -> list[str]:
    """The flows of which anything was recorded of late, the busiest first."""
    kind, numbers = MEASURES[RECORDS]
    run = Run(MONTH, moment - timedelta(days=31 * months), moment)
    found = sums(tenant, kind, [run], by=("flow",), numbers=numbers)
    volume = {flow: sum(each.values()) for (flow,), each in found.items()}
    return sorted((flow for flow in volume if volume[flow]), key=lambda flow: (-volume[flow], flow))
