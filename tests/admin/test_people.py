"""People and memberships: who may give what to whom."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from tests.admin.world import make_people, make_person, signed_in
from tracking.models import Membership, Tenant, User

pytestmark = pytest.mark.django_db

PASSWORD = "a-long-pass-word-7"


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    make_people()


def change_url(name: str) -> str:
    return reverse("admin:tracking_user_change", args=[User.objects.get(username=name).pk])


def add(client: Client, **fields: Any) -> Any:
    body = {
        "username": "newcomer",
        "full_name": "New Comer",
        "email": "",
        "tenants": ["acme"],
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
        **fields,
    }
    return client.post(reverse("admin:tracking_user_add"), body)


def save(client: Client, name: str, **fields: Any) -> Any:
    user = User.objects.get(username=name)
    held = list(Membership.objects.filter(user=user, tenant_id="acme"))
    body = {
        "username": user.username,
        "full_name": user.full_name,
        "email": "",
        "is_active": "on",
        "is_staff": "on",
        "memberships-TOTAL_FORMS": len(held),
        "memberships-INITIAL_FORMS": len(held),
        **fields,
    }
    for n, membership in enumerate(held):
        body[f"memberships-{n}-id"] = membership.pk
        body[f"memberships-{n}-user"] = user.pk
        body[f"memberships-{n}-tenant"] = "acme"
    return client.post(change_url(name), body)


def test_an_administrator_adds_a_person_to_their_tenant() -> None:
    answer = add(signed_in("administrator"))
    assert answer.status_code == 302, answer.context["errors"]
    made = User.objects.get(username="newcomer")
    assert made.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert list(made.memberships.values_list("tenant_id", flat=True)) == ["acme"]
    body = {"username": "newcomer", "password": PASSWORD}
    assert Client().post(reverse("admin:login"), body).status_code == 302


def test_a_person_belongs_to_a_tenant_from_the_start() -> None:
    assert add(signed_in("administrator"), tenants=[]).status_code == 200
    assert add(signed_in("administrator"), tenants=["globex"]).status_code == 200
    assert not User.objects.filter(username="newcomer").exists()


def test_a_taken_name_or_a_weak_password_is_refused() -> None:
    client = signed_in("administrator")
    assert add(client, username="support").status_code == 200
    assert add(client, password1="12345678", password2="12345678").status_code == 200
    assert not User.objects.filter(username="newcomer").exists()


def test_an_administrator_gives_roles() -> None:
    role = Group.objects.get(name="Auditor")
    answer = save(signed_in("administrator"), "support", groups=[role.pk])
    assert answer.status_code == 302
    assert list(User.objects.get(username="support").groups.all()) == [role]


def test_an_administrator_gives_no_other_group_and_no_superuser_right() -> None:
    other = Group.objects.create(name="Everything")
    answer = save(signed_in("administrator"), "support", groups=[other.pk])
    assert answer.status_code == 200
    save(signed_in("administrator"), "support", is_superuser="on")
    assert not User.objects.get(username="support").is_superuser


def test_nobody_gives_themselves_roles_or_tenants() -> None:
    client = signed_in("administrator")
    own = User.objects.get(username="administrator")
    auditor = Group.objects.get(name="Auditor")
    assert save(client, "administrator", groups=[auditor.pk], full_name="Ann").status_code == 302
    own.refresh_from_db()
    assert own.full_name == "Ann", "everything else of one's own may be changed"
    assert [group.name for group in own.groups.all()] == ["Administrator"]
    html = client.get(change_url("administrator")).content.decode()
    assert "by another administrator" in html
    assert 'name="groups"' not in html
    make_person("second", "Administrator")
    assert save(signed_in("second"), "administrator", groups=[auditor.pk]).status_code == 302
    assert [group.name for group in own.groups.all()] == ["Auditor"]


def test_nobody_gives_or_takes_their_own_memberships() -> None:
    make_person("both", "Administrator", tenants=("acme", "globex"))
    client, both = signed_in("both"), User.objects.get(username="both")
    Membership.objects.get(user=both, tenant_id="globex").delete()
    make_person("mate", "Administrator", tenants=("acme", "globex"))
    url = reverse("admin:tracking_membership_add")
    assert client.post(url, {"user": both.pk, "tenant": "acme"}).status_code == 200
    held = Membership.objects.get(user=both)
    gone = reverse("admin:tracking_membership_delete", args=[held.pk])
    assert client.post(gone, {"post": "yes"}).status_code == 403
    answer = save(client, "both", **{"memberships-0-DELETE": "on"})
    assert answer.status_code == 302
    assert [each.tenant_id for each in Membership.objects.filter(user=both)] == ["acme"]
    fields = {"user": both.pk, "tenant": "globex"}
    assert signed_in("mate").post(url, fields).status_code == 302
    assert Membership.objects.filter(user=both).count() == 2


def test_a_superuser_may_change_their_own() -> None:
    role = Group.objects.get(name="Support")
    assert save(signed_in("root"), "root", groups=[role.pk], is_superuser="on").status_code == 302
    assert list(User.objects.get(username="root").groups.all()) == [role]


def test_an_administrator_cannot_change_a_superuser() -> None:
    client = signed_in("administrator")
    before = User.objects.get(username="root").full_name
    assert save(client, "root", full_name="Taken").status_code == 403
    root = User.objects.get(username="root")
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    body = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(password, body).status_code == 403
    assert User.objects.get(username="root").full_name == before


def test_who_belongs_elsewhere_too_cannot_be_taken_over() -> None:
    both = make_person("both", "Support", tenants=("acme", "globex"))
    client = signed_in("administrator")
    assert client.get(change_url("both")).status_code == 200
    password = reverse("admin:auth_user_password_change", args=[both.pk])
    body = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(password, body).status_code == 403
    assert "globex" not in client.get(change_url("both")).content.decode()


def test_people_of_other_tenants_do_not_exist() -> None:
    client = signed_in("administrator")
    html = client.get(reverse("admin:tracking_user_changelist")).content.decode()
    assert "stranger" not in html
    assert "support" in html
    assert client.get(change_url("stranger")).status_code == 302


def test_the_list_names_roles_and_finds_by_name() -> None:
    client = signed_in("administrator")
    url = reverse("admin:tracking_user_changelist")
    assert "Auditor" in client.get(url).content.decode()
    found = client.get(url, {"q": "sup"}).context["cl"].result_list
    assert [user.username for user in found] == ["support"]


def test_nobody_is_deleted() -> None:
    user = User.objects.get(username="support")
    url = reverse("admin:tracking_user_delete", args=[user.pk])
    assert signed_in("root").post(url, {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


def test_a_membership_is_given_and_taken_within_ones_own_tenants() -> None:
    client = signed_in("root")
    stranger = User.objects.get(username="stranger")
    url = reverse("admin:tracking_membership_add")
    assert client.post(url, {"user": stranger.pk, "tenant": "acme"}).status_code == 302
    made = Membership.objects.get(user=stranger, tenant_id="acme")
    gone = reverse("admin:tracking_membership_delete", args=[made.pk])
    assert client.post(gone, {"post": "yes"}).status_code == 302
    assert not Membership.objects.filter(pk=made.pk).exists()
    support = User.objects.get(username="support")
    other = {"user": support.pk, "tenant": "globex"}
    assert signed_in("administrator").post(url, other).status_code == 200
    assert not Membership.objects.filter(user=support, tenant_id="globex").exists()


def test_a_new_tenant_belongs_to_who_made_it() -> None:
    client = signed_in("administrator")
    body = {"name": "Initech", "slug": "initech"}
    assert client.post(reverse("admin:tracking_tenant_add"), body).status_code == 302
    assert Tenant.objects.get(pk="initech").name == "Initech"
    held = User.objects.get(username="administrator").memberships
    assert sorted(held.values_list("tenant_id", flat=True)) == ["acme", "initech"]


@pytest.mark.parametrize("slug", ["Initech", "-x", "a b", "", "x" * 41, "acme"])
def test_a_tenants_slug_is_checked(slug: str) -> None:
    body = {"name": "Initech", "slug": slug}
    answer = signed_in("root").post(reverse("admin:tracking_tenant_add"), body)
    assert answer.status_code == 200
    assert Tenant.objects.count() == 2


def test_a_tenants_slug_never_changes() -> None:
    url = reverse("admin:tracking_tenant_change", args=["acme"])
    answer = signed_in("root").post(url, {"name": "Acme 2", "slug": "other"})
    assert answer.status_code == 302
    assert {t.pk: t.name for t in Tenant.objects.all()}["acme"] == "Acme 2"
    assert (
        signed_in("root")
        .post(reverse("admin:tracking_tenant_delete", args=["acme"]), {"post": "yes"})
        .status_code
        == 403
    )


def test_the_five_roles_cannot_be_edited_by_hand() -> None:
    role = Group.objects.get(name="Support")
    for name in ("administrator", "root"):
        client = signed_in(name)
        url = reverse("admin:auth_group_change", args=[role.pk])
        assert client.get(url).status_code == 200
        assert client.post(url, {"name": "Mighty", "permissions": []}).status_code == 403
    assert Group.objects.get(pk=role.pk).name == "Support"
