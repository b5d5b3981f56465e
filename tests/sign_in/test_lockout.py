"""Who has to wait after failed tries, who has not, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import authenticate
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, reverse

from tests.api.http import bearer, make_key
from tests.sign_in.world import (
    LOGIN,
    PASSWORD,
    Clock,
    attempt,
    is_in,
    person,
)
from tracking.access.origin import networks_of
from tracking.mongo.connection import collection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("people")]

PROXY = "10.0.0.1"


def wrong(name: str, times: int = 1, **more: Any) -> list[int]:
    """The answers to so many wrong passwords, each from a browser that is new."""
    return [attempt(Client(), name, f"wrong {n}", **more).status_code for n in range(times)]


def tried(name: str, **meta: str) -> int:
    """The same without its page, where there are hundreds."""
    request = RequestFactory().post(LOGIN, **meta)
    assert authenticate(request, username=name, password="wrong") is None
    return 429 if getattr(request, "axes_locked_out", False) else 200


def known_browser(name: str) -> Client:
    """A browser that the user has signed in with before, and out again."""
    client = Client()
    assert attempt(client, name).status_code == 302
    client.post(reverse("admin:logout"))
    assert not is_in(client)
    return client


def from_addresses(count: int) -> list[dict[str, str]]:
    """Requests as a proxy hands them on, each for another address, of networks of their own."""
    return [
        {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": f"203.0.{n // 250}.{n % 250 + 1}"}
        for n in range(count)
    ]


def test_the_fifth_failure_locks_and_the_right_password_waits_too(now: Clock) -> None:
    assert wrong("support", 5) == [200] * 4 + [429]
    answer = attempt(Client(), "support")
    assert answer.status_code == 429
    assert answer["Retry-After"] == str(15 * 60)
    assert "no-store" in answer["Cache-Control"]
    page = answer.content.decode()
    assert "Try again in 15 minutes" in page
    assert "support" not in page.replace("support@", "")
    # of a name: others are not concerned
    assert attempt(Client(), "auditor").status_code == 302


def test_a_lock_ends_by_itself_whatever_is_tried_meanwhile(now: Clock) -> None:
    wrong("support", 5)
    for _ in range(14):
        now.move(minutes=1)
        assert wrong("support") == [429]
    now.move(seconds=59)
    answer = attempt(Client(), "support")
    assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    now.move(seconds=1)
    assert attempt(Client(), "support").status_code == 302


def test_many_addresses_do_not_help_against_one_user(settings: Any, now: Clock) -> None:
    settings.DFT_TRUSTED_PROXIES = networks_of([PROXY])
    answers = [tried("support", **request) for request in from_addresses(200)]
    assert answers == [200] * 4 + [429] * 196
    assert attempt(Client(), "support", **from_addresses(201)[-1]).status_code == 429


def test_one_address_does_not_get_at_many_users(settings: Any, now: Clock) -> None:
    settings.DFT_SIGN_IN_ADDRESS_FAILURES = 12
    answers = [tried(f"user-{n}") for n in range(20)]
    assert answers == [200] * 11 + [429] * 9
    elsewhere = {"REMOTE_ADDR": "198.51.100.7"}
    assert attempt(Client(), "support").status_code == 429
    assert attempt(Client(), "support", **elsewhere).status_code == 302


def test_an_address_cannot_be_made_up(settings: Any, now: Clock) -> None:
    settings.DFT_SIGN_IN_ADDRESS_FAILURES = 12
    # without a proxy to believe, 200 of these are one
    answers = [
        tried(f"user-{n}", **{**request, "REMOTE_ADDR": "198.51.100.7"})
        for n, request in enumerate(from_addresses(200))
    ]
    assert answers == [200] * 11 + [429] * 189
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"198.51.100.7"}


def test_what_a_trusted_proxy_says_counts_and_what_its_client_made_up_does_not(
    settings: Any, now: Clock
) -> None:
    settings.DFT_SIGN_IN_ADDRESS_FAILURES = 12
    settings.DFT_TRUSTED_PROXIES = networks_of([PROXY])
    many = [tried(f"user-{n}", **request) for n, request in enumerate(from_addresses(40))]
    assert many == [200] * 40
    made_up = [
        tried(
            f"other-{n}",
            REMOTE_ADDR=PROXY,
            HTTP_X_FORWARDED_FOR=f"{request['HTTP_X_FORWARDED_FOR']}, 198.51.100.9",
        )
        for n, request in enumerate(from_addresses(20))
    ]
    assert made_up == [200] * 11 + [429] * 9


def test_an_ipv6_network_is_one_address(settings: Any, now: Clock) -> None:
    settings.DFT_SIGN_IN_ADDRESS_FAILURES = 12
    same = [tried(f"user-{n}", REMOTE_ADDR=f"2001:db8:0:7::{n:x}") for n in range(20)]
    assert same == [200] * 11 + [429] * 9
    assert tried("user", REMOTE_ADDR="2001:db8:0:8::1") == 200


def test_no_stranger_locks_somebody_out_of_a_browser_they_know(now: Clock) -> None:
    known = known_browser("support")
    wrong("support", 5)
    assert attempt(Client(), "support").status_code == 429
    assert attempt(known, "support").status_code == 302
    assert is_in(known)
    # what the stranger has tried stays counted
    assert attempt(Client(), "support").status_code == 429


def test_a_known_browser_has_no_more_tries_than_others_and_no_effect_on_them(now: Clock) -> None:
    stolen = known_browser("support")
    answers = [attempt(stolen, "support", "wrong").status_code for _ in range(7)]
    assert answers == [200] * 4 + [429] * 3
    assert attempt(stolen, "support").status_code == 429
    assert attempt(Client(), "support").status_code == 302


def test_a_browser_known_to_one_user_is_new_to_another(now: Clock) -> None:
    eve = known_browser("analyst")
    wrong("support", 5)
    assert attempt(eve, "support").status_code == 429


def test_a_made_up_or_old_mark_of_a_browser_is_worth_nothing(now: Clock) -> None:
    known = known_browser("support")
    kept = known.cookies["dft_browser"]
    assert kept["httponly"]
    assert kept["samesite"] == "Lax"
    wrong("support", 5)
    payload, _, signature = kept.value.rpartition(":")
    for value in (payload, f"{payload}:{signature[:-1]}", "x", "", kept.value + "x"):
        client = Client()
        client.cookies["dft_browser"] = value
        assert attempt(client, "support").status_code == 429, value


def test_signing_in_forgets_ones_own_mistakes(now: Clock) -> None:
    client = Client()
    for _ in range(3):
        assert [attempt(client, "support", "wrong").status_code for _ in range(4)] == [200] * 4
        assert attempt(client, "support").status_code == 302
    assert not AccessAttempt.objects.filter(failures_since_start__gt=4).exists()


def test_what_was_tried_long_ago_counts_no_more(now: Clock) -> None:
    wrong("support", 4)
    now.move(minutes=15)
    assert wrong("support", 4) == [200] * 4
    assert wrong("support") == [429]


def at_once(work: Callable[[int], Any], count: int = 8) -> list[Any]:
    together = threading.Barrier(count)

    def run(n: int) -> Any:
        together.wait(10)
        return work(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_no_failure_is_lost_that_comes_at_the_same_time(settings: Any) -> None:
    settings.DFT_SIGN_IN_FAILURES = 100
    answers = at_once(lambda n: wrong("support", 3)[-1])
    assert answers == [200] * 8
    assert sum(AccessAttempt.objects.values_list("failures_since_start", flat=True)) == 24


def test_however_many_come_at_once_no_more_passwords_are_looked_at_than_the_limit() -> None:
    looked_at: list[str] = []
    look = ModelBackend.authenticate

    def looking(self: Any, request: Any, *args: Any, **more: Any) -> Any:
        looked_at.append("")
        return look(self, request, *args, **more)

    with mock.patch.object(ModelBackend, "authenticate", looking):
        for _ in range(4):
            at_once(lambda n: wrong("support", 2))
    assert len(looked_at) <= 5
    assert attempt(Client(), "support").status_code == 429


def test_a_name_that_is_nobodys_is_not_kept_as_it_was_typed() -> None:
    typed = "my-Secret-Passw0rd!"
    wrong(typed, 2)
    wrong("support", 1)
    stored = list(collection("axes_accessattempt").find())
    assert typed.lower() not in repr(stored).lower()
    assert "wrong" not in repr(stored)
    names = {row["username"]: row["failures_since_start"] for row in stored}
    assert names.pop("support") == 1
    assert list(names.values()) == [2]
    # as many bytes as a try needs, and no copy of what was sent
    assert all(len(repr(row)) < 500 for row in stored)


def test_failed_tries_say_so_in_the_log_without_names_that_are_nobodys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    wrong("my-Secret-Passw0rd!")
    wrong("support", 5)
    assert "Passw0rd" not in caplog.text
    assert "a sign-in as support from 127.0.0.1 failed: locked" in caplog.text


def test_tries_are_looked_up_by_indexes_and_vanish_by_themselves() -> None:
    wrong("support", 2)
    rows = collection("axes_accessattempt")
    for found in (
        {"username": "support", "user_agent": ""},
        {"ip_address": "127.0.0.1", "user_agent": ""},
        {"username": "support", "ip_address": "127.0.0.1", "user_agent": ""},
    ):
        plan = rows.find(found).explain()["queryPlanner"]["winningPlan"]
        assert "COLLSCAN" not in repr(plan), found
    expiring = [each for each in rows.index_information().values() if "expireAfterSeconds" in each]
    assert [each["expireAfterSeconds"] for each in expiring] == [86_400]
    assert [each["key"] for each in expiring] == [[("attempt_time", 1)]]
    # django-axes' other collections stay empty
    assert not AccessLog.objects.exists()
    assert not AccessFailureLog.objects.exists()


def test_attempts_are_on_no_page_of_the_admin() -> None:
    with pytest.raises(NoReverseMatch):
        reverse("admin:axes_accessattempt_changelist")


def test_the_commands_unlock_a_name_or_an_address(settings: Any, now: Clock) -> None:
    wrong("support", 5)
    call_command("axes_reset_username", "support")
    assert attempt(Client(), "support").status_code == 302
    settings.DFT_SIGN_IN_ADDRESS_FAILURES = 5
    six = {"REMOTE_ADDR": "2001:db8::17"}
    for n in range(5):
        wrong(f"user-{n}", **six)
    assert attempt(Client(), "support", **six).status_code == 429
    call_command("axes_reset_ip", "2001:db8::17")
    assert attempt(Client(), "support", **six).status_code == 302


def test_every_failure_is_told_to_who_listens() -> None:
    heard: list[tuple[str, bool]] = []

    def listen(credentials: Any, request: Any, **_: Any) -> None:
        assert PASSWORD not in repr(credentials)
        heard.append((credentials["username"], request is not None))

    user_login_failed.connect(listen)
    try:
        wrong("support", 6)
        wrong("nobody-there")
    finally:
        user_login_failed.disconnect(listen)
    # those that were refused unseen as well
    assert heard == [("support", True)] * 6 + [("nobody-there", True)]


def test_keys_of_services_are_not_concerned(now: Clock) -> None:
    key = make_key()
    wrong("support", 5)
    assert Client().get("/api/v1/transactions", headers=bearer(key)).status_code == 200
    assert not AccessAttempt.objects.filter(username__startswith="dft_").exists()


def test_the_sign_in_page_itself_is_never_locked(now: Clock) -> None:
    wrong("support", 6)
    assert Client().get(LOGIN).status_code == 200
    assert person("support").check_password(PASSWORD)
