"""A service with the stock OpenTelemetry SDK, configured by its environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.admin.world import make_person
from tests.api.http import get, make_key
from tests.tools import drain
from tracking.api import otlp, problems
from tracking.errors import DatabaseUnavailable
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

# It knows OpenTelemetry, and nothing of us.
SERVICE = """
import sys
from opentelemetry import trace
from opentelemetry.trace import SpanKind

tracer = trace.get_tracer("shop.orders", "1.2")
with tracer.start_as_current_span("POST /orders", kind=SpanKind.SERVER) as root:
    print(f"{root.get_span_context().trace_id:032x}")
    for name in ("validate", "enrich"):
        with tracer.start_as_current_span(name, attributes={"order.id": "4711", "items": [1, 2]}):
            pass
    try:
        with tracer.start_as_current_span("POST", kind=SpanKind.CLIENT):
            if sys.argv[1:]:
                raise ConnectionError("the bank hung up")
    except ConnectionError:
        root.set_status(trace.StatusCode.ERROR, "the order was not paid")
"""


def run_service(url: str, key: str, *arguments: str, **environment: str) -> tuple[str, str]:
    """Run the service under `opentelemetry-instrument`; its trace id, and what it logged."""
    program = Path(sys.executable).parent / "opentelemetry-instrument"
    done = subprocess.run(
        [program, sys.executable, "-c", SERVICE, *arguments],
        env={
            "PATH": os.environ["PATH"],
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{url}/api/v1/otlp",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{key}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip(), done.stderr


def blocks(key: str, trace: str) -> dict[str, str]:
    found = get(f"/api/v1/transactions/{trace}/lifetime", key).json()
    return {block["block"]: block["status"] for block in found["timeline"]}


def test_its_trace_shows_up_in_the_admin(live_server: Any) -> None:
    key = make_key()
    trace, log = run_service(live_server.url, key)
    assert log == ""
    assert blocks(key, trace) == {
        "shop: POST /orders": "succeeded",
        "shop: validate": "succeeded",
        "shop: enrich": "succeeded",
        "shop: POST": "succeeded",
    }
    drain()
    browser = Client()
    browser.force_login(make_person("ann", "Developer"))
    listed = browser.get("/admin/tracking/transaction/").content.decode()
    page = browser.get(f"/admin/tracking/transaction/acme_2F{trace}/change/").content.decode()
    for seen in (listed, page):
        assert trace in seen
        assert "delivered" in seen.lower()
    for name in ("shop: POST /orders", "shop: validate", "shop: enrich"):
        assert name in page


def test_a_failure_says_what_and_where(live_server: Any) -> None:
    key = make_key()
    environment = {
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_RESOURCE_ATTRIBUTES": "dft.flow=orders,dft.object.type=order,"
        "dft.object.id.from=order.id,deployment.environment.name=test",
    }
    trace, log = run_service(live_server.url, key, "fail", **environment)
    assert log == ""
    found = get(f"/api/v1/transactions/{trace}", key).json()
    assert (found["status"], found["flow"]) == ("failed", "orders")
    assert found["object"] == {"id": "4711", "type": "order"}
    assert found["reason"] == "the order was not paid"
    assert found["warnings"] == []
    states = blocks(key, trace)
    assert [name for name, state in states.items() if state == "failed"] == ["POST /orders", "POST"]
    failed = get(f"/api/v1/transactions/{trace}/lifetime", key).json()["timeline"]
    exception = next(block["exception"] for block in failed if block["block"] == "POST")
    assert (exception["type"], exception["message"]) == ("ConnectionError", "the bank hung up")
    assert "Traceback" in exception["stacktrace"]


def test_its_exporter_comes_again_after_a_503(
    live_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key()
    accept = otlp.accept
    calls: list[int] = []

    def away_at_first(**post: Any) -> Any:
        calls.append(len(post["values"]))
        if len(calls) == 1:
            raise DatabaseUnavailable("away")
        answer = accept(**post)
        if len(calls) == 2:  # recorded, and the exporter does not hear of it
            raise DatabaseUnavailable("away")
        return answer

    monkeypatch.setattr(otlp, "accept", away_at_first)
    monkeypatch.setattr(problems, "RETRY_SECONDS", 1)
    trace, log = run_service(live_server.url, key)
    assert calls == [5, 5, 5]
    assert log.count("retrying") == 2
    assert collection("journal").count_documents({}) == 5
    assert len(blocks(key, trace)) == 4


def test_a_bad_key_is_told_and_not_tried_again(live_server: Any) -> None:
    make_key()
    _trace, log = run_service(live_server.url, "dft_nobody_nothing")
    assert "401" in log
    assert "retrying" not in log
    assert collection("journal").count_documents({}) == 0
