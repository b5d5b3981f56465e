"""Transactions as model instances, whether the lists know them yet or not."""

from __future__ import annotations

from typing import Any

from tracking.access.scope import Who, visible_to
from tracking.errors import NotFound
from tracking.models import Transaction
from tracking.projection.documents import transaction_document
from tracking.projection.live import lifetime_of


def derived_or_recorded(who: Who, tenant: str, transaction: str) -> Transaction:
    """As the follower left it, else made from its records; raises NotFound.

    Whoever has just posted a record finds its transaction, however far the lists are behind.
    """
    rows = visible_to(who, Transaction).filter(pk=f"{tenant}/{transaction}")
    for row in rows.order_by():
        return row
    live = lifetime_of(tenant, transaction)
    if live is None:
        raise NotFound(transaction)
    return as_row(transaction_document(tenant, live.lifetime))


def as_row(document: dict[str, Any]) -> Transaction:
    """The model instance of a derived document."""
    return Transaction(
        **{field.attname: document.get(field.column) for field in Transaction._meta.concrete_fields}
    )
