"""What others have specified, in OpenAPI terms: OTLP's traces, and the envelope of CloudEvents."""

from __future__ import annotations

from typing import Any, Final

from tracking.api.problems import MEDIA_TYPE
from tracking.api.schema_record import Schema
from tracking.ingest.cloudevents_envelope import EXTENSIONS
from tracking.ingest.inflate import ENCODINGS
from tracking.ingest.otlp import JSON, PROTOBUF
from tracking.ingest.otlp_span import SPANS_MAX

_TEXT: Final[Schema] = {"type": "string"}
_PROBLEM: Final[Schema] = {"$ref": "#/components/schemas/Problem"}
_FULL: Final[Schema] = {"type": "string", "minLength": 1}
_STATUS: Final[Schema] = {
    "type": "object",
    "properties": {"code": {"type": "integer"}, "message": _TEXT},
    "description": "google.rpc.Status; the message begins with a code of ours.",
}
_PARTIAL: Final[Schema] = {
    "type": "object",
    "properties": {
        "partialSuccess": {
            "type": "object",
            "properties": {"rejectedSpans": _TEXT, "errorMessage": _TEXT},
        }
    },
    "description": "ExportTraceServiceResponse; empty where nothing was refused.",
}

CLOUD_EVENT: Final[Schema] = {
    "type": "object",
    "description": "CloudEvents 1.0; docs/cloudevents.md says how it becomes a record.",
    "properties": {
        "specversion": {"type": "string", "enum": ["1.0"]},
        "id": _FULL,
        "source": _FULL,
        "type": _FULL,
        "subject": {**_FULL, "description": "The object's id, unless dftobjectid or data says."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {**_TEXT, "description": "JSON of some kind."},
        "dataschema": _FULL,
        "data": {"description": "A record, a part of one, or JSON of the producer's own."},
        **{name: {"description": "Fills a field of the record."} for name in EXTENSIONS},
    },
    "required": ["specversion", "id", "source", "type"],
    "additionalProperties": True,
}


def post_traces() -> dict[str, Any]:
    """The operation of the endpoint for OTLP/HTTP traces."""
    answers = {
        200: ("The spans were recorded; partialSuccess counts those that were not.", _PARTIAL),
        400: ("The body or a parameter cannot be read; do not repeat.", _STATUS),
        401: ("No key, or not a valid one.", _STATUS),
        403: ("The key has not the scope ingest.", _STATUS),
        408: ("The request did not come in time (answered as a problem, before it is read).", {}),
        413: ("The body has too many bytes or spans.", _STATUS),
        415: ("The body has another type or encoding.", _STATUS),
        429: ("The key is faster than its rate; repeat after Retry-After.", _STATUS),
        503: (
            "The database did not answer, or (then as a problem) there is too much to do; repeat"
            " after Retry-After.",
            _STATUS,
        ),
    }
    return {
        "operationId": "postTraces",
        "summary": "Record OpenTelemetry traces",
        "description": (
            "OTLP/HTTP: a trace is a transaction, a span a block; at most"
            f" {SPANS_MAX} spans. Answers are in the encoding of the request."
        ),
        "tags": ["posting"],
        "security": [{"key": []}],
        "parameters": [
            {
                "name": "Content-Encoding",
                "in": "header",
                "schema": {"type": "string", "enum": list(ENCODINGS)},
                "description": "How the body is compressed; limits hold for it inflated.",
            },
        ],
        "requestBody": {
            "required": True,
            "content": _both({"type": "object", "description": "ExportTraceServiceRequest"}),
        },
        "responses": {
            str(status): {
                "description": text,
                "content": _both(schema) if schema else {MEDIA_TYPE: {"schema": _PROBLEM}},
            }
            for status, (text, schema) in answers.items()
        },
    }


def _both(schema: Schema) -> Schema:
    binary = {"type": "string", "format": "binary", "description": schema.get("description", "")}
    return {PROTOBUF: {"schema": binary}, JSON: {"schema": schema}}
