"""The program that records: never disturbed, whatever it does and however it ends."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.client.hosts import ROOT, finish, start
from tests.client.wires import Gate, RudeServer, accepting, make_key, note, numbers, quick
from tests.client.wires import wait_until as wait
from tracking import client as package
from tracking.client import Client

NOWHERE = "http://127.0.0.1:9"
real_server = pytest.mark.django_db(transaction=True)


def test_the_package_stands_alone_with_the_standard_library(tmp_path: Path) -> None:
    """Copied under another name, without site packages."""
    shutil.copytree(Path(package.__file__).parent, tmp_path / "dft_client")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import dft_client as c;"
        "assert not any(n.partition('.')[0] in ('django', 'tracking') for n in sys.modules);"
        "client = c.configure('http://127.0.0.1:9', 'key');"
        "assert client.record(object_id=1); client.close(0)"
    )
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", code, str(tmp_path)]
    subprocess.run(command, check=True, timeout=20)


def test_importing_the_client_imports_no_django() -> None:
    code = "import sys, tracking.client; assert 'django' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=20)


def test_memory_stays_bounded_while_the_server_is_away() -> None:
    with quick(NOWHERE, max_queue=500, max_queue_bytes=1_000_000) as client:
        for number in range(200):
            note(client, number)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(5_000):
                note(client, number, reason=f"{number} " + "r" * 1_500)
            stats = client.stats()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert stats["queued"] <= 500
        assert stats["queued_bytes"] <= 1_000_000
        assert stats["dropped_full"] > 4_000
        assert grown < 3_000_000
        wait(lambda: client.stats()["queued"] > 0)
        client.close(0)


def _block(client: Client, number: int) -> None:
    order = client.track(f"o-{number}", "order", "orders", references={"customer": f"c-{number}"})
    with order.block("check", stage="ingress") as check:
        check.attribute("lines", number + 10_000)
        check.reference("invoice", f"i-{number}")


def _wide_block(client: Client, number: int) -> None:
    with client.track(number, "order", "orders").block(f"{number}" * 50, attempt=2) as check:
        for name in range(30):
            check.attribute(f"{number} {name} " + "n" * 300, f"{number} {name} é")
        check.usage("cpu", number + 0.5, "s")
        check.cost(number + 0.25, "EUR")


def _failing_block(client: Client, number: int) -> None:
    try:
        with client.track(number, "order", "orders").block("check"):
            raise RuntimeError(f"{number} " + "m" * 10_000)
    except RuntimeError:
        pass


@pytest.mark.parametrize("one", [note, _block, _wide_block, _failing_block])
def test_what_lies_in_memory_takes_no_more_than_is_counted(one: Any) -> None:
    client = quick(NOWHERE)
    client._engine.start = lambda: None
    one(client, 0)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        counted = client.stats()["queued_bytes"]
        for number in range(1, 300):
            one(client, number)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    counted = client.stats()["queued_bytes"] - counted
    assert client.stats()["dropped_full"] == 0
    assert counted / 4 < grown <= counted
    client.close(0)


def test_what_does_not_fit_by_bytes_is_dropped_too() -> None:
    with quick(NOWHERE, max_queue_bytes=200_000) as client:
        taken = [note(client, n, payload={"content": "c" * 60_000}) for n in range(10)]
        assert 2 <= len([one for one in taken if one]) <= 3
        client.close(0)


def test_recording_after_the_end_is_counted_and_harmless() -> None:
    client = quick(NOWHERE)
    note(client, 1)
    client.close(0)
    assert note(client, 2) == ""
    assert client.stats()["dropped_closed"] == 2
    assert not client.close(0) or client.flush(0)


def test_a_destructor_and_a_signal_may_record_while_the_thread_records() -> None:
    """The lock of the queue is held by the very thread that is interrupted."""
    with quick(NOWHERE) as client:
        with client._engine.intake._lock:
            note(client, 1)
            client._engine.intake.bell.ring()
            client._engine.intake.bell.ring()
        assert client.stats()["accepted"] == 1
        client.close(0)


def test_a_log_handler_that_records_does_not_run_in_circles() -> None:
    import logging

    client = quick(NOWHERE)

    class Recorder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            client.record("not a mapping")  # type: ignore[arg-type]
            note(client, 1, reason=record.getMessage())

    handler = Recorder()
    logger = logging.getLogger("dft.client")
    logger.addHandler(handler)
    try:
        client.record("not a mapping")  # type: ignore[arg-type]
        assert client.stats()["bad_arguments"] == 2
        client.close(0)
    finally:
        logger.removeHandler(handler)


def test_flush_from_on_drop_does_not_wait_for_itself() -> None:
    answers: list[bool] = []
    with RudeServer(accepting) as server:
        client = quick(server.url, on_drop=lambda *_: answers.append(client.flush(60)))
        client.record(subject="s" * 60_000, reason="r", x="x" * 60_000, y="y" * 60_000)
        wait(lambda: answers)
        assert answers == [False]
        client.close(2)


@real_server
def test_parent_and_child_each_deliver_their_own(live_server: Any, tmp_path: Path) -> None:
    code = """
