"""A history → its forecast, what it is worth, and whether it may be shown."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tracking.insights.forecasts.backtest import Backtest, backtest
from tracking.insights.forecasts.grains import Grain
from tracking.insights.forecasts.intervals import LEVELS, Fan, fans_of
from tracking.insights.forecasts.judging import (
    Chosen,
    Yard,
    choose,
    mase_of,
    scales_of,
    verdict_of,
    yards_of,
)
from tracking.insights.forecasts.measures import coverage, ratio
from tracking.insights.forecasts.scales import Array
from tracking.insights.forecasts.totals import Total, totals_at
from tracking.insights.forecasts.verdicts import SHORT, SILENT


@dataclass(frozen=True, slots=True)
class Assessment:
    """`verdict`: a word of verdicts.py. Where it is not shown, nothing else may be but measures.

    `mase` and `coverage` (by level) are of the grain's `lead` over all origins; `beyond` is the
    ratio to seasonal naive of what lies beyond it. `scale`: what errors of this forecast are
    scaled by.
    """

    grain: Grain
    steps: int
    verdict: str
    method: str = ""
    ahead: Array | None = None
    fan: Fan | None = None
    mase: float = float("nan")
    beyond: float = float("nan")
    scale: float = float("nan")
    coverage: dict[float, float] = field(default_factory=dict)
    yards: Sequence[Yard] = ()
    totals: Sequence[Total] = ()
    origins: int = 0
    fit_seconds: float = 0.0
    seconds: float = 0.0
    tested: Backtest | None = None
    chosen: Chosen | None = None
    fans: Sequence[Fan] = ()

    @property
    def reach(self) -> int:
        """So many steps are worth telling: as far as there are intervals, and beyond what it is
        judged by only where seasonal naive is beaten there too."""
        if self.fan is None:
            return 0
        known = int(np.isfinite(self.fan.low[LEVELS[0]]).sum())
        return known if self.beyond < 1 else min(known, self.grain.lead + 1)


def assess(history: Array, grain: Grain, *, seconds: float) -> Assessment:
    """`seconds`: about how long it may compute."""
    began = time.process_time()
    steps = len(history)
    if steps < grain.shortest:
        return Assessment(grain, steps, SHORT)
    if not history[-grain.week :].any():
        return Assessment(grain, steps, SILENT)
    tested = backtest(history[-grain.longest :], grain, seconds=seconds)
    chosen = choose(tested)
    fans = fans_of(tested, chosen)
    near, far = slice(0, grain.lead), slice(grain.lead, grain.horizon)
    yards = yards_of(tested, chosen)
    ours = np.abs(chosen.ahead - tested.actual)[:, far]
    return Assessment(
        grain=grain,
        steps=steps,
        verdict=verdict_of(yards),
        method=chosen.names[-1],
        ahead=chosen.ahead[-1],
        fan=fans[-1],
        mase=mase_of(tested, chosen, near),
        beyond=max(
            ratio(ours, np.abs(tested.told[each.name] - tested.actual)[:, far])
            for each in yards
            if each.seasonal
        ),
        scale=float(scales_of(tested)[-1]),
        coverage={level: _covered(tested, fans, level, near) for level in LEVELS},
        yards=yards,
        totals=totals_at(tested, chosen, len(tested.origins) - 1) if grain.day == 1 else (),
        origins=len(tested.origins) - 1,
        fit_seconds=tested.seconds,
        seconds=time.process_time() - began,
        tested=tested,
        chosen=chosen,
        fans=fans,
    )


def _covered(tested: Backtest, fans: Sequence[Fan], level: float, leads: slice) -> float:
    low = np.stack([fan.low[level] for fan in fans])[:, leads]
    high = np.stack([fan.high[level] for fan in fans])[:, leads]
    return coverage(low, high, tested.actual[:, leads])
