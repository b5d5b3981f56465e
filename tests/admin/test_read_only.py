"""Facts and derived documents: no address of the admin adds, changes or deletes one."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse

from tests.admin.world import signed_in
from tracking import vocabulary as v
from tracking.admin.base import ReadOnlyAdmin
from tracking.models import (
    FlowBlock,
    LogSegment,
    SealQueueEntry,
    Transaction,
    TransactionBlock,
    TransactionBlockProgress,
    TransactionProgress,
)
from tracking.models.immutable import Derived, Fact
from tracking.mongo.connection import collection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

MODELS = (
    Transaction,
    TransactionProgress,
    TransactionBlockProgress,
    TransactionBlock,
    LogSegment,
    SealQueueEntry,
    FlowBlock,
)


def stored() -> dict[str, list[Any]]:
    """All but who looked, which the pages themselves add."""
    names = sorted({model._meta.db_table for model in MODELS})
    others = {"tenant": {"$not": {"$gte": v.ACCESS_MARK}}}
    return {name: list(collection(name).find(others).sort("_id", 1)) for name in names}


def test_every_page_over_facts_is_read_only() -> None:
    for model, page in admin.site._registry.items():
        if issubclass(model, Fact | Derived):
            assert isinstance(page, ReadOnlyAdmin), model


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_added_changed_or_deleted(model: Any) -> None:
    client = signed_in("root")
    before = stored()
    name = model._meta.model_name
    key = quote(str(model.objects.values_list("pk", flat=True).first()))
    body = {"object_id": "changed", "status": "delivered", "post": "yes", "_save": "Save"}
    addresses = [
        reverse(f"admin:tracking_{name}_add"),
        reverse(f"admin:tracking_{name}_delete", args=[key]),
    ]
    for address in addresses:
        assert client.get(address).status_code == 403, address
        assert client.post(address, body).status_code == 403, address
    change = reverse(f"admin:tracking_{name}_change", args=[key])
    assert client.post(change, body).status_code in (200, 302, 403)
    listed = reverse(f"admin:tracking_{name}_changelist")
    for action in ("delete_selected", "anything"):
        client.post(listed, {"action": action, "_selected_action": [key], "post": "yes"})
    client.post(listed, {"form-TOTAL_FORMS": "1", "form-0-status": "delivered", "_save": "Save"})
    assert stored() == before


@pytest.mark.parametrize("model", MODELS)
def test_nothing_offers_to_add_or_delete(model: Any) -> None:
    client = signed_in("root")
    listed = reverse(f"admin:tracking_{model._meta.model_name}_changelist")
    html = client.get(listed).content.decode()
    assert "addlink" not in html
    assert "delete_selected" not in html
    assert 'name="action"' not in html
