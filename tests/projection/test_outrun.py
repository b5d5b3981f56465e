"""A follower that posts outrun knows it, and one that only has much to do does not."""

from __future__ import annotations

import pytest

from tests.tools import make_tenant, post, record
from tracking.ledger.sealer import seal_once
from tracking.projection import follower as following
from tracking.projection.follower import Follower

pytestmark = pytest.mark.django_db(transaction=True)


def sealed(count: int) -> None:
    post([record() for _ in range(count)])
    while seal_once():
        pass


def test_it_stands_back_only_while_the_log_grows_faster_than_it_derives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "STEP_LEAVES", 5)
    make_tenant()
    for _ in range(12):
        sealed(5)
    follower = Follower("one")
    # sixty to derive, nothing new: as fast as it can
    for _ in range(3):
        assert follower.step() == 5
        assert not follower.outrun
    # twice as much is sealed as it derives
    sealed(5)
    sealed(5)
    assert follower.step() == 5
    assert follower.outrun
    # no longer
    assert follower.step() == 5
    assert not follower.outrun
    # and near the end of the log it never is
    while follower.step():
        pass
    sealed(10)
    follower.step()
    assert not follower.outrun
