"""What the API answers, in OpenAPI terms; tests hold the real answers against it."""

from __future__ import annotations

from typing import Any, Final

from tracking import vocabulary as v
from tracking.api.schema_bottlenecks import BOTTLENECKS
from tracking.api.schema_costs import BLOCK_COST, OBJECT_COST
from tracking.api.schema_insight_costs import COSTS
from tracking.api.schema_insight_forecast import FORECAST
from tracking.api.schema_insights import INSIGHTS
from tracking.api.schema_otlp import CLOUD_EVENT
from tracking.api.schema_record import RECORD, Schema


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _all(properties: Schema, **more: Any) -> Schema:
    """An object of which every property is always there."""
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


_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_HEX: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_MS: Final[Schema] = {"type": "integer", "minimum": 0, "nullable": True}
_STAGE: Final[Schema] = {"type": "string", "enum": list(v.STAGES)}
_BLOCK_STATUS: Final[Schema] = {"type": "string", "enum": list(v.STATUSES)}
_STATUS: Final[Schema] = {"type": "string", "enum": list(v.TRANSACTION_STATUSES)}
_STATE: Final[Schema] = {"type": "string", "enum": list(v.PROGRESS_STATES)}
_SEAL_STATE: Final[Schema] = {
    "type": "string",
    "enum": list(v.SEAL_STATES),
    "description": "In the journal; under a signed checkpoint; that published elsewhere.",
}
_MASKED: Final[Schema] = {
    **_FLAG,
    "description": f"Values that your roles may not read are given as {v.MASKED}.",
}
_ALTERED: Final[Schema] = {
    **_FLAG,
    "description": "What is stored is not what the log has at its place.",
}
_OBJECT: Final[Schema] = _all({"id": _TEXT, "type": _TEXT})
_USAGE: Final[Schema] = _list(_all({"resource": _TEXT, "unit": _TEXT, "quantity": _TEXT}))
_COSTS: Final[Schema] = _list(_all({"currency": _TEXT, "amount": _TEXT}))
_AS_OF: Final[Schema] = _all(
    {"leaf": _COUNT, "behind_seconds": {"type": "number", "minimum": 0}},
    description="How far the lists had come: the next leaf of the log, and their lag.",
)
_PATH: Final[Schema] = _all(
    {
        "source": {"type": "string", "enum": ["defined", "learned"]},
        "version": _or_null(_TEXT),
        "steps": _list(_all({"block": _TEXT, "stage": _STAGE, "optional": _FLAG})),
    },
    description="The expected path: defined, or learned from what others of the flow did.",
)
_NODE: Final[Schema] = {
    "id": _TEXT,
    "object": _or_null(_OBJECT),
    "flow": _or_null(_TEXT),
    "status": {**_STATUS, "enum": [*v.TRANSACTION_STATUSES, None], "nullable": True},
}
_PROGRESS: Final[Schema] = {
    "stages": _all(dict.fromkeys(v.STAGES, _STATE)),
    "blocks": _COUNT,
    "blocks_done": _COUNT,
    "blocks_expected": _or_null(_COUNT),
    "percent": {"type": "integer", "minimum": 0, "maximum": 100, "nullable": True},
    "next_block": _or_null(_TEXT),
    "next_due_at": _or_null(_TIME),
}
_PROGRESS_AND_PATH: Final[Schema] = _all({**_PROGRESS, "path": _PATH})
_TRANSACTION: Final[Schema] = {
    "id": _TEXT,
    "tenant": _TEXT,
    "object": _OBJECT,
    "flow": _TEXT,
    "flow_version": _or_null(_TEXT),
    "definition": {**_TEXT, "nullable": True, "description": "The version it is measured by."},
    "status": _STATUS,
    "stalled": _FLAG,
    "overdue": _FLAG,
    "stage": _STAGE,
    "block": _TEXT,
    "reason": _or_null(_TEXT),
    "error": _or_null(
        _all(
            {
                "block": _TEXT,
                "type": _or_null(_TEXT),
                "message": _or_null(_TEXT),
                "record": _or_null(_TEXT),
            }
        )
    ),
    "seal_state": _SEAL_STATE,
    "created_at": _TIME,
    "updated_at": _TIME,
    "recorded_at": {**_or_null(_TIME), "description": "Of the last of its records."},
    "first_at": _TIME,
    "last_at": _TIME,
    "stalls_at": _or_null(_TIME),
    "due_at": _or_null(_TIME),
    "durations": _all({"throughput_ms": _COUNT, "queue_ms": _MS, "work_ms": _MS}),
    "progress": _all(_PROGRESS),
    "records": _COUNT,
    "withdrawn": _COUNT,
    "retries": _COUNT,
    "references": {"type": "object", "additionalProperties": _list(_TEXT)},
    "parents": _list(_TEXT),
    "usage": _USAGE,
    "costs": _COSTS,
    "warnings": _list({"type": "string", "enum": list(v.WARNINGS)}),
    "masked": _MASKED,
}
_ATTEMPT: Final[Schema] = _all(
    {
        "attempt": _COUNT,
        "status": _BLOCK_STATUS,
        "queued_at": _or_null(_TIME),
        "started_at": _or_null(_TIME),
        "ended_at": _or_null(_TIME),
        "queue_ms": _MS,
        "work_ms": _MS,
        "reason": _or_null(_TEXT),
        "record": _TEXT,
    }
)
_EXCEPTION: Final[Schema] = _all(
    {**{name: _or_null(_TEXT) for name in v.EXCEPTION_MAX}, "record": _TEXT}
)
_BLOCK: Final[Schema] = _all(
    {
        "block": _TEXT,
        "stage": _STAGE,
        "status": _BLOCK_STATUS,
        "position": _COUNT,
        "expected": _or_null(_FLAG),
        "first_at": _TIME,
        "last_at": _TIME,
        "queue_ms": _MS,
        "work_ms": _MS,
        "records": _COUNT,
        "reason": _or_null(_TEXT),
        "exception": _or_null(_EXCEPTION),
        "attempts": _COUNT,
        "latest_attempts": _list(_ATTEMPT),
        "usage": _USAGE,
        "costs": _COSTS,
        "cost": BLOCK_COST,
    }
)


