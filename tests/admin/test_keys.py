"""API keys in the admin: shown once, then only revoked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from tests.admin.world import make_people, signed_in
from tracking import clock
from tracking.access.keys import authenticate, create_key
from tracking.access.origin import address_of
from tracking.errors import Unauthorized
from tracking.models import ApiKey

pytestmark = pytest.mark.django_db

ADD = {"name": "shop", "tenant": "acme", "scopes": ["ingest", "read"]}


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    make_people()


def add(person: str = "administrator", **fields: Any) -> Any:
    return signed_in(person).post(reverse("admin:tracking_apikey_add"), {**ADD, **fields})


def test_a_new_key_is_shown_once_and_works() -> None:
    answer = add()
    html = answer.content.decode()
    text = re.search(r"dft_[a-z0-9]+_[A-Za-z0-9_-]{43}", html).group(0)
    holder = authenticate(text, clock.now())
    assert (holder.tenant, holder.scopes) == ("acme", frozenset(("ingest", "read")))
    assert "no-store" in answer["Cache-Control"]
    secret = text.split("_", 2)[2]
    client = signed_in("administrator")
    key = ApiKey.objects.get()
    for url in (
        reverse("admin:tracking_apikey_changelist"),
        reverse("admin:tracking_apikey_change", args=[key.pk]),
        reverse("admin:tracking_apikey_history", args=[key.pk]),
        reverse("admin:index"),
    ):
        later = client.get(url).content.decode()
        assert secret not in later
        assert key.secret_hash not in later


@pytest.mark.parametrize(
    "fields",
    [{"tenant": "globex"}, {"scopes": []}, {"scopes": ["root"]}, {"name": ""}, {"tenant": ""}],
    ids=str,
)
def test_what_a_key_cannot_be_made_of(fields: dict[str, Any]) -> None:
    assert add(**fields).status_code == 200
    assert not ApiKey.objects.exists()


def test_a_rate_is_a_number_or_nothing() -> None:
    assert add(records_per_second="-1").status_code == 200
    assert add(records_per_second="1000001").status_code == 200
    assert not ApiKey.objects.exists()
    add(records_per_second="25")
    assert ApiKey.objects.get().records_per_second == 25


def test_only_name_networks_and_rate_can_be_changed() -> None:
    key, text = create_key(tenant="acme", name="shop", scopes=["ingest"])
    url = reverse("admin:tracking_apikey_change", args=[key.pk])
    body = {"name": "new", "scopes": ["export"], "tenant": "globex", "secret_hash": "0" * 64}
    body["records_per_second"] = "50"
    assert signed_in("administrator").post(url, body).status_code == 302
    stored = ApiKey.objects.get()
    assert (stored.name, stored.records_per_second) == ("new", 50)
    assert (stored.tenant_id, stored.scopes) == ("acme", ["ingest"])
    assert authenticate(text, clock.now()).prefix == key.pk


def test_revoking_asks_first_and_is_final() -> None:
    key, text = create_key(tenant="acme", name="shop", scopes=["ingest"])
    client = signed_in("administrator")
    change = reverse("admin:tracking_apikey_change", args=[key.pk])
    url = reverse("admin:tracking_apikey_revoke", args=[key.pk])
    assert url in client.get(change).content.decode()
    assert client.get(url).status_code == 200
    assert ApiKey.objects.get().revoked_at is None
    assert client.post(url).status_code == 302
    assert ApiKey.objects.get().revoked_at is not None
    with pytest.raises(Unauthorized):
        authenticate(text, clock.now())
    assert url not in client.get(change).content.decode()
    assert "revoked" in client.get(reverse("admin:tracking_apikey_changelist")).content.decode()


def test_networks_are_lines() -> None:
    assert add(networks="10.0.0.0/8\n10.0.0.0/33").status_code == 200
    assert "no network" in add(networks="203.0.113.5/24").content.decode()
    assert not ApiKey.objects.exists()
    add(networks=" 10.0.0.0/8 \r\n\r\n2001:db8::1\n")
    key = ApiKey.objects.get()
    assert key.networks == ["10.0.0.0/8", "2001:db8::1/128"]
    client = signed_in("administrator")
    url = reverse("admin:tracking_apikey_change", args=[key.pk])
    assert "10.0.0.0/8\n2001:db8::1/128" in client.get(url).content.decode()
    for text, kept in (("192.0.2.1", ["192.0.2.1/32"]), ("", [])):
        assert client.post(url, {"name": "shop", "networks": text}).status_code == 302
        assert ApiKey.objects.get().networks == kept
    assert "no network" in client.post(url, {"name": "shop", "networks": "x"}).content.decode()
    assert "10.0.0.0/8" not in signed_in("auditor").get(url).content.decode()


def test_rotating_shows_the_new_key_once() -> None:
    key, text = create_key(tenant="acme", name="shop", scopes=["ingest"], networks=["10.0.0.0/8"])
    client = signed_in("administrator")
    change = reverse("admin:tracking_apikey_change", args=[key.pk])
    url = reverse("admin:tracking_apikey_rotate", args=[key.pk])
    assert url in client.get(change).content.decode()
    assert 'value="7"' in client.get(url).content.decode()
    for days in ("", "-1", "91", "x"):
        assert client.post(url, {"days": days}).status_code == 200
    assert ApiKey.objects.count() == 1
    answer = client.post(url, {"days": "3"})
    found = re.search(r"dft_[a-z0-9]+_[A-Za-z0-9_-]{43}", answer.content.decode())
    assert found is not None
    assert "no-store" in answer["Cache-Control"]
    fresh, here = found.group(0), address_of("10.1.1.1", "", [])
    assert {authenticate(each, clock.now(), here).tenant for each in (text, fresh)} == {"acme"}
    html = client.get(change).content.decode()
    assert url not in html
    assert fresh.split("_")[1] in html
    assert fresh.split("_")[2] not in html
    listed = client.get(reverse("admin:tracking_apikey_changelist")).content.decode()
    assert "replaced" in listed
    assert client.post(url, {"days": "3"}).status_code == 302
    assert ApiKey.objects.count() == 2
