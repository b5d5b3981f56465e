"""From the button to the home page, by HTTP alone, with a real OpenID provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import signals
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tests.admin.world import signed_in
from tests.sso.local import takes
from tests.sso.world import CALLBACK, Browser, Meddler, Provider, config
from tracking.models import ExternalIdentity, Membership, User
from tracking.sso import flow
from tracking.sso import provider as room
from tracking.sso.session import came_by_sso, had_second_factor

New = Callable[[], Browser]

PAGE = "/admin/tracking/verificationrun/"


def roles(name: str) -> set[str]:
    return set(User.objects.get(username=name).groups.values_list("name", flat=True))


def tenants(name: str) -> set[str]:
    held = Membership.objects.filter(user__username=name)
    return set(held.values_list("tenant_id", flat=True))


@contextmanager
def heard(signal: Any) -> Iterator[list[dict[str, Any]]]:
    got: list[dict[str, Any]] = []

    def listen(**said: Any) -> None:
        got.append(said)

    signal.connect(listen)
    try:
        yield got
    finally:
        signal.disconnect(listen)


def session_of(browser: Browser) -> Any:
    return Session.objects.get(pk=browser.session.cookies["dft_session"]).get_decoded()


def test_the_button_leads_to_the_page_wanted(provider: Provider, browser: New) -> None:
    alice = browser()
    with heard(signals.user_logged_in) as came:
        page = alice.sign_in("alice", then=PAGE)
    assert (page.status_code, page.url) == (200, alice.site + PAGE)
    assert [said["user"].username for said in came] == ["alice"]
    made = User.objects.get(username="alice")
    assert (made.full_name, made.email) == ("Alice Adams", "alice@example.org")
    assert not made.is_superuser
    assert not made.has_usable_password()
    assert roles("alice") == {"Auditor"}
    assert tenants("alice") == {"acme", "globex"}
    known = ExternalIdentity.objects.get(user=made)
    assert known.issuer == provider.issuer
    assert came_by_sso(session_of(alice))
    # Signing out here ends what was signed in here.
    token = {"csrfmiddlewaretoken": alice.session.cookies["dft_csrf"]}
    assert alice.session.post(f"{alice.site}/admin/logout/", token).status_code == 200
    assert not alice.is_in()


def test_who_comes_again_has_the_same_account(provider: Provider, browser: New) -> None:
    alice = browser()
    assert alice.sign_in("alice").url == f"{alice.site}/admin/"
    # Known there still: nothing is asked, and nothing given or taken.
    alice.session.cookies.set("dft_session", None)
    assert not alice.is_in()
    assert alice.get(alice.button()).url == f"{alice.site}/admin/"
    assert browser().sign_in("alice").status_code == 200
    assert User.objects.filter(username__startswith="alice").count() == 1
    assert LogEntry.objects.count() == 1


def test_groups_of_today_are_the_roles_of_today(provider: Provider, browser: New) -> None:
    before = browser()
    before.sign_in("alice")
    assert before.get(PAGE).status_code == 200
    provider.says("alice", groups=["dft-support", "cooks"], name="Alice Brown")
    after = browser()
    after.sign_in("alice")
    assert roles("alice") == {"Support"}
    assert tenants("alice") == {"acme"}
    assert User.objects.get(username="alice").full_name == "Alice Brown"
    # what is taken is taken in the session that was open before as well
    assert before.get(PAGE).status_code == after.get(PAGE).status_code == 403
    assert [entry.change_message for entry in LogEntry.objects.order_by("action_time")] == [
        "Single sign-on: roles given: Auditor; tenants given: acme, globex.",
        "Single sign-on: roles given: Support; roles taken: Auditor; tenants taken: globex.",
    ]


def test_what_was_given_by_hand_is_taken_again(provider: Provider, browser: New) -> None:
    browser().sign_in("alice")
    alice = User.objects.get(username="alice")
    alice.groups.add(Group.objects.get(name="Administrator"), Group.objects.create(name="Own"))
    alice.is_superuser = True
    alice.set_password("a-long-pass-word-7")
    alice.save()
    provider.says("alice", groups=["dft-support"])
    browser().sign_in("alice")
    assert roles("alice") == {"Support"}
    alice.refresh_from_db()
    assert not alice.is_superuser
    assert not alice.has_usable_password()


NO_GROUPS: tuple[Any, ...] = (
    ["cooks"],
    [],
    None,
    {"dft-auditors": True},
    [["dft-auditors"], 7],
    "Dft-Auditors",
)


def test_without_a_group_that_counts_nobody_gets_in(provider: Provider, browser: New) -> None:
    people = User.objects.count()
    for groups in NO_GROUPS:
        provider.says("bob", groups=groups)
        bob = browser()
        with heard(signals.user_login_failed) as failed, heard(signals.user_logged_in) as came:
            page = bob.sign_in("bob")
        assert page.status_code == 403, groups
        assert "You have no role here" in page.text
        assert "Example ID" in page.text
        assert "dft-auditors" not in page.text
        assert not bob.is_in()
        assert User.objects.count() == people
        assert [said["credentials"] for said in failed] == [{"username": "bob"}]
        assert came == []


def test_who_lost_every_group_loses_every_role_and_every_session(
    provider: Provider, browser: New
) -> None:
    before = browser()
    before.sign_in("alice")
    provider.says("alice", groups=["cooks"])
    assert browser().sign_in("alice").status_code == 403
    assert roles("alice") == tenants("alice") == set()
    assert before.get(PAGE).status_code == 403


def test_an_account_made_here_is_never_taken_over(provider: Provider, browser: New) -> None:
    password = "a-long-pass-word-7"
    victim = User.objects.get(username="auditor")
    victim.email = "auditor@example.org"
    victim.set_password(password)
    victim.save()
    mallory = browser()
    page = mallory.sign_in("mallory")
    assert page.status_code == 200
    made = ExternalIdentity.objects.get().user
    assert made.pk != victim.pk
    assert made.username.startswith("auditor-")
    assert roles(made.username) == {"Support"}
    assert roles("auditor") == {"Auditor"}
    assert mallory.get(PAGE).status_code == 403
    # and the account that was here goes on as it did
    assert takes("auditor", password)
    assert not takes(made.username, "x")


def test_a_name_that_is_given_away_again_gives_nothing(provider: Provider, browser: New) -> None:
    browser().sign_in("alice")
    provider.says("alice", groups=["cooks"])
    # somebody else is called so now
    provider.says("bob", preferred_username="alice", email="alice@example.org")
    assert browser().sign_in("bob").status_code == 403
    provider.says("bob", groups=["dft-support"])
    assert browser().sign_in("bob").status_code == 200
    assert roles("alice") == {"Auditor"}
    assert ExternalIdentity.objects.count() == 2


def test_an_account_that_is_switched_off_stays_off(provider: Provider, browser: New) -> None:
    browser().sign_in("alice")
    User.objects.filter(username="alice").update(is_active=False)
    alice = browser()
    with heard(signals.user_login_failed) as failed:
        page = alice.sign_in("alice")
    assert page.status_code == 403
    assert "switched off" in page.text
    assert not alice.is_in()
    assert not User.objects.get(username="alice").is_active
    assert [said["credentials"] for said in failed] == [{"username": "alice"}]


def test_who_says_no_at_the_provider_is_not_signed_in(provider: Provider, browser: New) -> None:
    # a provider that forgot its consents would do; one more scope does as well
    alice = browser()
    started = alice.get(alice.button(), follow=False).headers["location"]
    page = alice.go_on(alice.get(f"{started}&approval_prompt=force"), "alice", consent=False)
    assert page.status_code == 403
    assert "it was cancelled there" in page.text
    assert not alice.is_in()


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "///evil.example",
    "http:///evil.example",
    "javascript:alert(1)",
    "\x00//evil.example/",
    "/admin/\r\nLocation: https://evil.example/",
    "admin/",
    "/" + "x" * 2_000,
)


def test_nobody_is_sent_to_where_others_want(provider: Provider, browser: New) -> None:
    for then in ELSEWHERE:
        alice = browser()
        assert alice.button(then) == "/admin/sso/", then
        page = alice.go_on(alice.get(f"/admin/sso/?{urlencode({'next': then})}"), "alice")
        assert page.url == f"{alice.site}/admin/", then


def test_an_answer_is_good_once(provider: Provider, browser: New) -> None:
    alice = browser()
    answer = alice.answer_for("alice")
    cookie = alice.session.cookies["dft_sso"]
    assert alice.get(answer).status_code == 200
    assert "dft_sso" not in alice.session.cookies
    assert alice.get(answer).status_code == 400
    # with the cookie put back the code is spent, which the provider says
    thief = browser()
    thief.session.cookies.set("dft_sso", cookie)
    page = thief.get(answer)
    assert page.status_code == 403
    assert "did not hold" in page.text
    assert not thief.is_in()


def test_an_answer_is_good_for_the_browser_that_asked(provider: Provider, browser: New) -> None:
    """Who lures somebody to an answer of their own does not sign them in as somebody else."""
    mallory = browser()
    answer = mallory.answer_for("mallory")
    victim = browser()
    assert victim.get(answer).status_code == 400
    victim.get(victim.button(), follow=False)  # one of their own under way does not help
    page = victim.get(answer)
    assert page.status_code == 400
    assert "no longer good" in page.text
    assert not victim.is_in()


def test_a_code_of_somebody_else_opens_nothing(provider: Provider, browser: New) -> None:
    """A stolen code, put into one's own sign-in: without its verifier (PKCE) it is worthless."""
    stolen = parse_qs(urlsplit(browser().answer_for("alice")).query)["code"][0]
    thief = browser()
    own = parse_qs(urlsplit(thief.get(thief.button(), follow=False).headers["location"]).query)
    query = urlencode({"code": stolen, "state": own["state"][0]})
    assert thief.get(f"{CALLBACK}?{query}").status_code == 403
    assert not thief.is_in()


