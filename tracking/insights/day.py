"""The last 24 hours at a glance, beside the same weekday before: what the home page tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tracking.insights.counts import Counts
from tracking.insights.spans import lately
from tracking.insights.sums import total
from tracking.insights.throughput import OBJECTS, objects_by_step
from tracking.insights.windows import Window, floor_hour, floor_minute
from tracking.models.rollups import FLOW


@dataclass(frozen=True, slots=True)
class Day:
    """Objects by hour, now and on the same weekday; `so_far`: of that one until the time of day
    that it is now."""

    window: Window
    hours: list[Counts]
    before: list[Counts]
    now: Counts
    so_far: Counts


def last_day(tenants: Sequence[str], moment: datetime) -> Day:
    """Of several tenants together. The caller has made sure that they may be seen."""
    window = lately("24h", moment, "1h")
    other = window.same_weekday()
    hours, before = objects_by_step(tenants, window), objects_by_step(tenants, other)
    now, so_far = Counts(), Counts()
    for counts in hours:
        _add(now, counts)
    cut = other.start + (floor_minute(moment) - window.start)
    for counts, end in zip(before, other.ends, strict=True):
        if end <= cut:
            _add(so_far, counts)
    so_far.add_objects(total(tenants, FLOW, floor_hour(cut), cut, numbers=OBJECTS))
    return Day(window, hours, before, now, so_far)


def _add(found: Counts, added: Counts) -> None:
    found.started += added.started
    found.delivered += added.delivered
    found.failed += added.failed
    found.filtered += added.filtered
