"""People with passwords and devices, a clock that can be moved, and tries to sign in."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests.admin.world import make_people
from tracking import clock
from tracking.access import second_factor, totp
from tracking.models import SecondFactor, User

PASSWORD = "correct horse battery staple"
API = "/api/v1/transactions"
LOGIN = "/admin/login/"
CODE = "/admin/login/code/"
ENROL = "/admin/login/enrol/"
MINE = "/admin/second-factor/"
NEW_DEVICE = "/admin/second-factor/enrol/"


class Clock:
    """Stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moment = clock.now()
        monkeypatch.setattr(clock, "now", lambda: self.moment)

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)


def make_everybody() -> None:
    """The people of tests/admin/world.py, all with the one password; hashed once."""
    make_people()
    some = User.objects.get(username="auditor")
    some.set_password(PASSWORD)
    User.objects.update(password=some.password)


def person(name: str) -> User:
    return User.objects.get(username=name)


def give(name: str, *roles: str) -> None:
    person(name).groups.add(*Group.objects.filter(name__in=roles))


def enrol(
    user: User, moment: datetime, *, sealed: str | None = None, instead_of: str = ""
) -> list[str]:
    """Give somebody a device; its recovery codes."""
    sealed = sealed or second_factor.new_secret(user)
    secret = second_factor._open(sealed, user)
    assert secret is not None
    code = totp.code_at(secret, totp.step_of(moment))
    codes = second_factor.enrol(user, sealed, code, moment=moment, by=user, instead_of=instead_of)
    assert codes is not None
    return codes


def secret_of(user: User) -> bytes:
    secret = second_factor._open(SecondFactor.objects.get(pk=user.pk).secret, user)
    assert secret is not None
    return secret


def code_of(user: User, moment: datetime) -> str:
    """What the device of this person shows."""
    return totp.code_at(secret_of(user), totp.step_of(moment))


def attempt(
    client: Client, name: str, password: str = PASSWORD, *, query: str = "", **more: Any
) -> HttpResponse:
    body = {"username": name, "password": password}
    return client.post(LOGIN + query, body, **more)


def half_in(name: str) -> Client:
    """Somebody after the password and before the code."""
    client = Client()
    assert attempt(client, name).url in (CODE, ENROL)
    return client


def is_in(client: Client) -> bool:
    """Whether both the pages and the API take this browser for somebody."""
    page, api = client.get(reverse("admin:index")).status_code, client.get(API).status_code
    assert (page, api) in ((200, 200), (302, 401))
    return page == 200


def secret_on(page: HttpResponse) -> bytes:
    """The secret of a page that shows one, read like a person who types it in."""
    found = re.search(r'id="secret"[^>]*>([A-Z2-7 ]+)<', page.content.decode())
    assert found is not None
    return base64.b32decode(found[1].replace(" ", ""))


def codes_on(page: HttpResponse) -> list[str]:
    """The recovery codes of the page that shows them."""
    found = re.search(r'id="recovery-codes"[^>]*>([^<]+)<', page.content.decode())
    assert found is not None
    return found[1].split()
