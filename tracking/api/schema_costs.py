"""The cost of an object, in OpenAPI terms."""

from __future__ import annotations

from typing import Any, Final

from tracking.api.schema_record import Schema

_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
DECIMAL: Final[Schema] = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}
CURRENCY: Final[Schema] = {**_TEXT, "description": "ISO 4217"}


def _all(properties: Schema, **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def _or_null(schema: Schema) -> Schema:
    return {**schema, "nullable": True}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_AMOUNT: Final[Schema] = _all({"billing_currency": CURRENCY, "billed_cost": DECIMAL})
CHARGE: Final[Schema] = _all(
    {
        "resource_name": _TEXT,
        "consumed_quantity": DECIMAL,
        "consumed_unit": _TEXT,
        "list_unit_price": _or_null(DECIMAL),
        "billed_cost": _or_null(DECIMAL),
        "billing_currency": _or_null(CURRENCY),
        "price_valid_from": _or_null({**_TEXT, "format": "date-time"}),
        "price_valid_to": _or_null({**_TEXT, "format": "date-time"}),
    },
    description="What was used of a resource at one price; null: there was no price.",
)
_BILL: Final[Schema] = {
    "totals": _list(
        _all(
            {
                "billing_currency": CURRENCY,
                "billed_cost": {**DECIMAL, "description": "Posted and usage together."},
                "posted_cost": DECIMAL,
                "usage_cost": DECIMAL,
            }
        )
    ),
    "lost_attempts": {
        **_list(_AMOUNT),
        "description": "Of it, what attempts cost that failed or were superseded.",
    },
    "charges": _list(CHARGE),
    "more_charges": _FLAG,
}
BLOCK_COST: Final[Schema] = _or_null(_all(_BILL, description="null: it cost nothing."))
OBJECT_COST: Final[Schema] = _all(
    {
        **_BILL,
        "without_arriving": {
            **_or_null(_list(_AMOUNT)),
            "description": "All of it, where the object failed or was filtered.",
        },
        "unpriced": {**_FLAG, "description": "Some usage has no price and is in no sum."},
        "partial": {**_FLAG, "description": "Only the first records were read; see truncated."},
    },
    description="Exact, at the price of each event's time; currencies are never added together.",
)