for number in range(50):
    note(client, number)
child = os.fork()
base = 100 if child else 200
for number in range(base, base + 50):
    note(client, number)
assert client.flush(15), client.stats()
assert client.close()
assert client.stats()["delivered"] == (100 if child else 50), client.stats()
if child:
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(0)
"""
    for spool in ("", tmp_path):
        key = make_key()
        finish(start(code, live_server.url, key, spool))
    stored = numbers()
    assert stored == sorted([*range(50), *range(100, 150), *range(200, 250)] * 2)
    assert list(tmp_path.iterdir()) == []


@real_server
def test_a_child_that_is_forked_while_the_server_is_away_leaves_the_parents_spool_alone(
    live_server: Any, tmp_path: Path
) -> None:
    gate = Gate(live_server.url)
    code = """
for number in range(50):
    note(client, number)
while client.stats()["queued"]:
    time.sleep(0.01)
child = os.fork()
if not child:
    note(client, 100)
    client.close(0)
    os._exit(0)
os.waitpid(child, 0)
note(client, 50)
client.close(0)
"""
    key = make_key()
    finish(start(code, gate.url, key, tmp_path))
    assert len(list(tmp_path.glob("*.lock"))) == 2
    with gate, quick(gate.url, key, spool_dir=tmp_path) as client:
        wait(lambda: len(numbers()) == 52)
        assert client.stats()["adopted"] == 2
        assert client.stats()["duplicates"] == 0
    assert numbers() == [*range(51), 100]


@real_server
def test_a_child_of_multiprocessing_delivers_before_it_ends(live_server: Any) -> None:
    code = """
import multiprocessing
def work(number):
    note(client, number)
context = multiprocessing.get_context("fork")
children = [context.Process(target=work, args=(number,)) for number in range(1, 4)]
note(client, 0)
for child in children:
    child.start()
for child in children:
    child.join()
    assert child.exitcode == 0
"""
    finish(start(code, live_server.url, make_key()))
    assert numbers() == [0, 1, 2, 3]


@real_server
def test_a_program_that_just_ends_has_delivered(live_server: Any) -> None:
    code = """
with client.track("o-7", "order", "orders").block("check", started=False):
    pass
raise SystemExit(0)
"""
    finish(start(code, live_server.url, make_key()))
    assert numbers() == [7]


def test_a_program_ends_in_bounded_time_though_the_server_is_away() -> None:
    began = time.monotonic()
    code = "client = Client(url, key, exit_seconds=0.3)\nnote(client, 1)"
    finish(start(code, NOWHERE, "key"))
    assert time.monotonic() - began < 10  # the default would be endless retries


def test_no_thread_and_no_connection_before_the_first_record() -> None:
    before = threading.active_count()
    clients = [Client(NOWHERE, "key") for _ in range(3)]
    assert threading.active_count() == before
    for client in clients:
        client.close()


def test_a_server_that_never_answers_never_blocks_the_program(tmp_path: Path) -> None:
    hanging = threading.Event()

    def hang(records: list[Any]) -> Any:
        hanging.wait(5)
        return

    with (
        RudeServer(hang) as server,
        quick(server.url, timeout=30, spool_dir=tmp_path, batch_size=10) as client,
    ):
        note(client, 0)
        wait(lambda: server.posts)
        for number in range(1_000):
            assert note(client, number)
        wait(lambda: client.stats()["queued"] == 0)
        began = time.monotonic()
        client.close(0.1)
        assert time.monotonic() - began < 3  # not the 30 seconds of the post
        hanging.set()


def test_a_mistake_of_ours_costs_no_record_and_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    with RudeServer(accepting) as server, quick(server.url) as client:
        poster = client._engine.sender.poster
        post, mistakes = poster.post, [RuntimeError("ours"), RuntimeError("ours")]

        def mistaken(lines: list[bytes]) -> Any:
            if mistakes:
                raise mistakes.pop()
            return post(lines)

        monkeypatch.setattr(poster, "post", mistaken)
        ids = [note(client, number) for number in range(5)]
        assert client.flush(10)
        assert client.stats()["errors"] == 2
        assert client.stats()["queued"] == 0
    assert [one for posted in server.ids for one in posted] == ids


def test_a_system_without_threads_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    start_thread, refusals = threading.Thread.start, [1, 1]

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("dft-") and refusals:
            refusals.pop()
            raise RuntimeError("can't start new thread")
        start_thread(thread)

    with RudeServer(accepting) as server:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with quick(server.url) as client:
            ids = [note(client, number) for number in range(3)]
            assert all(ids)
            assert client.flush(10)
            assert client.stats()["delivered"] == 3


def test_stats_are_json() -> None:
    client = quick(NOWHERE)
    assert json.loads(json.dumps(client.stats()))["accepted"] == 0
    client.close(0)
