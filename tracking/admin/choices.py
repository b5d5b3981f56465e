"""What a filter offers: names read from indexes, a bounded number of them, remembered briefly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from django.core.cache import cache
from pymongo.errors import PyMongoError

from tracking.mongo.connection import collection

logger = logging.getLogger(__name__)

NAMES_MAX: Final = 200
TENANTS_MAX: Final = 20
FLOWS_MAX: Final = 20
NEWEST: Final = 500
_SECONDS: Final = 30
_TIME_MS: Final = 800


def flows(tenants: list[str]) -> list[str]:
    """The flows that have transactions or a definition."""

    def read(tenant: str) -> set[str]:
        defined = _distinct("flow_definition", "flow", tenant_id=tenant)
        return _distinct("transaction", "flow", tenant=tenant) | defined

    return _of_all(tenants, "flows", read)


def blocks(tenants: list[str], flow: str | None) -> list[str]:
    """The blocks of a flow, or of the first few flows."""
    chosen = [flow] if flow else flows(tenants)[:FLOWS_MAX]

    def read(tenant: str) -> set[str]:
        defined = collection("flow_definition").find(
            {"tenant_id": tenant, "flow": {"$in": chosen}}, {"_id": 1}, limit=NAMES_MAX
        )
        found = _distinct("flow_step", "block", definition_id={"$in": [d["_id"] for d in defined]})
        for name in chosen:
            found |= _distinct("block_progress", "block", tenant=tenant, flow=name)
        return found

    return _of_all(tenants, f"blocks:{flow or ''}", read)


def error_types(tenants: list[str]) -> list[str]:
    return _of_all(
        tenants,
        "errors",
        lambda tenant: _distinct("transaction", "error_type", tenant=tenant),
    )


def priced_resources(tenants: list[str]) -> list[str]:
    return _of_all(
        tenants, "priced", lambda tenant: _distinct("resource_rate", "resource", tenant_id=tenant)
    )


def price_currencies(tenants: list[str]) -> list[str]:
    return _of_all(
        tenants,
        "currencies",
        lambda tenant: _distinct("resource_rate", "currency", tenant_id=tenant),
    )


def object_types(tenants: list[str]) -> list[str]:
    """The types of the newest transactions' objects; types have no index of their own."""

    def read(tenant: str) -> set[str]:
        rows = (
            collection("transaction")
            .find({"tenant": tenant}, {"_id": 0, "object_type": 1})
            .sort([("updated_at", -1), ("_id", -1)])
            .limit(NEWEST)
            .max_time_ms(_TIME_MS)
        )
        return {row["object_type"] for row in rows}

    return _of_all(tenants, "types", read)


def _of_all(tenants: list[str], what: str, read: Callable[[str], set[str]]) -> list[str]:
    found: set[str] = set()
    for tenant in tenants[:TENANTS_MAX]:
        key = f"dft:choices:{tenant}:{what.encode().hex()}"
        names = cache.get(key)
        if names is None:
            try:
                names = sorted(read(tenant))[:NAMES_MAX]
            except PyMongoError as error:
                # a filter that offers nothing is better than a page that fails
                logger.warning("no choices of %s: %s", what, type(error).__name__)
                names = []
            cache.set(key, names, _SECONDS)
        found.update(names)
    return sorted(found)[:NAMES_MAX]


def _distinct(name: str, field: str, **where: Any) -> set[str]:
    # with an index on `where` and `field` this skips from value to value (DISTINCT_SCAN)
    found = collection(name).distinct(field, where, maxTimeMS=_TIME_MS)
    return {value for value in found if isinstance(value, str)}
