"""Nobody sees over the wall: what belongs to another tenant does not exist."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url, make_person, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

LISTS = (
    "transaction",
    "transactionprogress",
    "transactionblockprogress",
    "transactionblock",
    "flowdefinition",
    "flowblock",
    "sealqueueentry",
    "logsegment",
    "tenant",
    "user",
    "membership",
    "apikey",
)
OTHERS = ("globex-object", "globex-flow", "globex-block", "tx-globex", "globex-1", "Globex")


def test_a_member_of_both_sees_both_and_can_tell_them_apart() -> None:
    html = signed_in("root").get(reverse("admin:tracking_transaction_changelist")).content.decode()
    assert "globex-object" in html
    assert "order-bad" in html
    assert "By tenant" in html
    url = reverse("admin:tracking_transaction_changelist") + "?of=globex"
    html = signed_in("root").get(url).content.decode()
    assert "globex-object" in html
    assert "order-bad" not in html


def test_a_superuser_without_membership_sees_nothing() -> None:
    make_person("mighty", tenants=(), is_superuser=True)
    client = signed_in("mighty")
    html = client.get(reverse("admin:tracking_transaction_changelist")).content.decode()
    assert "order-bad" not in html
    assert client.get(lifetime_url("tx-bad")).status_code == 302


def test_a_shared_reference_finds_only_ones_own() -> None:
    answer = signed_in("stranger").get(reverse("admin:find"), {"q": "4711"})
    assert answer.url == lifetime_url("tx-globex", "globex")
    answer = signed_in("auditor").get(reverse("admin:find"), {"q": "4711"})
    assert answer.url == lifetime_url("tx-good")
