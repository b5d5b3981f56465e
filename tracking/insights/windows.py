"""Time windows and their steps: what somebody asks for, made exact."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tracking import vocabulary as v
from tracking.errors import BadRequest

MINUTE, HOUR, DAY, WEEK = (
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(weeks=1),
)
STEPS_MAX: Final = 1_500
_STEP: Final = re.compile(r"([1-9][0-9]{0,3})(m|h|d|w|mo)", re.ASCII)
MONTH: Final = "mo"
_UNITS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
# From how long a window on a width is chosen where none is asked for.
_USUAL: Final = (
    (timedelta(days=450), "1mo"),
    (timedelta(days=100), "1w"),
    (timedelta(days=7), "1d"),
    (timedelta(hours=12), "1h"),
    (timedelta(hours=3), "15m"),
    (timedelta(0), "1m"),
)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` until before `end`, in steps of `step`; all UTC, on full minutes.

    `begins` are the beginnings of the steps. All but the first are those of the clock and the
    calendar, so that cells tile them; the first and the last step may be cut short.
    """

    start: datetime
    end: datetime
    step: str
    begins: tuple[datetime, ...]

    @property
    def span(self) -> timedelta:
        return self.end - self.start

    @property
    def ends(self) -> tuple[datetime, ...]:
        return (*self.begins[1:], self.end)

    def is_whole(self, index: int) -> bool:
        """Whether a step is as wide as was asked for."""
        count, unit = count_and_unit(self.step)
        begin, end = self.begins[index], self.ends[index]
        return begin == floor_step(begin, count, unit) and end == step_after(begin, count, unit)

    def index(self, moment: datetime) -> int | None:
        """The step that a moment lies in; None outside of the window."""
        if not self.start <= moment < self.end:
            return None
        return bisect_right(self.begins, moment) - 1

    def moved(self, by: timedelta) -> Window:
        """The same window at another time, with as many steps of the same lengths."""
        return Window(
            self.start + by, self.end + by, self.step, tuple(each + by for each in self.begins)
        )

    def previous(self) -> Window:
        """The window of the same length just before."""
        return self.moved(-self.span)

    def same_weekday(self) -> Window:
        """The same days of the week and times of day, as few weeks ago as it does not overlap."""
        weeks = -(-self.span // WEEK)
        return self.moved(-weeks * WEEK)

    def by_the_hour(self) -> Window:
        """Widened to full hours; durations and costs are known by the hour."""
        start, end = floor_hour(self.start), ceil_hour(self.end)
        if (start, end) == (self.start, self.end):
            return self
        return window(start, end, self.step)


def window(start: datetime, end: datetime, step: str) -> Window:
    """Raises `BadRequest` where a bound or the step is not possible."""
    count, unit = count_and_unit(step)
    start, end = floor_minute(start.astimezone(UTC)), ceil_minute(end.astimezone(UTC))
    if not v.TIME_MIN <= start < v.TIME_END:
        raise BadRequest(
            "bad_parameter", f"from lies in {v.YEAR_MIN} to {v.YEAR_MAX}.", parameter="from"
        )
    if end > v.TIME_END:
        raise BadRequest(
            "bad_parameter", f"to lies in {v.YEAR_MIN} to {v.YEAR_MAX}.", parameter="to"
        )
    if not start < end:
        raise BadRequest("bad_parameter", "to is later than from.", parameter="to")
    begins = [start]
    begin = step_after(floor_step(start, count, unit), count, unit)
    while begin < end:
        if len(begins) == STEPS_MAX:
            raise BadRequest(
                "too_many_steps",
                f"At most {STEPS_MAX:,} steps fit into one answer: choose a wider step.",
                parameter="step",
            )
        begins.append(begin)
        begin = step_after(begin, count, unit)
    return Window(start, end, step, tuple(begins))


def floor_step(moment: datetime, count: int, unit: str) -> datetime:
    """The beginning of the step of the clock that a moment lies in, where steps of so many of a
    unit come out even; else of the unit. Weeks begin on Monday."""
    if unit == MONTH:
        month = floor_month(moment)
        return months_after(month, -((month.month - 1) % count)) if 12 % count == 0 else month
    origin = _MONDAY if unit == "w" else floor_day(moment)
    even = {"m": 60, "h": 24}.get(unit, 1) % count == 0
    width = _UNITS[unit] * (count if even else 1)
    return moment - (moment - origin) % width


def step_after(begin: datetime, count: int, unit: str) -> datetime:
    return months_after(begin, count) if unit == MONTH else begin + count * _UNITS[unit]


def count_and_unit(step: str) -> tuple[int, str]:
    """`15m` → 15, m; raises `BadRequest`."""
    found = _STEP.fullmatch(step)
    if found is None:
        raise BadRequest(
            "bad_parameter",
            "step is a number and one of m, h, d, w, mo: 15m, 1h, 1d, 1w, 1mo.",
            parameter="step",
        )
    return int(found[1]), found[2]


def usual_step(start: datetime, end: datetime) -> str:
    """A width that gives a readable number of steps."""
    return next(step for length, step in _USUAL if end - start > length or not length)


def months_after(moment: datetime, months: int) -> datetime:
    """As many months later, on the same day or the month's last."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    following = datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC)
    last = (following - DAY).day
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def floor_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def ceil_minute(moment: datetime) -> datetime:
    floor = floor_minute(moment)
    return floor if floor == moment else floor + MINUTE


def floor_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def ceil_hour(moment: datetime) -> datetime:
    floor = floor_hour(moment)
    return floor if floor == moment else floor + HOUR


def floor_day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def floor_month(moment: datetime) -> datetime:
    return floor_day(moment).replace(day=1)
