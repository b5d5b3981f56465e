"""A role that needs a second factor opens nothing without one, whichever way one came in."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.sign_in.world import (
    CODE,
    ENROL,
    LOGIN,
    MINE,
    Clock,
    attempt,
    code_of,
    codes_on,
    enrol,
    give,
    half_in,
    is_in,
    person,
    secret_on,
)
from tracking.access import second_factor, totp
from tracking.models import SecondFactor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("people")]


@pytest.fixture(autouse=True)
def auditors_need_one(settings: Any) -> None:
    settings.DFT_SECOND_FACTOR_ROLES = frozenset(["Auditor"])


def take(client: Client, now: Clock) -> Any:
    """Read the page like somebody with a phone, and type what it shows."""
    secret = secret_on(client.get(ENROL))
    return client.post(ENROL, {"code": totp.code_at(secret, totp.step_of(now.moment))})


def test_who_needs_one_is_led_to_it_and_has_nothing_before(now: Clock) -> None:
    client = Client()
    assert attempt(client, "auditor").url == ENROL
    assert not is_in(client)
    assert client.get(CODE).url == ENROL
    page = client.get(ENROL)
    html = page.content.decode()
    assert 'src="data:image/svg+xml' in html
    assert "no-store" in page["Cache-Control"]
    # the same secret until it is taken into use, however often the page is opened
    assert secret_on(page) == secret_on(client.get(ENROL))
    assert not is_in(client)
    assert client.post(ENROL, {"code": "000000"}).status_code == 200
    assert not SecondFactor.objects.exists()
    done = take(client, now)
    assert len(codes_on(done)) == 10
    assert "no-store" in done["Cache-Control"]
    assert 'href="/admin/"' in done.content.decode()
    assert is_in(client)
    # and from then on a code is asked for
    assert attempt(Client(), "auditor").url == CODE


def test_it_leads_on_to_where_one_wanted(now: Clock) -> None:
    client = Client()
    attempt(client, "auditor", query="?next=/admin/tracking/transaction/")
    assert 'href="/admin/tracking/transaction/"' in take(client, now).content.decode()


def test_those_whose_roles_do_not_need_one_come_in_as_before() -> None:
    for name in ("support", "root"):
        client = Client()
        assert attempt(client, name).url == reverse("admin:index")
        assert is_in(client)


@pytest.mark.parametrize(
    ("setting", "led"),
    [
        (["Support", "Analyst"], {"support", "analyst"}),
        (["superuser"], {"root"}),
        (["all"], {"support", "analyst", "root", "developer"}),
        ([], set()),
    ],
)
def test_the_setting_says_who(settings: Any, setting: list[str], led: set[str]) -> None:
    settings.DFT_SECOND_FACTOR_ROLES = frozenset(setting)
    for name in ("support", "analyst", "root", "developer"):
        expected = ENROL if name in led else reverse("admin:index")
        assert attempt(Client(), name).url == expected, name


def test_a_session_from_before_the_role_was_given_ends(settings: Any, now: Clock) -> None:
    client = Client()
    attempt(client, "support")
    assert is_in(client)
    give("support", "Auditor")
    assert client.get(MINE).url.startswith(LOGIN)
    assert not is_in(client)
    assert attempt(client, "support").url == ENROL
    take(client, now)
    assert is_in(client)


def test_a_session_that_came_another_way_is_worth_nothing(now: Clock) -> None:
    client = Client()
    client.force_login(person("auditor"))
    assert not is_in(client)
    client.force_login(person("support"))
    assert is_in(client)


def test_a_session_of_a_device_that_was_reset_ends_and_the_password_is_asked_for(
    now: Clock,
) -> None:
    client = half_in("auditor")
    take(client, now)
    assert is_in(client)
    second_factor.remove(person("auditor"), second_factor.RESET, by=None)
    # whoever stole it cannot go on to a device of their own
    assert client.get(ENROL).url == LOGIN
    assert client.get(MINE).url.startswith(LOGIN)
    assert not is_in(client)


def test_a_device_of_one_that_is_half_in_never_becomes_anothers(now: Clock) -> None:
    client = half_in("auditor")
    secret = secret_on(client.get(ENROL))
    give("support", "Auditor")
    assert attempt(client, "support").url == ENROL
    assert secret_on(client.get(ENROL)) != secret
    code = totp.code_at(secret, totp.step_of(now.moment))
    assert client.post(ENROL, {"code": code}).status_code == 200
    assert not SecondFactor.objects.exists()


def test_of_two_who_enrol_for_one_account_one_does(now: Clock) -> None:
    first, second = half_in("auditor"), half_in("auditor")
    pages = [secret_on(client.get(ENROL)) for client in (first, second)]
    codes = [totp.code_at(secret, totp.step_of(now.moment)) for secret in pages]
    assert codes_on(first.post(ENROL, {"code": codes[0]}))
    assert second.post(ENROL, {"code": codes[1]}).url == CODE
    assert not is_in(second)


def test_no_secret_is_stored_readably_on_the_way(now: Clock) -> None:
    client = half_in("auditor")
    secret = secret_on(client.get(ENROL))
    kept = repr(dict(client.session.items()))
    assert totp.as_text(secret).replace(" ", "") not in kept
    assert secret.hex() not in kept


def test_a_voluntary_device_does_not_end_its_owners_other_sessions(now: Clock) -> None:
    client = Client()
    attempt(client, "support")
    enrol(person("support"), now.moment)
    assert is_in(client)
    now.move(minutes=1)
    other = half_in("support")
    other.post(CODE, {"code": code_of(person("support"), now.moment)})
    assert is_in(other)
