"""The OpenAPI document: what drf-spectacular cannot read off the views by itself."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from tracking.api.filters import Moment, TransactionFilter
from tracking.api.ingest import limits
from tracking.api.paging import PAGE, PAGE_MOST
from tracking.api.schema_answers import COMPONENTS, ref
from tracking.api.schema_otlp import post_traces
from tracking.api.schema_record import IDENTIFIER
from tracking.ingest.decode import CLOUD_EVENT, CLOUD_EVENTS, JSON, NDJSON
from tracking.ingest.inflate import ENCODINGS
from tracking.insights.costs import BY
from tracking.insights.focus import STEPS
from tracking.insights.forecasts.series import MEASURES

_PROBLEM: Final = "application/problem+json"
_PROBLEMS: Final = {
    400: "A parameter or the body cannot be read.",
    401: "No key, or not a valid one.",
    403: "The key or role does not include this.",
    404: "There is none, or none of yours.",
    503: "The database did not answer; see Retry-After.",
}


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "tracking.api.authentication.ApiKeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "dft_<prefix>_<secret>"}


class SignedInScheme(OpenApiAuthenticationExtension):
    target_class = "tracking.api.authentication.SignedInAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "dft_session"}


def _parameter(name: str, what: str, kind: Any = OpenApiTypes.STR) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=what)


_TENANT: Final = _parameter("tenant", "One of several tenants; ids are unique within a tenant.")
_PAGING: Final = [
    _parameter("cursor", "From `next` of the page before."),
    _parameter("page_size", f"1 to {PAGE_MOST}, by default {PAGE}.", OpenApiTypes.INT),
]


def _filters() -> list[OpenApiParameter]:
    found = []
    for name, item in TransactionFilter.base_filters.items():
        words = [value for value, _label in item.extra.get("choices", ())]
        kind = OpenApiTypes.DATETIME if isinstance(item, Moment) else OpenApiTypes.STR
        what = item.extra["help_text"]
        where = OpenApiParameter.QUERY
        found.append(OpenApiParameter(name, kind, where, description=what, enum=words or None))
    return found


def _id(name: str) -> OpenApiParameter:
    return OpenApiParameter(name, {**IDENTIFIER}, OpenApiParameter.PATH)


def _read(
    operation: str,
    summary: str,
    answer: str,
    *parameters: OpenApiParameter,
    scopes: str = "`read`",
) -> Any:
    responses: dict[Any, Any] = {
        (status, _PROBLEM): OpenApiResponse(ref("Problem"), description=text)
        for status, text in _PROBLEMS.items()
    }
    responses[200] = OpenApiResponse(ref(answer), description=summary)
    return extend_schema(
        operation_id=operation,
        summary=summary,
        description=f"Needs the scope {scopes}, or a role that includes it.",
        parameters=list(parameters),
        responses=responses,
        request=None,
        tags=["reading"],
    )


def _zip(operation: str, summary: str, *parameters: OpenApiParameter) -> Any:
    problems = {
        **_PROBLEMS,
        409: "A record is not the one that was recorded.",
        413: "More than a package holds.",
    }
    responses: dict[Any, Any] = {
        (status, _PROBLEM): OpenApiResponse(ref("Problem"), description=text)
        for status, text in problems.items()
    }
    responses[200, "application/zip"] = OpenApiResponse(OpenApiTypes.BINARY, description=summary)
    return extend_schema(
        operation_id=operation,
        summary=summary,
        description="Needs the scope `export`, or the role Auditor.",
        parameters=list(parameters),
        responses=responses,
        request=None,
        filters=False,
        tags=["reading"],
    )


def _csv(operation: str, summary: str, *parameters: OpenApiParameter) -> Any:
    responses: dict[Any, Any] = {
        (status, _PROBLEM): OpenApiResponse(ref("Problem"), description=text)
        for status, text in _PROBLEMS.items()
    }
    responses[200, "text/csv"] = OpenApiResponse(OpenApiTypes.STR, description=summary)
    return extend_schema(
        operation_id=operation,
        summary=summary,
        description="Needs the scope `read`, or a role that includes it.",
        parameters=list(parameters),
        responses=responses,
        request=None,
        filters=False,
        tags=["reading"],
    )


_OF: Final = (_id("transaction"), _TENANT)
transaction_list = _read(
    "listTransactions",
    "Transactions, the latest event first",
    "TransactionPage",
    *_filters(),
    *_PAGING,
)
transaction_detail = _read(
    "getTransaction", "One transaction, as the lists know it", "TransactionDetail", *_OF
)
transaction_lifetime = _read("getLifetime", "What happened to it, never behind", "Lifetime", *_OF)
transaction_records = _read(
    "listRecords", "Its records as posted, by event time", "RecordPage", *_OF, *_PAGING
)
transaction_lineage = _read("getLineage", "Its ancestors and descendants", "Lineage", *_OF)
_SIZE: Final = OpenApiTypes.INT
_PROVING: Final = "`read` or `verify`"
record_proof = _read(
    "getProof",
    "That a record is in the log",
    "Proof",
    _id("record"),
    _TENANT,
    _parameter("checkpoint", "In the tree of this size; by default the latest.", _SIZE),
    scopes=_PROVING,
)
checkpoint_list = _read(
    "listCheckpoints",
    "Checkpoints, the newest first",
    "CheckpointPage",
    _parameter("before", "Only smaller ones: `before` of the page before.", _SIZE),
    _PAGING[1],
    scopes=_PROVING,
)
checkpoint_latest = _read(
    "getLatestCheckpoint", "The newest checkpoint", "Checkpoint", scopes=_PROVING
)
consistency = _read(
    "getConsistency",
    "That the log only grew",
    "Consistency",
    _parameter("from", "The size of the older checkpoint.", _SIZE),
    _parameter("to", "The size of the newer one.", _SIZE),
    scopes=_PROVING,
)
_HELD: Final = _parameter(
    "checkpoint", "The size of a checkpoint that you hold: prove that the log grew from it.", _SIZE
)
transaction_evidence = _zip("getEvidence", "What an outsider can check of it", *_OF, _HELD)
search_evidence = _zip("getEvidenceOfSearch", "The same of all that is found", *_filters(), _HELD)
record_detail = _read("getRecord", "One record as posted", "RecordDetail", _id("record"), _TENANT)


_INSIGHT: Final = (
    _parameter("tenant", "Whose numbers; needed by who has several tenants."),
    _parameter("flow", "Of this flow alone."),
    _parameter("from", "By default a day before `to`.", OpenApiTypes.DATETIME),
    _parameter("to", "Until before this time; by default now.", OpenApiTypes.DATETIME),
    _parameter("step", "15m, 1h, 1d, 1w, 1mo and the like; by default what fits the time."),
)
_BY: Final = OpenApiParameter(
    "by", OpenApiTypes.STR, OpenApiParameter.QUERY, description="Grouped by what.", enum=list(BY)
)
insight_costs = _read(
    "getCosts",
    "What it cost, and what failures did",
    "Costs",
    *_INSIGHT,
    _parameter("block", "Of this block alone."),
    _parameter("resource", "The usage of this resource alone."),
    _BY,
)
insight_costs_export = _csv(
    "exportCosts",
    "Costs under the column names of FOCUS 1.2",
    *_INSIGHT[:-1],
    OpenApiParameter(
        "step",
        OpenApiTypes.STR,
        OpenApiParameter.QUERY,
        description="A charge period: an hour, a day (by default) or a month.",
        enum=list(STEPS),
    ),
)
insight_forecast = _read(
    "getForecast",
    "How much is to come, and what it needs",
    "Forecast",
    *_INSIGHT[:2],
    OpenApiParameter(
        "measure",
        OpenApiTypes.STR,
        OpenApiParameter.QUERY,
        description="Objects that start, by default, or records.",
        enum=list(MEASURES),
    ),
    OpenApiParameter(
        "step",
        OpenApiTypes.STR,
        OpenApiParameter.QUERY,
        description="By the hour or, by default, by the day.",
        enum=["1h", "1d"],
    ),
)
insight_throughput = _read(
    "getThroughput", "How many objects pass, and how fast", "Throughput", *_INSIGHT
)

insight_bottlenecks = _read(
    "getBottlenecks", "Where a flow loses its time, and why", "Bottlenecks", *_INSIGHT
)


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook: the shared components, and the plain view that takes posts."""
    result.setdefault("components", {}).setdefault("schemas", {}).update(COMPONENTS)
    result["paths"]["/api/v1/blocks"] = {"post": _post(), "options": _options()}
    result["paths"]["/api/v1/otlp/v1/traces"] = {"post": post_traces()}
    result["paths"] = dict(sorted(result["paths"].items()))
    return result


