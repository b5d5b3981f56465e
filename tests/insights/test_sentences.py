"""Numbers as they stand in sentences."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tracking.insights.observed import Counts
from tracking.insights.sentences import Line, number, of_block, percent, span_before, summary


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (0, 7, "0 %"),
        (0, 0, "–"),
        (1, 100_000, "under 0.1 %"),
        (1, 1_000, "0.1 %"),
        (41, 1_000, "4.1 %"),
        (40, 1_000, "4 %"),
        (995, 10_000, "10 %"),
        (414, 1_000, "41 %"),
        (415, 1_000, "42 %"),
        (9_940, 10_000, "99 %"),
        (9_950, 10_000, "99.5 %"),
        (9_999, 10_000, "over 99.9 %"),
        (7, 7, "100 %"),
        (2, 1, "200 %"),
    ],
)
def test_a_percentage_is_never_none_or_all_where_it_is_not(
    part: int, whole: int, told: str
) -> None:
    assert percent(part, whole) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.034, "0.03"), (0.25, "0.2"), (3.0, "3"), (3.44, "3.4"), (12_345.6, "12,346")],
)
def test_numbers_are_as_long_as_they_are_read(value: float, told: str) -> None:
    assert number(value) == told


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (1, "the hour before"),
        (5, "the 5 hours before"),
        (24, "the day before"),
        (25, "the 25 hours before"),
        (7 * 24, "the 7 days before"),
        (365 * 24, "the 365 days before"),
    ],
)
def test_the_window_before_is_named_by_its_length(hours: int, told: str) -> None:
    assert span_before(timedelta(hours=hours)) == told


def said(counts: Counts, before: Counts, **more: int) -> str:
    rest = {"tenths": counts.elapsed_ms, "left": counts.ended, "grows": 0, "hours": 24, **more}
    return of_block(counts, before, verdict="fine", span="the day before", **rest)


@pytest.mark.parametrize(
    ("counts", "before", "told"),
    [
        (
            Counts(arrived=9, ended=9, queue_ms=100),
            Counts(),
            "takes 10 % of all elapsed time, all of it waiting; 9 arrive a day and as many leave;"
            " nothing to compare it with in the day before.",
        ),
        (
            Counts(arrived=9, ended=8, queue_ms=100),
            Counts(ended=8, queue_ms=20),
            "takes 10 % of all elapsed time, all of it waiting; 9 arrive a day and 8 leave; its"
            " waiting is 5 times that of the day before.",
        ),
        (
            Counts(arrived=9, ended=8, queue_ms=100),
            Counts(ended=4, queue_ms=20),
            "takes 10 % of all elapsed time, all of it waiting; 9 arrive a day and 8 leave; too"
            " little to compare it with in the day before.",
        ),
        (
            Counts(arrived=9, ended=8, queue_ms=100),
            Counts(ended=8, work_ms=20),
            "takes 10 % of all elapsed time, all of it waiting; 9 arrive a day and 8 leave; there"
            " was no waiting in the day before.",
        ),
        (
            Counts(arrived=0, ended=8, queue_ms=40, work_ms=60),
            Counts(ended=8, queue_ms=20, work_ms=80),
            "takes 10 % of all elapsed time, 40 % of it waiting; 0 arrive a day and 8 leave; its"
            " work fell by 25 % against the day before.",
        ),
        (
            Counts(open=1, queue_ms=1_000),
            Counts(ended=8, queue_ms=20, work_ms=80),
            "takes 100 % of all elapsed time, all of it waiting; none arrive.",
        ),
    ],
)
def test_a_block_is_told_with_what_is_known(counts: Counts, before: Counts, told: str) -> None:
    assert said(counts, before) == told


def test_several_bottlenecks_are_told_together() -> None:
    worst = [("a", Counts(queue_ms=300), 300), ("b", Counts(work_ms=200, queue_ms=100), 299)]
    lines = summary([*worst, ("c", Counts(queue_ms=100), 101)], ["d", "e"], None)
    assert [str(line) for line in lines] == [
        "`a`, `b` and `c` are the bottlenecks: together they take 70 % of all elapsed time, 71 % of"
        " it waiting.",
        "`d` and `e` are getting worse: more arrive than leave, or a visit waits longer than"
        " before.",
    ]
    assert str(Line((), "Nothing.")) == "Nothing."
