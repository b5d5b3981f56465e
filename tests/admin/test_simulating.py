"""Developers simulate objects in test tenants, and nobody anywhere else."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from tests.admin.world import make_person, signed_in
from tests.tools import drain
from tracking.access.scope import visible_to
from tracking.models import Tenant, Transaction, TransactionBlock, User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

FORM = {
    "tenant": "trial",
    "flows": ["web-orders"],
    "objects": "20",
    "hours": "24",
    "seed": "7",
    "faults": "0.5",
    "retries": "0.5",
    "filtered": "0.1",
    "late": "0",
    "duplicates": "0.1",
}


@pytest.fixture
def trial(world: None) -> None:
    Tenant.objects.create(slug="trial", name="Trial", is_test=True)
    make_person("dora", "Developer", tenants=("acme", "trial"))


def recorded(tenant: str) -> int:
    return TransactionBlock.objects.filter(tenant_id=tenant).count()


def test_what_is_simulated_is_recorded_and_derived_as_promised(trial: None) -> None:
    before = recorded("acme")
    answer = signed_in("dora").post(reverse("admin:simulate"), FORM)
    made = answer.context["made"]
    assert answer.status_code == 200
    assert made.outcomes["stored"] == recorded("trial") > 20
    assert recorded("acme") == before
    drain()
    rows = visible_to(User.objects.get(username="dora"), Transaction).filter(tenant_id="trial")
    found: dict[str, int] = {}
    for status in rows.values_list("status", flat=True):
        found[status] = found.get(status, 0) + 1
    assert found == {status: count for status, count in made.statuses.items() if count}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": "acme"},
        {"tenant": "globex"},
        {"objects": "501"},
        {"objects": "0"},
        {"faults": "1.5"},
        {"flows": ["no-flow"]},
        {"hours": "x"},
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(trial: None, wrong: Any) -> None:
    before = TransactionBlock.objects.filter(tenant_id__lt="~").count()
    answer = signed_in("dora").post(reverse("admin:simulate"), {**FORM, **wrong})
    assert answer.context["form"].errors.keys() == wrong.keys()
    assert TransactionBlock.objects.filter(tenant_id__lt="~").count() == before


def test_only_developers_may(trial: None) -> None:
    for name in ("auditor", "support", "analyst", "administrator"):
        assert signed_in(name).get(reverse("admin:simulate")).status_code == 403
        assert signed_in(name).post(reverse("admin:simulate"), FORM).status_code == 403
    # one without a test tenant is told how to come by one
    html = signed_in("developer").get(reverse("admin:simulate")).content.decode()
    assert "no test tenant" in html
    assert recorded("trial") == 0
