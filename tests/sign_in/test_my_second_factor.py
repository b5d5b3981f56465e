"""What people do with their own second factor, and administrators with that of others."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.world import make_person, signed_in
from tests.sign_in.world import (
    CODE,
    MINE,
    NEW_DEVICE,
    PASSWORD,
    Clock,
    attempt,
    code_of,
    codes_on,
    enrol,
    half_in,
    is_in,
    person,
    secret_of,
    secret_on,
)
from tracking.access import second_factor, totp
from tracking.models import SecondFactor, User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("people")]

NAME = "support"


def act(client: Client, what: str, code: str = "", password: str = PASSWORD, **more: Any) -> Any:
    return client.post(MINE, {"what": what, "password": password, "code": code}, **more)


def in_with_device(now: Clock) -> tuple[Client, list[str]]:
    """Somebody signed in with a device, and its recovery codes."""
    codes = enrol(person(NAME), now.moment)
    now.move(minutes=1)
    client = half_in(NAME)
    assert client.post(CODE, {"code": code_of(person(NAME), now.moment)}).status_code == 302
    now.move(minutes=1)
    return client, codes


def test_it_is_in_ones_own_menu() -> None:
    html = signed_in(NAME).get(reverse("admin:index")).content.decode()
    assert f'href="{MINE}"' in html
    assert f'href="{reverse("admin:password_change")}"' in html


def test_set_up_by_password_and_the_first_code(now: Clock) -> None:
    client = Client()
    attempt(client, NAME)
    assert "Not set up" in client.get(MINE).content.decode()
    assert act(client, "device", password="wrong").status_code == 200
    assert client.get(NEW_DEVICE).url == MINE
    assert act(client, "device").url == NEW_DEVICE
    before = client.cookies["dft_session"].value
    page = client.get(NEW_DEVICE)
    assert client.post(NEW_DEVICE, {"code": "12"}).status_code == 200
    code = totp.code_at(secret_on(page), totp.step_of(now.moment))
    codes = codes_on(client.post(NEW_DEVICE, {"code": code}))
    assert len(codes) == 10
    assert client.cookies["dft_session"].value != before
    html = client.get(MINE).content.decode()
    assert "10 recovery codes are left" in html
    assert not any(each in html for each in codes)
    # the page with the secret is gone as well
    assert client.get(NEW_DEVICE).url == MINE
    assert attempt(Client(), NAME).url == CODE


def test_a_secret_that_nobody_confirms_is_forgotten_after_ten_minutes(now: Clock) -> None:
    client = Client()
    attempt(client, NAME)
    act(client, "device")
    assert client.get(NEW_DEVICE).status_code == 200
    now.move(minutes=10)
    assert client.get(NEW_DEVICE).url == MINE


@pytest.mark.parametrize("what", ["off", "codes", "device"])
def test_each_change_needs_the_password_and_a_code_that_is_good(now: Clock, what: str) -> None:
    client, codes = in_with_device(now)
    before = SecondFactor.objects.get()
    right = code_of(person(NAME), now.moment)
    for password, code in ((PASSWORD, ""), (PASSWORD, "000000"), ("wrong", right)):
        assert act(client, what, code, password).status_code == 200
    assert act(client, "", right).url == MINE  # nothing asked for, and the code is used
    assert act(client, what, right).status_code == 200
    after = SecondFactor.objects.get()
    assert (after.serial, after.recovery) == (before.serial, before.recovery)
    assert client.get(NEW_DEVICE).url == MINE
    now.move(minutes=16)
    assert act(client, what, codes[0]).status_code in (200, 302)
    changed = SecondFactor.objects.first()
    assert changed is None or changed.recovery != before.recovery
    assert is_in(client)


def test_switched_off_the_password_alone_signs_in(now: Clock) -> None:
    client, _codes = in_with_device(now)
    assert act(client, "off", code_of(person(NAME), now.moment)).url == MINE
    assert not SecondFactor.objects.exists()
    other = Client()
    assert attempt(other, NAME).url == reverse("admin:index")
    assert is_in(other)
    assert is_in(client)


def test_new_recovery_codes_are_shown_once_and_end_the_old_ones(now: Clock) -> None:
    client, old = in_with_device(now)
    new = codes_on(act(client, "codes", code_of(person(NAME), now.moment)))
    assert len(new) == 10
    assert not set(new) & set(old)
    other = half_in(NAME)
    assert other.post(CODE, {"code": old[0]}).status_code == 200
    assert other.post(CODE, {"code": new[0]}).status_code == 302


def test_another_device_takes_the_place_of_the_old_one(now: Clock) -> None:
    client, codes = in_with_device(now)
    old = secret_of(person(NAME))
    assert act(client, "device", code_of(person(NAME), now.moment)).url == NEW_DEVICE
    secret = secret_on(client.get(NEW_DEVICE))
    # until it is confirmed the old one is in use
    assert secret_of(person(NAME)) == old
    code = totp.code_at(secret, totp.step_of(now.moment))
    assert codes_on(client.post(NEW_DEVICE, {"code": code}))
    assert secret_of(person(NAME)) == secret
    now.move(minutes=1)
    other = half_in(NAME)
    for gone in (totp.code_at(old, totp.step_of(now.moment)), codes[0]):
        assert other.post(CODE, {"code": gone}).status_code == 200
    assert other.post(CODE, {"code": code_of(person(NAME), now.moment)}).status_code == 302


def test_where_the_role_needs_one_it_moves_and_is_not_switched_off(
    now: Clock, settings: Any
) -> None:
    settings.DFT_SECOND_FACTOR_ROLES = frozenset(["Support"])
    client, _codes = in_with_device(now)
    html = client.get(MINE).content.decode()
    assert 'value="off"' not in html
    assert act(client, "off", code_of(person(NAME), now.moment)).url == MINE
    assert SecondFactor.objects.count() == 1
    now.move(minutes=1)
    act(client, "device", code_of(person(NAME), now.moment))
    secret = secret_on(client.get(NEW_DEVICE))
    client.post(NEW_DEVICE, {"code": totp.code_at(secret, totp.step_of(now.moment))})
    assert is_in(client)


def test_guessing_at_an_open_session_locks(now: Clock) -> None:
    client, _codes = in_with_device(now)
    good = code_of(person(NAME), now.moment)
    answers = [act(client, "off", good, f"wrong {n}").status_code for n in range(6)]
    assert answers == [200] * 4 + [429] * 2
    assert act(client, "off", good).status_code == 429
    assert SecondFactor.objects.exists()
    # the session is not ended by it
    assert is_in(client)


def test_guessing_the_old_password_to_change_it_locks(now: Clock) -> None:
    client = Client()
    attempt(client, NAME)
    url = reverse("admin:password_change")
    new = {"new_password1": "a-long-pass-word-7", "new_password2": "a-long-pass-word-7"}
    answers = [
        client.post(url, {"old_password": f"wrong {n}", **new}).status_code for n in range(6)
    ]
    assert answers == [200] * 4 + [429] * 2
    now.move(minutes=15)
    assert client.post(url, {"old_password": PASSWORD, **new}).status_code == 302
    assert person(NAME).check_password("a-long-pass-word-7")
    assert is_in(client)


def test_forged_posts_change_nothing(now: Clock) -> None:
    client, codes = in_with_device(now)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert act(strict, "off", codes[0]).status_code == 403
    assert strict.post(NEW_DEVICE, {"code": codes[0]}).status_code == 403
    reset = reset_url(NAME)
    boss = Client(enforce_csrf_checks=True)
    boss.force_login(person("administrator"))
    assert boss.post(reset).status_code == 403
    assert len(SecondFactor.objects.get().recovery) == 10


def test_without_a_password_here_there_is_nothing_to_do_here() -> None:
    user = person(NAME)
    user.set_unusable_password()
    user.save()
    client = signed_in(NAME)
    html = client.get(MINE).content.decode()
    assert 'name="password"' not in html
    assert reverse("admin:password_change") not in html
    assert act(client, "device").status_code == 200


# --- Reset by an administrator ----------------------------------------------------------------


def reset_url(name: str) -> str:
    change = reverse("admin:tracking_user_change", args=[person(name).pk])
    return change.replace("change/", "reset-second-factor/")


def offered(client: Client, name: str) -> bool:
    page = client.get(reverse("admin:tracking_user_change", args=[person(name).pk]))
    return page.status_code == 200 and reset_url(name) in page.content.decode()


def test_an_administrator_resets_for_somebody_who_lost_theirs(now: Clock) -> None:
    boss = signed_in("administrator")
    assert not offered(boss, NAME)
    codes = enrol(person(NAME), now.moment)
    assert offered(boss, NAME)
    assert "Reset it?" in boss.get(reset_url(NAME)).content.decode()
    assert SecondFactor.objects.exists()  # asking changes nothing
    assert boss.post(reset_url(NAME)).status_code == 302
    assert not SecondFactor.objects.exists()
    assert attempt(Client(), NAME).url == reverse("admin:index")
    assert not second_factor.use_code(person(NAME), codes[0], moment=now.moment)
    history = reverse("admin:tracking_user_history", args=[person(NAME).pk])
    assert "Reset the second factor." in boss.get(history).content.decode()


def test_nobody_resets_whom_they_may_not_change_nor_themselves(now: Clock) -> None:
    make_person("both", "Support", tenants=("acme", "globex"))
    for name in (NAME, "root", "both", "stranger", "administrator"):
        enrol(person(name), now.moment)
    before = set(SecondFactor.objects.values_list("pk", flat=True))
    cases = [
        ("administrator", ("root", "both", "stranger", "administrator")),
        ("auditor", (NAME, "administrator")),
        ("developer", (NAME,)),
        ("root", ("root",)),
    ]
    for who, whom in cases:
        client = signed_in(who)
        for name in whom:
            assert not offered(client, name), (who, name)
            assert client.post(reset_url(name)).status_code in (302, 403), (who, name)
    assert set(SecondFactor.objects.values_list("pk", flat=True)) == before
    assert signed_in("root").post(reset_url("administrator")).status_code == 302
    assert not SecondFactor.objects.filter(pk=person("administrator").pk).exists()


def test_the_list_of_people_says_who_has_one(now: Clock) -> None:
    enrol(person(NAME), now.moment)
    found = signed_in("administrator").get(reverse("admin:tracking_user_changelist"))
    rows = {row.username: row.has_second_factor for row in found.context["cl"].result_list}
    assert [name for name, has in rows.items() if has] == [NAME]
    assert User.objects.count() > len(rows) > 1
