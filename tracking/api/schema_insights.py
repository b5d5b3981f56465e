"""Insights in OpenAPI terms."""

from __future__ import annotations

from typing import Any, Final

from tracking import vocabulary as v
from tracking.api.schema_record import Schema

TEXT: Final[Schema] = {"type": "string"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
MS: Final[Schema] = {"type": "integer", "minimum": 0, "nullable": True}
SHARE: Final[Schema] = {"type": "number", "nullable": True, "description": "Of one: 0.5 is 50 %."}


def every(properties: Schema, **more: Any) -> Schema:
    """An object of which every property is always there."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def or_null(schema: Schema) -> Schema:
    return {**schema, "nullable": True}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


AS_OF: Final[Schema] = every(
    {"leaf": COUNT, "behind_seconds": {"type": "number", "minimum": 0}},
    description="How far the numbers had come: the next leaf of the log, and their lag.",
)
# What stands before the numbers of every insight.
ASKED: Final[Schema] = {
    "tenant": TEXT,
    "flow": or_null(TEXT),
    "from": TIME,
    "to": TIME,
    "step": TEXT,
}

_BY_STATUS: Final[Schema] = every(dict.fromkeys(v.STATUSES, COUNT))
_OBJECTS: Final[Schema] = {
    "started": COUNT,
    "delivered": COUNT,
    "failed": COUNT,
    "filtered": COUNT,
    "failed_share": {**SHARE, "description": "Of what ended; null: nothing did."},
}
_COUNTS: Final[Schema] = {**_OBJECTS, "records": _BY_STATUS}
SPANS: Final[Schema] = or_null(
    every(
        {"n": COUNT, "mean_ms": MS, "median_ms": MS, "p95_ms": MS},
        description="Within 1 % of the exact quantiles; null: kept by the hour, not by minutes.",
    )
)
_RETRIES: Final[Schema] = {**COUNT, "nullable": True, "description": "null in steps of minutes."}
_IN_TRANSIT: Final[Schema] = {"type": "integer"}
_CHANGE: Final[Schema] = {**SHARE, "description": "0.5: half as much again; null: from nothing."}

THROUGHPUT: Final[Schema] = every(
    {
        **ASKED,
        "until": {**TIME, "description": "The end, or the time of asking, if that is sooner."},
        "totals": every({**_COUNTS, "in_transit": _IN_TRANSIT, "retries": _RETRIES}),
        "throughput_time": or_null(every({"delivered": SPANS, "failed": SPANS, "filtered": SPANS})),
        "steps": array(
            every(
                {
                    "from": TIME,
                    "to": TIME,
                    **_COUNTS,
                    "in_transit": {
                        **or_null(_IN_TRANSIT),
                        "description": "At its end, or now; null of what is to come.",
                    },
                    "retries": _RETRIES,
                    "throughput_time": SPANS,
                }
            )
        ),
        "compared": every(
            dict.fromkeys(
                ("previous", "same_weekday"),
                every(
                    {
                        "from": TIME,
                        "to": TIME,
                        **_COUNTS,
                        "throughput_time": SPANS,
                        "change": every(
                            {
                                **dict.fromkeys(
                                    ("started", "delivered", "failed", "filtered"), _CHANGE
                                ),
                                "records": every(dict.fromkeys(v.STATUSES, _CHANGE)),
                            }
                        ),
                        "steps": array(every(_OBJECTS)),
                    }
                ),
            )
        ),
        "by": {"type": "string", "enum": ["flow", "version"]},
        "parts": array(every({"name": TEXT, **_OBJECTS, "throughput_time": SPANS})),
        "blocks": array(
            every(
                {
                    "flow": TEXT,
                    "stage": {"type": "string", "enum": list(v.STAGES)},
                    "block": TEXT,
                    "records": _BY_STATUS,
                    "visits": or_null(_BY_STATUS),
                    "failed_share": SHARE,
                    "retries": _RETRIES,
                }
            )
        ),
        "more_blocks": FLAG,
        "as_of": AS_OF,
    }
)
INSIGHTS: Final[Schema] = {"Throughput": THROUGHPUT}
