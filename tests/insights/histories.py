"""Made-up histories for forecasts: short ones, so that a test takes seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tracking.insights.forecasts.grains import DAILY, Grain
from tracking.insights.forecasts.scales import Array

WEEK = np.array([1.3, 1.2, 1.1, 1.0, 0.9, 0.5, 0.3])
# By the day, from fewer moments of the past than usual.
SHORT: Grain = replace(DAILY, origins_max=24, stride=3)


def weekly(days: int, *, level: float = 100.0, seed: int = 1) -> Array:
    """Counts of chance around a pattern of the week."""
    draw = np.random.default_rng(seed)
    return draw.poisson(level * np.resize(WEEK, days)).astype(float)


def random_walk(days: int, *, seed: int) -> Array:
    draw = np.random.default_rng(seed)
    return np.maximum(1_000 + np.cumsum(draw.normal(0, 20, days)), 0.0)


def white_noise(days: int, *, seed: int) -> Array:
    return np.random.default_rng(seed).normal(200, 30, days)
