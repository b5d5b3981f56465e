"""A follower may be killed at any moment: the next one goes on where the database stands."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from random import Random

import pytest
from django.db import connection

from tests.faults.processes import Outside, kill, manage, ran, uri_of, wait_for
from tests.projection.world import assert_derived_equals_oracle, cut, histories, post_at
from tests.tools import make_tenant

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 4


def test_killed_again_and_again_while_posts_come_in(tmp_path: Path) -> None:
    random = Random(4)
    make_tenant()
    uri = uri_of(connection.settings_dict["NAME"])
    outside = Outside(uri)
    records, _definitions = histories(random, 250)
    batches = cut(random, records)
    stop = threading.Event()

    def keep_posting() -> None:
        for batch in batches[:-1]:
            post_at(batch)
            if not stop.is_set():
                time.sleep(0.02)
        connection.close()

    poster = threading.Thread(target=keep_posting)
    poster.start()
    try:
        for _ in range(KILLS):
            follower = manage("follow", uri=uri, data=tmp_path)
            before = outside.leaf()
            # alive and at work, then dead at an arbitrary point of its next steps
            wait_for(lambda at=before: outside.leaf() > at, "the follower follows", 30)
            time.sleep(random.random() * 0.1)
            kill(follower)
    finally:
        stop.set()
        poster.join()
    follower = manage("follow", uri=uri, data=tmp_path)
    post_at(batches[-1])
    wait_for(outside.settled, "everything is derived")
    follower.send_signal(signal.SIGTERM)
    assert follower.wait(30) == 0

    assert sorted(outside.recorded()) == sorted(record["id"] for record in records)
    assert assert_derived_equals_oracle() == 250
    incremental = outside.derived()
    code, output = ran("rebuild", "--check", uri=uri, data=tmp_path)
    assert (code, "equal to what the journal says" in output) == (0, True), output
    code, output = ran("rebuild", uri=uri, data=tmp_path)
    assert code == 0, output
    assert outside.derived() == incremental
    outside.close()