def _page(of: str, **more: Schema) -> Schema:
    return _all(
        {
            "results": _list(ref(of)),
            "next": {"type": "string", "format": "uri", "nullable": True},
            "count": _COUNT,
            "count_is_bounded": {**_FLAG, "description": "There are more than count says."},
            **more,
        }
    )


_RESULT: Final[Schema] = _all(
    {
        "index": _COUNT,
        "id": _or_null(_TEXT),
        "outcome": {"type": "string", "enum": list(v.OUTCOMES)},
        "receipt": {**_HEX, "nullable": True},
        "errors": _list(_all({"pointer": _TEXT, "code": _TEXT, "message": _TEXT})),
    }
)
_BATCH: Final[Schema] = _all(
    {
        "id": _TEXT,
        "recorded_at": _TIME,
        "first": {**_COUNT, "description": "The place of this post's first record in the batch."},
        "count": _COUNT,
        "root": {**_HEX, "description": "Merkle root of the receipts of these records."},
        "signature": {**_or_null(_TEXT), "description": "Ed25519, base64 (docs/integrity.md)."},
    }
)
_PUBLISHED: Final[Schema] = {
    "kind": {"type": "string", "enum": list(v.ANCHOR_KINDS)},
    "target": _TEXT,
    "anchored_at": _TIME,
}
_CHECKPOINT: Final[Schema] = _all(
    {
        "size": _COUNT,
        "root": _HEX,
        "signed_at": _TIME,
        "note": {**_TEXT, "description": "The C2SP signed note."},
        "anchored": {**_FLAG, "description": "This one or a later one was published."},
        "anchors": _list(
            _all(
                {
                    **_PUBLISHED,
                    "token": {**_or_null(_TEXT), "description": "RFC 3161 answer, base64."},
                }
            )
        ),
    }
)
_STORED_RECORD: Final[Schema] = {
    "tenant": _TEXT,
    "record": ref("Record"),
    "masked": _MASKED,
    "recorded_at": _TIME,
    "batch": _TEXT,
    "index": _COUNT,
    "receipt": _HEX,
    "marks": _list({"type": "string", "enum": list(v.MARKS)}),
    "producer": _TEXT,
    "corrected_by": _list(_TEXT),
    "withdrawn": _FLAG,
    "state": _SEAL_STATE,
}

