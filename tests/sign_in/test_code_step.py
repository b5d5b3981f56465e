"""Between the password and the code nobody is signed in, and each code lets one in, once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import get_resolver, reverse

from tests.sign_in.world import (
    API,
    CODE,
    ENROL,
    LOGIN,
    MINE,
    PASSWORD,
    Clock,
    attempt,
    code_of,
    enrol,
    half_in,
    is_in,
    person,
)
from tracking.access import second_factor
from tracking.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("people")]

NAME = "auditor"


@pytest.fixture
def recovery(people: None, now: Clock) -> list[str]:
    """The auditor has a device, set up a while ago; these are its recovery codes."""
    codes = enrol(person(NAME), now.moment)
    now.move(minutes=5)
    return codes


@pytest.fixture
def user(recovery: list[str]) -> User:
    return person(NAME)


def send(client: Client, code: str, **more: Any) -> Any:
    return client.post(CODE, {"code": code}, **more)


def test_password_and_code_sign_in(user: User, now: Clock) -> None:
    client = Client()
    answer = attempt(client, NAME)
    assert (answer.status_code, answer.url) == (302, CODE)
    page = client.get(CODE)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    answer = send(client, code_of(user, now.moment))
    assert (answer.status_code, answer.url) == (302, reverse("admin:index"))
    assert is_in(client)


def test_who_has_no_device_signs_in_by_password_alone() -> None:
    client = Client()
    assert attempt(client, "support").url == reverse("admin:index")
    assert is_in(client)


def test_no_address_opens_before_the_code(user: User, now: Clock) -> None:
    client = half_in(NAME)
    assert not is_in(client)
    # every page and endpoint that has no part to fill in, by any way of asking
    addresses = sorted(
        f"/{prefix}{name}"
        for prefix, name in (*pages("admin/"), *pages("api/v1/"))
        if name not in ("login/", "login/code/", "login/enrol/", "jsi18n/")
    )
    assert len(addresses) > 40
    public = Client(raise_request_exception=False)
    client.raise_request_exception = False
    for address in addresses:
        for method in ("get", "post"):
            answer = getattr(client, method)(address)
            stranger = getattr(public, method)(address)
            assert answer.status_code == stranger.status_code, (method, address)
            if answer.status_code == 302:
                assert answer.url.startswith((LOGIN, "/admin/")), (method, address)
    # and it was still possible to go on, after all that
    assert send(client, code_of(user, now.moment)).status_code == 302
    assert is_in(client)


def pages(prefix: str) -> list[tuple[str, str]]:
    """Addresses below `prefix` that need nothing filled in."""

    def walk(patterns: Any, before: str) -> Any:
        for each in patterns:
            path = before + str(each.pattern)
            if hasattr(each, "url_patterns"):
                yield from walk(each.url_patterns, path)
            elif "<" not in path and "(" not in path and "^" not in path:
                yield path

    return [
        (prefix, path.removeprefix(prefix))
        for path in walk(get_resolver().url_patterns, "")
        if path.startswith(prefix)
    ]


def test_the_code_page_is_for_those_whose_password_was_right(user: User, now: Clock) -> None:
    stranger = Client()
    for address in (CODE, ENROL):
        assert stranger.get(address).url == LOGIN
        answer = stranger.post(address, {"code": code_of(user, now.moment)})
        assert answer.url == LOGIN
    assert not is_in(stranger)
    # nobody used that code up by it
    client = half_in(NAME)
    assert send(client, code_of(user, now.moment)).status_code == 302


def test_enrolling_is_no_way_around_the_code(user: User, now: Clock, settings: Any) -> None:
    settings.DFT_SECOND_FACTOR_ROLES = frozenset(["all"])
    client = half_in(NAME)
    assert client.get(ENROL).url == CODE
    assert client.post(ENROL, {"code": "123456"}).url == CODE
    assert client.get(MINE).url.startswith(LOGIN)
    assert not is_in(client)


def test_a_code_opens_once_and_not_again_for_whoever_saw_it(user: User, now: Clock) -> None:
    code = code_of(user, now.moment)
    first, second = half_in(NAME), half_in(NAME)
    assert send(first, code).status_code == 302
    answer = send(second, code)
    assert answer.status_code == 200
    assert "used before" in answer.content.decode()
    assert not is_in(second)
    now.move(seconds=30)
    assert send(second, code).status_code == 200
    assert send(second, code_of(user, now.moment)).status_code == 302


def test_a_code_a_step_early_or_late_is_right_and_two_are_not(user: User, now: Clock) -> None:
    start = now.moment
    for seconds, right in ((-60, False), (-30, True), (60, False), (30, True)):
        # a step of its own for each, so that none is used before
        now.moment = start
        now.move(minutes=10 + (seconds + 100) * 10)
        code = code_of(user, now.moment)
        now.move(seconds=-seconds)
        client = half_in(NAME)
        assert (send(client, code).status_code == 302) is right, seconds
        assert is_in(client) is right


def test_one_code_from_eight_browsers_at_once_lets_one_in(
    user: User, now: Clock, settings: Any
) -> None:
    settings.DFT_SIGN_IN_FAILURES = 100
    clients = [half_in(NAME) for _ in range(8)]
    assert sum(lets_in(clients, code_of(user, now.moment))) == 1


def test_one_recovery_code_from_eight_browsers_at_once_lets_one_in(
    recovery: list[str], settings: Any
) -> None:
    settings.DFT_SIGN_IN_FAILURES = 100
    clients = [half_in(NAME) for _ in range(8)]
    assert sum(lets_in(clients, recovery[0])) == 1
    assert sum(lets_in([half_in(NAME) for _ in range(8)], recovery[0])) == 0


def lets_in(clients: list[Client], code: str) -> list[bool]:
    together = threading.Barrier(len(clients))

    def run(client: Client) -> bool:
        together.wait(20)
        return send(client, code).status_code == 302

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(run, clients))
    assert [is_in(client) for client in clients] == answers
    return answers


def test_a_recovery_code_stands_in_for_the_app_once(recovery: list[str]) -> None:
    first, second = half_in(NAME), half_in(NAME)
    assert send(first, recovery[0].upper()).status_code == 302
    assert is_in(first)
    assert send(second, recovery[0]).status_code == 200
    assert send(second, recovery[1]).status_code == 302


def test_wrong_codes_lock_like_wrong_passwords(user: User, now: Clock) -> None:
    client = half_in(NAME)
    wrong = "000000" if code_of(user, now.moment) != "000000" else "000001"
    assert [send(client, wrong).status_code for _ in range(6)] == [200] * 4 + [429] * 2
    # the right one waits as well, here and from the beginning
    assert send(client, code_of(user, now.moment)).status_code == 429
    assert attempt(Client(), NAME).status_code == 429
    now.move(minutes=15)
    assert send(half_in(NAME), code_of(user, now.moment)).status_code == 302


def test_the_right_password_does_not_wipe_wrong_codes_out(user: User, now: Clock) -> None:
    wrong = "000000" if code_of(user, now.moment) != "000000" else "000001"
    answers = []
    for _ in range(5):
        client = Client()
        if attempt(client, NAME).status_code == 302:
            answers.append(send(client, wrong).status_code)
    assert answers == [200] * 4 + [429]


def test_half_of_the_way_ends_after_five_minutes(user: User, now: Clock) -> None:
    client = half_in(NAME)
    # looking at the page does not prolong it
    for _ in range(4):
        now.move(minutes=1)
        assert client.get(CODE).status_code == 200
    now.move(seconds=59.999)
    assert client.get(CODE).status_code == 200
    now.move(seconds=0.001)
    answer = send(client, code_of(user, now.moment))
    assert answer.url == LOGIN
    assert "took too long" in client.get(LOGIN).content.decode()
    assert not is_in(client)


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"is_staff": False}, {"password": "argon2$other"}]
)
def test_whoever_is_switched_off_on_the_way_gets_no_further(
    user: User, now: Clock, change: dict[str, Any]
) -> None:
    client = half_in(NAME)
    User.objects.filter(pk=user.pk).update(**change)
    assert send(client, code_of(user, now.moment)).url == LOGIN
    assert not is_in(client)


def test_a_device_that_was_reset_on_the_way_is_not_asked_for(user: User) -> None:
    client = half_in(NAME)
    second_factor.remove(user, second_factor.RESET, by=None)
    assert client.get(CODE).url == reverse("admin:index")
    assert is_in(client)


def test_the_session_has_another_key_after_each_step(user: User, now: Clock) -> None:
    client = Client()
    client.get(LOGIN)
    planted = client.session
    planted["planted"] = True
    planted.save()
    client.cookies["dft_session"] = planted.session_key
    keys = [planted.session_key]
    tokens = [client.cookies["dft_csrf"].value]
    attempt(client, NAME)
    keys.append(client.cookies["dft_session"].value)
    tokens.append(client.cookies["dft_csrf"].value)
    assert int(client.cookies["dft_session"]["max-age"]) <= 300
    send(client, code_of(user, now.moment))
    keys.append(client.cookies["dft_session"].value)
    tokens.append(client.cookies["dft_csrf"].value)
    assert len(set(keys)) == len(set(tokens)) == 3
    assert "planted" not in client.session
    assert int(client.cookies["dft_session"]["max-age"]) > 3_600
    for key in keys[:2]:
        thief = Client()
        thief.cookies["dft_session"] = key
        assert not is_in(thief)
    assert [row.session_key for row in Session.objects.all()] == keys[2:]


def test_signing_in_as_somebody_else_ends_who_was_there(user: User) -> None:
    client = Client()
    attempt(client, "support")
    assert is_in(client)
    attempt(client, NAME)
    assert not is_in(client)


def test_one_goes_on_to_where_one_wanted_and_never_to_another_site(user: User, now: Clock) -> None:
    wanted = "/admin/tracking/transaction/?q=%26x"
    for target, expected in (
        (wanted, wanted),
        ("https://evil.example/", "/admin/"),
        ("//evil.example/", "/admin/"),
        ("/\\evil.example", "/admin/"),
        ("javascript:alert(1)", "/admin/"),
        ("http://testserver@evil.example/", "/admin/"),
    ):
        for body in ({"next": target}, None):
            now.move(minutes=1)
            client = Client()
            if body:
                sent = {"username": NAME, "password": PASSWORD, **body}
                client.post(LOGIN, sent)
            else:
                client.post(
                    LOGIN, {"username": NAME, "password": PASSWORD}, query_params={"next": target}
                )
            # what is said at the second step changes nothing any more
            answer = client.post(
                CODE,
                {"code": code_of(user, now.moment), "next": "https://evil.example/"},
                query_params={"next": "https://evil.example/"},
            )
            assert answer.url == expected, target


def test_a_sign_in_is_told_once_it_is_whole_and_each_failure_at_once(
    user: User, now: Clock
) -> None:
    heard: list[str] = []

    def came_in(user: User, **_: Any) -> None:
        heard.append(f"in {user.username}")

    def failed(credentials: Any, request: Any, **_: Any) -> None:
        assert request is not None
        heard.append(f"failed {credentials['username']}")

    user_logged_in.connect(came_in)
    user_login_failed.connect(failed)
    try:
        client = half_in(NAME)
        assert heard == []
        send(client, "nonsense")
        send(client, code_of(user, now.moment))
    finally:
        user_logged_in.disconnect(came_in)
        user_login_failed.disconnect(failed)
    assert heard == [f"failed {NAME}", f"in {NAME}"]


def test_no_page_of_signing_in_takes_a_forged_post(user: User, now: Clock) -> None:
    client = half_in(NAME)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    for address in (LOGIN, CODE, ENROL):
        body = {"code": code_of(user, now.moment), "username": NAME, "password": PASSWORD}
        assert strict.post(address, body).status_code == 403, address
    assert not is_in(client)
    assert send(client, code_of(user, now.moment)).status_code == 302


def test_the_api_takes_no_half_session_and_no_code(user: User, now: Clock) -> None:
    client = half_in(NAME)
    assert client.get(API).status_code == 401
    assert client.get(API, headers={"X-Code": code_of(user, now.moment)}).status_code == 401
