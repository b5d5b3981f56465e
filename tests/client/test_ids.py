"""Every record has an id of its own, and keeps it from the first time it is spelt out."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.client.hosts import finish, kill, line_of, start
from tests.client.wires import RudeServer, accepting, problem, quick, wait_until
from tracking.client import ids
from tracking.client.ids import new_id


def check(text: str) -> UUID:
    made = UUID(text)
    assert str(made) == text
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    return made


def test_ids_are_uuids_of_version_7_and_never_repeat() -> None:
    made: list[str] = []

    def make() -> None:
        made.extend([new_id() for _ in range(5_000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # the random parts alone: with the times two that are alike would go unnoticed
    assert len({text[14:] for text in made}) == 20_000
    for text in made[::40]:
        assert abs((check(text).int >> 80) / 1000 - time.time()) < 60


def test_a_forked_child_draws_other_ids_than_its_parent_and_its_siblings() -> None:
    code = """
from tracking.client.ids import new_id
new_id()  # the rest of what was drawn with it is at hand
reading, writing = os.pipe()
for _ in range(4):
    child = os.fork()
    os.write(writing, "".join(new_id()[14:] + "\\n" for _ in range(40)).encode())
    if not child:
        os._exit(0)
    os.wait()
os.close(writing)
print(open(reading).read())
"""
    parts = finish(start(code, "", "")).split()
    assert len(parts) == len(set(parts)) == 8 * 40


def test_a_fork_in_the_midst_of_drawing_leaves_nothing_of_it_to_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forked(number: int) -> bytes:
        ids._forget()  # what a child does first; a signal handler may fork anywhere
        return b"\x5a" * number

    monkeypatch.setattr(ids, "_drawn", [])
    monkeypatch.setattr(os, "urandom", forked)
    check(new_id())
    assert ids._drawn == []


def test_blocks_keep_their_ids_over_failed_posts_and_the_death_of_the_program(
    tmp_path: Path,
) -> None:
    """Made in the background, they are on disk before the server sees them."""
    code = """
import threading

def work(worker):
    for number in range(50):
        with client.track(f"o-{worker}-{number}", "order", "orders").block("check"):
            pass

threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
for thread in threads:
    thread.start()
time.sleep(60)
"""
    refused: list[Any] = []

    def away(records: list[Any]) -> Any:
        refused.extend(records)
        return problem(503)

    with RudeServer(away) as server:
        host = start("print('here', flush=True)\n" + code, server.url, "key", tmp_path)
        assert line_of(host) == "here"
        wait_until(lambda: len(server.posts) >= 3)
        wait_until(lambda: spooled(tmp_path) == 400)
        kill(host)
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path):
        wait_until(lambda: not list(tmp_path.glob("*.seg")))
        taken = [record for _at, records in server.posts for record in records]
    known = {record["id"]: record for record in taken}
    assert len(known) == len(taken) == 400
    assert len({(one["object"]["id"], one["status"]) for one in taken}) == 400
    assert len(refused) > len({one["id"] for one in refused}) > 0  # some were posted again
    for record in refused:
        assert record == known[record["id"]]
    assert all(check(one) for one in known)


def spooled(directory: Path) -> int:
    rows = [row for path in directory.glob("*.seg") for row in path.read_bytes().splitlines()]
    for row in rows:
        assert json.loads(row[9:])["id"]
    return len(rows)


def test_an_id_of_the_background_tells_when_the_record_happened() -> None:
    with RudeServer(accepting) as server, quick(server.url, flush_seconds=0.3) as client:
        began = time.time()
        with client.track("o-1", "order", "orders").block("check"):
            pass
        ended = time.time()
        assert client.flush(10)
    for [text] in zip(*server.ids, strict=True):
        assert began - 0.002 <= (check(text).int >> 80) / 1000 <= ended
