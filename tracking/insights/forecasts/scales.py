"""Histories made fit for methods: outliers put back in line, and spread made even."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_WEEKS: Final = 7
_FAR: Final = 5.0
# The spread of counts as small as can be, on the scale of square roots.
_LEAST_SPREAD: Final = 0.5
_MAD: Final = 1.4826
_OUTLIERS_MOST: Final = 0.1
# Counts so small are left as they are: on another scale their forecasts come out too low by far.
SPARSE: Final = 5.0


def cleaned(history: Array, week: int, day: int) -> Array:
    """Without outliers: what is far from the median of the same hour of the weeks around it.

    What is as far off a day later, and two days later, is none: it is how things are now. Of the
    last day nobody knows yet; it is none where the day before was as far off.
    """
    weeks = len(history) // week
    if weeks < 4:
        return history
    start = len(history) - weeks * week
    roots = np.sqrt(np.maximum(history, 0.0))[start:].reshape(weeks, week)
    usual = np.empty_like(roots)
    for place in range(weeks):
        first = max(0, min(place - _WEEKS // 2, weeks - _WEEKS))
        usual[place] = np.median(roots[first : first + _WEEKS], axis=0)
    off = (roots - usual).ravel()
    spread = max(float(np.median(np.abs(off))) * _MAD, _LEAST_SPREAD)
    far = np.where(np.abs(off) > _FAR * spread, np.sign(off), 0.0)
    outliers = np.flatnonzero(np.logical_and(far != 0, np.logical_not(_lasting(far, day))))
    if len(outliers) > _OUTLIERS_MOST * len(off):
        return history  # so many are no exceptions
    found = history.copy()
    found[start + outliers] = usual.ravel()[outliers] ** 2
    return found


def _lasting(far: Array, day: int) -> Mask:
    """Where the day around is mostly as far off, to the same side, one and two days later too."""
    window = np.ones(day)
    around = np.convolve(far, window, "same") / np.convolve(np.ones_like(far), window, "same")
    next_day = np.concatenate((around[day:], around[-2 * day : -day]))
    day_after = np.concatenate((around[2 * day :], next_day[-2 * day :]))
    least = around * far / 2
    return (next_day * far >= least) & (day_after * far >= least) & (least > 0)


class Scale(NamedTuple):
    """On which a method works, and the way back to counts."""

    there: Callable[[Array], Array]
    back: Callable[[Array], Array]


_PLAIN: Final = Scale(lambda x: x, lambda z: z)


def rooted(history: Array) -> Scale:
    """Square roots: even spread where it grows with the count as chance does; zeros are fine."""
    if history.mean() < SPARSE:
        return _PLAIN
    return Scale(lambda x: np.sqrt(np.maximum(x, 0.0)), lambda z: np.maximum(z, 0.0) ** 2)


def logged(history: Array) -> Scale:
    """Logarithms: even spread where everything is in proportion; a little is added for zeros."""
    if history.mean() < SPARSE:
        return _PLAIN
    little = 0.1 * float(history.mean())
    highest = np.log(100.0 * float(history.max()) + little)
    return Scale(
        lambda x: np.log(np.maximum(x, 0.0) + little),
        lambda z: np.exp(np.minimum(z, highest)) - little,
    )
