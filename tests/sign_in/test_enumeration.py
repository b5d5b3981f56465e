"""Nobody learns from the sign-in page who there is: the same answers, for the same work."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.http import HttpResponse
from django.test import Client

from tests.admin.test_page_budgets import counting
from tests.sign_in.world import PASSWORD, attempt, person
from tracking.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("people", "now")]

# Who there is not, whose password is wrong, and whose is right and opens nothing all the same.
CASES = {
    "unknown": ("unknow1", "a wrong password"),
    "wrong": ("support", "a wrong password"),
    "inactive": ("gone-77", PASSWORD),
    "no staff": ("out-777", PASSWORD),
    "no password": ("sso-777", PASSWORD),
}


@pytest.fixture(autouse=True)
def accounts(people: None, settings: Any) -> None:
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]
    user = person("support")
    user.set_password(PASSWORD)
    user.save()
    hashed = user.password
    User.objects.create(username="gone-77", password=hashed, is_active=False)
    User.objects.create(username="out-777", password=hashed, is_staff=False)
    other = User.objects.create(username="sso-777")
    other.set_unusable_password()
    other.save()


def told(answer: HttpResponse, name: str) -> tuple[Any, ...]:
    """All of an answer, but for its date, the token of its form and the name that was typed."""
    body = re.sub(r'(csrfmiddlewaretoken" value=")[^"]+', r"\1", answer.content.decode())
    headers = {
        key: value for key, value in answer.items() if key not in ("Expires", "Content-Length")
    }
    cookies = {
        key: re.sub(r"expires=[^;]+", "", morsel.OutputString().replace(morsel.value, ""))
        for key, morsel in answer.cookies.items()
    }
    return answer.status_code, headers, cookies, body.replace(name, "NAME")


def test_every_failure_is_answered_alike_byte_for_byte_and_so_is_the_lock() -> None:
    answers = {}
    for case, (name, password) in CASES.items():
        # from an address of its own, so that only the name counts
        place = {"REMOTE_ADDR": f"198.51.100.{len(answers) + 1}"}
        answers[case] = [told(attempt(Client(), name, password, **place), name) for _ in range(6)]
    expected = answers.pop("unknown")
    assert [each[0] for each in expected] == [200] * 4 + [429] * 2
    for case, found in answers.items():
        for mine, theirs in zip(found, expected, strict=True):
            assert mine[:3] == theirs[:3], case
            assert mine[3].splitlines() == theirs[3].splitlines(), case


def test_every_failure_costs_the_same_work() -> None:
    hashes: Counter[str] = Counter()
    costs: dict[str, Any] = {}

    def count(what: str) -> Any:
        real = getattr(Argon2PasswordHasher, what)

        def counted(self: Any, *args: Any) -> Any:
            hashes["hash"] += 1
            return real(self, *args)

        return mock.patch.object(Argon2PasswordHasher, what, counted)

    with count("encode"), count("verify"):
        for case, (name, password) in CASES.items():
            hashes.clear()
            with counting() as counter:
                attempt(Client(), name, password)
            costs[case] = (hashes["hash"], Counter(counter.names))
    assert len({repr(cost) for cost in costs.values()}) == 1, costs
    assert costs["unknown"][0] == 1


def test_an_account_that_may_not_sign_in_any_more_is_out_at_once() -> None:
    for change in ({"is_staff": False}, {"is_active": False}):
        client = Client()
        assert attempt(client, "support").status_code == 302
        assert client.get("/api/v1/transactions").status_code == 200
        User.objects.filter(username="support").update(**change)
        assert client.get("/api/v1/transactions").status_code == 401
        assert client.get("/admin/").status_code == 302
        User.objects.filter(username="support").update(is_staff=True, is_active=True)
