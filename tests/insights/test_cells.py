"""Which cells make up a time: the fewest, and exactly those."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.insights.test_windows import windows
from tests.insights.world import at, put
from tracking.insights.cells import Run, cover, flows_of, of_steps, parts_of, read
from tracking.insights.sums import sums, total
from tracking.insights.windows import (
    DAY,
    HOUR,
    MINUTE,
    Window,
    ceil_hour,
    floor_day,
    floor_hour,
    floor_month,
    months_after,
    window,
)
from tracking.models.rollups import BLOCK, FLOW

START = at("2025-11-28T21:00")
hours = st.integers(0, 50 * 366 * 24).map(lambda hour: at("1990-01-01") + hour * HOUR)


def cells_of(runs: list[Run]) -> list[tuple[datetime, datetime, str]]:
    """Each cell of the runs, with where it ends."""
    found = []
    for run in runs:
        begin = run.start
        while begin < run.end:
            until = _end(begin, run.grain)
            found.append((begin, until, run.grain))
            begin = until
    return found


def _end(begin: datetime, grain: str) -> datetime:
    return months_after(begin, 1) if grain == "month" else begin + (DAY if grain == "day" else HOUR)


def greedy(start: datetime, end: datetime, breaks: list[datetime]) -> list[tuple[datetime, str]]:
    """Step by step the widest cell that fits: of grains that nest, no other way has fewer."""
    found = []
    while start < end:
        limit = min([end, *(each for each in breaks if each > start)])
        if floor_month(start) == start and months_after(start, 1) <= limit:
            grain = "month"
        elif floor_day(start) == start and start + DAY <= limit:
            grain = "day"
        else:
            grain = "hour"
        found.append((start, grain))
        start = _end(start, grain)
    return found


@given(hours, st.integers(0, 24 * 400), st.lists(st.integers(-10, 24 * 400), max_size=4))
def test_the_fewest_cells_tile_the_time_and_none_has_a_break_inside(
    start: datetime, length: int, broken: list[int]
) -> None:
    end = start + length * HOUR
    breaks = [start + each * HOUR for each in broken]
    runs = cover(start, end, breaks=breaks)
    cells = cells_of(runs)
    assert [(begin, grain) for begin, _end, grain in cells] == greedy(start, end, breaks)
    assert not any(begin < each < until for begin, until, _ in cells for each in breaks)
    # neighbours of one grain are one run, so that they are one query
    for earlier, later in pairwise(runs):
        assert earlier.end == later.start
        assert earlier.grain != later.grain


@given(windows())
def test_cells_and_hours_tile_the_steps_of_a_window(asked: Window) -> None:
    runs, hours = parts_of(asked)
    assert hours == sorted(set(hours))
    cells = cells_of(runs)
    split = [(hour, hour + HOUR) for hour in hours]
    tiles = sorted([(begin, until) for begin, until, _ in cells] + split)
    assert tiles[0][0] == floor_hour(asked.start)
    assert tiles[-1][1] == ceil_hour(asked.end)
    assert all(earlier[1] == later[0] for earlier, later in pairwise(tiles))
    bounds = (*asked.begins, asked.end)
    for begin, until, _grain in cells:
        assert not any(begin < bound < until for bound in bounds), "in one step each"
    for begin, until in split:
        assert any(begin < bound < until for bound in bounds), "no more minutes than need be"


@pytest.mark.parametrize(
    ("start", "end", "step", "grains", "hours"),
    [
        ("2026-01-01", "2027-01-01", "1mo", "month", 0),
        ("2026-01-15", "2026-03-15", "1mo", "day month day", 0),
        ("2026-01-01", "2026-01-31", "1d", "day", 0),
        ("2026-01-01T05:00", "2026-01-03T05:00", "1d", "hour day hour", 0),
        ("2026-01-01T05:08", "2026-01-31T05:08", "1d", "hour day hour", 2),
        ("2026-01-01T05:08", "2026-12-31T05:08", "1w", "hour day hour", 2),
        ("2026-01-01T00:01", "2026-01-02", "1h", "hour", 1),
        ("2026-01-01T00:01", "2026-01-01T02:01", "15m", "", 3),
    ],
)
def test_steps_are_of_wide_cells_wherever_the_window_begins(
    start: str, end: str, step: str, grains: str, hours: int
) -> None:
    runs, split = parts_of(window(at(start), at(end), step))
    assert [run.grain for run in runs] == grains.split()
    assert len(split) == hours


@pytest.fixture
def put_at_random(db: None) -> list[tuple[datetime, str, int]]:
    """Numbers of two flows over 70 days, some of them of another tenant's too."""
    random = Random(7)
    put_there = []
    for _ in range(300):
        moment = START + random.randrange(70 * 24 * 60) * MINUTE
        flow, number = random.choice(("orders", "returns")), random.randrange(1, 9)
        put("flow", moment, {"started": number}, flow=flow, minutes={"started": number})
        put_there.append((moment, flow, number))
    put("flow", START + HOUR, {"started": 1000}, tenant="globex", minutes={"started": 1000})
    put(
        "block",
        START + HOUR,
        {"records.queued": 1000},
        stage="ingress",
        block="receive",
        minutes={"queued": 1000},
    )
    return put_there


