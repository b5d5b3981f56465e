"""Windows and their steps: what is asked for, made exact."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.insights.world import at
from tracking.errors import BadRequest
from tracking.insights import windows as w
from tracking.insights.spans import SPANS, lately

_SECONDS = int((at("2200-12-31") - at("1970-01-01")).total_seconds())
moments = st.integers(0, _SECONDS).map(lambda n: at("1970-01-01") + timedelta(seconds=n))
minutes = moments.map(w.floor_minute)
widths = st.sampled_from(("7m", "15m", "1h", "5h", "1d", "3d", "1w", "1mo", "5mo", "12mo"))


@st.composite
def windows(draw: st.DrawFn) -> w.Window:
    start, step = draw(minutes), draw(widths)
    count, unit = w.count_and_unit(step)
    span = count * {"m": w.MINUTE, "h": w.HOUR, "d": w.DAY, "w": w.WEEK, "mo": 31 * w.DAY}[unit]
    end = start + draw(st.integers(1, 40)) * span // draw(st.integers(1, 7))
    return w.window(start, min(max(w.floor_minute(end), start + w.MINUTE), at("2201-01-01")), step)


@given(windows(), st.data())
def test_steps_tile_the_window(window: w.Window, data: st.DataObject) -> None:
    assert window.begins[0] == window.start
    assert window.ends[-1] == window.end
    assert all(begin < end for begin, end in zip(window.begins, window.ends, strict=True))
    assert window.ends[:-1] == window.begins[1:]
    off = data.draw(st.floats(-0.5, 1.5))
    moment = window.start + off * window.span
    holding = [
        index
        for index, (begin, end) in enumerate(zip(window.begins, window.ends, strict=True))
        if begin <= moment < end
    ]
    assert window.index(moment) == (holding[0] if holding else None)
    assert len(holding) <= 1


@given(windows())
def test_all_steps_but_the_first_and_the_last_are_as_wide_as_was_asked(window: w.Window) -> None:
    count, unit = w.count_and_unit(window.step)
    spans = [after - before for before, after in pairwise((*window.begins, window.end))]
    inner = range(1, len(spans) - 1)
    assert all(window.is_whole(index) for index in inner)
    if unit != "mo":
        wide = count * {"m": w.MINUTE, "h": w.HOUR, "d": w.DAY, "w": w.WEEK}[unit]
        assert {spans[index] for index in inner} <= {wide}
        assert max(spans) <= wide
        for index in (0, len(spans) - 1):
            assert window.is_whole(index) == (spans[index] == wide)
        return
    for before, after in pairwise(window.begins[1:]):
        assert (after.year - before.year) * 12 + after.month - before.month == count


@given(windows())
def test_all_steps_but_the_first_begin_on_the_clock(window: w.Window) -> None:
    _count, unit = w.count_and_unit(window.step)
    for begin in window.begins[1:]:
        assert unit in "dwmo" or unit == "m" or begin.minute == 0
        assert unit in "mh" or begin == w.floor_day(begin)
        assert unit != "w" or begin.weekday() == 0
        assert unit != "mo" or begin.day == 1


@pytest.mark.parametrize(
    ("start", "step", "following"),
    [
        ("2026-03-04T10:17", "1m", "2026-03-04T10:18"),
        ("2026-03-04T10:17", "15m", "2026-03-04T10:30"),
        ("2026-03-04T10:17", "7m", "2026-03-04T10:24"),
        ("2026-03-04T10:17", "1h", "2026-03-04T11:00"),
        ("2026-03-04T10:17", "6h", "2026-03-04T12:00"),
        ("2026-03-04T10:17", "5h", "2026-03-04T15:00"),
        ("2026-03-04T10:17", "1d", "2026-03-05T00:00"),
        ("2026-03-04T00:00", "1d", "2026-03-05T00:00"),
        ("2026-03-04T10:17", "1w", "2026-03-09T00:00"),
        ("2026-03-04T10:17", "1mo", "2026-04-01T00:00"),
        ("2026-03-04T10:17", "3mo", "2026-04-01T00:00"),
        ("2026-03-04T10:17", "12mo", "2027-01-01T00:00"),
    ],
)
def test_the_second_step_begins_with_the_clock_and_the_calendar(
    start: str, step: str, following: str
) -> None:
    window = w.window(at(start), at(following) + w.MINUTE, step)
    assert window.begins == (at(start), at(following))


@given(windows())
def test_the_window_before_ends_where_this_one_begins(window: w.Window) -> None:
    before = window.previous()
    assert before.end == window.start
    assert before.span == window.span
    assert len(before.begins) == len(window.begins)


@given(windows())
def test_the_same_weekday_is_as_few_weeks_ago_as_does_not_overlap(window: w.Window) -> None:
    before = window.same_weekday()
    ago = window.start - before.start
    assert ago % w.WEEK == timedelta(0)
    assert before.end <= window.start
    assert ago - w.WEEK < window.span
    assert before.start.weekday() == window.start.weekday()
    assert before.start.time() == window.start.time()
    shifted = [begin + ago for begin in before.begins]
    assert tuple(shifted) == window.begins


@given(windows())
def test_by_the_hour_widens_to_full_hours_and_no_further(window: w.Window) -> None:
    wide = window.by_the_hour()
    assert wide.start <= window.start < wide.start + w.HOUR
    assert wide.end - w.HOUR < window.end <= wide.end
    assert all(each.minute == 0 for each in (wide.start, wide.end))
    assert wide.by_the_hour() == wide


@given(moments, st.sampled_from(sorted(SPANS)), st.sampled_from(("", "15m", "1h", "1d", "1w")))
def test_a_time_asked_for_by_a_word_ends_with_the_step_that_is_now(
    moment: datetime, span: str, step: str
) -> None:
    wide = SPANS[span][1]
    if moment - wide < at("1970-01-06T00:00") or moment > at("2200-11-01"):
        return
    try:
        window = lately(span, moment, step)
    except BadRequest as error:
        assert error.members["parameter"] == "step"
        return
    assert window.begins[-1] <= moment < window.end
    assert window.span >= wide - 28 * w.HOUR if span == "12mo" else window.span >= wide
    # on the clock: the steps of another moment of the same hour are the same
    assert window.start == w.floor_minute(window.start)
    if window.step in ("1h", "1d"):
        assert window.start.minute == 0
    if window.step == "1w":
        assert window.start.weekday() == 0


def test_twelve_months_by_the_month_are_months_of_the_calendar() -> None:
    window = lately("12mo", at("2026-03-17T10:20"), "1mo")
    assert (window.start, window.end) == (at("2025-04-01"), at("2026-04-01"))
    assert [begin.day for begin in window.begins] == [1] * 12


def test_usual_steps_are_readable_in_number() -> None:
    for span in SPANS:
        window = lately(span, at("2026-03-17T10:20"))
        assert 12 <= len(window.begins) <= 200, span


@pytest.mark.parametrize(
    ("start", "end", "step", "parameter"),
    [
        ("2026-01-01", "2026-01-02", "", "step"),
        ("2026-01-01", "2026-01-02", "0h", "step"),
        ("2026-01-01", "2026-01-02", "1y", "step"),
        ("2026-01-01", "2026-01-02", "1h ", "step"),
        ("2026-01-01", "2026-01-02", "١h", "step"),
        ("2026-01-01", "2026-01-02", "12345m", "step"),
        ("2026-01-01", "2027-01-01", "1m", "step"),
        ("2026-01-02", "2026-01-02", "1h", "to"),
        ("2026-01-02", "2026-01-01", "1h", "to"),
        ("1969-12-31", "2026-01-01", "1w", "from"),
        ("2026-01-01", "2201-01-02", "12mo", "to"),
    ],
)
def test_what_is_no_window_is_refused_by_the_name_of_what_is_wrong(
    start: str, end: str, step: str, parameter: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        w.window(at(start), at(end), step)
    assert refused.value.members["parameter"] == parameter


def test_the_most_steps_that_fit_are_taken() -> None:
    start = at("2026-01-01")
    assert len(w.window(start, start + w.STEPS_MAX * w.MINUTE, "1m").begins) == w.STEPS_MAX
    with pytest.raises(BadRequest, match="1,500"):
        w.window(start, start + (w.STEPS_MAX + 1) * w.MINUTE, "1m")


def test_seconds_are_widened_to_the_minutes_they_lie_in() -> None:
    odd = at("2026-01-01T10:00").replace(second=30, microsecond=5)
    window = w.window(odd, odd + w.HOUR, "1h")
    assert (window.start, window.end) == (at("2026-01-01T10:00"), at("2026-01-01T11:01"))
