"""The price list as `core.pricing` wants it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from tracking.core.pricing import PriceList, Rate
from tracking.mongo.connection import CODEC, NAIVE, collection

RATES = "resource_rate"
# More names than these make a query longer than the price list is.
_NAMED_MAX: Final = 1_000


def prices_of(
    tenant: str, resources: Collection[str] | None = None, *, naive: bool = False
) -> PriceList:
    """The tenant's prices as they are now; with `resources`, at least theirs.

    `naive`: for records whose moments are naive, in UTC.
    """
    query: dict[str, Any] = {"tenant_id": tenant}
    if resources is not None and len(resources) <= _NAMED_MAX:
        query["resource"] = {"$in": sorted(resources)}
    rows = collection(RATES).with_options(codec_options=NAIVE if naive else CODEC).find(query)
    return PriceList(
        Rate(
            resource=row["resource"],
            unit=row["unit"],
            price=row["price"].to_decimal(),
            currency=row["currency"],
            valid_from=row["valid_from"],
            valid_to=row.get("valid_to"),
        )
        for row in rows
    )
