"""The methods that a forecast is chosen from, and the yardsticks it has to beat.

Each takes a history and says the next steps. Methods are those of statsmodels: exponential
smoothing (Holt and Winters, damped: Gardner 1985), theta (Assimakopoulos, Nikolopoulos 2000),
autoregression with a weekly pattern of harmonics, and the shares of the week times a smoothed
level; on the scales of scales.py. None knows of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from tracking.insights.forecasts.grains import Grain
from tracking.insights.forecasts.scales import Array, Scale, logged, rooted

_QUICKLY: Final = 0.6
_SHARE_WEEKS: Final = 8
# What a method found out about a series, to start from when it comes back to it a little later.
Memory = dict[str, Any]
Method = Callable[[Array, Grain, Memory], Array]

_KEPT: Final = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")


def repeated(last: Array, steps: int) -> Array:
    return np.asarray(np.resize(last, steps), dtype=np.float64)


# --- Yardsticks -------------------------------------------------------------------------


def seasonal_naive(season: int) -> Method:
    return lambda history, grain, memory: repeated(history[-season:], grain.horizon)


def naive(history: Array, grain: Grain, memory: Memory) -> Array:
    return np.full(grain.horizon, history[-1])


def mean(history: Array, grain: Grain, memory: Memory) -> Array:
    return np.full(grain.horizon, history.mean())


def median(history: Array, grain: Grain, memory: Memory) -> Array:
    return np.full(grain.horizon, np.median(history))


def level(history: Array, grain: Grain, memory: Memory) -> Array:
    """Simple exponential smoothing: where it stands now, without any pattern."""
    return _smoothed(history, grain.horizon, memory)


# --- Methods ----------------------------------------------------------------------------


def _smoothed(x: Array, steps: int, memory: Memory, **kind: Any) -> Array:
    model = ExponentialSmoothing(x, initialization_method="heuristic", **kind)
    if not memory:
        fit = model.fit()
        memory.update(
            {
                name: float(value)
                for name, value in fit.params.items()
                if name in _KEPT and value is not None and np.isfinite(value)
            }
        )
    else:
        fit = model.fit(optimized=False, **memory)
    return np.asarray(fit.forecast(steps))


def winters(x: Array, grain: Grain, memory: Memory) -> Array:
    kind = {"trend": "add", "damped_trend": True, "seasonal": "add"}
    return _smoothed(x, grain.horizon, memory, seasonal_periods=grain.week, **kind)


def theta(x: Array, grain: Grain, memory: Memory) -> Array:
    model = ThetaModel(x, period=grain.week, use_test=False, method="additive")
    return np.asarray(model.fit().forecast(grain.horizon))


def harmonic(trend: str) -> Method:
    def forecast(x: Array, grain: Grain, memory: Memory) -> Array:
        there, ahead = len(x), grain.horizon
        waves = _waves(there + ahead, grain)
        lags = [1, 2, 3, *grain.seasons] if grain.day > 1 else [1, 2, grain.week]
        fit = AutoReg(x, lags=lags, trend=trend, exog=waves[:there]).fit()
        return np.asarray(fit.predict(there, there + ahead - 1, exog_oos=waves[there:]))

    return forecast


def _waves(steps: int, grain: Grain) -> Array:
    """Of a week: all there can be of days; of hours, those of the week, of the day, and of days
    that differ from day to day."""
    week, days = grain.week, 7
    if grain.day == 1:
        counts = [1, 2, 3]
    else:
        near = {days * k + off for k in range(1, 5) for off in (-3, -2, -1, 1, 2, 3)}
        counts = sorted({*range(1, days), *(days * k for k in range(1, 12)), *near})
    turns = 2 * np.pi * np.arange(steps) / week
    return np.column_stack([wave(k * turns) for k in counts for wave in (np.sin, np.cos)])


def shares(recent: bool) -> Method:
    """The usual share of each step in its week, times the level by day: smoothed as suits the
    history, or `recent`, which is where it stands by the last few days."""

    def forecast(x: Array, grain: Grain, memory: Memory) -> Array:
        share, levels = _levels(x, grain)
        ahead = -(-grain.horizon // grain.day)
        if recent:
            given = {"smoothing_level": _QUICKLY}
            level = _smoothed(levels, ahead, given)
        else:
            level = _smoothed(levels, ahead, memory, trend="add", damped_trend=True)
        return np.repeat(level, grain.day)[: grain.horizon] * repeated(share, grain.horizon)

    return forecast


def _levels(x: Array, grain: Grain) -> tuple[Array, Array]:
    """The shares of the week, from the middle of the last weeks; and by day, how much it was in
    terms of them."""
    weeks = len(x) // grain.week
    last = min(weeks, _SHARE_WEEKS)
    rows = x[len(x) - last * grain.week :].reshape(last, grain.week)
    ratios = np.sort(rows / np.maximum(rows.mean(axis=1, keepdims=True), 1e-9), axis=0)
    cut = last // 5
    share = ratios[cut : last - cut].mean(axis=0)
    share *= grain.week / max(float(share.sum()), 1e-9)
    days = x[len(x) - weeks * grain.week :].reshape(-1, grain.day).sum(axis=1)
    usual = np.resize(share.reshape(-1, grain.day).sum(axis=1), len(days))
    # a day on which hardly anything ever happens says nothing about the level
    telling = usual > 0.1 * usual.mean()
    levels = np.interp(
        np.arange(len(days)), np.flatnonzero(telling), days[telling] / usual[telling]
    )
    return share, levels


def on(scale: Callable[[Array], Scale], method: Method) -> Method:
    def forecast(history: Array, grain: Grain, memory: Memory) -> Array:
        there, back = scale(history)
        return back(method(there(history), grain, memory))

    return forecast


def yardsticks(grain: Grain) -> Mapping[str, Method]:
    seasonal = {f"seasonal naive {season}": seasonal_naive(season) for season in grain.seasons}
    return {**seasonal, "naive": naive, "mean": mean, "median": median, "level": level}


def methods(grain: Grain) -> Mapping[str, Method]:
    """By the names under which they are shown."""
    found = {
        "harmonic √": on(rooted, harmonic("c")),
        "harmonic log": on(logged, harmonic("c")),
        "harmonic trend √": on(rooted, harmonic("ct")),
        "theta √": on(rooted, theta),
        "theta log": on(logged, theta),
        "winters √": on(rooted, winters),
        "shares": shares(recent=False),
        "shares recent": shares(recent=True),
    }
    if grain.day == 1:
        found["winters log"] = on(logged, winters)
    return found
