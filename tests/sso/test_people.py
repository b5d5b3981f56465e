"""Accounts of people whom a provider vouches for: how they come to be, and who may change them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tests.admin.world import make_people, signed_in
from tests.sso.local import takes
from tests.sso.world import config
from tracking.models import ExternalIdentity, Membership, User
from tracking.sso.people import arrive, groups_in, identity_key, person_of
from tracking.sso.refused import Refused

ISSUER = "https://id.example.org"


def come(subject: str = "s-1", *groups: str, **claims: Any) -> User:
    told = {"iss": ISSUER, "sub": subject, "preferred_username": "carol", **claims}
    return arrive(person_of(told), groups or ("dft-support",), config(ISSUER))


@pytest.fixture
def people(db: None) -> None:
    make_people()


def test_issuer_and_subject_make_the_key() -> None:
    made = {identity_key(issuer, sub) for issuer in (ISSUER, ISSUER + "/") for sub in ("x", "/x")}
    assert len(made) == 4


@pytest.mark.usefixtures("people")
def test_the_same_subject_of_another_issuer_is_somebody_else() -> None:
    first = come("s-1")
    second = come("s-1", iss="https://other.example.org")
    assert first.pk != second.pk
    assert come("s-1").pk == first.pk


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": None, "email": "c@example.org"}, "c@example.org"),
        ({"preferred_username": None}, "sso"),
        ({"preferred_username": 7}, "sso"),
        ({"preferred_username": " car\u0000ol\u202e \r\n x "}, "car ol x"),
        ({"preferred_username": "\uff41\uff44\uff4d\uff49\uff4e"}, "admin"),
        ({"preferred_username": "x" * 500}, "x" * 80),
        ({"preferred_username": "<b>"}, "<b>"),
    ],
)
def test_a_name_is_one_line_of_plain_letters(claims: dict[str, Any], name: str) -> None:
    assert come("s-1", **claims).username == name


@pytest.mark.usefixtures("people")
def test_a_name_that_is_taken_gets_a_tail() -> None:
    key = identity_key(ISSUER, "s-1")
    assert come("s-1", preferred_username="root").username == f"root-{key[:8]}"
    assert User.objects.get(username="root").is_superuser
    other = identity_key(ISSUER, "s-2")
    User.objects.create(username=f"root-{other[:8]}")
    assert come("s-2", preferred_username="root").username == f"root-{other}"


@hypothesis(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["sub", "name", "email", "preferred_username"]),
        st.text(max_size=300) | st.none() | st.integers() | st.lists(st.text()),
    )
)
def test_whatever_claims_hold_makes_texts_of_one_line(claims: dict[str, Any]) -> None:
    person = person_of({"iss": ISSUER, **claims, "sub": "s"})
    for text in (person.username, person.full_name, person.email):
        assert len(text) <= 254
        assert text == " ".join(text.split())
        assert text.isprintable()
        text.encode()


def test_groups_are_found_by_name_before_path() -> None:
    claims = {"a.b": ["x"], "a": {"b": ["y"]}, "c": {"d": {"e": "z"}}, "https://x.org/g": ["w"]}
    assert groups_in(claims, "a.b") == ["x"]
    assert groups_in(claims, "c.d.e") == ["z"]
    assert groups_in(claims, "https://x.org/g") == ["w"]
    assert groups_in(claims, "c.d.e.f") is None
    assert groups_in(claims, "nothing") is None


@pytest.mark.django_db(transaction=True)
def test_two_first_sign_ins_at_once_make_one_account() -> None:
    make_people()
    made: list[Any] = []
    begin = threading.Barrier(4)

    def run() -> None:
        begin.wait()
        try:
            made.append(come("s-1").pk)
        except Exception as error:
            made.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1, made
    assert User.objects.filter(username__startswith="carol").count() == 1
    assert Membership.objects.filter(user_id=made[0]).count() == 1
    assert ExternalIdentity.objects.count() == 1


@pytest.mark.usefixtures("people")
def test_who_is_refused_leaves_no_trace() -> None:
    before = User.objects.count()
    with pytest.raises(Refused, match="none of the 1 groups of 'carol'"):
        come("s-1", "cooks")
    assert User.objects.count() == before
    assert not ExternalIdentity.objects.exists()


@pytest.mark.usefixtures("people")
def test_the_persons_page_says_where_the_account_comes_from_and_changes_no_right() -> None:
    carol = come("s-1", name="Carol Clark")
    url = reverse("admin:tracking_user_change", args=[carol.pk])
    for name in ("administrator", "root"):
        client = signed_in(name)
        page = client.get(url)
        assert page.status_code == 200
        html = page.content.decode()
        assert "This account comes from single sign-on" in html
        assert 'name="groups"' not in html
        assert 'name="is_superuser"' not in html
        assert "id_password" not in html
        body = {
            "username": "carol",
            "is_active": "on",
            "is_staff": "on",
            "is_superuser": "on",
            "full_name": "Changed",
            "groups": [Group.objects.get(name="Auditor").pk],
            "memberships-TOTAL_FORMS": 1,
            "memberships-INITIAL_FORMS": 0,
            "memberships-0-tenant": "globex",
        }
        assert client.post(url, body).status_code == 302
    carol.refresh_from_db()
    assert carol.full_name == "Carol Clark"
    assert not carol.is_superuser
    assert set(carol.groups.values_list("name", flat=True)) == {"Support"}
    assert set(carol.memberships.values_list("tenant_id", flat=True)) == {"acme"}


@pytest.mark.usefixtures("people")
def test_an_administrator_switches_the_account_off() -> None:
    carol = come("s-1")
    url = reverse("admin:tracking_user_change", args=[carol.pk])
    body = {
        "username": "carol",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert signed_in("administrator").post(url, body).status_code == 302
    carol.refresh_from_db()
    assert not carol.is_active
    with pytest.raises(Refused, match="switched off"):
        come("s-1")


@pytest.mark.usefixtures("people")
def test_nobody_gives_the_account_a_password_or_a_tenant() -> None:
    carol = come("s-1")
    root = signed_in("root")
    password = "a-long-pass-word-7"
    url = reverse("admin:auth_user_password_change", args=[carol.pk])
    body = {"usable_password": "true", "password1": password, "password2": password}
    assert root.post(url, body).status_code == 403
    assert not takes("carol", password)
    add = reverse("admin:tracking_membership_add")
    assert root.post(add, {"user": carol.pk, "tenant": "globex"}).status_code == 200
    held = Membership.objects.get(user=carol)
    gone = reverse("admin:tracking_membership_delete", args=[held.pk])
    assert root.post(gone, {"post": "yes"}).status_code == 403
    assert Membership.objects.get(user=carol) == held
