"""Sign-ins, refusals, and every change of what people manage: who, what, from what to what."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from tests.admin.world import make_person, signed_in
from tests.api.http import get, make_key
from tests.audit.looks import accesses, noted, unwritable
from tests.tools import record
from tracking import vocabulary as v
from tracking.access.keys import create_key, forget_known_keys, revoke
from tracking.audit import doors
from tracking.models import ApiKey, FlowDefinition, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]

LOGIN = "/admin/login/"
WORD = "correct-horse-9"


def changed(row: dict[str, Any]) -> dict[str, list[str]]:
    return {
        name.removeprefix("changed."): value
        for name, value in row["said"].items()
        if name.startswith("changed.")
    }


def with_password(name: str, tenants: tuple[str, ...] = ("acme",)) -> User:
    user = make_person(name, "Auditor", tenants=tenants)
    user.set_password(WORD)
    user.save()
    return user


def test_signing_in_and_out_is_told() -> None:
    user = with_password("anna")
    client = Client(headers={"user-agent": "Browser/1"})
    with noted() as found:
        answer = client.post(LOGIN, {"username": "anna", "password": WORD, "next": "/admin/"})
        assert answer.status_code == 302
        client.post("/admin/logout/")
    assert [(row["block"], row["status"]) for row in found] == [
        (v.SIGN_IN, "succeeded"),
        (v.SIGN_OUT, "succeeded"),
    ]
    assert {row["object_id"] for row in found} == {user.pk.hex}
    assert found[0]["said"]["agent"] == "Browser/1"
    assert WORD not in str(found)


def test_a_refused_sign_in_is_told_to_the_tenants_of_whom_it_names() -> None:
    with_password("anna", ("acme", "globex"))
    with noted() as acme, noted("globex") as globex, noted("") as nobodys:
        Client().post(LOGIN, {"username": "anna", "password": "wrong-word-1"})
    assert [len(each) for each in (acme, globex, nobodys)] == [1, 1, 0]
    assert (acme[0]["block"], acme[0]["status"]) == (v.SIGN_IN, "filtered")
    assert acme[0]["object_type"] == v.STRANGER, "nobody has proved to be Anna"
    assert acme[0]["said"]["target"] == "user anna"
    assert "wrong-word-1" not in str(acme)


def test_a_name_that_nobody_has_is_not_kept() -> None:
    with noted("") as nobodys:
        Client().post(LOGIN, {"username": "my-secret-word", "password": "x"})
    assert len(nobodys) == 1
    assert "my-secret-word" not in str(nobodys)


def test_a_sign_in_that_cannot_be_written_down_is_none() -> None:
    with_password("anna")
    client = Client()
    with unwritable():
        answer = client.post(LOGIN, {"username": "anna", "password": WORD})
        assert answer.status_code == 503
    assert client.get("/admin/").status_code == 302, "not signed in"


def test_what_becomes_of_a_key_is_told_and_never_its_secret() -> None:
    client = signed_in("administrator")
    form = {"name": "shop", "tenant": "acme", "scopes": ["ingest"], "networks": "10.0.0.0/8"}
    with noted() as found:
        page = client.post(reverse("admin:tracking_apikey_add"), form).content.decode()
        key = ApiKey.objects.get(name="shop")
        change = reverse("admin:tracking_apikey_change", args=[key.pk])
        client.post(change, {"name": "shop 2", "networks": "10.0.0.0/8", "records_per_second": ""})
        client.post(reverse("admin:tracking_apikey_rotate", args=[key.pk]), {"days": "1"})
        client.post(reverse("admin:tracking_apikey_revoke", args=[key.pk]))
    assert all(row["block"] == v.CHANGE for row in found)
    made, renamed, replaced, new, revoked = found
    assert changed(made)["scopes"] == ["", "ingest"]
    assert changed(made)["networks"] == ["", "10.0.0.0/8"]
    assert changed(renamed)["name"] == ["shop", "shop 2"]
    assert changed(replaced)["it"][1].startswith("Replaced by")
    assert changed(new)["it"][1].startswith("In place of")
    assert changed(revoked)["it"] == ["", "Revoked."]
    assert f"dft_{key.pk}" in made["said"]["target"]
    secret = page.split(f"dft_{key.pk}_")[1][:43]
    assert len(secret) == 43
    assert secret not in str(accesses())


def test_a_change_of_roles_tenants_and_passwords_is_told() -> None:
    person = make_person("bert", "Support")
    client = signed_in("root")
    url = reverse("admin:tracking_user_change", args=[person.pk])
    developer = Group.objects.get(name="Developer")
    membership = person.memberships.get()
    form = {
        "username": "bert",
        "full_name": "Bert",
        "email": "",
        "is_active": "on",
        "is_staff": "on",
        "groups": [str(developer.pk)],
        "memberships-TOTAL_FORMS": "2",
        "memberships-INITIAL_FORMS": "1",
        "memberships-MIN_NUM_FORMS": "0",
        "memberships-MAX_NUM_FORMS": "1000",
        "memberships-0-id": str(membership.pk),
        "memberships-0-user": str(person.pk),
        "memberships-0-DELETE": "on",
        "memberships-0-tenant": "acme",
        "memberships-1-id": "",
        "memberships-1-user": str(person.pk),
        "memberships-1-tenant": "globex",
    }
    with noted() as acme, noted("globex") as globex:
        answer = client.post(url, form)
        assert answer.status_code == 302, answer.content.decode()[:3000]
    # whose member he was, and whose he is: each of them is told
    assert (len(acme), len(globex)) == (1, 1)
    told = changed(acme[0])
    assert told["groups"] == ["Support", "Developer"]
    assert any("globex" in text for text in told["membership"])
    words = {"password1": WORD, "password2": WORD, "usable_password": "true"}
    with noted("globex") as found:
        client.post(reverse("admin:auth_user_password_change", args=[person.pk]), words)
    assert len(found) == 1
    assert WORD not in str(found)


def test_a_change_of_flows_is_told() -> None:
    client = signed_in("administrator")
    definition = FlowDefinition.objects.get(flow="orders")
    delete = reverse("admin:tracking_flowdefinition_delete", args=[definition.pk])
    with noted() as found:
        assert client.post(delete, {"post": "yes"}).status_code == 302
    (row,) = found
    assert (row["block"], changed(row)["it"]) == (v.CHANGE, ["", "deleted"])
    assert "orders" in row["said"]["target"]


def test_ones_own_password_is_a_change_too() -> None:
    with_password("anna")
    client = Client()
    client.post(LOGIN, {"username": "anna", "password": WORD})
    words = {
        "old_password": WORD,
        "new_password1": "other-word-99",
        "new_password2": "other-word-99",
    }
    with noted() as found:
        client.get(reverse("admin:password_change"))
        assert client.post(reverse("admin:password_change"), words).status_code == 302
    assert [(row["block"], row["status"]) for row in found] == [(v.CHANGE, "succeeded")]
    assert "other-word-99" not in str(found)


def test_a_key_that_opens_nothing_any_more_is_told_once_a_minute() -> None:
    key, text = create_key(tenant="acme", name="old", scopes=("ingest", "read"))
    revoke(key.pk)
    forget_known_keys()
    doors._told.clear()
    with noted() as found:
        for _ in range(3):
            assert get("/api/v1/transactions", text).status_code == 401
    assert len(found) == 1
    assert (found[0]["object_type"], found[0]["object_id"]) == (v.KEY, key.pk)
    assert found[0]["part"]["reason"].startswith("key_revoked")
    with unwritable():
        doors._told.clear()
        assert get("/api/v1/transactions", text).status_code == 401, "and never anything else"


def test_commands_that_make_keys_are_told() -> None:
    with noted() as found:
        call_command("create_key", "--tenant", "acme", "--name", "by hand", "--scope", "ingest")
        key = ApiKey.objects.get(name="by hand")
        call_command("rotate_key", key.pk)
    assert [(row["object_type"], row["said"]["page"]) for row in found] == [
        (v.OPERATOR, "create_key"),
        (v.OPERATOR, "rotate_key"),
    ]
    with unwritable(), pytest.raises(CommandError, match="recorded"):
        call_command("create_key", "--tenant", "acme", "--name", "unseen", "--scope", "ingest")
    assert not ApiKey.objects.filter(name="unseen").exists()


def test_posting_leaves_no_access_record() -> None:
    from tests.api.http import post_values

    with noted() as found:
        assert post_values([record()], make_key()).status_code == 201
    assert found == []
