"""/metrics tells how things stand, to whoever may know."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from tests.api.http import assert_problem, bearer, make_key, post_body, post_values
from tests.api.test_otlp import TRACES
from tests.faults.processes import uri_of
from tests.tools import drain, make_tenant, post, record
from tracking import clock, metering
from tracking.anchoring.anchor import anchor_once, targets
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def anchor_file(settings: Settings, tmp_path: Path) -> None:
    settings.DFT_ANCHOR_FILE = tmp_path / "checkpoints.txt"
    settings.DFT_METRICS_TOKEN = ""
    settings.DFT_ANCHOR_WEBHOOK = settings.DFT_ANCHOR_TSA_URL = ""


def parsed(text: str) -> Numbers:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(**headers: str) -> Numbers:
    answer = Client().get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return parsed(answer.content.decode())


def number(found: Numbers, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


def test_posts_and_records_are_counted_by_what_became_of_them() -> None:
    key = make_key()
    before = scrape()
    some = [record(id="a"), record(id="b")]
    post_values(some, key)
    post_values([*some, record(id="c")], key)
    post_values([{**some[0], "block": "other"}, {"id": "x"}], key)
    post_body("{", key)
    post_values(some, "dft_nobody_secret")
    assert Client().get("/api/v1/transactions", headers=bearer(key)).status_code == 200
    after = scrape()

    def grown(name: str, **labels: str) -> float:
        return number(after, name, **labels) - number(before, name, **labels)

    outcomes = ("stored", "duplicate", "conflict", "invalid")
    assert [grown("dft_records_total", outcome=each) for each in outcomes] == [3, 2, 1, 1]
    statuses = ("201", "422", "400", "401")
    assert [grown("dft_posts_total", status=each) for each in statuses] == [2, 1, 1, 1]
    assert grown("dft_request_seconds_count", area="post") == 5
    assert grown("dft_request_seconds_count", area="api") == 1
    assert grown("dft_request_seconds_sum", area="post") > 0


def test_traces_count_as_posts() -> None:
    before = scrape()
    key = make_key()
    answer = Client().post(
        TRACES, json.dumps({"resourceSpans": []}), "application/json", headers=bearer(key)
    )
    assert answer.status_code == 200
    after = scrape()
    named = {"status": "200"}
    assert (
        number(after, "dft_posts_total", **named) - number(before, "dft_posts_total", **named) == 1
    )


def test_log_lists_and_anchors_are_told_from_the_database() -> None:
    make_tenant()
    found = scrape()
    assert number(found, "dft_database_up") == 1
    assert number(found, "dft_log_leaves") == 0
    post([record() for _ in range(3)])
    found = scrape()
    assert number(found, "dft_seal_queue_batches") == 1
    assert 0 <= number(found, "dft_seal_lag_seconds") < 30
    seal_once()
    found = scrape()
    assert number(found, "dft_seal_queue_batches") == 0
    assert number(found, "dft_log_leaves") == number(found, "dft_checkpoint_leaves") == 3
    assert number(found, "dft_follower_lag_leaves") == 3
    place = {"kind": "file", "target": targets()[0].label}
    assert ("dft_anchor_age_seconds", tuple(sorted(place.items()))) not in found
    drain()
    anchor_once(targets()[0])
    post([record()])
    seal_once()
    long_ago = clock.now() - timedelta(hours=1)
    collection("log_checkpoint").update_one({"_id": 4}, {"$set": {"signed_at": long_ago}})
    found = scrape()
    assert number(found, "dft_follower_lag_leaves") == 1
    assert number(found, "dft_anchor_leaves", **place) == 3
    assert 0 <= number(found, "dft_anchor_age_seconds", **place) < 30
    assert 3_600 <= number(found, "dft_anchor_waiting_seconds", **place) < 3_660
    assert number(found, "dft_anchor_late", **place) == 1
    ready = json.loads(Client().get("/readyz").content)["anchors"]
    assert (ready["targets"], ready["late"]) == (1, True)
    assert 3_600 <= ready["waiting_seconds"] < 3_660
    assert "checkpoints" not in json.dumps(ready)


def test_a_database_that_is_away_leaves_what_was_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key()
    post_values([record()], key)
    from tracking.api import metrics

    monkeypatch.setattr(metrics, "_PATIENCE_SECONDS", 1e-9)
    found = scrape()
    assert number(found, "dft_database_up") == 0
    assert number(found, "dft_records_total", outcome="stored") >= 1
    assert not any(name == "dft_log_leaves" for name, _labels in found)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-Proto": "https"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "203.0.113.9"},
    ],
)
def test_without_a_token_nobody_who_came_through_a_proxy_may_read(headers: dict[str, str]) -> None:
    assert_problem(Client().get("/metrics", headers=headers), 403, "metrics_closed")


@pytest.mark.parametrize(
    "peer", ["203.0.113.9", "10.0.0.7", "::ffff:10.0.0.7", "", "x", "2001:db8::1"]
)
def test_without_a_token_only_this_machine_may_read(peer: str) -> None:
    assert_problem(Client(REMOTE_ADDR=peer).get("/metrics"), 403, "metrics_closed")
    for here in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"):
        assert Client(REMOTE_ADDR=here).get("/metrics").status_code == 200


def test_with_a_token_everybody_needs_it(settings: Settings) -> None:
    settings.DFT_METRICS_TOKEN = "schlüssel"
    for client in (Client(), Client(REMOTE_ADDR="203.0.113.9")):
        assert_problem(client.get("/metrics"), 401, "key_missing")
        for wrong in ("Bearer x", "Bearer schlüssel2", f"Bearer {make_key()}"):
            answer = client.get("/metrics", headers={"Authorization": wrong})
            assert_problem(answer, 401, "key_unknown")
        answer = client.get("/metrics", headers={"Authorization": "Bearer schlüssel"})
        assert answer.status_code == 200


def test_metrics_are_only_read(settings: Settings) -> None:
    assert_problem(Client().post("/metrics"), 405, "method_not_allowed")
    assert Client().head("/metrics").status_code == 200


def test_a_directory_that_cannot_be_used_costs_the_numbers_and_no_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    monkeypatch.setenv(metering.DIRECTORY, str(tmp_path / "file" / "meters"))
    metering.meters.cache_clear()
    try:
        assert post_values([record()], make_key()).status_code == 201
        found = scrape()
        assert number(found, "dft_database_up") == 1
        assert not any(name.startswith("dft_posts") for name, _labels in found)
    finally:
        metering.meters.cache_clear()


def test_beginning_anew_takes_away_what_was_counted_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(metering.DIRECTORY, str(tmp_path))
    for name in ("counter_12.db", "histogram_12.db", "other.db", "counter_x.db", "note"):
        (tmp_path / name).write_bytes(b"")
    metering.clear_meters()
    assert {path.name for path in tmp_path.iterdir()} == {"other.db", "counter_x.db", "note"}
    monkeypatch.setenv(metering.DIRECTORY, str(tmp_path / "nothing"))
    metering.clear_meters()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Two workers of a gunicorn of its own, and the port."""
    from django.db import connection

    from tests.commands.test_up import free_port

    port = free_port()
    environment = {
        **os.environ,
        "DFT_MONGODB_URI": uri_of(connection.settings_dict["NAME"]),
        "DFT_DATA_DIR": str(tmp_path),
        "DFT_KEY_DIR": str(project.DFT_KEY_DIR),
        "DFT_MANIFEST": "0",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
    }
    command = [
        *(sys.executable, "-m", "gunicorn", "dft_project.wsgi:application"),
        *("--worker-class", "tracking.running.door.Door", "--workers", "2"),
        *("--bind", f"127.0.0.1:{port}", "--threads", "2", "--log-level", "error"),
    ]
    server = subprocess.Popen(command, env=environment)
    try:
        yield port, server
    finally:
        server.terminate()
        server.wait(20)


def ask(port: int, method: str, path: str, **more: Any) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, **more)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_any_worker_tells_what_all_have_counted_also_those_that_died(
    workers: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, _server = workers
    key = make_key()
    headers = {**bearer(key), "Content-Type": "application/json"}
    for _ in range(400):
        try:
            ask(port, "GET", "/healthz")
            break
        except OSError:
            time.sleep(0.05)

    def running() -> list[str]:
        status, text = ask(port, "GET", "/metrics")
        assert status == 200, text
        return [
            dict(labels)["worker"]
            for name, labels in parsed(text)
            if name == "dft_worker_resident_bytes"
        ]

    sent = 0
    while len(running()) < 2:
        assert sent < 500
        status, _text = ask(
            port, "POST", "/api/v1/blocks", body=json.dumps(record()), headers=headers
        )
        assert status == 201
        sent += 1
    os.kill(int(running()[0]), 9)
    for _ in range(5):
        found = parsed(ask(port, "GET", "/metrics")[1])
        assert number(found, "dft_records_total", outcome="stored") == sent
        assert number(found, "dft_posts_total", status="201") == sent
    assert len(running()) == 1
