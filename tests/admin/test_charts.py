"""Charts: their axes, their geometry, and that they can be read without being seen."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from tests.insights.world import at
from tracking.admin.axes import compact, nice_ticks, span_ticks, step_words, time_ticks
from tracking.admin.charts import Band, Row, Series, bars, by_steps, spark
from tracking.admin.sheets import cell_text, percent, sheet_of
from tracking.insights.tables import Table
from tracking.insights.windows import HOUR, window

numbers = st.floats(-1e12, 1e12, allow_subnormal=False).filter(lambda n: n == 0 or abs(n) > 1e-6)


def said(value: Any) -> str:
    return f"{value:,}"


@given(numbers, numbers, st.booleans())
def test_ticks_are_round_few_and_hold_all(one: float, other: float, whole: bool) -> None:
    low, high = min(one, other, 0.0), max(one, other, 0.0)
    ticks = nice_ticks(low, high, whole=whole)
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))
    slack = (high - low) * 1e-6
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    step = ticks[1] - ticks[0]
    assert 0.0 in [pytest.approx(tick, abs=step * 1e-6) for tick in ticks]
    if whole:
        assert all(tick == int(tick) for tick in ticks)


@given(st.floats(0, 231 * 366 * 86_400_000))
def test_ticks_of_spans_are_full_units(high: float) -> None:
    ticks = span_ticks(high)
    assert ticks[0] == 0
    assert ticks[-1] >= high
    assert len(ticks) <= 8
    assert all(tick == int(tick) for tick in ticks)


@pytest.mark.parametrize(
    ("start", "end", "step", "texts"),
    [
        ("2026-03-01", "2026-03-02", "1h", ["00:00", "03:00", "06:00"]),
        ("2026-03-01", "2026-03-31", "1d", ["1 Mar", "8 Mar", "15 Mar"]),
        ("2026-01-01", "2027-01-01", "1mo", ["Jan", "Mar", "May"]),
        ("2026-03-01T10:00", "2026-03-01T11:00", "1m", ["10:00", "10:10", "10:20"]),
        ("2026-03-01T10:00", "2026-03-01T11:00", "1h", ["10:00"]),
    ],
)
def test_times_are_labelled_as_clocks_and_calendars_have_them(
    start: str, end: str, step: str, texts: list[str]
) -> None:
    ticks = time_ticks(window(at(start), at(end), step))
    assert [tick.text for tick in ticks][: len(texts)] == texts
    assert len(ticks) <= 9
    # the date, or the year, stands below where it begins
    assert ticks[0].below


@pytest.mark.parametrize(
    ("start", "end", "step", "words"),
    [
        ("2026-03-01", "2026-03-02", "1h", "Sun 1 Mar 2026, 00:00–01:00"),
        ("2026-03-01", "2026-03-03", "1d", "Sun 1 Mar 2026"),
        ("2026-03-02", "2026-03-16", "1w", "2 Mar – 8 Mar 2026"),
        ("2026-03-01", "2026-05-01", "1mo", "Mar 2026"),
        ("2026-03-01T05:00", "2026-03-05T05:00", "2d", "1 Mar 05:00 – 3 Mar 2026 05:00"),
    ],
)
def test_a_step_is_named_as_people_name_it(start: str, end: str, step: str, words: str) -> None:
    assert step_words(window(at(start), at(end), step), 0) == words


HOURS = window(at("2026-03-01"), at("2026-03-01T04:00"), "1h")


def test_bars_stack_from_zero_and_negative_ones_hang() -> None:
    chart = by_steps(
        name="x",
        title="How many?",
        window=HOURS,
        say=said,
        bars=[
            Series("a", "good", [4, 0, 2, None]),
            Series("b", "bad", [6, -5, Decimal("3.00"), None]),
        ],
    )
    assert [tick.text for tick in chart.y_ticks] == ["-5.0", "0.0", "5.0", "10.0"]
    top, bottom = 10.0, -5.0

    def at_value(value: float) -> float:
        return round(100 * (top - value) / (top - bottom), 3)

    first = chart.slots[0].parts
    assert [(part.at, part.tone) for part in first] == [
        (at_value(4), "good"),
        (at_value(10), "bad"),
    ]
    assert first[1].at + first[1].size == pytest.approx(first[0].at, abs=0.01)
    (hanging,) = chart.slots[1].parts
    assert hanging.at == at_value(0)
    assert hanging.at + hanging.size == pytest.approx(at_value(-5), abs=0.01)
    assert chart.slots[3].parts == []
    assert chart.zero == at_value(0)


def test_a_gap_breaks_a_line_and_what_stands_alone_is_a_dot() -> None:
    chart = by_steps(
        name="x",
        title="?",
        window=HOURS,
        say=said,
        lines=[Series("a", "info", [1, None, 2, 3])],
        bands=[Band("80 %", "info", [1, None, 1, 2], [2, None, 3, 4])],
    )
    assert [each[0] for each in re.findall(r"[MLh]", chart.lines[0].d)] == ["M", "h", "M", "L"]
    assert chart.bands[0].d.count("Z") == 2


def test_everything_is_said_in_words_too() -> None:
    chart = by_steps(
        name="x",
        title="How many?",
        window=HOURS,
        say=said,
        bars=[Series("delivered", "good", [1_000, 2, 3, 4])],
        urls=["/there", "", "", ""],
        now=at("2026-03-01T02:00"),
        table=Table("t", {"n": "number"}, [(1,)], [{"n": "/one"}]),
        csv_url="/csv",
    )
    assert chart.says == (
        "How many? From 1 Mar 2026 00:00 to 1 Mar 2026 04:00 UTC: delivered 1,009."
    )
    assert chart.now == 50.0
    html = render_to_string("tracking/charts/steps.html", {"chart": chart})
    assert f'aria-label="{chart.says}"' in html
    assert "Sun 1 Mar 2026, 00:00–01:00 UTC\ndelivered: 1,000</title>" in html
    # bars lead on, and so does the table, which a keyboard reaches
    assert '<a href="/there" tabindex="-1">' in html
    assert '<a href="/one">1</a>' in html
    assert 'href="/csv"' in html
    assert "<script" not in html


def test_names_are_escaped_wherever_they_stand() -> None:
    evil = "<script>alert(1)</script>"
    table = Table("t", {"n": evil}, [(evil,)], [{"n": f"/?{evil}"}])
    steps = by_steps(
        name="x", title=evil, window=HOURS, say=said, table=table, note=evil,
        lines=[Series(evil, "info", [1, 2, 3, 4])], csv_url=f'/"{evil}',
    )  # fmt: skip
    side = bars(
        name="y", title=evil, table=table, rows=[Row(evil, [(1, "good")], evil, evil, f'/"{evil}')]
    )
    for template, chart in (("steps", steps), ("bars", side)):
        html = render_to_string(f"tracking/charts/{template}.html", {"chart": chart})
        assert "<script" not in html
        assert html.count("&lt;script&gt;") >= 4
        assert 'href="/"' not in html


def test_nothing_is_said_to_be_nothing() -> None:
    zeros = {"name": "x", "title": "?", "window": HOURS, "say": said}
    empty = by_steps(**zeros, bars=[Series("a", "good", [0, 0, 0, 0])])
    assert empty.empty
    assert "Nothing in this time" in render_to_string(
        "tracking/charts/steps.html", {"chart": empty}
    )
    # of shares 0 is news; of no share there is none
    assert not by_steps(**zeros, summed=False, lines=[Series("a", "bad", [0.0, 0, 0, 0])]).empty
    assert by_steps(**zeros, summed=False, lines=[Series("a", "bad", [None] * 4)]).empty
    assert "Nothing" in render_to_string(
        "tracking/charts/bars.html", {"chart": bars(name="x", title="?", rows=[])}
    )


def test_bars_are_as_wide_as_their_share_of_the_largest() -> None:
    chart = bars(
        name="x",
        title="?",
        rows=[Row("a", [(3, "good"), (1, "bad")], "4"), Row("b", [(1, "good"), (0, "bad")], "1")],
    )
    assert [(part.at, part.size) for part in chart.bars[0].parts] == [(0.0, 75.0), (75.0, 25.0)]
    assert [(part.at, part.size) for part in chart.bars[1].parts] == [(0.0, 25.0)]


def test_a_sparkline_of_zeros_lies_on_the_ground() -> None:
    flat = spark([0, 0, 0], says="nothing")
    assert set(re.findall(r" (\S+)", flat.line)) <= {"100.0", "L50.0", "L83.333"}
    both = spark([1, 2], says="more", other=[4, 4])
    assert both.other
    assert "25.0 75.0" in both.line


def test_a_table_shows_values_as_its_columns_mean_them() -> None:
    columns = {"from": "from", "n": "n", "median_ms": "median", "failed_share": "failed"}
    rows: list[Any] = [(at("2026-03-01T14:00"), 12_345, 61_000, 0.125), (None, None, None, None)]
    sheet = sheet_of(Table("t", columns, rows))
    assert [cell.text for cell in sheet.rows[0]] == [
        "1 Mar 2026 14:00",
        "12,345",
        "1 min 1 s",
        "12.5 %",
    ]
    assert {cell.text for cell in sheet.rows[1]} == {"–"}
    assert [head.numeric for head in sheet.heads] == [False, True, True, True]
    long = sheet_of(Table("t", {"n": "n"}, [(n,) for n in range(250)]))
    assert (len(long.rows), long.more) == (200, 50)
    assert cell_text("amount", Decimal("12.50")) == "12.5"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.5, "50 %"),
        (0.0001, "under 0.1 %"),
        (0.99999, "over 99.9 %"),
    ],
)
def test_a_share_that_is_not_nothing_never_reads_so(share: float, text: str) -> None:
    assert percent(share) == text


def test_counts_are_short_on_axes() -> None:
    values = [0, 950, 1_000, 12_500, 3_000_000, 2.5e9, -40_000]
    assert [compact(n) for n in values] == ["0", "950", "1k", "12.5k", "3M", "2.5G", "-40k"]


def test_times_outside_of_the_window_are_not_marked() -> None:
    later = HOURS.end + HOUR
    chart = by_steps(name="x", title="?", window=HOURS, say=said, now=later)
    assert chart.now is None
