"""What comes in a day, a week, 30 days: sums of the daily forecast, with intervals of their own.

The errors of single days partly cancel out, and partly do not: so sums that were told in the
back-test are compared with the sums that came. A sum of which too few are over says nothing yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracking.insights.forecasts.backtest import Backtest
from tracking.insights.forecasts.intervals import LEAST_ORIGINS, LEVELS, bounds_of
from tracking.insights.forecasts.judging import Chosen
from tracking.insights.forecasts.scales import Array

# In days; from tomorrow on, as the first is the day in which the forecast is made.
SPANS: Final = {"day": slice(1, 2), "week": slice(1, 8), "month": slice(1, 31)}


@dataclass(frozen=True, slots=True)
class Total:
    """`expected`: the middle one; `bounds` by level, lower and upper."""

    span: str
    leads: slice
    expected: float
    bounds: dict[float, tuple[float, float]]


def totals_at(tested: Backtest, chosen: Chosen, row: int) -> list[Total]:
    """At an origin of a daily back-test, by what was known at it."""
    told = chosen.told[chosen.names[row]]
    found = []
    for span, leads in SPANS.items():
        over = tested.origins[:row] + leads.stop <= tested.origins[row]
        if np.count_nonzero(over) < LEAST_ORIGINS:
            break
        past, came = (each[:row, leads].sum(axis=1)[over] for each in (told, tested.actual))
        found.append(_total(span, leads, float(told[row, leads].sum()), past, came))
    return found


def _total(span: str, leads: slice, told: float, past: Array, came: Array) -> Total:
    little = 0.05 * float(past.mean()) + 1e-9

    def spread(x: Array) -> Array:
        return np.maximum(x, 0.0) + little

    width = float(spread(np.array([told]))[0])
    bounds = {}
    for level in LEVELS:
        low, high = bounds_of(past, came, spread, level, len(past))
        bounds[level] = (max(0.0, told + low * width), max(0.0, told + high * width))
    # what is the middle of each day is, summed up, not quite the middle of the sum
    middle = told + float(np.median((came - past) / spread(past))) * width
    low, high = bounds[LEVELS[0]]
    return Total(span, leads, min(max(middle, low), high), bounds)
