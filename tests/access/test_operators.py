"""Operators of the database, sent wherever something can be sent: they are text, or refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests.access.asking import told
from tests.access.house import (
    EVERYTHING,
    PASSWORD,
    House,
    Person,
    difference,
    sign_in,
    stored,
)
from tests.api.http import bearer
from tracking.admin.base import parameters_of
from tracking.api.evidence import SearchEvidence
from tracking.api.transactions import TransactionList
from tracking.models import AccessRecord

pytestmark = pytest.mark.django_db

# What would find everything, if it were more than a text.
VALUES = (
    *('{"$gt": ""}', '{"$ne": null}', '{"$regex": ".*"}', '{"$exists": true}', "$where", "$ne"),
    *("{'$gt': ''}", '[{"$gt": ""}]', "1; return true", "';return true;//", "function(){return 1}"),
    *(".*", "^", "$flow", "$$ROOT", "{{flow}}", '{"$where": "sleep(9000)"}', "\x00", "acme/"),
)
PLAIN = "nothing-of-this-name"
SUFFIXES = (
    *("[$ne]", "[$gt]", "[]", ".$ne", "$ne", "__ne", "__regex", "__iregex", "__startswith"),
    *("__contains", "__gt", "__in", "__isnull", "__range", "__0", "__date__gt", ".x"),
)
NAMES = (
    *("$where", "$or", "$expr", "_id", "pk", "pk__gt", "id__regex", "part.reason", "part__reason"),
    *("part__attributes__0__value__startswith", "tenant__users__password__startswith"),
    *("tenant__name__startswith", "user__password__startswith", "password__startswith", "user"),
    *("memberships__tenant", "secret_hash__startswith", "secret_hash", "memberships__isnull"),
    *("tenant", "tenant_id__regex", "salt", "batches__holds", "user__username__startswith"),
    *("groups__name", "permissions__codename__startswith", "email__regex", "is_superuser__exact"),
)


def found(client: Client, url: str, query: list[tuple[str, str]]) -> Any:
    """The keys of the rows that a list shows, or the status of a refusal."""
    answer = client.get(f"{url}?{urlencode(query)}")
    assert answer.status_code < 500, (url, query)
    if answer.status_code != 200:
        return told(answer)
    return [row.pk for row in answer.context["cl"].result_list]


def lists() -> Iterator[tuple[str, list[str]]]:
    for model, page in admin.site._registry.items():
        if model is AccessRecord:
            continue  # grows by being looked at; its own tests narrow it
        names = [name for each in page.list_filter for name in parameters_of(each)]
        names += [*getattr(page, "lookups_offered", ()), "of", "q", "o", "p", "e", "all"]
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), names


def test_in_a_list_of_the_admin_a_value_is_a_text(house: House) -> None:
    client = sign_in(Person(EVERYTHING))
    count = 0
    for url, names in lists():
        for number, name in enumerate(names):
            plain = found(client, url, [(name, PLAIN)])
            # all values in turn: each parameter with one or two, each value at some parameters
            for value in VALUES[number % 17 :: 17]:
                if (name, value) == ("q", "\x00"):
                    continue  # no search at all, with a sentence
                assert found(client, url, [(name, value)]) == plain, (url, name, value)
                count += 1
    print(f"\n{count} questions")


def test_a_list_of_the_admin_takes_no_other_parameter(house: House) -> None:
    client = sign_in(Person(EVERYTHING))
    count = 0
    for place, (url, names) in enumerate(lists()):
        made = [f"{name}{SUFFIXES[n % len(SUFFIXES)]}" for n, name in enumerate(names)]
        made += [f"{names[0]}{suffix}" for suffix in SUFFIXES[place % 2 :: 2]]
        for name in (*made, *NAMES[place % 2 :: 2]):
            if name in names:
                continue
            assert client.get(url, {name: "a"}).status_code == 400, (url, name)
            count += 1
    print(f"\n{count} questions")


def test_repeating_a_parameter_makes_no_list_of_it(house: House) -> None:
    client = sign_in(Person(EVERYTHING))
    url = reverse("admin:tracking_transaction_changelist")
    both = found(client, url, [("flow", "orders"), ("flow", PLAIN)])
    assert both == found(client, url, [("flow", PLAIN)]) == []
    assert found(client, url, [("flow", PLAIN), ("flow", "orders")])


@pytest.mark.parametrize("view", [TransactionList, SearchEvidence])
def test_in_the_api_a_value_is_a_text(view: Any, house: House) -> None:
    client = Client(raise_request_exception=False, headers=bearer(house.keys["all"]))
    path = "/api/v1/transactions" if view is TransactionList else "/api/v1/evidence"
    for name in view.parameters:
        plain = client.get(path, {name: PLAIN})
        assert plain.status_code in (200, 400, 404)
        for value in VALUES:
            answer = client.get(path, {name: value})
            if answer.status_code == 400:
                continue
            assert answer.status_code == plain.status_code, (name, value)
            if plain.status_code == 200:
                assert json.loads(answer.content)["results"] == [], (name, value)


def test_the_api_takes_no_other_parameter(house: House) -> None:
    client = Client(raise_request_exception=False, headers=bearer(house.keys["all"]))
    own = house.ids["acme"]["transaction"].partition("/")[2]
    for path in ("transactions", "evidence", f"transactions/{own}", f"transactions/{own}/blocks"):
        for name in (*(f"flow{suffix}" for suffix in SUFFIXES), *NAMES):
            if name != "tenant":
                assert client.get(f"/api/v1/{path}", {name: "a"}).status_code == 400, (path, name)
        answer = client.get(f"/api/v1/{path}?tenant=acme&tenant=globex")
        assert answer.status_code == 400


def test_a_place_in_a_list_is_a_time_and_a_key(house: House) -> None:
    client = Client(raise_request_exception=False, headers=bearer(house.keys["read"]))
    for place in ([0, {"$gt": ""}], [{"$gt": 0}, ""], {"$gt": ""}, [[0], "x"], [0, ["x"]], "$ne"):
        cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
        assert client.get("/api/v1/transactions", {"cursor": cursor}).status_code == 400, place


def test_in_a_path_it_is_a_name_of_nothing(house: House) -> None:
    client = sign_in(Person(EVERYTHING))
    for model, _page in admin.site._registry.items():
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        for value in VALUES[::3]:
            for text in (value, f"acme_2F{value}"):
                url = reverse(f"admin:{label}_change", args=("ID",)).replace("ID", quote(text))
                assert client.get(url).status_code in (302, 403, 404), url
    for value in VALUES:
        for room in ("transactions", "blocks"):
            assert client.get(f"/api/v1/{room}/{quote(value, safe='')}").status_code == 404, value


def test_posted_to_a_form_it_is_a_text_that_is_no_choice(house: House) -> None:
    client = sign_in(Person(EVERYTHING))
    before = stored()
    for value in VALUES[::2]:
        for name, body in (
            ("tracking_membership_add", {"user": value, "tenant": value}),
            ("tracking_membership_add", {"user[$ne]": "x", "tenant[$ne]": "x"}),
            ("tracking_apikey_add", {"name": "k", "tenant": value, "scopes": [value]}),
            ("tracking_apikey_add", {"name": "k", "tenant[$ne]": "x", "scopes[$ne]": "x"}),
            ("tracking_user_add", {"username": "u", "tenants": [value], "usable_password": "true"}),
        ):
            assert client.post(reverse(f"admin:{name}"), body).status_code == 200, (name, value)
        answer = client.get(reverse("admin:tracking_flowdefinition_add"), {"copy": value})
        assert answer.status_code == 200
        for action in ("delete_selected", value):
            url = reverse("admin:tracking_membership_changelist")
            answer = client.post(url, {"action": action, "_selected_action": value, "post": "yes"})
            assert answer.status_code == 200
    assert difference(before, stored()) == []


def test_it_signs_nobody_in(house: House, settings: Any) -> None:
    # else only the first few would be looked at
    settings.DFT_SIGN_IN_FAILURES = settings.DFT_SIGN_IN_ADDRESS_FAILURES = 100
    for value in VALUES[:12]:
        for body in (
            {"username": value, "password": value},
            {"username": "acme-auditor", "password": value},
            {"username": value, "password": PASSWORD},
            {"username[$ne]": "x", "password[$ne]": "x"},
        ):
            answer = Client(raise_request_exception=False).post(reverse("admin:login"), body)
            assert answer.status_code == 200, body
        for name in ("dft_session", "dft_csrf"):
            client = Client(raise_request_exception=False)
            client.cookies[name] = value.replace("\x00", "")
            assert client.get(reverse("admin:index")).status_code == 302
        key = house.keys["all"]
        for text in (value, f"dft_{value}_{'a' * 43}", f"{key[:15]}{value}", key[:-4] + value):
            headers = {"Authorization": f"Bearer {text}"}
            answer = Client(raise_request_exception=False).get(
                "/api/v1/transactions", headers=headers
            )
            assert answer.status_code == 401, text


def test_posted_as_a_record_it_is_refused_or_kept_as_it_is(house: House) -> None:
    client = Client(raise_request_exception=False, headers=bearer(house.keys["all"]))
    good = {
        "id": "op-1",
        "transaction": "tx-op",
        "object": {"id": "op", "type": "order"},
        "flow": "orders",
        "block": "receive",
        "stage": "ingress",
        "status": "succeeded",
        "occurred_at": "2026-01-31T10:00:00Z",
    }
    operator = {"$gt": ""}
    before = stored()
    for name in (
        *good,
        "corrects",
        "parents",
        "reason",
        "subject",
        "payload",
        "usage",
        "exception",
    ):
        for wrong in (operator, [operator]):
            answer = client.post(
                "/api/v1/blocks", json.dumps({**good, name: wrong}), content_type="application/json"
            )
            assert answer.status_code == 422, name
    for name in ("attributes", "references"):
        answer = client.post(
            "/api/v1/blocks",
            json.dumps({**good, name: {"$gt": operator}}),
            content_type="application/json",
        )
        assert answer.status_code == 422, name
    assert difference(before, stored()) == []
    kept = {**good, "attributes": {"$where": "1", "a.b": "$ne"}, "references": {"$ne": ["$gt"]}}
    answer = client.post("/api/v1/blocks", json.dumps(kept), content_type="application/json")
    assert answer.status_code == 201
    read = json.loads(client.get("/api/v1/blocks/op-1").content)["record"]
    assert read["attributes"] == kept["attributes"]
    assert read["references"] == kept["references"]
