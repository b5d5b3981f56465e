"""What somebody typed → the transactions it names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import pymongo
from django.db.models import QuerySet

from tracking import vocabulary as v
from tracking.access.scope import Who, tenants_of, visible_to
from tracking.models import Transaction, TransactionBlock
from tracking.mongo.connection import available

MOST: Final = 1_000
_SECONDS: Final = 3.0
_LAST_CHARACTER: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Found:
    """Keys of transactions, the best match first; `bounded`: there are more than these."""

    keys: list[str]
    bounded: bool


def find(who: Who, text: str, *, most: int = MOST) -> Found:
    """The transactions visible to `who` that `text` names, at most `most` of them.

    In this order: exact object id, transaction id, record id, reference (its value, or
    name:value), beginning of the object id. Raises DatabaseUnavailable when it takes too long.
    """
    text = text.strip()
    # Longer than any id or value, or with a control character: no record can hold it.
    if not text or len(text) > v.OBJECT_ID_MAX + v.REFERENCE_NAME_MAX or not text.isprintable():
        return Found([], False)
    found: dict[str, None] = {}
    with available(), pymongo.timeout(_SECONDS):
        for rows in _lookups(who, text):
            # One more than wanted of each, so that its being cut off is noticed.
            found.update(dict.fromkeys(rows.values_list("pk", flat=True)[: most + 1]))
            if len(found) > most:
                break
    keys = list(found)
    return Found(keys[:most], len(keys) > most)


def _lookups(who: Who, text: str) -> Iterator[QuerySet[Transaction]]:
    latest = visible_to(who, Transaction)  # in its own order, by which these indexes end
    transactions = latest.order_by()
    yield latest.filter(object_id=text)
    if v.ID_PATTERN.fullmatch(text):
        tenants = tenants_of(who)
        yield transactions.filter(pk__in=_keys(tenants, [text]))
        records = visible_to(who, TransactionBlock).filter(pk__in=_keys(tenants, [text]))
        named = list(records.values_list("tenant_id", "transaction"))
        if named:
            yield transactions.filter(pk__in=[f"{tenant}/{name}" for tenant, name in named])
    yield latest.filter(references__holds={"value": text})
    name, colon, value = text.partition(":")
    if colon and value:
        yield latest.filter(references__holds={"name": name, "value": value})
    yield transactions.filter(object_id__gte=text, object_id__lt=text + _LAST_CHARACTER)


def _keys(tenants: Iterable[str], names: Iterable[str]) -> list[str]:
    return [f"{tenant}/{name}" for tenant in tenants for name in names]