def _content(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": schema}}


def _post() -> dict[str, Any]:
    answers = {
        200: "Every record was there before.",
        201: "Every record is in the journal, at least one of them new.",
        207: "Some records were accepted; the others stand in results.",
        422: "No record was accepted, or an atomic post was refused.",
    }
    problems = {
        **_PROBLEMS,
        413: "The body has too many bytes or records; see limit.",
        408: "The body did not come in time.",
        415: "The body has another type or encoding.",
        429: "The key is faster than its rate; see Retry-After.",
        503: "The database did not answer, or there is too much to do; see Retry-After.",
    }
    del problems[404]
    most = limits()
    record, many = ref("Record"), {"type": "array", "items": ref("Record")}
    return {
        "operationId": "postRecords",
        "summary": "Record what happened",
        "description": (
            f"One record, an array, or one per line: at most {most['post_records']} records and"
            f" {most['post_bytes']} bytes. Repeating a post is safe: a record is known by its id."
        ),
        "tags": ["posting"],
        "security": [{"key": []}],
        "parameters": [
            {
                "name": "atomic",
                "in": "query",
                "schema": {"type": "boolean", "default": False},
                "description": f"All or nothing, for at most {most['atomic_records']} records.",
            },
            {
                "name": "Prefer",
                "in": "header",
                "schema": {"type": "string", "enum": ["return=minimal"]},
                "description": "results then lists only what was not stored.",
            },
            {
                "name": "Content-Encoding",
                "in": "header",
                "schema": {"type": "string", "enum": list(ENCODINGS)},
                "description": "How the body is compressed; limits hold for it inflated.",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                **_content(JSON, {"oneOf": [record, {**many, "maxItems": most["post_records"]}]}),
                **_content(NDJSON, {"type": "string", "description": "One record per line."}),
                **_content(CLOUD_EVENT, ref("CloudEvent")),
                **_content(CLOUD_EVENTS, {"type": "array", "items": ref("CloudEvent")}),
            },
        },
        "responses": {
            **{
                str(status): {"description": text, "content": _content(JSON, ref("PostAnswer"))}
                for status, text in answers.items()
            },
            **{
                str(status): {"description": text, "content": _content(_PROBLEM, ref("Problem"))}
                for status, text in problems.items()
            },
        },
    }


def _options() -> dict[str, Any]:
    return {
        "operationId": "postLimits",
        "summary": "The limits of a post",
        "tags": ["posting"],
        "security": [],
        "responses": {"200": {"description": "Methods, media types and limits."}},
    }
