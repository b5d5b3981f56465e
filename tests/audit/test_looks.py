"""Whoever looks at records is written down, on every page and endpoint, or is shown nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.admin.world import lifetime_url, signed_in
from tests.api.http import assert_problem, bearer, get, make_key
from tests.audit.looks import accesses, noted, unwritable
from tests.tools import drain
from tracking import vocabulary as v
from tracking.access.keys import create_key
from tracking.admin import display as show
from tracking.api.looks import LOOKS
from tracking.models import ApiKey, User, VerificationRun

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]

# Addresses that show nothing of any record, and why. A new one needs a row here or in LOOKS.
NO_CONTENT = {
    "admin:(login|logout|sso|sso_callback|sign_in_code|sign_in_enrol)": "told by themselves",
    "admin:(second_factor|second_factor_enrol)": "told by themselves",
    "admin:(password_change_done|jsi18n|app_list)": "nothing is shown",
    "admin:(tracking|auth)_(tenant|user|membership|apikey|group|flowdefinition|resourcerate)_.*": (
        "changes are told by themselves"
    ),
    "admin:auth_user_password_change": "a change",
    "admin:tracking_flowblock_.*": "learned paths: names of blocks and counts",
    "admin:tracking_(logcheckpoint|logsegment|sealqueueentry)_.*": "hashes and counts",
    "(admin|api):(throughput|bottlenecks|costs|costs-export|forecast)": "counts and sums",
    "api:(blocks|traces)": "records come in",
    "api:(checkpoints|latest-checkpoint|consistency)": "hashes",
    "api:(schema|docs)": "what the API can do",
}


def names_of(resolver: URLResolver, prefix: str = "") -> set[str]:
    found = set()
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            found |= names_of(each, f"{prefix}{each.namespace}:" if each.namespace else prefix)
        elif isinstance(each, URLPattern) and each.name:
            found.add(f"{prefix}{each.name}")
    return found


def test_every_address_shows_nothing_of_records_or_has_its_row() -> None:
    import re

    names = {name for name in names_of(get_resolver()) if ":" in name}
    quiet = {name for name in names if any(re.fullmatch(each, name) for each in NO_CONTENT)}
    assert names - quiet - LOOKS.keys() == set(), "does it show what was recorded?"
    assert LOOKS.keys() - names == set(), "rows of addresses that are gone"
    assert quiet & LOOKS.keys() == set()
    for each in NO_CONTENT:
        assert any(re.fullmatch(each, name) for name in names), each


def admin_looks() -> list[tuple[str, str, list[str]]]:
    """Address, action, and the transactions that it is about."""
    key = quote("acme/tx-bad")
    run = VerificationRun.objects.values_list("pk", flat=True).first()
    assert run is None
    return [
        (reverse("admin:index"), v.LIST, []),
        (reverse("admin:find") + "?q=nothing-of-that-name", v.SEARCH, []),
        (reverse("admin:search") + "?s=order-", v.SEARCH, []),
        (reverse("admin:tracking_transaction_changelist"), v.LIST, []),
        (reverse("admin:tracking_transaction_changelist") + "?status=failed", v.SEARCH, []),
        (reverse("admin:tracking_transactionprogress_changelist"), v.LIST, []),
        (reverse("admin:tracking_transactionblockprogress_changelist"), v.LIST, []),
        (reverse("admin:tracking_transactionblock_changelist"), v.LIST, []),
        (reverse("admin:tracking_accessrecord_changelist"), v.LIST, []),
        (reverse("admin:tracking_verificationrun_changelist"), v.LIST, []),
        (lifetime_url("tx-bad"), v.VIEW, ["tx-bad"]),
        (show.record_url("acme/bad-price-1"), v.VIEW, ["tx-bad"]),
        (reverse("admin:tracking_transaction_evidence"), v.EXPORT, None),
        (reverse("admin:tracking_transaction_evidence_of", args=[key]), v.EXPORT, ["tx-bad"]),
    ]


def test_each_page_that_shows_records_leaves_one_access_record() -> None:
    drain()
    client = signed_in("auditor")
    auditor = User.objects.get(username="auditor")
    for url, action, transactions in admin_looks():
        with noted() as found:
            answer = client.get(url)
            b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert len(found) == 1, (url, found)
        row = found[0]
        assert (row["flow"], row["block"], row["status"]) == ("access", action, "succeeded"), url
        assert (row["object_type"], row["object_id"]) == ("user", auditor.pk.hex)
        assert transactions is None or row.get("parents", []) == transactions, url
        assert row["said"]["who"] == "auditor"
        assert row["said"]["roles"] == ["Auditor"]
        assert row["said"]["address"] == "127.0.0.1"
        assert row["said"]["status"] == 200


def test_each_endpoint_that_shows_records_leaves_one_access_record() -> None:
    drain()
    key = create_key(tenant="acme", name="reader", scopes=("read", "export"))[1]
    one = "/api/v1/transactions/tx-bad"
    for path, action, transactions in (
        ("/api/v1/transactions", v.LIST, []),
        ("/api/v1/transactions?object_id=order-bad", v.SEARCH, []),
        (one, v.VIEW, ["tx-bad"]),
        (f"{one}/lifetime", v.VIEW, ["tx-bad"]),
        (f"{one}/blocks", v.VIEW, ["tx-bad"]),
        (f"{one}/lineage", v.VIEW, ["tx-bad"]),
        (f"{one}/evidence", v.EXPORT, ["tx-bad"]),
        ("/api/v1/evidence?object_id=order-bad", v.EXPORT, ["tx-bad"]),
        ("/api/v1/blocks/bad-price-1", v.VIEW, ["tx-bad"]),
        ("/api/v1/blocks/bad-price-1/proof", v.VIEW, ["tx-bad"]),
    ):
        with noted() as found:
            answer = get(path, key)
        assert (answer.status_code, len(found)) == (200, 1), path
        row = found[0]
        assert (row["block"], row.get("parents", [])) == (action, transactions), path
        assert (row["object_type"], row["said"]["via"]) == ("key", "api")
    assert found[0]["said"]["record"] == "bad-price-1"
    for path in ("/api/v1/checkpoints", "/api/v1/checkpoints/latest", "/api/v1/schema"):
        with noted() as found:
            assert get(path, key).status_code == 200
        assert found == []


def test_a_search_is_told_with_its_terms() -> None:
    with noted() as found:
        signed_in("support").get(
            reverse("admin:tracking_transaction_changelist"),
            {"q": "4711", "status": "failed", "flow": ["a", "b"]},
        )
    (row,) = found
    assert row["block"] == v.SEARCH
    assert row["said"]["term.q"] == ["4711"]
    assert row["said"]["term.flow"] == ["a", "b"]


def test_what_is_not_there_and_what_is_not_allowed_is_told() -> None:
    with noted() as found:
        signed_in("auditor").get(lifetime_url("tx-globex", "globex"))
        signed_in("support").get(show.record_url("acme/bad-price-1"))
        signed_in("analyst").get("/api/v1/transactions")
        get("/api/v1/transactions/nothing", make_key())
        signed_in("support").post(reverse("admin:tracking_apikey_add"), {"name": "mine"})
    told = [(row["status"], row["part"]["reason"], row["said"]["status"]) for row in found]
    assert told == [
        ("skipped", "not found", 302),
        ("filtered", "refused", 403),
        ("filtered", "refused", 403),
        ("skipped", "not found", 404),
        ("filtered", "refused", 403),
    ]
    assert "globex" in found[0]["said"]["target"]
    # that somebody asked about them is no matter of theirs
    assert accesses("globex") == []


def test_who_sees_two_tenants_is_told_to_each_and_narrowed_to_one() -> None:
    client = signed_in("root")
    with noted() as acme, noted("globex") as globex:
        client.get(reverse("admin:tracking_transaction_changelist"))
    assert (len(acme), len(globex)) == (1, 1)
    with noted() as acme, noted("globex") as globex:
        client.get(reverse("admin:tracking_transaction_changelist") + "?of=acme")
        client.get(lifetime_url("tx-bad"))
    assert (len(acme), len(globex)) == (2, 0)


def test_a_stranger_is_shown_nothing_and_costs_nothing() -> None:
    with noted() as found, noted("") as nobodys:
        Client().get(lifetime_url("tx-bad"))
        get("/api/v1/transactions")
        get("/api/v1/transactions", "dft_abcdefghij_" + "x" * 43)
    assert (found, nobodys) == ([], [])


def test_what_cannot_be_written_down_is_not_shown() -> None:
    """A real refusal by MongoDB, of access records alone."""
    drain()
    client, key = signed_in("auditor"), make_key(scopes=("read", "export"))
    secrets = ("order-bad", "bad-price", "XAU", "tx-bad")
    with unwritable():
        for url, _action, _transactions in admin_looks():
            answer = client.get(url)
            assert answer.status_code == 503, url
            assert answer["Retry-After"]
            assert not [word for word in secrets if word in answer.content.decode()], url
        for path in (
            "/api/v1/transactions",
            "/api/v1/transactions/tx-bad/lifetime",
            "/api/v1/transactions/tx-bad/evidence",
            "/api/v1/blocks/bad-price-1",
        ):
            answer = get(path, key)
            assert_problem(answer, 503, "access_not_recorded")
            assert answer["Retry-After"]
        # a service is never kept from posting by it
        assert client.get("/api/v1/checkpoints").status_code == 200
        posted = Client().post(
            "/api/v1/blocks",
            json.dumps([_record()]),
            content_type="application/json",
            headers=bearer(make_key()),
        )
        assert posted.status_code == 201
    assert client.get(lifetime_url("tx-bad")).status_code == 200


def _record() -> dict[str, Any]:
    from tests.tools import record

    return record()


def test_a_change_that_cannot_be_written_down_is_not_made() -> None:
    client = signed_in("administrator")
    form = {"name": "new", "tenant": "acme", "scopes": ["ingest"], "networks": ""}
    with unwritable():
        before = ApiKey.objects.count()
        assert client.post(reverse("admin:tracking_apikey_add"), form).status_code == 503
        assert ApiKey.objects.count() == before
        user = User.objects.get(username="support")
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        words = {"password1": "correct-horse-9", "password2": "correct-horse-9"}
        assert client.post(url, {**words, "usable_password": "true"}).status_code == 503
        assert not User.objects.get(username="support").check_password("correct-horse-9")
    answer = client.post(reverse("admin:tracking_apikey_add"), form)
    assert answer.status_code == 200
    assert ApiKey.objects.count() == before + 1


def test_a_database_that_is_away_is_told_on_pages_too(settings: Any) -> None:
    from tests.admin.world import signed_in as sign_in
    from tracking.mongo.connection import connected_to

    client = sign_in("auditor")
    with connected_to("mongodb://127.0.0.1:1/dft?timeoutMS=300"):
        answer = client.get(lifetime_url("tx-bad"))
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "does not answer" in answer.content.decode()
