"""MongoDB may be killed at any moment: what was acknowledged is there when it comes back."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from tests.faults.processes import Outside, kill, manage, python, ran, wait_for
from tracking.mongo.embedded import EmbeddedMongo

KILLS = 2
POSTS = 120


def test_killed_under_posts_and_followers(tmp_path: Path) -> None:
    mongo = EmbeddedMongo(tmp_path / "mongodb", cache_gb=0.25, for_tests=True)
    uri = mongo.start()
    started = []
    try:
        code, output = ran("migrate", "--verbosity", "0", uri=uri, data=tmp_path)
        assert code == 0, output
        outside = Outside(uri)
        follower = manage("follow", uri=uri, data=tmp_path)
        poster = python("-m", "tests.faults.poster", "7", str(POSTS), uri=uri, data=tmp_path)
        started = [follower, poster]
        acknowledged = []
        kills = 0
        assert poster.stdout is not None
        for line in poster.stdout:
            told = json.loads(line)
            if isinstance(told, list):
                acknowledged.append(told)
            if kills < KILLS and len(acknowledged) >= (kills + 1) * POSTS // (KILLS + 1):
                kills += 1
                assert mongo.process is not None
                kill(mongo.process)
                time.sleep(0.3)  # long enough for both to meet a closed door
                assert mongo.start() == uri, "the same address again"
        assert poster.wait(30) == 0
        assert (kills, len(acknowledged)) == (KILLS, POSTS)

        recorded = outside.recorded()
        ids = {name for told in acknowledged for name in told}
        assert ids - set(recorded) == set(), "acknowledged, and lost"
        assert len(recorded) == len(set(recorded)) == len(ids)
        wait_for(outside.settled, "everything is derived")
        assert follower.poll() is None, "the follower outlived every outage"
        follower.send_signal(signal.SIGTERM)
        assert follower.wait(30) == 0

        incremental = outside.derived()
        assert incremental["transaction"]
        code, output = ran("rebuild", "--check", uri=uri, data=tmp_path)
        assert code == 0, output
        code, output = ran("rebuild", uri=uri, data=tmp_path)
        assert code == 0, output
        assert outside.derived() == incremental
        code, output = ran("verify", "--derived", uri=uri, data=tmp_path)
        assert (code, " 0 findings" in output) == (0, True), output
        outside.close()
    finally:
        for process in started:
            kill(process)
        mongo.stop()
