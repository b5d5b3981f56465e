"""A tenant's page declares what is personal; what it says holds at once where it is saved."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from tests.admin.world import make_people, signed_in
from tracking import vocabulary as v
from tracking.access.masking import forget_rules, rules_of
from tracking.models import Tenant

pytestmark = pytest.mark.django_db

URL = reverse("admin:tracking_tenant_change", args=["acme"])


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    make_people()
    forget_rules("acme")


def save(person: str = "administrator", **fields: str) -> Any:
    return signed_in(person).post(URL, {"name": "Acme", **fields})


def test_an_administrator_declares_and_it_holds_at_once() -> None:
    assert rules_of("acme").is_personal("enduser.id")
    html = signed_in("administrator").get(URL).content.decode()
    assert "enduser.*\nuser.*" in html
    said = {"personal_attributes": "mail\r\n\r\n hr.* \r\nmail", "open_references": "invoice"}
    assert save(**said).status_code == 302
    tenant = Tenant.objects.get(pk="acme")
    assert (tenant.personal_attributes, tenant.open_references) == (["mail", "hr.*"], ["invoice"])
    rules = rules_of("acme")
    assert [rules.is_personal(name) for name in ("mail", "hr.grade", "enduser.id")] == [
        True,
        True,
        False,
    ]
    assert rules.open == {"invoice"}
    assert rules_of("globex").is_personal("enduser.id"), "each tenant declares its own"


def test_nothing_may_be_personal_and_no_reference_open() -> None:
    assert save(personal_attributes="", open_references="").status_code == 302
    tenant = Tenant.objects.get(pk="acme")
    assert (tenant.personal_attributes, tenant.open_references) == ([], [])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"personal_attributes": "user*"}, "user.*"),
        ({"personal_attributes": "x" * 101}, "1 to 100"),
        ({"open_references": "po.*"}, "by its whole name"),
        ({"open_references": "\n".join(f"n{i}" for i in range(101))}, "At most 100"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    fields: dict[str, str], sentence: str
) -> None:
    answer = save(**fields)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert Tenant.objects.get(pk="acme").open_references == []


def test_others_look_or_do_not_and_change_nothing() -> None:
    assert "enduser.*" in signed_in("auditor").get(URL).content.decode()
    for person in ("auditor", "support", "developer", "analyst"):
        assert save(person, open_references="phone").status_code == 403
    assert Tenant.objects.get(pk="acme").open_references == []


def test_a_new_tenant_begins_with_the_usual_ones() -> None:
    body = {"name": "Initech", "slug": "initech"}
    assert (
        signed_in("administrator").post(reverse("admin:tracking_tenant_add"), body).status_code
        == 302
    )
    made = Tenant.objects.get(pk="initech")
    assert made.personal_attributes == list(v.PERSONAL_ATTRIBUTES)
    assert made.open_references == []
