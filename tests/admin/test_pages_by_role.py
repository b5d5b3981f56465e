"""Every page answers whom it may, and nobody else."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.world import lifetime_url, make_person, signed_in
from tracking.admin import display as show
from tracking.models import ApiKey, FlowDefinition, LogSegment, Membership, Tenant, User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

LISTS = {
    "transaction": ("auditor", "support", "developer"),
    "transactionprogress": ("auditor", "support", "developer"),
    "transactionblockprogress": ("auditor", "support", "developer"),
    "transactionblock": ("auditor", "developer"),
    "flowdefinition": ("auditor", "support", "developer", "analyst", "administrator"),
    "flowblock": ("auditor", "support", "developer", "analyst", "administrator"),
    "resourcerate": ("auditor", "support", "developer", "analyst", "administrator"),
    "logcheckpoint": ("auditor", "developer"),
    "logsegment": ("auditor", "developer"),
    "sealqueueentry": ("auditor", "developer"),
    "verificationrun": ("auditor", "developer"),
    "tenant": ("auditor", "administrator"),
    "user": ("auditor", "administrator"),
    "membership": ("auditor", "administrator"),
    "apikey": ("auditor", "administrator"),
}
PEOPLE = ("auditor", "support", "developer", "analyst", "administrator")
LIFETIMES = (
    "tx-good",
    "tx-bad",
    "tx-waiting",
    "tx-stalled",
    "tx-filtered",
    "tx-child",
    "tx-fixed",
    "tx-evil",
    "tx-fresh",
)


@pytest.mark.parametrize("person", [*PEOPLE, "root"])
def test_lists_answer_the_roles_that_may_see_them(person: str) -> None:
    client = signed_in(person)
    for model, may in LISTS.items():
        answer = client.get(reverse(f"admin:tracking_{model}_changelist"))
        expected = 200 if person in may or person == "root" else 403
        assert answer.status_code == expected, (person, model)
    answer = client.get(reverse("admin:auth_group_changelist"))
    may = person in ("auditor", "administrator", "root")
    assert answer.status_code == (200 if may else 403)


@pytest.mark.parametrize("person", [*PEOPLE, "root", "nobody", "stranger"])
def test_the_home_page_answers_everybody(person: str) -> None:
    assert signed_in(person).get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("person", [*PEOPLE, "root"])
def test_lifetimes_answer_the_roles_that_may_see_them(person: str) -> None:
    client = signed_in(person)
    for transaction in LIFETIMES:
        answer = client.get(lifetime_url(transaction))
        expected = 403 if person in ("administrator", "analyst") else 200
        assert answer.status_code == expected, (person, transaction)


@pytest.mark.parametrize("person", [*PEOPLE, "root"])
def test_records_answer_the_roles_that_may_see_them(person: str) -> None:
    client = signed_in(person)
    for record in ("bad-price-1", "evil-1", "fresh-1", "fixed-price-1"):
        answer = client.get(show.record_url(f"acme/{record}"))
        expected = 200 if person in ("auditor", "developer", "root") else 403
        assert answer.status_code == expected, (person, record)


def test_pages_of_single_rows_answer() -> None:
    client = signed_in("root")
    segment = LogSegment.objects.values_list("start", flat=True).first()
    rows = [
        ("logsegment", segment),
        ("flowdefinition", FlowDefinition.objects.first().pk),
        ("tenant", Tenant.objects.first().pk),
        ("user", User.objects.first().pk),
        ("membership", Membership.objects.first().pk),
    ]
    for model, key in rows:
        answer = client.get(reverse(f"admin:tracking_{model}_change", args=(key,)))
        assert answer.status_code == 200, model
    for model in ("flowdefinition", "resourcerate", "tenant", "user", "membership", "apikey"):
        assert client.get(reverse(f"admin:tracking_{model}_add")).status_code == 200, model
    assert not ApiKey.objects.exists()


def test_progress_and_block_pages_lead_to_the_lifetime() -> None:
    client = signed_in("support")
    progress = client.get(
        reverse("admin:tracking_transactionprogress_change", args=["acme_2Ftx-bad"])
    )
    assert progress.url == lifetime_url("tx-bad")
    key = "acme_2Ftx-bad_2Fprice"
    block = client.get(reverse("admin:tracking_transactionblockprogress_change", args=[key]))
    assert block.url == f"{lifetime_url('tx-bad')}?block=price#opened"
    assert 'id="opened"' in client.get(block.url).content.decode()


def test_without_signing_in_every_page_asks_to() -> None:
    client = Client()
    for url in (reverse("admin:index"), lifetime_url("tx-bad"), reverse("admin:find")):
        answer = client.get(url)
        assert answer.status_code == 302
        assert answer.url.startswith(reverse("admin:login"))


def test_an_account_that_is_switched_off_sees_nothing() -> None:
    make_person("gone", "Support")
    client = signed_in("gone")
    assert client.get(lifetime_url("tx-bad")).status_code == 200
    User.objects.filter(username="gone").update(is_active=False)
    assert client.get(lifetime_url("tx-bad")).status_code == 302


def test_the_sidebar_offers_only_what_the_role_may_open() -> None:
    html = signed_in("support").get(reverse("admin:index")).content.decode()
    assert reverse("admin:tracking_transaction_changelist") in html
    assert reverse("admin:tracking_transactionblock_changelist") not in html
    assert reverse("admin:tracking_apikey_changelist") not in html
    html = signed_in("administrator").get(reverse("admin:index")).content.decode()
    assert reverse("admin:tracking_apikey_changelist") in html
    assert reverse("admin:tracking_transaction_changelist") not in html


def test_attributes_stack_traces_and_raw_records_need_the_journal_right() -> None:
    for person, may in (("developer", True), ("auditor", True), ("support", False)):
        html = signed_in(person).get(lifetime_url("tx-bad")).content.decode()
        assert ("worker-7" in html) is may
        assert ("Traceback (most recent call last)" in html) is may
        assert ("record-bad-price-1" in html) is may
        # what support answers questions with is there for all of them
        assert "KeyError" in html
        assert "E-7" in html


def test_pages_carry_no_inline_script_and_the_policy_forbids_it() -> None:
    client = signed_in("root")
    for url in (
        reverse("admin:index"),
        lifetime_url("tx-evil"),
        show.record_url("acme/evil-1"),
        reverse("admin:tracking_transaction_changelist"),
    ):
        answer = client.get(url)
        html = answer.content.decode()
        assert "<script>" not in html
        assert "unsafe-inline" not in answer["Content-Security-Policy"].split("style-src")[0]
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
