"""What is shown and what is withheld, and that nothing knows what came later."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.insights.histories import SHORT, random_walk, weekly, white_noise
from tracking.insights.forecasts.assess import Assessment, assess
from tracking.insights.forecasts.backtest import Backtest, backtest, origins_of
from tracking.insights.forecasts.grains import DAILY, HOURLY
from tracking.insights.forecasts.intervals import LEVELS, fans_of
from tracking.insights.forecasts.judging import choose
from tracking.insights.forecasts.measures import naive_error
from tracking.insights.forecasts.scales import cleaned
from tracking.insights.forecasts.verdicts import (
    NO_PATTERN,
    NOT_BETTER,
    REPEATS,
    SHOWN,
    SILENT,
    UNCLEAR,
    verdict_words,
)
from tracking.insights.forecasts.verdicts import (
    SHORT as TOO_SHORT,
)

DAYS = 160


@cache
def patterned() -> Assessment:
    return assess(weekly(DAYS), SHORT, seconds=1_000)


def test_a_pattern_of_the_week_is_found_and_told_with_its_worth() -> None:
    found = patterned()
    assert found.verdict == SHOWN
    assert found.mase < 1
    assert all(each.ratio < 0.9 and each.chance < 0.05 for each in found.yards)
    assert found.tested is not None
    assert found.ahead is not None
    assert found.fan is not None
    # the next days are expected about as they are drawn
    expected = 100 * np.resize(np.roll([1.3, 1.2, 1.1, 1.0, 0.9, 0.5, 0.3], -DAYS % 7), 7)
    assert np.abs(found.ahead[:7] - expected).max() < 20
    assert 0.6 < found.coverage[0.8] < 0.95 <= found.coverage[0.95] + 0.1
    for lead in range(found.reach):
        inner = found.fan.low[0.8][lead], found.fan.high[0.8][lead]
        outer = found.fan.low[0.95][lead], found.fan.high[0.95][lead]
        assert 0 <= outer[0] <= inner[0] <= found.ahead[lead] <= inner[1] <= outer[1]


def test_its_mase_is_that_of_the_errors_it_would_have_made() -> None:
    found = patterned()
    tested, chosen = found.tested, found.chosen
    assert tested is not None
    assert chosen is not None
    scaled = []
    for row, origin in enumerate(tested.origins[:-1]):
        scale = naive_error(tested.history[:origin], (7,))
        for lead in range(7):
            if origin + lead < len(tested.history):
                off = abs(chosen.ahead[row, lead] - tested.history[origin + lead])
                scaled.append(off / scale)
    assert found.mase == pytest.approx(np.mean(scaled))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("made", [random_walk, white_noise])
def test_where_there_is_no_pattern_the_forecast_is_withheld(made: object, seed: int) -> None:
    found = assess(made(DAYS, seed=seed), SHORT, seconds=1_000)  # type: ignore[operator]
    assert found.verdict in (NO_PATTERN, NOT_BETTER, UNCLEAR)
    # though the method beats seasonal naive, as most do there
    assert found.method


def test_what_repeats_itself_exactly_needs_no_forecast() -> None:
    history = np.resize([5.0, 6.0, 7.0, 8.0, 9.0, 1.0, 0.0], DAYS)
    found = assess(history, SHORT, seconds=1_000)
    assert found.verdict == REPEATS
    assert "repeats itself exactly" in verdict_words(found.verdict, {})


def test_too_short_a_history_says_how_much_more_is_needed() -> None:
    found = assess(weekly(DAILY.shortest - 1), DAILY, seconds=1_000)
    assert found.verdict == TOO_SHORT
    facts = {"steps": found.steps, "needed": DAILY.shortest, "day": DAILY.day}
    said = verdict_words(found.verdict, facts)
    assert "needs 56 full days of history" in said
    assert "there are 55; 1 more day is needed" in said
    facts = {"steps": 30, "needed": HOURLY.shortest, "day": HOURLY.day}
    assert "needs 35 full days" in verdict_words(TOO_SHORT, facts)
    assert "there are 1; 34 more days are needed" in verdict_words(TOO_SHORT, facts)


def test_the_shortest_history_is_enough() -> None:
    found = assess(weekly(DAILY.shortest), DAILY, seconds=1_000)
    assert found.origins == DAILY.origins_min
    assert found.verdict in (SHOWN, UNCLEAR)
    assert found.reach >= DAILY.lead


def test_nothing_for_a_week_is_no_load_to_forecast() -> None:
    assert assess(np.zeros(DAYS), SHORT, seconds=1_000).verdict == SILENT
    ended = np.concatenate((weekly(DAYS), np.zeros(7)))
    assert assess(ended, SHORT, seconds=1_000).verdict == SILENT


def test_where_fitting_takes_long_it_is_tested_at_fewer_moments() -> None:
    found = assess(weekly(DAYS), replace(SHORT, origins_min=5), seconds=0.001)
    assert found.origins == 6
    assert found.tested is not None
    assert set(np.diff(found.tested.origins)) == {4 * SHORT.stride}


def test_what_is_told_at_a_moment_does_not_depend_on_what_came_after() -> None:
    found = patterned()
    tested, chosen = found.tested, found.chosen
    assert tested is not None
    assert chosen is not None
    for row in (5, 12, 20):
        origin = int(tested.origins[row])
        leads = np.arange(tested.grain.horizon)
        known = tested.origins[: row + 1, None] + leads < origin
        then = replace(
            tested,
            history=tested.history[:origin],
            origins=tested.origins[: row + 1],
            actual=np.where(known, tested.actual[: row + 1], np.nan),
            told={name: rows[: row + 1] for name, rows in tested.told.items()},
        )
        told = choose(then)
        assert told.names == chosen.names[: row + 1]
        fan = fans_of(then, told)[row]
        for level in LEVELS:
            np.testing.assert_array_equal(fan.low[level], found.fans[row].low[level])
            np.testing.assert_array_equal(fan.high[level], found.fans[row].high[level])


def test_methods_see_no_later_step_either() -> None:
    """The back-test of a history and of its beginning tell the same where both begin anew."""
    history = weekly(DAYS)
    changed = history.copy()
    grain = replace(SHORT, origins_max=6)
    first = backtest(history, grain, seconds=1_000)
    changed[int(first.origins[2]) :] *= 7
    second = backtest(changed, grain, seconds=1_000)
    for name in (*first.yards, *first.methods):
        np.testing.assert_array_equal(first.told[name][:3], second.told[name][:3], name)
        assert not np.array_equal(first.told[name][5], second.told[name][5]), name


def test_origins_end_now_and_lie_evenly() -> None:
    assert origins_of(DAILY.shortest, DAILY) == (list(range(35, 57)), 1)
    origins, stride = origins_of(1_000, DAILY)
    assert (origins[-1], stride, len(origins)) == (1_000, 7, 41)
    origins, stride = origins_of(HOURLY.shortest, HOURLY)
    assert (origins[0], origins[-1], stride) == (HOURLY.least, HOURLY.shortest, 24)


def test_a_lone_outlier_is_put_back_in_line_and_a_new_level_is_not() -> None:
    history = weekly(DAYS, level=400)
    spike = history.copy()
    spike[100] *= 6
    spike[101] = 0
    clean = cleaned(spike, 7, 1)
    assert np.abs(clean[100:102] - history[100:102]).max() < 150
    np.testing.assert_array_equal(np.delete(clean, [100, 101]), np.delete(spike, [100, 101]))
    shifted = history.copy()
    shifted[-3:] *= 3
    np.testing.assert_array_equal(cleaned(shifted, 7, 1)[-2:], shifted[-2:])


def test_a_new_level_is_followed_within_days() -> None:
    history = weekly(DAYS, level=400)
    history[-10:] *= 2
    found = backtest(history, replace(SHORT, origins_max=2), seconds=1_000)
    now: Backtest = found
    quick = now.told["shares recent"][-1][:7].mean()
    assert quick == pytest.approx(history[-7:].mean(), rel=0.1)
