"""The axes of charts: round values, and moments as clocks and calendars have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil, floor, log10
from typing import Final

from tracking.insights.windows import DAY, HOUR, MINUTE, Window

Number = int | float | Decimal

_X_LABELS: Final = 8
_SPANS_MS: Final = tuple(
    count * unit
    for unit, counts in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1_000, (1, 2, 5, 10, 15, 30)),
        (60_000, (1, 2, 5, 10, 15, 30)),
        (3_600_000, (1, 2, 3, 6, 12)),
        (86_400_000, (1, 2, 5, 7, 10, 14, 28, 50, 100, 200, 365, 730, 1825, 3650, 7300, 18250)),
    )
    for count in counts
)


@dataclass(frozen=True, slots=True)
class Tick:
    """`below`: a second line, such as the date where a new one begins. `minor`: left out where it
    is narrow."""

    at: float
    text: str
    below: str = ""
    minor: bool = False


def nice_ticks(low: float, high: float, *, whole: bool = False, most: int = 5) -> list[float]:
    """Round values from at or below `low` to at or above `high`, at equal distances."""
    low, high = min(0.0, low), max(0.0, high)
    if low == high:
        high = 1.0
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(n * power for n in (1, 2, 2.5, 5, 10) if n * power >= rough * 0.999999)
    if whole:
        step = max(1.0, float(ceil(step)))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def span_ticks(high: float, *, most: int = 5) -> list[float]:
    """The same for durations in ms from 0: full seconds, minutes, hours, days."""
    step = next((each for each in _SPANS_MS if each * most >= high), None)
    if step is None:
        return nice_ticks(0, high)
    return [float(n * step) for n in range(max(1, ceil(high / step)) + 1)]


def time_ticks(window: Window) -> list[Tick]:
    """Beginnings of steps, so many as can be read; every second one is left out where it is
    narrow."""
    every = max(1, ceil(len(window.begins) / _X_LABELS))
    every = _even(every, window)
    chosen = window.begins[::every]
    texts = list(_time_words(chosen, window))
    return [
        Tick(share_of(window, begin), text, below, minor=bool(number % 2))
        for number, (begin, (text, below)) in enumerate(zip(chosen, texts, strict=True))
    ]


def _even(every: int, window: Window) -> int:
    """Hours by 3, 6, 12; minutes by 5, 15, 30; days by weeks: as clocks and calendars are read."""
    if len(window.begins) < 2:
        return 1
    # the first step may be cut short
    width = window.begins[-1] - window.begins[-2]
    wanted = every * width
    for unit, counts in (
        (MINUTE, (1, 2, 5, 10, 15, 20, 30)),
        (HOUR, (1, 2, 3, 4, 6, 12)),
        (DAY, (1, 2, 7, 14, 28)),
    ):
        for count in counts:
            if count * unit >= wanted and count * unit % width == 0 * unit:
                return int(count * unit / width)
    return every


def _time_words(chosen: Sequence[datetime], window: Window) -> Iterable[tuple[str, str]]:
    """What each label says, and below it what the labels before do not say already. Every second
    one may be left out, so two of them say it."""
    # the first step may be cut short
    apart = chosen[-1] - chosen[-2] if len(chosen) > 1 else window.span
    said: list[str] = []
    for begin in chosen:
        if window.step.endswith("mo"):
            text, below = f"{begin:%b}", f"{begin:%Y}"
        elif apart >= DAY and not (begin.hour or begin.minute):
            text, below = f"{begin:%-d %b}", f"{begin:%Y}"
        else:
            text, below = f"{begin:%H:%M}", f"{begin:%-d %b}"
        yield text, "" if said[-2:].count(below) == 2 else below
        said.append(below)


def step_words(window: Window, index: int) -> str:
    """A step as it is read: `12 Mar 2026, 14:00–15:00`, `12 Mar 2026`, `Mar 2026`."""
    begin, end = window.begins[index], window.ends[index]
    full_days = not (begin.hour or begin.minute or end.hour or end.minute)
    if full_days and end - begin == DAY:
        return f"{begin:%a %-d %b %Y}"
    if full_days:
        last = end - DAY
        if (
            begin.day == 1
            and end.day == 1
            and last.month == begin.month
            and last.year == begin.year
        ):
            return f"{begin:%b %Y}"
        return f"{begin:%-d %b} – {last:%-d %b %Y}"
    if begin.date() == end.date() or end - begin <= DAY:
        return f"{begin:%a %-d %b %Y, %H:%M}–{end:%H:%M}"
    return f"{begin:%-d %b %H:%M} – {end:%-d %b %Y %H:%M}"


def compact(value: Number) -> str:
    """A count in few characters: `950`, `12.5k`, `3M`."""
    number = float(value)
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.4g}"


def share_of(window: Window, moment: datetime) -> float:
    """Where a moment stands in a window, in percent."""
    return round(100 * ((moment - window.start) / window.span), 3)
