"""How long somebody stays signed in, and what a session is worth afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tests.admin.world import make_people
from tracking import clock
from tracking.models import User

pytestmark = pytest.mark.django_db

API = "/api/v1/transactions"
PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    make_people()
    auditor = User.objects.get(username="auditor")
    auditor.set_password(PASSWORD)
    auditor.save()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    now = clock.now()
    passed = timedelta(0)

    def move(**by: float) -> None:
        nonlocal passed
        passed += timedelta(**by)

    monkeypatch.setattr(clock, "now", lambda: now + passed)
    return move


def signed_in() -> Client:
    """By the sign-in page itself."""
    client = Client()
    body = {"username": "auditor", "password": PASSWORD}
    assert client.post(reverse("admin:login"), body).status_code == 302
    return client


def is_in(client: Client) -> bool:
    page, api = client.get(reverse("admin:index")).status_code, client.get(API).status_code
    assert (page, api) in ((200, 200), (302, 401))
    return page == 200


def test_whoever_opens_pages_stays_signed_in_until_the_day_is_over(later: Any) -> None:
    client = signed_in()
    for _ in range(14):
        assert is_in(client)
        later(minutes=55)
    assert not is_in(client)  # 11 h 55 min were the last time


@pytest.mark.parametrize(("minutes", "still"), [(59.9, True), (60, False), (600, False)])
def test_who_opens_no_page_for_an_hour_is_signed_out(
    later: Any, minutes: float, still: bool
) -> None:
    client = signed_in()
    assert is_in(client)
    later(minutes=minutes)
    assert is_in(client) is still


def test_a_session_that_ended_is_gone_and_its_cookie_opens_nothing(later: Any) -> None:
    client = signed_in()
    assert is_in(client)
    stolen = Client()
    stolen.cookies = client.cookies.copy()
    assert is_in(stolen)
    later(hours=2)
    assert not is_in(client)
    assert not Session.objects.exists()
    later(hours=-2)
    assert not is_in(stolen)


def test_a_stolen_cookie_opens_nothing_after_signing_out() -> None:
    client = signed_in()
    stolen = Client()
    stolen.cookies = client.cookies.copy()
    assert is_in(stolen)
    assert client.post(reverse("admin:logout")).status_code in (200, 302)
    assert not is_in(stolen)


def test_signing_in_changes_the_session_that_was_there_before() -> None:
    victim = Client()
    victim.get(reverse("admin:login"))
    session = victim.session
    session["planted"] = True
    session.save()
    victim.cookies["dft_session"] = planted = session.session_key
    body = {"username": "auditor", "password": PASSWORD}
    assert victim.post(reverse("admin:login"), body).status_code == 302
    assert victim.cookies["dft_session"].value != planted
    attacker = Client()
    attacker.cookies["dft_session"] = planted
    assert not is_in(attacker)


def test_the_session_is_written_once_a_minute(later: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in()
    assert is_in(client)
    written = []
    save = client.session.__class__.save
    monkeypatch.setattr(
        client.session.__class__,
        "save",
        lambda self, *args, **more: (written.append(1), save(self, *args, **more)),
    )
    for _ in range(4):
        later(seconds=20)
        assert is_in(client)
    assert len(written) == 1


def test_services_have_no_session() -> None:
    answer = Client().get("/healthz")
    assert "Cookie" not in answer.get("Vary", "")
    assert not Session.objects.exists()
