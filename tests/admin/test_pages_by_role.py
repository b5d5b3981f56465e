"""Every page answers whom it may, and nobody else."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url, make_person, signed_in
from tracking.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

LISTS = {
    "transaction": ("auditor", "support", "developer"),
    "transactionprogress": ("auditor", "support", "developer"),
    "transactionblockprogress": ("auditor", "support", "developer"),
    "transactionblock": ("auditor", "developer"),
    "flowdefinition": ("auditor", "support", "developer", "analyst", "administrator"),
    "flowblock": ("auditor", "support", "developer", "analyst", "administrator"),
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
