"""Lists say how fresh they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.projection.world import post_at
from tests.tools import drain, make_tenant, record
from tracking.ledger.sealer import seal_once
from tracking.projection.follower import Follower
from tracking.projection.status import Lag, lag

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def post(seconds: int, count: int = 1) -> None:
    make_tenant()
    post_at([record() for _ in range(count)], moment=NOON + timedelta(seconds=seconds))


def test_of_nothing_there_is_no_lag() -> None:
    assert lag(NOON) == Lag(leaf=0, log_size=0, queued=0, behind_seconds=0)


def test_from_recorded_to_sealed_to_derived() -> None:
    post(0, 3)
    post(5)
    assert lag(NOON + timedelta(seconds=10)) == Lag(
        0, 0, queued=2, behind_seconds=10, queue_seconds=10
    )
    seal_once()
    assert lag(NOON + timedelta(seconds=10)) == Lag(0, 4, queued=0, behind_seconds=10)
    Follower("drain").step()
    assert lag(NOON + timedelta(seconds=10)) == Lag(4, 4, queued=0, behind_seconds=0)


def test_the_oldest_that_lists_do_not_show_counts() -> None:
    post(0)
    drain()
    post(7)
    seal_once()
    post(2)
    both = lag(NOON + timedelta(seconds=10))
    assert (both.behind_seconds, both.queue_seconds) == (8, 8), "still in the queue, but older"


def test_a_clock_that_was_set_back_is_no_negative_lag() -> None:
    post(60)
    assert lag(NOON).behind_seconds == 0
