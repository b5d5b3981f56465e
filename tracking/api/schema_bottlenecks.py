"""Bottlenecks in OpenAPI terms."""

from __future__ import annotations

from typing import Any, Final

from tracking import vocabulary as v
from tracking.api.schema_insights import (
    AS_OF,
    ASKED,
    COUNT,
    FLAG,
    SHARE,
    SPANS,
    TEXT,
    TIME,
    array,
    every,
    or_null,
)
from tracking.api.schema_record import Schema
from tracking.insights.counts import ENDINGS
from tracking.insights.verdicts import VERDICTS


def _said(schema: Schema, what: str) -> dict[str, Any]:
    return {**schema, "description": what}


_MS: Final[Schema] = {"type": "integer", "minimum": 0}
_RATE: Final[Schema] = {"type": "number", "minimum": 0}
_KNOWN: Final[Schema] = _said(or_null(_RATE), "null: not known.")
_OBJECTS: Final[Schema] = every(
    {
        "started": COUNT,
        "ended": every(dict.fromkeys(ENDINGS, COUNT)),
        "throughput_time": SPANS,
        "processing_ms": _said(_MS, "Of the throughput time that in which some block worked."),
        "idle_ms": _said(_MS, "The rest of it."),
    }
)
_COUNTS: Final[Schema] = {
    "arrived": COUNT,
    "ended": COUNT,
    "open": _said(COUNT, "Visits decided by a record that ends nothing."),
    "failed": COUNT,
    "retries": COUNT,
    "lost": _said(COUNT, "Failed, or superseded by a later attempt."),
    "queue_ms": _said(_MS, "Its share of the elapsed time of all objects, as queue."),
    "work_ms": _said(_MS, "The same, as work."),
}
_BLOCK: Final[Schema] = every(
    {
        "rank": COUNT,
        "block": TEXT,
        "stage": {"type": "string", "enum": list(v.STAGES)},
        "verdict": {"type": "string", "enum": list(VERDICTS)},
        "sentence": _said(TEXT, "Why it stands there."),
        "elapsed_share": SHARE,
        **_COUNTS,
        "left": _said(COUNT, "Ended; of a block that never says when it ends: went on."),
        "queue_grows_by": {
            "type": "integer",
            "description": "More arrived than left, beyond chance; below 0: fewer.",
        },
        "waiting_change": _said(SHARE, "Of a visit's waiting: 0.3 is 30 % more; null: unknown."),
        "queue_time": SPANS,
        "work_time": SPANS,
        "waiting_time": _said(SPANS, "From the end of the visit before until work began."),
        "rates": every(
            {
                "arrived_per_hour": _RATE,
                "left_per_hour": _RATE,
                "most_left_per_hour": _said(_KNOWN, "In its busiest step."),
                "one_alone_per_hour": _said(_KNOWN, "What it ends one after the other."),
                "waiting_at_once": _said(_KNOWN, "On average."),
                "at_work_at_once": _said(_KNOWN, "On average."),
                "most_at_work_at_once": _said(_KNOWN, "In its busiest step."),
                "utilisation_share": _said(SHARE, "At most this of what it can do at once."),
            }
        ),
        "before": every(_COUNTS),
        "steps": _said(array(every(_COUNTS)), "Of the largest blocks; else none."),
    }
)
BOTTLENECKS: Final[Schema] = every(
    {
        **ASKED,
        "compared_from": TIME,
        "compared_to": TIME,
        "summary": array(TEXT),
        "objects": _OBJECTS,
        "objects_before": _OBJECTS,
        "elapsed_ms": _said(_MS, "Of all objects; what blocks share adds up to it."),
        "blocks": array(_BLOCK),
        "edges": array(
            every(
                {
                    "source": _said(or_null(TEXT), "null: the path begins here."),
                    "target": _said(or_null(TEXT), "null: it ends here."),
                    "passed": COUNT,
                    "waiting_time": SPANS,
                }
            )
        ),
        "hot_spots": array(
            every(
                {
                    "block": TEXT,
                    "often": FLAG,
                    "failed": COUNT,
                    "retries": COUNT,
                    "visits": COUNT,
                    "sentence": TEXT,
                }
            )
        ),
        "more_blocks": FLAG,
        "more_edges": FLAG,
        "as_of": AS_OF,
    }
)
