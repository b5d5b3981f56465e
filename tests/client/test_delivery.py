"""Every record arrives once at the real server, whatever the wire does."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.client.wires import Gate, journal, make_key, note, numbers, quick, wait_until
from tracking.client import Client

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_server_that_is_away_and_comes_back_gets_all_in_order(
    live_server: Any, tmp_path: Path
) -> None:
    gate = Gate(live_server.url)
    with quick(gate.url, make_key(), spool_dir=tmp_path, batch_size=50) as client:
        for number in range(300):
            note(client, number)
        assert not client.flush(0.3)
        stats = client.stats()
        assert stats["trouble"]
        assert stats["delivered"] == stats["queued"] == 0  # on disk, not in memory
        assert stats["spooled_bytes"] > 300 * 200
        with gate:
            for number in range(300, 400):
                note(client, number)
            assert client.flush(15)
            assert client.stats()["delivered"] == 400
            assert client.close()
    stored = [int(document["object_id"][2:]) for document in journal()]
    assert sorted(stored) == list(range(400))
    batches = {document["batch"] for document in journal()}
    assert len(batches) >= 8
    firsts = [document for document in journal() if document["index"] == 0]
    assert [int(one["object_id"][2:]) for one in firsts] == sorted(
        int(one["object_id"][2:]) for one in firsts
    )
    assert list(tmp_path.iterdir()) == []


def test_without_a_spool_memory_waits_for_the_server(live_server: Any) -> None:
    gate = Gate(live_server.url)
    with quick(gate.url, make_key()) as client:
        for number in range(100):
            note(client, number)
        assert not client.flush(0.2)
        with gate:
            assert client.flush(15)
    assert numbers() == list(range(100))


@pytest.mark.parametrize("keep", [0, 40, 300])
def test_an_answer_that_is_cut_makes_no_record_come_twice(
    live_server: Any, keep: int, tmp_path: Path
) -> None:
    with Gate(live_server.url) as gate, quick(gate.url, make_key(), batch_size=20) as client:
        gate.lose, gate.keep = 3, keep
        for number in range(60):
            note(client, number)
        assert client.flush(20)
        stats = client.stats()
        assert stats["delivered"] == 60
        # the server had them: the same ids were posted again, and it knew them
        assert stats["duplicates"] >= 1
    assert numbers() == list(range(60))


def test_a_wire_that_breaks_again_and_again_loses_nothing(live_server: Any, tmp_path: Path) -> None:
    with (
        Gate(live_server.url) as gate,
        quick(gate.url, make_key(), spool_dir=tmp_path, batch_size=30) as client,
    ):
        done = threading.Event()

        def breaking() -> None:
            for _ in range(4):
                done.wait(0.15)
                gate.close()
                done.wait(0.1)
                gate.open()

        breaker = threading.Thread(target=breaking)
        breaker.start()
        for number in range(600):
            note(client, number)
            if number % 50 == 0:
                done.wait(0.01)
        breaker.join()
        assert client.flush(20)
        assert gate.connections > 1
    assert numbers() == list(range(600))


def test_all_posts_go_through_one_connection(live_server: Any) -> None:
    with Gate(live_server.url) as gate, quick(gate.url, make_key(), batch_size=10) as client:
        for number in range(100):
            note(client, number)
        assert client.flush(10)
        stats = client.stats()
        assert stats["posts"] >= 10
        assert stats["retries"] == stats["duplicates"] == 0
        assert gate.connections == 1
    assert numbers() == list(range(100))


def test_an_idle_connection_that_the_server_closed_costs_no_failure(live_server: Any) -> None:
    with Gate(live_server.url) as gate, quick(gate.url, make_key()) as client:
        note(client, 1)
        assert client.flush(10)
        gate.close()
        gate.open()
        note(client, 2)
        assert client.flush(10)
        assert client.stats()["retries"] == 0
    assert numbers() == [1, 2]


def test_a_refused_record_is_told_and_its_neighbours_stored(live_server: Any) -> None:
    told: list[tuple[str, int, bytes | None]] = []
    with quick(live_server.url, make_key(), on_drop=lambda *drop: told.append(drop)) as client:
        note(client, 1)
        note(client, 2, stage="nowhere")
        note(client, 3, status="failed")
        note(client, 4, id="same", block="a")
        note(client, 5, id="same", block="b")
        note(client, 6)
        assert client.flush(10)
        stats = client.stats()
        assert (stats["delivered"], stats["refused"], stats["retries"]) == (3, 3, 0)
    assert numbers() == [1, 4, 6]
    reasons = sorted(reason.partition(": ")[2][:14] for reason, _number, _line in told)
    assert reasons == ["another record", "bad_value: Mus", "cause_required"]
    assert all(number == 1 and line for _reason, number, line in told)


def test_an_on_drop_that_fails_changes_nothing(live_server: Any) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the program's own mistake")

    with quick(live_server.url, make_key(), on_drop=fail) as client:
        note(client, 1, stage="nowhere")
        note(client, 2)
        assert client.flush(10)
        assert client.stats()["errors"] == 0
    assert numbers() == [2]


def test_threads_record_without_losing_each_others_records(live_server: Any) -> None:
    with quick(live_server.url, make_key()) as client:

        def run(start: int) -> None:
            for number in range(start, start + 100):
                note(client, number)

        threads = [threading.Thread(target=run, args=(start,)) for start in range(0, 800, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(15)
    assert numbers() == list(range(800))


def test_texts_beyond_the_limits_are_cut_and_ids_are_not(live_server: Any) -> None:
    with quick(live_server.url, make_key()) as client:
        note(
            client,
            1,
            reason="r" * 9_000 + "\x00",
            attributes={f"n{i}\n": "v" * 5_000 for i in range(120)} | {"n": "\ud800\x07"},
            references={"long": "x" * 500, "good": ["y", "", None, 5]},
            parents=[f"tx-{i}" for i in range(150)],
        )
        note(client, 2, object_id="o" * 400)
        assert client.flush(10)
        stats = client.stats()
        assert (stats["delivered"], stats["refused"], stats["trimmed"]) == (1, 1, 1)
    [stored] = journal()
    part = stored["part"]
    assert len(part["reason"]) == 2_000
    # 32 KiB in all: eight long ones, and the short one that still fits
    lengths = {pair["name"]: len(pair["value"]) for pair in part["attributes"]}
    assert lengths == {f"n{i}?": 4_000 for i in range(8)} | {"n": len("\\ud800\\x07")}
    assert part["references"] == [{"name": "good", "values": ["y", "5"]}]
    assert len(stored["parents"]) == 100


def test_a_client_without_url_and_key_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DFT_URL", raising=False)
    client = Client()
    with client.track("o-1", "order", "orders").block("check") as block:
        block.attribute("a", 1)
    assert note(client, 1) == ""
    assert client.flush()
    assert client.close()


def test_the_default_client_is_made_from_the_environment(
    live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracking import client

    monkeypatch.setattr(client, "_default", None)
    monkeypatch.setenv("DFT_URL", live_server.url)
    monkeypatch.setenv("DFT_KEY", make_key())
    with client.track("o-1", "order", "orders").block("check", started=False):
        pass
    assert client.record(
        object_id="o-2",
        object_type="order",
        flow="orders",
        block="check",
        stage="ingress",
        status="queued",
    )
    assert client.flush(10)
    assert client.stats()["delivered"] == 2
    assert client.close()
    assert numbers() == [1, 2]
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("dft-")])
