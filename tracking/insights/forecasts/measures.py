"""How good forecasts were: scaled errors, and how often intervals held what came."""

from __future__ import annotations

import numpy as np

from tracking.insights.forecasts.scales import Array


def naive_error(history: Array, seasons: tuple[int, ...]) -> float:
    """Mean absolute error of seasonal naive within a history, of the season it does best with.

    What MASE is scaled by (Hyndman, Koehler: "Another look at measures of forecast accuracy",
    2006). 0 where the history repeats itself exactly; NaN where it is too short.
    """
    found = [
        float(np.abs(history[season:] - history[:-season]).mean())
        for season in seasons
        if len(history) > season
    ]
    return min(found, default=float("nan"))


def mase(told: Array, actual: Array, scales: Array) -> float:
    """Mean absolute scaled error of forecasts: a row per origin, whose scale is `scales`.

    What is not known (NaN) does not count, nor do origins whose scale is 0. NaN of nothing.
    """
    usable = scales > 0
    off = np.abs(told[usable] - actual[usable]) / scales[usable, None]
    known = off[np.isfinite(off)]
    return float(known.mean()) if known.size else float("nan")


def ratio(ours: Array, theirs: Array) -> float:
    """Errors in those of a yardstick, on the steps where both are known.

    Infinite where the yardstick is never off, and NaN where nothing is known.
    """
    known = np.isfinite(ours) & np.isfinite(theirs)
    if not known.any():
        return float("nan")
    whole = float(theirs[known].sum())
    return float(ours[known].sum()) / whole if whole > 0 else float("inf")


def coverage(low: Array, high: Array, actual: Array) -> float:
    """The share of what came that lay within; NaN of nothing."""
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(actual)
    if not known.any():
        return float("nan")
    within = (actual >= low) & (actual <= high)
    return float(within[known].mean())
