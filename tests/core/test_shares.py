"""The short way to share out elapsed time gives what the long one gives, and both all of it."""

from __future__ import annotations

from random import Random

import pytest

from tracking.core.shares import Presence, _one_by_one, _side_by_side, shares


def presences(random: Random) -> tuple[list[Presence], int]:
    """Visits of few ms, most after one another, some before the first event or behind the last."""
    at = random.randrange(-5, 3)
    found = []
    for _ in range(random.randrange(1, 6)):
        begin = at + random.randrange(6)
        queued = begin + random.choice((0, 0, 0, 2))
        starts = queued + random.choice((0, random.randrange(5)))
        stops = starts + random.choice((0, random.randrange(1, 7)))
        found.append((begin, queued, starts, starts, stops))
        at = stops if random.random() < 0.85 else begin
    return sorted(found), random.randrange(40)


@pytest.mark.parametrize("seed", range(8))
def test_both_ways_agree_and_share_out_all(seed: int) -> None:
    random = Random(seed)
    short = 0
    for _ in range(4_000):
        visits, total = presences(random)
        long = _side_by_side(visits, total)
        assert shares(visits, total) == long
        assert sum(queue + work for queue, work in long) == total
        assert all(queue >= 0 and work >= 0 for queue, work in long)
        short += _one_by_one(visits, total) is not None
    assert short > 1_000, "the short way is taken"


def test_parallel_work_counts_once_and_a_gap_belongs_to_what_comes_after() -> None:
    visits = [(0, 0, 0, 0, 10), (0, 0, 0, 0, 10), (16, 16, 18, 18, 20)]
    assert shares(visits, 21) == [(0, 5), (0, 5), (9, 2)]