def test_what_is_read_is_the_sum_of_what_was_put(
    put_at_random: list[tuple[datetime, str, int]],
) -> None:
    random = Random(8)
    for _ in range(12):
        start = START + random.randrange(70 * 24) * HOUR
        end = start + random.randrange(1, 40 * 24) * HOUR
        for flow in (None, "orders"):
            wanted = sum(
                number
                for moment, its, number in put_at_random
                if start <= moment < end and flow in (None, its)
            )
            runs = cover(start, end)
            cells = list(read("acme", FLOW, runs, flow=flow, fields=("started",)))
            assert sum(cell["started"] for cell in cells) == wanted
            added = sums("acme", FLOW, runs, numbers={"n": "started"}, flow=flow)
            assert added.get((), {"n": 0})["n"] == wanted


def test_a_total_is_exact_to_the_minute(put_at_random: list[tuple[datetime, str, int]]) -> None:
    random = Random(9)
    bounds = [(START, START + 70 * DAY), (START, START)]
    for most in (50, 70, 3_000, 90_000):
        for _ in range(4):
            start = START + random.randrange(60 * 24 * 60) * MINUTE
            bounds.append((start, start + random.randrange(1, most) * MINUTE))
    for start, end in bounds:
        wanted = sum(number for moment, _, number in put_at_random if start <= moment < end)
        found = total("acme", FLOW, start, end, numbers={"started": "started"})
        assert found == {"started": wanted}, (start, end)


@pytest.mark.parametrize("step", ["17m", "1h", "5h", "1d"])
def test_steps_hold_what_was_put_into_them(
    put_at_random: list[tuple[datetime, str, int]], step: str
) -> None:
    end = START + timedelta(minutes=17 * 1_400) if step == "17m" else START + 55 * DAY
    asked = window(START, end, step)
    found = [0] * len(asked.begins)
    for index, cell in of_steps("acme", FLOW, asked, fields=("started",), minutes=("started",)):
        found[index] += cell["started"]
    wanted = [0] * len(asked.begins)
    for moment, _flow, number in put_at_random:
        if START <= moment < end:
            wanted[next(i for i, until in enumerate(asked.ends) if moment < until)] += number
    assert found == wanted


def test_flows_are_those_of_the_tenant(put_at_random: list[tuple[datetime, str, int]]) -> None:
    assert flows_of("acme") == ["orders", "returns"]
    assert flows_of("globex") == ["orders"]
    assert flows_of("nobody") == []


def test_sums_are_told_apart_by_what_is_asked(db: None) -> None:
    for block, stage in (("receive", "ingress"), ("ship", "egress")):
        for day in range(3):
            numbers = {"records.failed": day + 1, "retries": 2}
            put(BLOCK, START + day * DAY, numbers, stage=stage, block=block)
    runs = cover(START, START + 2 * DAY)
    found = sums(
        "acme", BLOCK, runs, by=("stage", "block"), numbers={"f": "records.failed", "r": "retries"}
    )
    each = {"f": 3, "r": 4}
    assert found == {("ingress", "receive"): each, ("egress", "ship"): each}