FORGED_STATES: tuple[Any, ...] = (
    lambda query: {**query, "state": "forged"},
    lambda query: {**query, "state": query["state"] + "x"},
    lambda query: {"code": query["code"]},
    lambda query: {},
    lambda query: {**query, "state": "ä" * 50},
)


def test_a_forged_state_is_refused(provider: Provider, browser: New) -> None:
    for change in FORGED_STATES:
        alice = browser()
        query = dict(parse_qsl(urlsplit(alice.answer_for("alice")).query))
        with heard(signals.user_login_failed) as failed:
            page = alice.get(f"{CALLBACK}?{urlencode(change(query))}")
        assert page.status_code == 400
        assert not alice.is_in()
        assert len(failed) == 1


def test_an_answer_that_comes_late_or_with_a_made_up_cookie_is_refused(
    provider: Provider, browser: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = browser()
    answer = alice.answer_for("alice")
    kept = alice.session.cookies["dft_sso"]
    for cookie in (kept[:-2] + "xx", "made-up", "W10:1:x", ""):
        forger = browser()
        forger.session.cookies.set("dft_sso", cookie)
        assert forger.get(answer).status_code == 400
    monkeypatch.setattr(flow, "MINUTES", -1)
    assert alice.get(answer).status_code == 400


def test_an_answer_of_another_issuer_is_refused(provider: Provider, browser: New) -> None:
    alice = browser()
    answer = f"{alice.answer_for('alice')}&iss=https%3A%2F%2Fevil.example"
    assert alice.get(answer).status_code == 403
    assert not alice.is_in()


def test_signing_in_changes_the_session(provider: Provider, browser: New) -> None:
    root = signed_in("root")
    planted = root.cookies["dft_session"].value
    alice = browser()
    alice.session.cookies.set("dft_session", planted, domain="localhost.local")
    alice.go_on(alice.get("/admin/sso/"), "alice")
    assert alice.session.cookies["dft_session"] != planted
    assert "alice" in alice.get("/admin/").text
    assert not came_by_sso(root.session)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/o/token/", "jwks.json"])
def test_a_provider_that_is_away_is_said_to_be(
    provider: Provider, meddler: Meddler, browser: New, path: str, caplog: Any
) -> None:
    meddler.changes[path] = lambda _: 502
    alice = browser()
    with heard(signals.user_login_failed) as failed:
        page = alice.sign_in("alice")
    assert page.status_code == 503
    assert "Example ID cannot be reached" in page.text
    assert "single sign-on refused: 127.0.0.1 answered 502" in caplog.text
    assert len(failed) == 1
    assert not alice.is_in()


def test_the_sign_in_page_opens_while_the_provider_is_away(
    provider: Provider, browser: New, settings: Any
) -> None:
    settings.DFT_OIDC = config("http://127.0.0.1:1/o")  # nobody listens there
    somebody = browser()
    assert somebody.get(somebody.button()).status_code == 503
    assert somebody.get(somebody.button()).status_code == 503
    # and it is asked again once it may be back
    settings.DFT_OIDC = config(provider.issuer)
    assert somebody.sign_in("alice").status_code == 200


def test_a_provider_that_is_away_is_not_asked_by_everybody(
    provider: Provider, meddler: Meddler, browser: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AGAIN_SECONDS", 600)
    meddler.changes["openid-configuration"] = lambda _: 503
    for _ in range(5):
        assert browser().get("/admin/sso/").status_code == 503
    assert len(meddler.asked) == 1
    meddler.changes.clear()
    monkeypatch.setattr(room, "AGAIN_SECONDS", 0)
    assert browser().sign_in("alice").status_code == 200


def test_what_the_provider_announces_is_asked_once_an_hour(
    provider: Provider, meddler: Meddler, browser: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert browser().sign_in("alice").status_code == 200
    documents = [path for path in meddler.asked if ".well-known" in path]
    assert documents == ["/o/.well-known/openid-configuration", "/o/.well-known/jwks.json"]
    monkeypatch.setattr(room, "KEPT_SECONDS", 0)
    assert browser().sign_in("alice").status_code == 200
    assert meddler.asked.count(documents[0]) > 1


def test_new_keys_of_the_provider_are_taken_up(
    provider: Provider, browser: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert browser().sign_in("alice").status_code == 200
    provider.stop()
    provider.new_key()
    provider.start()
    # just asked: a stranger with made-up key names does not make us ask again
    monkeypatch.setattr(room, "KEYS_ANEW_SECONDS", 600)
    assert browser().sign_in("alice").status_code == 403
    monkeypatch.setattr(room, "KEYS_ANEW_SECONDS", 0)
    assert browser().sign_in("alice").status_code == 200


def test_a_claim_at_a_path_is_found(provider: Provider, browser: New, settings: Any) -> None:
    settings.DFT_OIDC = config(provider.issuer, DFT_OIDC_GROUPS_CLAIM="realm_access.roles")
    provider.says("alice", realm_access={"roles": ["dft-support", "offline_access"]})
    assert browser().sign_in("alice").status_code == 200
    assert roles("alice") == {"Support"}


def test_a_tenant_that_does_not_exist_is_told_in_the_log(
    provider: Provider, browser: New, settings: Any, caplog: Any
) -> None:
    settings.DFT_OIDC = config(provider.issuer, DFT_OIDC_TENANTS="initech")
    assert browser().sign_in("alice").status_code == 403
    assert "names a tenant that does not exist: initech" in caplog.text
    assert not User.objects.filter(username="alice").exists()


def test_a_second_factor_counts_where_the_provider_demands_one(
    provider: Provider, browser: New, settings: Any
) -> None:
    alice = browser()
    alice.sign_in("alice")
    session = session_of(alice)
    assert not had_second_factor(session)
    settings.DFT_OIDC = config(provider.issuer, DFT_OIDC_SECOND_FACTOR="1")
    assert had_second_factor(session)
    assert not had_second_factor(signed_in("root").session)


def test_no_log_line_and_no_page_tells_a_secret(
    provider: Provider, browser: New, caplog: Any
) -> None:
    caplog.set_level("DEBUG")
    alice = browser()
    answer = alice.answer_for("alice")
    code = parse_qs(urlsplit(answer).query)["code"][0]
    pages = [alice.get(answer), alice.get(answer)]
    lines = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("tracking")
    )
    assert "signed in by single sign-on" in lines
    assert "single sign-on refused" in lines
    for text in (lines, *(page.text for page in pages)):
        assert code not in text
        assert "eyJ" not in text
        assert "a secret" not in text


@pytest.mark.django_db
def test_where_it_is_not_set_up_there_is_nothing(settings: Any) -> None:
    settings.DFT_OIDC = None
    assert "/admin/sso/" not in Client().get(reverse("admin:login")).content.decode()
    assert Client().get("/admin/sso/").status_code == 404
    assert Client().get(CALLBACK).status_code == 404


@pytest.mark.django_db
def test_only_a_get_begins_or_ends_a_sign_in(settings: Any) -> None:
    settings.DFT_OIDC = config("https://id.example.org")
    for path in ("/admin/sso/", CALLBACK):
        assert Client().post(path).status_code == 405
