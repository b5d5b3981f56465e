"""The page of verifications: who sees what of a run, and who may start one."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.world import signed_in
from tests.faults.processes import uri_of, wait_for
from tests.tools import post, record
from tracking import clock
from tracking.admin import display as show
from tracking.models import VerificationRun
from tracking.mongo.connection import collection, connection
from tracking.verification import runs
from tracking.verification.report import FULL, Report

pytestmark = pytest.mark.django_db
LIST = "admin:tracking_verificationrun_changelist"
START = "admin:tracking_verificationrun_start"


@pytest.fixture(autouse=True)
def own_data(settings: Any, tmp_path: Any, world: None) -> None:
    settings.DFT_DATA_DIR = tmp_path


def kept_run() -> str:
    """A run with findings of two tenants and of none."""
    report = Report(FULL, clock.now(), ended_at=clock.now(), size=7, records=7)
    for tenant in ("acme", "globex"):
        key = f"{tenant}/secret-{tenant}"
        report.findings.add(
            "record_changed", f"{key} is another.", tenant=tenant, record=key, leaf=3
        )
    report.findings.add("segment_order", "segment 4 begins too late.", record="segment 4", leaf=4)
    return runs.keep(report, "ann")


def page_of(key: str) -> str:
    return reverse("admin:tracking_verificationrun_change", args=[key])


def test_a_finding_of_another_tenant_is_counted_and_not_shown() -> None:
    key = kept_run()
    html = signed_in("auditor").get(page_of(key)).content.decode()
    assert "secret-acme" in html
    assert show.record_url("acme/secret-acme") in html
    assert "segment 4" in html
    assert "secret-globex" not in html
    assert "3 in all, 1 of other tenants" in html
    html = signed_in("root").get(page_of(key)).content.decode()
    assert "secret-globex" in html
    nobody = signed_in("nobody").get(page_of(key))
    assert nobody.status_code == 302, "who belongs to no tenant sees no run"


@pytest.mark.parametrize("person", ["auditor", "developer", "support", "administrator"])
def test_only_an_auditor_starts_one(person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(runs, "start", started.append)
    client = signed_in(person)
    sees = client.get(reverse(LIST))
    assert sees.status_code == (200 if person in ("auditor", "developer") else 403)
    assert ("Verify now" in sees.content.decode()) is (person == "auditor")
    assert client.get(reverse(START)).status_code == (405 if person == "auditor" else 403)
    assert client.post(reverse(START)).status_code == (302 if person == "auditor" else 403)
    assert started == (["auditor"] if person == "auditor" else [])


def test_starting_needs_the_forms_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(signed_in_user("auditor"))
    assert client.post(reverse(START)).status_code == 403


def signed_in_user(name: str) -> Any:
    from tracking.models import User

    return User.objects.get(username=name)


def test_a_second_one_is_not_started_and_the_page_follows_the_first() -> None:
    client = signed_in("auditor")
    with runs.claimed():
        runs.tell("bob", FULL, clock.now(), "journal", 500, 2_000)
        answer = client.post(reverse(START), follow=True)
        html = answer.content.decode()
        assert "is running already" in html
        assert "journal, 500 of 2,000 (25 %)" in html
        assert "Verify now" not in html
        assert answer["Refresh"] == "3"
    answer = client.get(reverse(LIST))
    assert "Refresh" not in answer
    assert "Verify now" in answer.content.decode()


def test_a_started_one_runs_by_itself_and_is_kept(
    settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    post([record()])
    monkeypatch.setenv("DFT_MONGODB_URI", uri_of(connection.settings_dict["NAME"]))
    monkeypatch.setenv("DFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DFT_KEY_DIR", str(settings.DFT_KEY_DIR))
    assert signed_in("auditor").post(reverse(START)).status_code == 302
    wait_for(lambda: collection("verification_run").find_one({}), "the run is kept")
    run = VerificationRun.objects.get()
    assert (run.started_by, run.outcome) == ("auditor", "clean"), run.findings
    assert run.records == collection("journal").count_documents({})
    wait_for(lambda: not runs.is_running(), "the process ends")
