"""What the client does about answers that a healthy server does not give."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.client.wires import RudeServer, accepting, counted, note, problem, quick, wait_until
from tracking.client import sender
from tracking.client.posting import retry_after

FAILING = [
    pytest.param(problem(500), id="500"),
    pytest.param(problem(502), id="502"),
    pytest.param((200, {}, b"<html>Please sign in to the network</html>"), id="captive portal"),
    pytest.param((201, {}, counted(0)), id="an answer about no record"),
    pytest.param((201, {}, b""), id="no body"),
    pytest.param((201, {}, b"[1]"), id="another body"),
    pytest.param(None, id="hangs up"),
]


@pytest.mark.parametrize("answer", FAILING)
def test_a_failed_post_is_repeated_with_the_same_ids(answer: Any) -> None:
    answers = [answer, answer]
    with (
        RudeServer(lambda records: answers.pop() if answers else accepting(records)) as server,
        quick(server.url) as client,
    ):
        ids = [note(client, number) for number in range(5)]
        assert client.flush(10)
        assert client.stats()["delivered"] == 5
        assert client.stats()["trouble"] == ""
    first, *rest = server.ids
    assert len(rest) == 2 or answer is None
    assert rest[-1] == ids
    assert all(again[: len(first)] == first for again in rest)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status: int) -> None:
    answers = [problem(status, Retry_After="1")]
    with (
        RudeServer(lambda records: answers.pop() if answers else accepting(records)) as server,
        quick(server.url) as client,
    ):
        note(client, 1)
        assert client.flush(10)  # a flush does not push in before the server's own wish
    (first, _), (second, _) = server.posts
    assert second - first >= 1.0


def test_retry_after_is_read_in_both_forms() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert retry_after("7") == 7
    assert 25 < (retry_after(format_datetime(soon, usegmt=True)) or 0) <= 30
    assert retry_after("Sun, 06 Nov 1994 08:49:37 GMT") == 0
    assert retry_after("soon") is retry_after("") is retry_after(None) is None
    assert retry_after("99999999") == 3_600


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405])
def test_a_server_that_does_not_want_us_is_asked_seldom_and_told_once(
    status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender, "PAUSE_SECONDS", 0.15)
    monkeypatch.setattr(sender, "BACKOFF_FIRST", 0.0)
    refusing = [problem(status)] * 3
    with (
        caplog.at_level(logging.WARNING, "dft.client"),
        RudeServer(lambda records: refusing.pop() if refusing else accepting(records)) as server,
        quick(server.url, spool_dir=tmp_path) as client,
    ):
        note(client, 1)
        wait_until(lambda: server.posts)
        note(client, 2)
        wait_until(lambda: client.stats()["queued"] == 0)
        assert client.stats()["refused"] == 0
        assert client.flush(10)
        assert client.stats()["delivered"] == 2
    times = [at for at, _ids in server.posts]
    assert len(times) == 4
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.15
    assert len([one for one in caplog.records if "pauses" in one.message]) == 1


def test_a_post_that_is_too_large_for_the_way_is_halved() -> None:
    def small(records: list[Any]) -> Any:
        return accepting(records) if len(records) <= 3 else problem(413)

    with RudeServer(small) as server, quick(server.url, flush_seconds=0.1) as client:
        ids = [note(client, number) for number in range(20)]
        assert client.flush(10)
        assert client.stats()["delivered"] == 20
    taken = [one for posted in server.ids if len(posted) <= 3 for one in posted]
    assert taken == ids


def test_a_record_that_is_too_large_for_the_way_does_not_hold_up_the_others() -> None:
    def picky(records: list[Any]) -> Any:
        too_large = any("big" in one["object"]["id"] for one in records)
        return problem(413) if too_large else accepting(records)

    told: list[Any] = []
    with (
        RudeServer(picky) as server,
        quick(server.url, flush_seconds=0.1, on_drop=lambda *drop: told.append(drop)) as client,
    ):
        for number in range(9):
            note(client, number, **({"object_id": "o-big"} if number == 4 else {}))
        assert client.flush(10)
        assert (client.stats()["delivered"], client.stats()["refused"]) == (8, 1)
    assert b"o-big" in told[0][2]


def test_a_slow_answer_stops_neither_the_program_nor_the_spool(tmp_path: Path) -> None:
    def slow(records: list[Any]) -> Any:
        time.sleep(0.8)
        return accepting(records)

    with (
        RudeServer(slow) as server,
        quick(server.url, spool_dir=tmp_path, batch_size=10, timeout=0.4, max_queue=50) as client,
    ):
        note(client, 0)
        wait_until(lambda: server.posts)
        began = time.perf_counter()
        for number in range(1, 200):
            note(client, number)
            if number % 40 == 0:
                wait_until(lambda: client.stats()["queued"] == 0)
        assert time.perf_counter() - began < 20
        stats = client.stats()
        assert (stats["accepted"], stats["dropped_full"], stats["delivered"]) == (200, 0, 0)
        began = time.monotonic()
        assert not client.close(0.2)
        assert time.monotonic() - began < 3


def test_an_answer_that_drips_is_given_up() -> None:
    with RudeServer(accepting) as server, quick(server.url, timeout=0.3) as client:
        whole = server.answer

        def drip(records: list[Any]) -> Any:
            server.answer = whole
            time.sleep(0.6)
            return accepting(records)

        server.answer = drip
        note(client, 1)
        assert client.flush(10)
        assert client.stats()["retries"] == 1


def test_back_off_grows_and_is_never_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    roofs: list[float] = []

    def roof(_low: float, high: float) -> float:
        roofs.append(high)
        return 0.0

    monkeypatch.setattr(sender, "BACKOFF_FIRST", 0.5)
    monkeypatch.setattr(sender.random, "uniform", roof)
    answers = [problem(500)] * 10
    with (
        RudeServer(lambda records: answers.pop() if answers else accepting(records)) as server,
        quick(server.url) as client,
    ):
        note(client, 1)
        assert client.flush(10)
    assert roofs == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
