"""More than can be done: told so at once and when to come again, and the probes still answer."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.api.http import BLOCKS, bearer
from tests.faults.processes import ran
from tests.faults.web import MIB, Reply, Web, head, read_reply, web
from tests.tools import record
from tracking.mongo.embedded import EmbeddedMongo


def post(running: Web, key: str, answers: list[tuple[float, Reply]]) -> None:
    started = time.monotonic()
    body = json.dumps([record()])
    headers = {**bearer(key), "Content-Type": "application/json"}
    answer = running.ask("POST", BLOCKS, body=body, headers=headers)
    answers.append((time.monotonic() - started, answer))


def test_while_the_database_hangs(tmp_path: Path) -> None:
    mongo = EmbeddedMongo(tmp_path / "mongodb", cache_gb=0.25, for_tests=True)
    uri = mongo.start()
    try:
        code, output = ran("prepare", uri=uri, data=tmp_path)
        assert code == 0, output
        key = json.loads((tmp_path / "credentials.json").read_text(encoding="utf-8"))["ingest_key"]
        given = {"DFT_MONGODB_URI": uri, "DFT_DATA_DIR": str(tmp_path), "DFT_QUEUE": "4"}
        with web(workers=1, threads=2, **given) as running:
            answers: list[tuple[float, Reply]] = []
            post(running, key, answers)
            assert answers.pop()[1].status == 201
            assert mongo.process is not None
            os.kill(mongo.process.pid, signal.SIGSTOP)
            try:
                posts = [
                    threading.Thread(target=post, args=(running, key, answers)) for _ in range(20)
                ]
                for one in posts:
                    one.start()
                    time.sleep(0.02)
                assert running.ask("GET", "/healthz").status == 200
                assert len(posts) > len(answers), "and it did not wait for the posts"
                assert running.ask("GET", "/readyz").status == 503
                for one in posts:
                    one.join(60)
            finally:
                os.kill(mongo.process.pid, signal.SIGCONT)
            assert {answer.status for _, answer in answers} == {503}
            told = [answer.problem["code"] for _, answer in answers]
            assert set(told) == {"overloaded", "database_unavailable"}
            # Two in work and four waiting; of those that wait some are shed when their turn comes.
            assert told.count("overloaded") >= 14
            shed = [seconds for seconds, answer in answers if "overloaded" in str(answer.body)]
            assert sorted(shed)[13] < 2, "at once"
            assert max(seconds for seconds, _ in answers) < 20
            assert all(1 <= int(answer.headers["retry-after"]) <= 5 for _, answer in answers)
            assert len({answer.headers["retry-after"] for _, answer in answers}) > 1, "jitter"
            for _ in range(50):
                post(running, key, answers)
                if answers[-1][1].status == 201:
                    break
                time.sleep(0.2)
            assert answers[-1][1].status == 201
    finally:
        mongo.stop()


@pytest.mark.django_db(transaction=True)
def test_more_bodies_than_there_is_room_for() -> None:
    with web(workers=1, DFT_BODIES_BYTES=str(16 * MIB), DFT_BODY_SECONDS="20") as running:
        held = []
        for _ in range(3):
            sending = running.connect()
            sending.sendall(head(BLOCKS, "x", f"Content-Length: {8 * MIB}") + b" " * (5 * MIB))
            held.append(sending)
        time.sleep(0.5)
        late = running.connect()
        late.sendall(head(BLOCKS, "x", f"Content-Length: {8 * MIB}") + b" " * (6 * MIB))
        answer = read_reply(late)
        assert (answer.status, answer.problem["code"]) == (503, "overloaded")
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        files = [str(fd.readlink()) for fd in Path(f"/proc/{running.workers[0]}/fd").iterdir()]
        assert sum("deleted" in name for name in files) >= 3, "what is large waits in a file"
        # A small one still finds its place, and who gives up leaves theirs to others.
        assert running.raw(head(BLOCKS, None, "Content-Length: 2") + b"[]").status == 401
        for sending in held:
            sending.close()
        time.sleep(0.5)
        big = running.raw(head(BLOCKS, None, f"Content-Length: {15 * MIB}") + b" " * (15 * MIB))
        assert big.status == 401
        assert running.ask("GET", "/healthz").status == 200


@pytest.mark.django_db(transaction=True)
def test_when_all_connections_are_taken_the_longest_waiting_make_room() -> None:
    with web(workers=1, DFT_CONNECTIONS="16", DFT_HEADER_SECONDS="30") as running:
        slow = []
        for _ in range(40):
            sending = running.connect()
            sending.sendall(b"GET / HT")
            slow.append(sending)
        assert running.ask("GET", "/healthz").status == 200
        slow[0].settimeout(5)
        assert slow[0].recv(1) == b"", "closed"
        slow[-1].sendall(b"TP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_reply(slow[-1]).status == 302, "the last ones were not"
        for sending in slow:
            sending.close()
