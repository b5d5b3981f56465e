"""The producer over HTTP: against the product itself, and against servers in trouble."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.tools import drain, make_tenant, record
from tracking import clock
from tracking.access.keys import create_key
from tracking.models import Transaction
from tracking.simulation import Plan, demo_definitions, seed_demo, simulate
from tracking.simulation.posting import PostRefused, Producer

GOOD = {"stored": 1, "duplicates": 0, "conflicts": 0, "invalid": 0, "results": []}


class Answering(BaseHTTPRequestHandler):
    """Gives the answers it was told, one after the other; None: hang up."""

    protocol_version = "HTTP/1.1"
    answers: list[tuple[int, dict[str, str], object] | None]
    connections: set[Any]
    bodies: list[bytes]

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.connections.add(self.client_address)
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers, body = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def server(*answers: tuple[int, dict[str, str], object] | None) -> Iterator[tuple[str, Any]]:
    handler = type(
        "Told", (Answering,), {"answers": list(answers), "connections": set(), "bodies": []}
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}", handler
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def producer(url: str, patience: float = 60.0) -> Iterator[tuple[Producer, list[float]]]:
    """A producer that notes how long it would have waited."""
    waits: list[float] = []
    made = Producer(url, "dft_x", patience=patience, sleep=waits.append)
    try:
        yield made, waits
    finally:
        made.close()


def test_the_connection_is_kept() -> None:
    with server((201, {}, GOOD), (200, {}, GOOD)) as (url, seen), producer(url) as (http, _waits):
        http.post([record()])
        http.post([record()])
        assert len(seen.connections) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_is_waited_for_as_long_as_it_asks(status: int) -> None:
    answers = ((status, {"Retry-After": "7"}, {}), (201, {}, GOOD))
    with server(*answers) as (url, seen), producer(url) as (http, waits):
        assert http.post([record()]).tries == 2
        assert waits == [7.0]
        assert seen.bodies[0] == seen.bodies[1]


def test_retry_after_may_be_a_date() -> None:
    date = datetime.fromtimestamp(clock.now().timestamp() + 20, UTC)
    headers = {"Retry-After": date.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    with (
        server((503, headers, {}), (201, {}, GOOD)) as (url, _seen),
        producer(url) as (http, waits),
    ):
        http.post([record()])
        assert 15 < waits[0] <= 20


def test_a_connection_that_breaks_is_opened_again_for_the_same_batch() -> None:
    with server(None, (200, {}, GOOD)) as (url, seen), producer(url) as (http, waits):
        assert http.post([record()]).tries == 2
        assert waits == [0.25]
        assert seen.bodies[0] == seen.bodies[1]


def test_patience_ends() -> None:
    answers = [(503, {"Retry-After": "20"}, {})] * 3
    with server(*answers) as (url, _seen), producer(url, patience=50) as (http, waits):
        with pytest.raises(PostRefused, match="could not take the records: HTTP 503"):
            http.post([record()])
        assert waits == [20.0, 20.0]


def test_a_refusal_is_not_repeated_and_tells_what_the_server_says() -> None:
    problem = {"detail": "The key was revoked."}
    with server((401, {}, problem)) as (url, seen), producer(url) as (http, waits):
        with pytest.raises(PostRefused, match="HTTP 401: The key was revoked"):
            http.post([record()])
        assert (len(seen.bodies), waits) == (1, [])


@pytest.mark.parametrize(
    "answer", [(200, {}, b"<html>"), (404, {}, b"<html>"), (200, {}, {"a": 1})]
)
def test_another_kind_of_server_is_recognised(answer: tuple[int, dict[str, str], object]) -> None:
    with (
        server(answer) as (url, _seen),
        producer(url) as (http, _waits),
        pytest.raises(PostRefused, match="check the URL"),
    ):
        http.post([record()])


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", ""])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(PostRefused, match="is no URL"):
        Producer(url, "k")


@pytest.mark.django_db(transaction=True)
def test_over_http_the_product_shows_what_the_summary_foretells(live_server: Any) -> None:
    make_tenant()
    demo_definitions("acme")
    key = create_key(tenant="acme", name="t", scopes=["ingest"])[1]
    plan = Plan(start=clock.now(), objects=40, duplicates=0.2)
    http = Producer(live_server.url, key)
    first = simulate(plan, http)
    again = simulate(plan, http)
    http.close()
    assert first.refusals == []
    assert first.outcomes["duplicate"] == first.posted - sum(first.records.values()) > 0
    assert (again.outcomes["stored"], again.outcomes["duplicate"]) == (0, first.posted)
    drain()
    for status, count in first.statuses.items():
        assert Transaction.objects.filter(tenant="acme", status=status).count() == count


@pytest.mark.django_db(transaction=True)
def test_the_demo_is_a_few_thousand_records_of_the_last_day(live_server: Any) -> None:
    make_tenant("demo")
    key = create_key(tenant="demo", name="t", scopes=["ingest"])[1]
    summary = seed_demo(live_server.url, key, now=clock.now())
    assert summary.refusals == []
    assert 2_000 < summary.outcomes["stored"] < 4_000
    assert all(summary.statuses[status] > 0 for status in summary.statuses)
