"""Measures and intervals against what is computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tracking.insights.forecasts.intervals import bounds_of
from tracking.insights.forecasts.measures import coverage, mase, naive_error, ratio
from tracking.insights.forecasts.scales import Array

NAN = math.nan


def spread(told: Array) -> Array:
    return np.ones_like(told)


def test_seasonal_naive_of_a_history_is_off_by_what_changed_since_a_season_ago() -> None:
    history = np.array([1.0, 5.0, 2.0, 9.0, 2.0, 7.0])
    # two steps back: |2−1|, |9−5|, |2−2|, |7−9|
    assert naive_error(history, (2,)) == 7 / 4
    # three steps back: |9−1|, |2−5|, |7−2|: the better season counts
    assert naive_error(history, (3,)) == 16 / 3
    assert naive_error(history, (2, 3)) == 7 / 4
    assert math.isnan(naive_error(history, (6,)))


def test_mase_is_the_mean_of_errors_each_in_the_scale_of_its_origin() -> None:
    told = np.array([[10.0, 12.0], [20.0, 20.0], [5.0, 5.0]])
    actual = np.array([[11.0, 10.0], [26.0, NAN], [0.0, 0.0]])
    # errors 1, 2 in 2; 6 in 4; of a history that repeats itself nothing can be said
    assert mase(told, actual, np.array([2.0, 4.0, 0.0])) == pytest.approx((0.5 + 1 + 1.5) / 3)
    assert math.isnan(mase(told, np.full((3, 2), NAN), np.ones(3)))


def test_errors_are_compared_on_the_steps_where_both_are_known() -> None:
    assert ratio(np.array([1.0, 2.0, NAN]), np.array([4.0, NAN, 9.0])) == 0.25
    assert ratio(np.array([1.0]), np.array([0.0])) == math.inf
    assert math.isnan(ratio(np.array([NAN]), np.array([1.0])))


def test_coverage_counts_the_bounds_themselves() -> None:
    low, high = np.array([1.0, 1.0, 1.0, NAN]), np.array([3.0, 3.0, 3.0, NAN])
    assert coverage(low, high, np.array([1.0, 3.0, 4.0, 2.0])) == pytest.approx(2 / 3)


def test_bounds_hold_what_they_should_of_the_errors_they_are_made_of() -> None:
    draw = np.random.default_rng(3)
    told = draw.uniform(100, 200, 4_000)
    actual = told + draw.gumbel(0, 10, 4_000)
    for level in (0.8, 0.95):
        low, high = bounds_of(told, actual, spread, level, count=1_000_000)
        held = np.mean((actual >= told + low) & (actual <= told + high))
        assert held == pytest.approx(level, abs=0.002)
        # the tails are cut evenly, though the errors are lopsided
        assert np.mean(actual < told + low) == pytest.approx((1 - level) / 2, abs=0.002)


def test_a_bound_that_nothing_can_be_below_gives_its_tail_to_the_other() -> None:
    """Of rare events: none at all is in every interval, so the upper bound may miss more."""
    draw = np.random.default_rng(4)
    told = np.full(5_000, 0.5)
    actual = draw.exponential(0.5, 5_000) * draw.integers(0, 2, 5_000)
    low, high = bounds_of(told, actual, spread, 0.8, count=1_000_000)
    assert told[0] + low <= 0
    held = np.mean((actual >= max(0.0, told[0] + low)) & (actual <= told[0] + high))
    assert held == pytest.approx(0.8, abs=0.01)


def test_few_origins_make_wider_bounds() -> None:
    draw = np.random.default_rng(5)
    told, off = np.full(500, 100.0), draw.normal(0, 10, 500)
    few = bounds_of(told, told + off, spread, 0.8, count=8)
    many = bounds_of(told, told + off, spread, 0.8, count=40)
    assert few[0] < many[0] < 0 < many[1] < few[1]
