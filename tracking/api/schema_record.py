"""The wire record in OpenAPI terms, with the limits that read_record applies."""

from __future__ import annotations

from typing import Any, Final

from tracking import vocabulary as v

Schema = dict[str, Any]


def line(most: int, least: int = 0, **more: Any) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most, **more}


def listed(items: Schema, most: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": most}


def closed(properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object that refuses unknown fields."""
    shape: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        shape["required"] = list(required)
    return {**shape, **more}


IDENTIFIER: Final = {
    "type": "string",
    "pattern": rf"^{v.ID_PATTERN.pattern}$",
    "minLength": 1,
    "maxLength": v.ID_MAX,
}
NAME: Final = line(v.NAME_MAX, 1)
TIME: Final = {
    "type": "string",
    "format": "date-time",
    "description": "RFC 3339 with an offset, cut to milliseconds.",
}
_INTEGER: Final = {"type": "integer", "minimum": -v.INT_MAX, "maximum": v.INT_MAX}
_SCALAR: Final = {
    "oneOf": [
        line(v.ATTRIBUTE_TEXT_MAX),
        {"type": "boolean"},
        {"type": "number", "description": f"An integer lies within ±{v.INT_MAX}."},
    ]
}
_REFERENCE: Final = line(v.REFERENCE_VALUE_MAX, 1)

RECORD: Final = closed(
    {
        "id": {
            **IDENTIFIER,
            "description": "Yours, unique per tenant: what a repeated post is recognised by.",
        },
        "object": closed({"id": line(v.OBJECT_ID_MAX, 1), "type": NAME}, ("id", "type")),
        "flow": NAME,
        "flow_version": NAME,
        "block": NAME,
        "transaction": {
            **IDENTIFIER,
            "description": "Absent: made from flow, object type and object id.",
        },
        "stage": {"type": "string", "enum": list(v.STAGES)},
        "status": {"type": "string", "enum": list(v.STATUSES)},
        "occurred_at": TIME,
        "queued_at": TIME,
        "started_at": TIME,
        "ended_at": TIME,
        "attempt": {"type": "integer", "minimum": 1, "maximum": v.ATTEMPT_MAX, "default": 1},
        "reason": line(v.REASON_MAX),
        "exception": closed(
            {name: line(most) for name, most in v.EXCEPTION_MAX.items()}, minProperties=1
        ),
        "attributes": {
            "type": "object",
            "maxProperties": v.ATTRIBUTES_MAX,
            "additionalProperties": {
                "oneOf": [*_SCALAR["oneOf"], listed(_SCALAR, v.ATTRIBUTE_LIST_MAX)]
            },
            "description": f"Flat; at most {v.ATTRIBUTES_BYTES_MAX} bytes in all.",
        },
        "references": {
            "type": "object",
            "maxProperties": v.REFERENCES_MAX,
            "additionalProperties": {
                "oneOf": [_REFERENCE, listed(_REFERENCE, v.REFERENCE_VALUES_MAX)]
            },
            "description": "Business identifiers that people search by.",
        },
        "parents": listed(IDENTIFIER, v.PARENTS_MAX),
        "usage": listed(
            closed(
                {
                    "resource": line(v.RESOURCE_MAX, 1),
                    "quantity": {
                        "oneOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
                        "description": "Not negative; a decimal string keeps every digit.",
                    },
                    "unit": line(v.UNIT_MAX, 1),
                },
                ("resource", "quantity", "unit"),
            ),
            v.USAGE_MAX,
        ),
        "cost": closed(
            {
                "amount": {
                    "type": "string",
                    "pattern": r"^-?(0|[1-9]\d{0,14})(\.\d{1,9})?$",
                    "example": "12.50",
                },
                "currency": {"type": "string", "description": "A code of ISO 4217."},
            },
            ("amount", "currency"),
        ),
        "payload": closed(
            {
                "hash": line(v.PAYLOAD_HASH_MAX, 1),
                "size": {**_INTEGER, "minimum": 0},
                "content_type": line(v.PAYLOAD_TYPE_MAX, 1),
                "uri": line(v.PAYLOAD_URI_MAX, 1),
                "content": line(v.PAYLOAD_CONTENT_BYTES_MAX),
            },
            minProperties=1,
        ),
        "subject": line(v.SUBJECT_MAX),
        "corrects": IDENTIFIER,
        "final": {"type": "boolean"},
    },
    ("id", "object", "flow", "block", "stage", "status", "occurred_at"),
    description=(
        "What happened to an object in one block. Unknown fields are invalid; a failed record"
        f" needs a reason or an exception, a filtered one a reason; at most {v.RECORD_BYTES_MAX}"
        " bytes."
    ),
    example={
        "id": "0197f6a2-6d1c-7a61-9f0e-3f2a4b5c6d7e",
        "object": {"id": "4711", "type": "order"},
        "flow": "orders",
        "block": "validate",
        "stage": "processing",
        "status": "succeeded",
        "occurred_at": "2026-01-31T10:00:00Z",
    },
)
