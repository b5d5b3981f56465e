"""What a time cost, in OpenAPI terms."""

from __future__ import annotations

from typing import Final

from tracking.api.schema_costs import CHARGE, CURRENCY, DECIMAL
from tracking.api.schema_insights import (
    AS_OF,
    ASKED,
    COUNT,
    FLAG,
    TEXT,
    TIME,
    array,
    every,
    or_null,
)
from tracking.api.schema_record import Schema
from tracking.insights.costs import BY

_SUMS: Final[Schema] = {
    "billed_cost": {**DECIMAL, "description": "Posted and usage together."},
    "posted_cost": DECIMAL,
    "usage_cost": DECIMAL,
    "lost_attempts": {**DECIMAL, "description": "Of it, attempts that failed or were superseded."},
    "without_arriving": {**DECIMAL, "description": "Of it, objects that failed or were filtered."},
    "failures": {**DECIMAL, "description": "Either; what is both is in it once."},
}
_EACH: Final[Schema] = {
    **or_null(DECIMAL),
    "description": "Rounded to nine digits after the point; null: nothing arrived.",
}
_STEP: Final[Schema] = every({"from": TIME, "to": TIME, **_SUMS})
_GROUP: Final[Schema] = {
    "type": "object",
    "properties": {
        "flow": TEXT,
        "block": TEXT,
        "resource_name": or_null(TEXT),
        "consumed_unit": or_null(TEXT),
        **_SUMS,
        "delivered": or_null(COUNT),
        "cost_per_delivered": _EACH,
        "steps": {**array(_STEP), "description": "Those in which it cost anything."},
    },
    "required": [*_SUMS, "delivered", "cost_per_delivered", "steps"],
    "additionalProperties": False,
    "description": "flow; flow and block; or resource_name and consumed_unit, null: posted.",
}
COSTS: Final[Schema] = every(
    {
        **ASKED,
        "block": or_null(TEXT),
        "resource": or_null(TEXT),
        "by": {"type": "string", "enum": list(BY)},
        "currencies": array(
            every(
                {
                    "billing_currency": CURRENCY,
                    **_SUMS,
                    "cost_per_delivered": _EACH,
                    "steps": array(_STEP),
                    "groups": {**array(_GROUP), "description": "The dearest first."},
                    "more_groups": FLAG,
                }
            )
        ),
        "delivered": {**COUNT, "description": "Objects that arrived in this time."},
        "charges": array(CHARGE),
        "more_charges": FLAG,
        "unpriced": array(
            every(
                {
                    "resource_name": TEXT,
                    "consumed_quantity": DECIMAL,
                    "consumed_unit": TEXT,
                    "first": TIME,
                    "last": TIME,
                },
                description="Usage without a price, which is in no sum.",
            )
        ),
        "as_of": AS_OF,
    }
)
