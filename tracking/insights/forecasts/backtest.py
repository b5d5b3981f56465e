"""Forecasting from moments of the past, knowing what was known then.

The origins end where the history does and lie `stride` steps apart. What each method said at each
is kept, so that choosing, judging and intervals (judging.py, intervals.py) can be done as of any
of these moments without fitting anything again.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracking.insights.forecasts.grains import Grain
from tracking.insights.forecasts.methods import Memory, Method, methods, yardsticks
from tracking.insights.forecasts.scales import Array, cleaned

# Smoothing parameters are estimated anew at every so many origins, and taken over between them.
_ESTIMATED_EVERY: Final = 7


@dataclass(frozen=True, slots=True)
class Backtest:
    """`told[name]`: a row per origin, the last of which is the end of the history; a column per
    lead. `actual` likewise, NaN where it is not known. `seconds`: of fitting, per origin."""

    grain: Grain
    history: Array
    origins: Array
    stride: int
    actual: Array
    told: Mapping[str, Array]
    yards: tuple[str, ...]
    methods: tuple[str, ...]
    seconds: float


def origins_of(steps: int, grain: Grain) -> tuple[list[int], int]:
    """The ends of history to forecast from, the last of them now, and how far apart they are."""
    room = steps - grain.least
    stride = grain.stride
    if grain.day == 1:
        # of a short history rather many moments close together than few
        stride = max(1, min(stride, room // grain.origins_max))
    count = min(grain.origins_max, room // stride)
    return [steps - stride * back for back in range(count, -1, -1)], stride


def backtest(history: Array, grain: Grain, *, seconds: float) -> Backtest:
    """In about `seconds` of computing: where it takes longer, from fewer moments of the past, but
    no fewer than `origins_min`."""
    began = time.process_time()
    ways = {**yardsticks(grain), **methods(grain)}
    origins, stride = origins_of(len(history), grain)
    now = _all_said(ways, history, grain, {})
    each = time.process_time() - began
    fewer = math.ceil(each * len(origins) / seconds)
    fewer = max(1, min(fewer, (len(origins) - 1) // grain.origins_min))
    origins, stride = origins[::-1][::fewer][::-1], stride * fewer
    told = {name: np.full((len(origins), grain.horizon), np.nan) for name in ways}
    memories: dict[str, Memory] = {}
    for row, origin in enumerate(origins):
        if row % _ESTIMATED_EVERY == 0:
            memories = {}
        last = row == len(origins) - 1
        said = now if last else _all_said(ways, history[:origin], grain, memories)
        for name, ahead in said.items():
            told[name][row] = ahead
    actual = np.full((len(origins), grain.horizon), np.nan)
    for row, origin in enumerate(origins):
        there = history[origin : origin + grain.horizon]
        actual[row, : len(there)] = there
    return Backtest(
        grain=grain,
        history=history,
        origins=np.array(origins),
        stride=stride,
        actual=actual,
        told=told,
        yards=tuple(yardsticks(grain)),
        methods=tuple(methods(grain)),
        seconds=(time.process_time() - began) / len(origins),
    )


def _all_said(
    ways: Mapping[str, Method], history: Array, grain: Grain, memories: dict[str, Memory]
) -> dict[str, Array]:
    """What each says at the end of a history; yardsticks take it as it is, outliers and all."""
    known = history[-grain.fitted :]
    clean = cleaned(known, grain.week, grain.day)
    yards = yardsticks(grain)
    return {
        name: _said(way, known if name in yards else clean, grain, memories.setdefault(name, {}))
        for name, way in ways.items()
    }


def _said(method: Method, known: Array, grain: Grain, memory: Memory) -> Array:
    """A method that fails at a series says nothing of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = method(known, grain, memory)
    except (ValueError, ArithmeticError, IndexError, np.linalg.LinAlgError):
        return np.full(grain.horizon, np.nan)
    if not np.isfinite(found).all():
        return np.full(grain.horizon, np.nan)
    return np.clip(found, 0.0, 3.0 * float(known.max()))
