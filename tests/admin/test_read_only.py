"""Facts and derived documents: no address of the admin adds, changes or deletes one."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.admin.world import signed_in
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


def test_every_page_over_facts_is_read_only() -> None:
    for model, page in admin.site._registry.items():
        if issubclass(model, Fact | Derived):
            assert isinstance(page, ReadOnlyAdmin), model


@pytest.mark.parametrize("model", MODELS)
def test_nothing_offers_to_add_or_delete(model: Any) -> None:
    client = signed_in("root")
    listed = reverse(f"admin:tracking_{model._meta.model_name}_changelist")
    html = client.get(listed).content.decode()
    assert "addlink" not in html
    assert "delete_selected" not in html
    assert 'name="action"' not in html
