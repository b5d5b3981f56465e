"""What comes in a day, a week, 30 days: sums of the daily forecast, with intervals of their own.

The errors of single days partly cancel out, and partly do not: so the sums of the back-test are
compared with the sums that came. Where too few of these are over yet, what a shorter sum was off
by is taken in proportion, which is rather too wide than too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracking.insights.forecasts.backtest import Backtest
from tracking.insights.forecasts.intervals import LEAST_ORIGINS, LEVELS, bounds_of
from tracking.insights.forecasts.judging import Chosen
from tracking.insights.forecasts.scales import Array

# From tomorrow on: the first step is the day in which the forecast is made.
SPANS: Final = {"day": slice(1, 2), "week": slice(1, 8), "month": slice(1, 31)}


@dataclass(frozen=True, slots=True)
class Total:
    """`expected`: the middle one; bounds by level. `origins`: how many past sums say so."""

    span: str
    expected: float
    low: dict[float, float]
    high: dict[float, float]
    origins: int


def totals_at(tested: Backtest, chosen: Chosen, row: int) -> list[Total]:
    """At an origin of a daily back-test, by what was known at it."""
    told = chosen.told[chosen.names[row]]
    found: list[Total] = []
    off: tuple[Array, Array] | None = None
    for span, leads in SPANS.items():
        over = tested.origins[:row] + leads.stop <= tested.origins[row]
        sums = told[:row, leads].sum(axis=1)[over], tested.actual[:row, leads].sum(axis=1)[over]
        if off is None or len(sums[0]) >= LEAST_ORIGINS:
            off = sums
        found.append(_total(span, float(told[row, leads].sum()), *off))
    return found


def _total(span: str, told: float, past: Array, came: Array) -> Total:
    if len(past) < LEAST_ORIGINS:
        nothing = {level: float("nan") for level in LEVELS}
        return Total(span, told, nothing, nothing, len(past))
    little = 0.05 * float(past.mean()) + 1e-9

    def spread(x: Array) -> Array:
        return np.maximum(x, 0.0) + little

    width = float(spread(np.array([told]))[0])
    low, high = {}, {}
    for level in LEVELS:
        bounds = bounds_of(past, came, spread, level, len(past))
        low[level], high[level] = (max(0.0, told + bound * width) for bound in bounds)
    middle = told + float(np.median((came - past) / spread(past))) * width
    expected = min(max(middle, low[LEVELS[0]]), high[LEVELS[0]])
    return Total(span, expected, low, high, len(past))
