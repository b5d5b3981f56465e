"""Intervals out of what the back-test was off by: no shape of errors is assumed.

For each group of leads the errors of the chosen method at past origins, in units of how much such
a forecast spreads, are laid around what it says now. Tails are cut evenly, unless the interval
would reach below zero: counts do not, so it is narrowed until as much of the past lies within as
should. Where the last intervals held more or less than they should, the next hold less or more:
loads change. Scheme: split conformal prediction over rolling origins (Vovk et al. 2005;
Stankevičiūtė et al. 2021 for several steps ahead), adapted to changes (Gibbs, Candès 2021).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracking.insights.forecasts.backtest import Backtest
from tracking.insights.forecasts.grains import Grain
from tracking.insights.forecasts.judging import Chosen
from tracking.insights.forecasts.measures import coverage
from tracking.insights.forecasts.scales import Array

LEVELS: Final = (0.8, 0.95)
# Fewer past origins say too little about a lead.
LEAST_ORIGINS: Final = 7
# Errors at one origin are kin; so many of their tail's weight is added for each that is missing.
_SHORT: Final = 3.0
_HALVINGS: Final = 16
# The last so many origins say whether intervals hold what they should.
_FELT: Final = 10
_LESS: Final = 0.1

Spread = Callable[[Array], Array]


def spreads_of(history: Array) -> tuple[Spread, ...]:
    """How far off a forecast is: always alike, as chance has it, or in proportion to it."""
    little = 0.05 * float(history.mean()) + 1e-9
    return (
        lambda told: np.ones_like(told),
        lambda told: np.sqrt(np.maximum(told, 0.0) + 0.25),
        lambda told: np.maximum(told, 0.0) + little,
    )


@dataclass(frozen=True, slots=True)
class Fan:
    """By level: the lower and the upper bound by lead; NaN where the past says too little."""

    low: dict[float, Array]
    high: dict[float, Array]


def groups_of(grain: Grain) -> list[slice]:
    """Leads whose errors are taken together."""
    if grain.day > 1:
        return [slice(start, start + 24) for start in range(0, grain.horizon, 24)]
    bounds = (0, 1, 3, 7, 14, grain.horizon)
    return [slice(*each) for each in itertools.pairwise(bounds)]


def fans_of(tested: Backtest, chosen: Chosen) -> list[Fan]:
    """Around what was chosen at each origin, by what was known at it."""
    fans: list[Fan] = []
    for row in range(len(tested.origins)):
        fans.append(_fan_at(tested, chosen, row, fans))
    return fans


def _fan_at(tested: Backtest, chosen: Chosen, row: int, before: Sequence[Fan]) -> Fan:
    told, actual = chosen.told[chosen.names[row]], tested.actual
    leads = np.arange(tested.grain.horizon)
    known = tested.origins[:row, None] + leads < tested.origins[row]
    week = (slice(0, row), slice(0, tested.grain.week))
    seen = known[:, : tested.grain.week]
    low = {level: np.full(tested.grain.horizon, np.nan) for level in LEVELS}
    high = {level: np.full(tested.grain.horizon, np.nan) for level in LEVELS}
    if row < LEAST_ORIGINS:
        return Fan(low, high)
    spreads = spreads_of(tested.history[: tested.origins[row]])
    spread = _best_spread(spreads, told[week][seen], actual[week][seen])
    for level in LEVELS:
        wanted = _wanted(tested, row, before, level)
        for group in groups_of(tested.grain):
            past = known[:, group]
            count = int(past.any(axis=1).sum())
            if count < LEAST_ORIGINS:
                break
            bounds = bounds_of(
                told[:row, group][past], actual[:row, group][past], spread, wanted, count
            )
            now = told[row, group]
            low[level][group] = np.maximum(now + bounds[0] * spread(now), 0.0)
            high[level][group] = now + bounds[1] * spread(now)
    # what is told lies within, and the narrower interval within the wider
    inner = (told[row], told[row])
    for level in LEVELS:
        low[level] = np.minimum(low[level], inner[0])
        high[level] = np.maximum(high[level], inner[1])
        inner = (low[level], high[level])
    return Fan(low, high)


def _wanted(tested: Backtest, row: int, before: Sequence[Fan], level: float) -> float:
    """The level, and as much more or less as the last intervals held less or more than it."""
    first, lead = max(0, row - _FELT), tested.grain.lead
    low = np.stack([fan.low[level][:lead] for fan in before[first:]])
    high = np.stack([fan.high[level][:lead] for fan in before[first:]])
    over = tested.origins[first:row, None] + np.arange(lead) < tested.origins[row]
    actual = np.where(over, tested.actual[first:row, :lead], np.nan)
    held = coverage(low, high, actual)
    if np.isnan(held):
        return level
    return min(max(2 * level - held, level - _LESS), 1 - (1 - level) / 5)


def bounds_of(
    told: Array, actual: Array, spread: Spread, level: float, count: int
) -> tuple[float, float]:
    """Between which errors lie, in units of their spread; `count`: of how many origins."""
    wanted = min(level + _SHORT * (1 - level) / count, 1 - (1 - level) / 5)
    width = spread(told)
    off = np.sort((actual - told) / width)
    least, most = 0.0, 1 - wanted
    if _within(off, told, actual, width, most) >= wanted:
        return _tails(off, most)
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        if _within(off, told, actual, width, middle) >= wanted:
            least = middle
        else:
            most = middle
    return _tails(off, least)


def _tails(off: Array, tail: float) -> tuple[float, float]:
    low, high = np.quantile(off, (tail, 1 - tail))
    return float(low), float(high)


def _within(off: Array, told: Array, actual: Array, width: Array, tail: float) -> float:
    low, high = _tails(off, tail)
    inside = (actual >= np.maximum(told + low * width, 0.0) - 1e-9) & (
        actual <= told + high * width + 1e-9
    )
    return float(inside.mean())


def _best_spread(spreads: Iterable[Spread], told: Array, actual: Array) -> Spread:
    """The one with the narrowest intervals for how much they miss (interval score, Gneiting and
    Raftery 2007)."""
    level = LEVELS[0]

    def score(spread: Spread) -> float:
        width = spread(told)
        low, high = np.quantile((actual - told) / width, ((1 - level) / 2, (1 + level) / 2))
        low, high = np.maximum(told + low * width, 0.0), told + high * width
        missed = np.maximum(low - actual, 0.0) + np.maximum(actual - high, 0.0)
        return float((high - low + 2 / (1 - level) * missed).mean())

    return min(spreads, key=score)
