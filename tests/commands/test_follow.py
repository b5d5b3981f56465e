"""`manage.py follow`: a process that seals and derives until it is told to stop."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from django.db import connection

from tests.faults.processes import Outside, kill, manage, uri_of, wait_for
from tests.projection.world import assert_derived_equals_oracle
from tests.tools import make_tenant, post, record
from tracking import clock
from tracking.projection.follower import Follower

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_seals_and_derives_and_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    make_tenant()
    post([record() for _ in range(3)])
    uri = uri_of(connection.settings_dict["NAME"])
    outside = Outside(uri)
    process = manage("follow", uri=uri, data=tmp_path)
    try:
        wait_for(lambda: outside.leaf() == 3, "what was there is derived")
        post([record() for _ in range(2)])
        wait_for(lambda: outside.leaf() == 5, "what comes in is derived")
        assert Follower("second").step() == 0, "the process leads"
        process.send_signal(number)
        output, _nothing = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert "Traceback" not in output
    finally:
        kill(process)
    assert assert_derived_equals_oracle() == 5
    cursor = outside.database["cursor"].find_one({})
    assert cursor is not None
    assert cursor["leased_until"].timestamp() < clock.now().timestamp()
    post([record()])
    assert Follower("second").lead() is not None, "at once: the lead was handed over"
    outside.close()


def test_it_stands_back_behind_whoever_posts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFT_FOLLOWER_NICE", "7")
    make_tenant()
    post([record()])
    uri = uri_of(connection.settings_dict["NAME"])
    outside = Outside(uri)
    process = manage("follow", uri=uri, data=tmp_path)
    try:
        wait_for(lambda: outside.leaf() == 1, "it follows")
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, mine + 7)
    finally:
        kill(process)
        outside.close()
