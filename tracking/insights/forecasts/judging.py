"""Which method is chosen, and whether it may be shown.

1. Of each origin: the method that had the least error in the week ahead of all origins before it,
   as far as these weeks were over by then; the combination of all (their median) unless another
   is clearly better. What came after an origin has no part in what is told at it, so the errors
   of this choice are those the product would have made.
2. These errors against those of each yardstick, a season ahead (`lead`). Seasonal naive is the one
   that counts; the others (the last value, the mean, the median, the level) stand for "no
   pattern": they are as good as can be at white noise and at random walks, where many methods beat
   seasonal naive and yet nobody knows anything. All of these have to be beaten by the same
   measure, absolute or squared errors: of rare events nothing has less absolute error than never
   expecting any.
3. Shown is what beats every yardstick by a margin, and does so not by chance: by Wilcoxon's signed
   ranks of the differences, one per origin, over the steps until the next origin, which no two
   origins share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import wilcoxon

from tracking.insights.forecasts.backtest import Backtest
from tracking.insights.forecasts.measures import mase, naive_error, ratio
from tracking.insights.forecasts.scales import Array
from tracking.insights.forecasts.verdicts import NO_PATTERN, NOT_BETTER, REPEATS, SHOWN, UNCLEAR

COMBINATION: Final = "combination"
SEASONAL: Final = "seasonal naive"
# Better than the combination by so much before another is chosen, and from so many origins on.
_CLEARLY: Final = 0.02
_TRIED: Final = 4
MARGIN: Final = 0.03
CHANCE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Yard:
    """A yardstick: our errors in its errors, and how likely by chance they are less; both once
    more for squared errors."""

    name: str
    ratio: float
    chance: float
    squared_ratio: float
    squared_chance: float

    @property
    def seasonal(self) -> bool:
        return self.name.startswith(SEASONAL)

    @property
    def beaten(self) -> bool:
        return self.ratio <= 1 - MARGIN and self.chance <= CHANCE

    @property
    def beaten_squared(self) -> bool:
        return self.squared_ratio <= 1 - MARGIN and self.squared_chance <= CHANCE


@dataclass(frozen=True, slots=True)
class Chosen:
    """By origin, the last of which is now: the method's name and what it says.

    `told[name]` has the combination too.
    """

    names: tuple[str, ...]
    ahead: Array
    told: Mapping[str, Array]


def with_combination(tested: Backtest) -> dict[str, Array]:
    """A method that says nothing at some origin is left out altogether."""
    whole = {
        name: tested.told[name] for name in tested.methods if np.isfinite(tested.told[name]).all()
    }
    if not whole:
        return {COMBINATION: tested.told[tested.yards[0]]}
    return {**whole, COMBINATION: np.median(np.stack(list(whole.values())), axis=0)}


def choose(tested: Backtest) -> Chosen:
    told = with_combination(tested)
    week = tested.grain.week
    off = {name: np.abs(rows - tested.actual)[:, :week] for name, rows in told.items()}
    names = []
    for row, origin in enumerate(tested.origins):
        known = tested.origins[:row, None] + np.arange(week) < origin
        names.append(_best({name: each[:row][known] for name, each in off.items()}, row))
    ahead = np.stack([told[name][row] for row, name in enumerate(names)])
    return Chosen(tuple(names), ahead, told)


def _best(off: Mapping[str, Array], tried: int) -> str:
    if tried < _TRIED or not off[COMBINATION].size:
        return COMBINATION
    means = {name: float(each.mean()) for name, each in off.items()}
    best = min(means, key=lambda name: means[name])
    return best if means[best] < means[COMBINATION] * (1 - _CLEARLY) else COMBINATION


def scales_of(tested: Backtest) -> Array:
    """By origin, what MASE is scaled by: seasonal naive within what was known and used."""
    grain = tested.grain
    return np.array(
        [
            naive_error(tested.history[max(0, origin - grain.fitted) : origin], grain.seasons)
            for origin in tested.origins
        ]
    )


def mase_of(tested: Backtest, chosen: Chosen, leads: slice) -> float:
    return mase(chosen.ahead[:, leads], tested.actual[:, leads], scales_of(tested))


def yards_of(tested: Backtest, chosen: Chosen) -> list[Yard]:
    """Against each yardstick."""
    lead, apart = slice(0, tested.grain.lead), slice(0, min(tested.stride, tested.grain.lead))
    ours = np.abs(chosen.ahead - tested.actual)[:-1]
    found = []
    for name in tested.yards:
        theirs = np.abs(tested.told[name] - tested.actual)[:-1]
        found.append(
            Yard(
                name,
                ratio(ours[:, lead], theirs[:, lead]),
                _by_chance(ours[:, apart], theirs[:, apart]),
                ratio(ours[:, lead] ** 2, theirs[:, lead] ** 2),
                _by_chance(ours[:, apart] ** 2, theirs[:, apart] ** 2),
            )
        )
    return found


def _by_chance(ours: Array, theirs: Array) -> float:
    better = theirs.mean(axis=1) - ours.mean(axis=1)
    better = better[np.isfinite(better) & (better != 0)]
    if len(better) < 2:
        return 1.0
    return float(wilcoxon(better, alternative="greater").pvalue)


def verdict_of(yards: Sequence[Yard]) -> str:
    seasonal = [each for each in yards if each.seasonal]
    others = [each for each in yards if not each.seasonal]
    if any(np.isinf(each.ratio) for each in seasonal):
        return REPEATS
    if any(not each.ratio < 1 for each in seasonal):
        return NOT_BETTER
    if all(each.beaten for each in others) or all(each.beaten_squared for each in others):
        return SHOWN if all(each.beaten for each in seasonal) else UNCLEAR
    by_chance = all(each.ratio <= 1 - MARGIN for each in yards) or all(
        each.squared_ratio <= 1 - MARGIN for each in others
    )
    return UNCLEAR if by_chance else NO_PATTERN
