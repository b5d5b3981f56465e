"""The times that people ask for by a word, made windows: the last hour, the last 30 days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from tracking.errors import BadRequest
from tracking.insights.windows import (
    DAY,
    HOUR,
    MINUTE,
    WEEK,
    Window,
    count_and_unit,
    floor_day,
    floor_month,
    months_after,
    usual_step,
    window,
)

# Word → how it reads, and about how long it is; 12 months are counted by the calendar.
SPANS: Final[dict[str, tuple[str, timedelta]]] = {
    "1h": ("Last hour", HOUR),
    "24h": ("Last 24 hours", DAY),
    "7d": ("Last 7 days", WEEK),
    "30d": ("Last 30 days", 30 * DAY),
    "12mo": ("Last 12 months", 365 * DAY),
}
USUAL_SPAN: Final = "24h"
_MONTH: Final = "mo"
_UNITS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, _MONTH: 28 * DAY}
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)


def lately(span: str, moment: datetime, step: str = "") -> Window:
    """The window of a word in `SPANS` whose last step is the one that `moment` lies in.

    Steps are those of the clock and the calendar: full hours, days, weeks from Monday, months.
    Without `step` a usual one. Raises `BadRequest` where the step is not possible.
    """
    length = SPANS[span][1]
    step = step or usual_step(moment - length, moment)
    count, unit = count_and_unit(step)
    if count * _UNITS[unit] > length:
        raise BadRequest(
            "bad_parameter", "step is wider than the whole time asked for.", parameter="step"
        )
    last = _floor(moment, count, unit)
    end = months_after(last, count) if unit == _MONTH else last + count * _UNITS[unit]
    start = months_after(end, -12) if span == "12mo" else end - length
    return window(_floor(start, count, unit), end, step)


def _floor(moment: datetime, count: int, unit: str) -> datetime:
    """The beginning of the step of the clock that a moment lies in, where steps of so many of a
    unit come out even; else of the unit."""
    if unit == _MONTH:
        month = floor_month(moment)
        return months_after(month, -((month.month - 1) % count)) if 12 % count == 0 else month
    origin = _MONDAY if unit == "w" else floor_day(moment)
    even = {"m": 60, "h": 24}.get(unit, 1) % count == 0
    width = _UNITS[unit] * (count if even else 1)
    return moment - (moment - origin) % width
