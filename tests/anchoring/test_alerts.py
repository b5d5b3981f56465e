"""Anchors that are late are told of once, and once more when they come again."""

from __future__ import annotations

import json
import logging
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.anchoring.servers import server
from tests.anchoring.test_anchor import anchor_all, sealed
from tracking import clock
from tracking.anchoring.alerts import watch_once
from tracking.anchoring.status import Standing, standings
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


def after(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def standing(seconds: float = 0) -> Standing:
    (found,) = standings(after(seconds))
    return found


def test_what_waits_counts_and_not_how_long_nothing_happened() -> None:
    found = standing(1_000_000)
    assert (found.size, found.anchored_at, found.waiting_seconds, found.late) == (0, None, 0, False)
    sealed()
    assert not standing().late
    assert standing(301).late
    anchor_all()
    quiet = standing(1_000_000)
    assert (quiet.size, quiet.waiting_seconds, quiet.late) == (1, 0, False)
    assert quiet.age_seconds is not None
    assert quiet.age_seconds >= 999_999
    sealed()
    assert 999 <= standing(1_000).waiting_seconds <= 1_001


@pytest.mark.parametrize(
    ("interval", "wanted", "limit"), [(1, 0, 300), (600, 0, 1_800), (1, 10, 10), (60, 10, 180)]
)
def test_late_is_never_less_than_three_intervals(
    interval: int, wanted: int, limit: int, settings: Settings
) -> None:
    settings.DFT_ANCHOR_SECONDS, settings.DFT_ANCHOR_ALERT_SECONDS = interval, wanted
    sealed()
    assert standing().alert_seconds == limit
    assert not standing(limit - 2).late
    assert standing(limit + 2).late


def test_each_change_is_told_once_however_many_watch(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    sealed()
    with server(lambda _: (200, {}, b"")) as inbox:
        settings.DFT_ALERT_WEBHOOK = inbox.url
        watch_once(clock.now())
        assert not inbox.posts
        rivals = [threading.Thread(target=watch_once, args=(after(400),)) for _ in range(4)]
        for rival in rivals:
            rival.start()
        for rival in rivals:
            rival.join()
        for seconds in (401, 500, 5_000):
            watch_once(after(seconds))
        assert [json.loads(body)["alert"] for _headers, body in inbox.posts] == ["anchor_late"]
        anchor_all()
        for seconds in (5_001, 5_002):
            watch_once(after(seconds))
        sealed()
        watch_once(after(9_000))
    told = [json.loads(body) for _headers, body in inbox.posts]
    kinds = [each["alert"] for each in told]
    assert kinds == ["anchor_late", "anchor_recovered", "anchor_late"]
    assert told[0]["target"] == "file:elsewhere/checkpoints.txt"
    assert told[0]["waiting_seconds"] >= 399
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 2, errors
    assert all("are late" in text for text in errors)


def test_an_alert_that_cannot_be_delivered_is_logged_and_not_fatal(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    sealed()
    stop = threading.Event()
    stop.set()  # it does not wait for another attempt
    with server(lambda _: (500, {}, b"")) as inbox:
        settings.DFT_ALERT_WEBHOOK = inbox.url
        watch_once(after(400), stop)
    assert len(inbox.posts) == 1
    assert "could not be delivered" in caplog.text
    assert "secret" not in caplog.text


def test_without_targets_nothing_is_late(settings: Settings, anchor_file: Path) -> None:
    settings.DFT_ANCHOR_FILE = None
    sealed()
    watch_once(after(1_000_000))
    assert standings(clock.now()) == []
    assert collection("anchor_alert").count_documents({}) == 0
