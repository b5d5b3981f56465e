"""The five roles as groups: exactly what the table says."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from tracking import vocabulary as v
from tracking.access.roles import (
    COUNT,
    EXPORT,
    REVEAL,
    ROLE_PERMISSIONS,
    role_permissions,
    sync_roles,
)
from tracking.models.immutable import Derived, Fact

pytestmark = pytest.mark.django_db


def held(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list(
        "content_type__app_label", "codename"
    )
    return {f"{app}.{codename}" for app, codename in rows}


def test_migrating_makes_the_five_groups() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(v.ROLES)
    for role in v.ROLES:
        assert held(role) == role_permissions(role)


def test_syncing_again_changes_nothing_and_repairs_what_was_changed() -> None:
    before = {role: held(role) for role in v.ROLES}
    support = Group.objects.get(name="Support")
    support.permissions.add(Permission.objects.get(codename="add_tenant"))
    support.permissions.remove(Permission.objects.get(codename="view_transaction"))
    assert held("Support") != before["Support"]
    sync_roles()
    sync_roles()
    assert {role: held(role) for role in v.ROLES} == before
    assert Group.objects.count() == len(v.ROLES)


def test_every_role_and_no_other_is_in_the_table() -> None:
    assert set(ROLE_PERMISSIONS) == set(v.ROLES)


def test_no_role_may_write_facts_or_derived_documents() -> None:
    fenced = {
        f"tracking.{model._meta.model_name}"
        for model in apps.get_app_config("tracking").get_models()
        if issubclass(model, Fact | Derived)
    }
    for role, models in ROLE_PERMISSIONS.items():
        for model in fenced & models.keys():
            # what leaves the house, is counted or is read unmasked is not changed by it
            allowed = {"view", "export", "start", "reveal", "count"}
            assert set(models[model]) <= allowed, (role, model)


@pytest.mark.parametrize("role", ["Administrator", "Analyst"])
def test_neither_administrators_nor_analysts_read_records(role: str) -> None:
    content = {"transaction", "transactionblock", "transactionprogress", "transactionblockprogress"}
    assert not [p for p in held(role) if p.partition("view_")[2] in content]


def test_auditors_alone_read_what_is_masked_and_hand_out_evidence() -> None:
    for right in (REVEAL, EXPORT):
        assert [role for role in v.ROLES if right in held(role)] == ["Auditor"]


def test_whoever_may_see_lists_may_see_their_counts() -> None:
    counting = {role for role in v.ROLES if COUNT in held(role)}
    listing = {role for role in v.ROLES if "tracking.view_transaction" in held(role)}
    assert counting == listing | {"Analyst"}
