"""What is masked comes out nowhere: pages, searches, answers, downloads, errors, log lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.access.conftest import read_once
from tests.access.crawler import crawl, text_of
from tests.access.masked_world import (
    MARKERS,
    OPEN,
    PLAIN,
    RECORDS,
    TRANSACTIONS,
    make_marked_world,
    salts,
)
from tests.admin.world import lifetime_url, signed_in
from tests.api.http import bearer, make_key
from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.api.filters import PARAMETERS
from tracking.api.urls import urlpatterns
from tracking.core.canonical import leaf_hash
from tracking.mongo.connection import collection
from tracking.sign_in.backend import PasswordBackend

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = ("transaction", "transactionprogress", "transactionblockprogress", "transactionblock")
# What is reached at least, so that a crawler which finds nothing proves nothing.
PAGES = {"auditor": 150, "developer": 130, "support": 85, "analyst": 20, "administrator": 95}


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PasswordBackend, "_get_permissions", read_once())


def hidden() -> set[str]:
    return {*MARKERS.values(), *salts()}


@pytest.mark.usefixtures("remembered")
@pytest.mark.parametrize("person", [role.lower() for role in v.ROLES])
def test_no_page_answer_or_log_line_tells_what_the_role_may_not_read(
    person: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_marked_world()
    caplog.set_level("DEBUG")
    secrets, told, opened = hidden(), set(), 0
    client = signed_in(person)
    client.raise_request_exception = False
    for url, status, text in [*crawl(client), *answers(client)]:
        assert status < 500, url
        found = {secret for secret in secrets if secret in text or secret in url}
        assert person == "auditor" or not found, (url, found)
        told |= found
        opened += status == 200
    if person == "auditor":
        assert told == secrets, "or nothing would be proven by their absence"
    assert opened >= PAGES[person], opened
    assert caplog.records, "some of it was refused, which is logged"
    assert not [line for line in caplog.text.splitlines() if any(s in line for s in secrets)]


def answers(client: Client, **headers: Any) -> Iterator[tuple[str, int, str]]:
    """Every address of the API with every id, and with parameters that it refuses."""
    for pattern in urlpatterns:
        if not getattr(pattern, "name", None):
            continue
        kinds = pattern.pattern.converters
        named = TRANSACTIONS if "transaction" in kinds else RECORDS
        urls = [
            reverse(f"api:{pattern.name}", args=[id] if kinds else [])
            for id in ((*named, "unknown") if kinds else ("",))
        ]
        refused = [
            urls[0] + query for query in ("?nonsense=1", "?tenant=globex", "?page_size=0", "?q=%00")
        ]
        for url in [*urls, *refused]:
            yield url, *asked(client, url, headers)
        answer = client.post(urls[0], data="[]", content_type="application/json", **headers)
        yield urls[0], answer.status_code, text_of(answer)
    for name in PARAMETERS:
        for value in ("mark", "failed"):
            url = f"{reverse('api:transactions')}?{name}={value}"
            yield url, *asked(client, url, headers)


def asked(client: Client, url: str, headers: dict[str, Any]) -> tuple[int, str]:
    answer = client.get(url, **headers)
    return answer.status_code, text_of(answer)


@pytest.mark.parametrize(
    ("scopes", "reads"),
    [(("ingest",), False), (("verify",), False), (("read",), True), (("export",), True)],
    ids=str,
)
def test_a_key_reads_by_its_scopes(scopes: tuple[str, ...], reads: bool) -> None:
    make_marked_world()
    key = make_key(scopes=scopes)
    client = Client(raise_request_exception=False)
    told = {
        secret
        for _url, _status, text in answers(client, headers=bearer(key))
        for secret in MARKERS.values()
        if secret in text
    }
    assert told == (set(MARKERS.values()) if reads else set())


# --- What is shown instead -------------------------------------------------------------------


def shown(url: str, person: str) -> str:
    answer = signed_in(person).get(url)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("person", "url", "masks"),
    [
        ("support", lifetime_url("tx-m"), True),
        ("developer", lifetime_url("tx-m"), True),
        ("developer", show.record_url("acme/m-1"), True),
        ("auditor", lifetime_url("tx-m"), False),
        ("auditor", show.record_url("acme/m-1"), False),
    ],
)
def test_a_page_says_once_that_values_are_masked(person: str, url: str, masks: bool) -> None:
    make_marked_world()
    html = shown(url, person)
    assert html.count("Some values are masked for your role.") == masks
    assert (v.MASKED in html) is masks
    assert ('class="dft-masked"' in html) is masks
    assert OPEN in html, "a reference that the tenant declared open"
    assert (PLAIN in html) is (person != "support"), "an attribute that is not personal"
    for name in ("phone", *(() if "transactionblock" in url else ("mail", "invoice"))):
        assert name in html


def test_an_answer_says_that_values_are_masked_and_keeps_the_receipt() -> None:
    make_marked_world()
    key = make_key()
    by_key = Client(headers=bearer(key)).get("/api/v1/blocks/m-1").json()
    by_role = signed_in("developer").get("/api/v1/blocks/m-1").json()
    assert (by_key["masked"], by_role["masked"]) == (False, True)
    stored = collection("journal").find_one({"_id": "acme/m-1"})
    assert by_key["receipt"] == by_role["receipt"] == leaf_hash(stored).hex()
    assert not by_role["altered"]
    record = by_role["record"]
    assert record["references"] == {"phone": [v.MASKED], "mail": [v.MASKED], "invoice": [OPEN]}
    assert record["attributes"] == {
        **dict.fromkeys(by_key["record"]["attributes"], v.MASKED),
        "host": PLAIN,
    }
    assert record["payload"] == {
        "size": 12,
        "content_type": "text/plain",
        **dict.fromkeys(("hash", "uri", "content"), v.MASKED),
    }
    assert record["subject"] == v.MASKED
    (one,) = (
        row
        for row in signed_in("support").get("/api/v1/transactions").json()["results"]
        if row["id"] == "tx-m"
    )
    assert one["references"] == {"invoice": [OPEN], "mail": [v.MASKED], "phone": [v.MASKED]}
    assert one["masked"]


# --- Searching by it -------------------------------------------------------------------------


def echo_removed(html: str, term: str) -> str:
    """Without what was typed, which the page repeats."""
    for shape in (f'value="{term}"', f"q={term}", f"“<bdi>{term}</bdi>”", f"s={term}"):
        html = html.replace(shape, "")
    return html


@pytest.mark.parametrize("name", ["", "phone:"])
def test_support_finds_by_an_exact_masked_value_and_the_hit_does_not_show_it(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_marked_world()
    caplog.set_level("DEBUG")
    client, term = signed_in("support"), name + MARKERS["reference"]
    one = client.get(reverse("admin:find"), {"q": name + MARKERS["reference of a failure"]})
    assert one.url == lifetime_url("tx-m")
    html = client.get(reverse("admin:find"), {"q": term}).content.decode()
    assert lifetime_url("tx-m") in html
    assert lifetime_url("tx-other") in html
    assert not [m for m in MARKERS.values() if m in echo_removed(html, term)]
    html = client.get(reverse("admin:search"), {"s": term, "extended": 1}).content.decode()
    assert lifetime_url("tx-other") in html
    assert not [m for m in MARKERS.values() if m in echo_removed(html, term)]
    for model in LISTS[:3]:
        url = reverse(f"admin:tracking_{model}_changelist")
        answer = client.get(url, {"q": term})
        assert answer.context["cl"].result_count >= 2, model
        html = re.sub(r"q=[^\"&]*", "", answer.content.decode())
        assert not [m for m in MARKERS.values() if m in echo_removed(html, term)]
    for query in ({"reference": term}, {"q": term}):
        found = client.get("/api/v1/transactions", query)
        assert {row["id"] for row in found.json()["results"]} == {"tx-m", "tx-other"}
        assert MARKERS["reference"] not in found.content.decode()
    assert MARKERS["reference"] not in caplog.text


PARTS = (
    *("mark5", "mark5refe", "ark5refea", "MARK5REFEA", "phone:", "phone:mark5", "phone:mark5refe."),
    *("mark5.*", "^mark5", "mark5*", '{"$gt": ""}', "mail:mark5refea", "phone:MARK5REFEA"),
)
NOT_SOUGHT = tuple(
    value
    for kind, value in MARKERS.items()
    if not kind.startswith(("reference", "first of", "second of"))
)


@pytest.mark.usefixtures("remembered")
def test_nobody_browses_what_is_masked_by_parts_of_it() -> None:
    make_marked_world()
    client = signed_in("support")
    assert len(NOT_SOUGHT) == 11, "attributes, payloads and subjects are not searched at all"
    for term in (*PARTS, *NOT_SOUGHT):
        html = client.get(reverse("admin:find"), {"q": term}).content.decode()
        assert "Nothing is known of" in html, term
        for query in ({"reference": term}, {"q": term}):
            assert client.get("/api/v1/transactions", query).json()["count"] == 0, query
    for term in (*PARTS[:5], NOT_SOUGHT[0]):
        palette = client.get(reverse("admin:search"), {"s": term, "extended": 1}).content.decode()
        assert "/tracking/transaction/acme" not in palette
        for model in LISTS[:3]:
            url = reverse(f"admin:tracking_{model}_changelist")
            assert client.get(url, {"q": term}).context["cl"].result_count == 0, model


@pytest.mark.usefixtures("remembered")
def test_no_list_is_narrowed_or_sorted_by_what_is_masked() -> None:
    make_marked_world()
    client = signed_in("developer")
    for model in LISTS:
        url = reverse(f"admin:tracking_{model}_changelist")
        everything = client.get(url).context["cl"].result_count
        for look_up in (
            "references__0__value__startswith",
            "references__contains",
            "references",
            "part__subject",
            "part__payload__content__startswith",
            "salt",
        ):
            answer = client.get(url, {look_up: "mark"})
            assert answer.status_code in (302, 400), (model, look_up)
        assert client.get(url, {"o": "1.-2"}).context["cl"].result_count == everything
    for name in ("subject", "attributes", "payload", "ordering", "o", "references__value"):
        answer = client.get("/api/v1/transactions", {name: "mark"})
        assert json.loads(answer.content)["code"] == "unknown_parameter"


def test_evidence_needs_the_right_to_read_what_is_masked_as_well(
    django_user_model: Any,
) -> None:
    from django.contrib.auth.models import Group, Permission

    make_marked_world()
    group = Group.objects.create(name="Exporters")
    group.permissions.add(
        *Permission.objects.filter(
            codename__in=("export_transactionblock", "view_transaction", "view_transactionblock")
        )
    )
    support = django_user_model.objects.get(username="support")
    support.groups.add(group)
    client = signed_in("support")
    assert "Export evidence" not in client.get(lifetime_url("tx-m")).content.decode()
    for url in (
        reverse("admin:tracking_transaction_evidence"),
        reverse("admin:tracking_transaction_evidence_of", args=["acme_2Ftx-m"]),
        "/api/v1/evidence",
        "/api/v1/transactions/tx-m/evidence",
    ):
        assert client.get(url).status_code == 403, url
