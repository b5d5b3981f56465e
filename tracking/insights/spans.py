"""The times that people ask for by a word, made windows: the last hour, the last 30 days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from tracking.errors import BadRequest
from tracking.insights.windows import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    WEEK,
    Window,
    count_and_unit,
    floor_step,
    months_after,
    step_after,
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
_UNITS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, MONTH: 28 * DAY}


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
    end = step_after(floor_step(moment, count, unit), count, unit)
    start = months_after(end, -12) if span == "12mo" else end - length
    return window(floor_step(start, count, unit), end, step)