COMPONENTS: Final[Schema] = {
    "Record": RECORD,
    "CloudEvent": CLOUD_EVENT,
    "PostAnswer": _all(
        {
            "received": _COUNT,
            "stored": _COUNT,
            "duplicates": _COUNT,
            "conflicts": _COUNT,
            "invalid": _COUNT,
            "batches": _list(_BATCH),
            "results": _list(_RESULT),
        }
    ),
    "Problem": {
        "type": "object",
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "code": {**_TEXT, "description": "Stable; docs/api.md lists them."},
            "offset": {**_COUNT, "description": "The byte of the body where reading ended."},
            "parameter": _TEXT,
            "limit": _COUNT,
        },
        "required": ["type", "title", "status", "detail", "code"],
        "additionalProperties": False,
        "description": "RFC 9457; the one shape of every error.",
    },
    "Transaction": _all(_TRANSACTION),
    "TransactionPage": _page("Transaction", as_of=_AS_OF),
    "TransactionDetail": _all({**_TRANSACTION, "progress": _PROGRESS_AND_PATH, "as_of": _AS_OF}),
    "Lifetime": _all(
        {
            **_TRANSACTION,
            "progress": _PROGRESS_AND_PATH,
            "recorded": _COUNT,
            "truncated": _FLAG,
            "timeline": _list(_BLOCK),
            "cost": OBJECT_COST,
            "withdrawn_records": _list(_TEXT),
            "children": _list(_all(_NODE)),
            "more_children": _FLAG,
        }
    ),
    "Lineage": _all(
        {
            "nodes": _list(_all({**_NODE, "depth": {"type": "integer"}})),
            "edges": _list(_all({"parent": _TEXT, "child": _TEXT})),
            "truncated": _FLAG,
            "as_of": _AS_OF,
        }
    ),
    "StoredRecord": _all(_STORED_RECORD),
    "RecordDetail": _all(
        {
            **_STORED_RECORD,
            "leaf_index": _or_null(_COUNT),
            "sealed_at": _or_null(_TIME),
            "anchored_at": _or_null(_TIME),
            "altered": _ALTERED,
        }
    ),
    "RecordPage": _page("StoredRecord"),
    "Checkpoint": _CHECKPOINT,
    "CheckpointPage": _all(
        {"results": _list(ref("Checkpoint")), "before": {**_COUNT, "nullable": True}}
    ),
    "Proof": _all(
        {
            "tenant": _TEXT,
            "id": _TEXT,
            "receipt": _HEX,
            "recorded_at": _TIME,
            "state": _SEAL_STATE,
            "sealed_at": _or_null(_TIME),
            "anchored_at": _or_null(_TIME),
            "altered": _ALTERED,
            "anchors": _list(_all({**_PUBLISHED, "size": _COUNT})),
            "leaf_index": {**_COUNT, "nullable": True},
            "hashes": _list(_HEX),
            "checkpoint": {"allOf": [ref("Checkpoint")], "nullable": True},
        }
    ),
    "Consistency": _all(
        {"from": ref("Checkpoint"), "to": ref("Checkpoint"), "hashes": _list(_HEX)}
    ),
    **INSIGHTS,
    "Bottlenecks": BOTTLENECKS,
    "Costs": COSTS,
    "Forecast": FORECAST,
}
