"""Nobody sees over the wall: what belongs to another tenant does not exist."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url, make_person, signed_in
from tracking.admin import display as show
from tracking.models import FlowDefinition, LogSegment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

LISTS = (
    "transaction",
    "transactionprogress",
    "transactionblockprogress",
    "transactionblock",
    "flowdefinition",
    "flowblock",
    "resourcerate",
    "sealqueueentry",
    "logsegment",
    "tenant",
    "user",
    "membership",
    "apikey",
)
OTHERS = ("globex-object", "globex-flow", "globex-block", "tx-globex", "globex-1", "Globex")


def test_lists_and_their_filters_name_nothing_of_another_tenant() -> None:
    client = signed_in("auditor")
    for model in LISTS:
        html = client.get(reverse(f"admin:tracking_{model}_changelist")).content.decode()
        assert not [word for word in OTHERS if word in html], model


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


@pytest.mark.parametrize("person", ["auditor", "developer", "support"])
def test_another_tenants_lifetime_does_not_exist(person: str) -> None:
    answer = signed_in(person).get(lifetime_url("tx-globex", "globex"))
    assert answer.status_code == 302
    assert answer.url == reverse("admin:index")


def test_another_tenants_record_segment_or_definition_does_not_exist() -> None:
    client = signed_in("auditor")
    stranger = signed_in("stranger")
    assert client.get(show.record_url("globex/globex-1")).status_code == 302
    assert stranger.get(show.record_url("globex/globex-1")).status_code == 200
    definition = FlowDefinition.objects.get(flow="orders")
    url = reverse("admin:tracking_flowdefinition_change", args=[definition.pk])
    assert client.get(url).status_code == 200
    assert stranger.get(url).status_code == 302


def test_a_segment_shows_only_ones_own_batches() -> None:
    for start in LogSegment.objects.values_list("start", flat=True):
        url = reverse("admin:tracking_logsegment_change", args=[start])
        answer = signed_in("auditor").get(url)
        if answer.status_code == 200:
            assert "<td>globex</td>" not in answer.content.decode()
            assert "<td>acme</td>" in answer.content.decode()


@pytest.mark.parametrize("term", ["globex-object", "tx-globex", "globex-1", "globex-o"])
def test_search_finds_nothing_of_another_tenant(term: str) -> None:
    answer = signed_in("auditor").get(reverse("admin:find"), {"q": term})
    assert answer.status_code == 200
    assert "Nothing is known of" in answer.content.decode()
    palette = signed_in("auditor").get(reverse("admin:search"), {"s": term, "extended": "1"})
    assert "globex-flow" not in palette.content.decode()


def test_a_shared_reference_finds_only_ones_own() -> None:
    answer = signed_in("stranger").get(reverse("admin:find"), {"q": "4711"})
    assert answer.url == lifetime_url("tx-globex", "globex")
    answer = signed_in("auditor").get(reverse("admin:find"), {"q": "4711"})
    assert answer.url == lifetime_url("tx-good")


def test_a_filter_value_of_another_tenant_widens_nothing() -> None:
    client = signed_in("auditor")
    url = reverse("admin:tracking_transaction_changelist")
    html = client.get(url, {"flow": "globex-flow"}).content.decode()
    assert "globex-object" not in html
    assert client.get(url, {"of": "globex"}).status_code in (302, 400)
