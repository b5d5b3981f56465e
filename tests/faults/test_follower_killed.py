"""A follower may be killed at any moment: the next one goes on where the database stands."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db import connection

from tests.faults.processes import Outside, kill, manage, ran, uri_of, wait_for
from tests.projection.rollups import assert_rollups_equal_oracle
from tests.projection.world import assert_derived_equals_oracle, cut, histories, post_at
from tests.tools import make_tenant
from tests.verification.world import assert_verified

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 4


def keep_posting(batches: list[Any]) -> None:
    for batch in batches:
        post_at(batch)
        time.sleep(0.02)
    connection.close()


def test_killed_again_and_again_while_posts_come_in(tmp_path: Path) -> None:
    random = Random(4)
    make_tenant()
    uri = uri_of(connection.settings_dict["NAME"])
    outside = Outside(uri)
    records, _definitions = histories(random, 250)
    *batches, last = cut(random, records)

    for number in range(KILLS):
        poster = threading.Thread(target=keep_posting, args=(batches[number::KILLS],))
        follower = manage("follow", uri=uri, data=tmp_path)
        try:
            before = outside.leaf()
            poster.start()
            # alive and at work, then dead at an arbitrary point of its next steps
            wait_for(lambda at=before: outside.leaf() > at, "the follower follows", 30)
            time.sleep(random.random() * 0.1)
        finally:
            kill(follower)
            poster.join()
        assert_verified()  # whatever it was at
    follower = manage("follow", uri=uri, data=tmp_path)
    post_at(last)
    wait_for(outside.settled, "everything is derived")
    follower.send_signal(signal.SIGTERM)
    assert follower.wait(30) == 0

    assert sorted(outside.recorded()) == sorted(record["id"] for record in records)
    assert assert_derived_equals_oracle() == 250
    assert assert_rollups_equal_oracle() > 250
    incremental = outside.derived()
    code, output = ran("rebuild", "--check", uri=uri, data=tmp_path)
    assert (code, "equal to what the journal says" in output) == (0, True), output
    code, output = ran("rebuild", uri=uri, data=tmp_path)
    assert code == 0, output
    assert outside.derived() == incremental
    assert_verified()
    outside.close()
