"""`manage.py forecast`: once, of one flow, and as a process that waits for what is due."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.faults.processes import Outside, kill, manage, uri_of, wait_for
from tests.insights.world import put
from tracking import clock
from tracking.insights.forecasts.store import claim, present
from tracking.insights.windows import DAY, HOUR

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_nice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.nice", lambda _by: 0)


def fill(*flows: str) -> None:
    for flow in flows:
        for day in range(1, 6):
            moment = clock.now() - day * DAY
            put("flow", moment, {"started": 5}, flow=flow)
            put("block", moment, {"records.queued": 5}, flow=flow, stage="ingress", block="in")


def test_once_it_forecasts_what_is_due_and_only_that(capsys: pytest.CaptureFixture[str]) -> None:
    fill("orders", "returns")
    call_command("forecast", "--once")
    assert "12 of 12 series were forecast." in capsys.readouterr().out
    found = present("acme", "day", "records", "orders")
    assert found is not None
    assert found["verdict"] == "short"
    call_command("forecast", "--once")
    assert "0 of 0 series were forecast." in capsys.readouterr().out
    call_command("forecast", "--flow", "orders")
    assert "4 of 4 series were forecast." in capsys.readouterr().out


def test_a_flow_or_a_tenant_that_is_none_is_named() -> None:
    fill("orders")
    with pytest.raises(CommandError, match="flow 'x'"):
        call_command("forecast", "--flow", "x")
    with pytest.raises(CommandError, match="tenant globex"):
        call_command("forecast", "--once", "--tenant", "globex")


def test_two_do_not_forecast_at_the_same_time() -> None:
    fill("orders")
    assert claim("elsewhere:1", clock.now(), HOUR)
    with pytest.raises(CommandError, match=r"under way already \(elsewhere:1\)"):
        call_command("forecast", "--once")
    assert present("acme", "day", "records", "orders") is None


def test_as_a_process_it_forecasts_what_comes_due_and_ends_in_order(tmp_path: Path) -> None:
    fill("orders")
    uri = uri_of(connection.settings_dict["NAME"])
    outside = Outside(uri)
    process = manage("forecast", uri=uri, data=tmp_path)
    try:
        kept = outside.database["forecast"]
        wait_for(lambda: kept.count_documents({"kind": "now"}) == 8, "all series are forecast")
        process.send_signal(signal.SIGTERM)
        output, _nothing = process.communicate(timeout=30)
        assert process.returncode == 0, output
        assert "Traceback" not in output
    finally:
        kill(process)
    outside.close()
