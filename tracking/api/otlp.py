"""POST /api/v1/otlp/v1/traces: the door for OpenTelemetry (docs/opentelemetry.md).

It answers as OTLP/HTTP says: in the encoding of the request, errors as google.rpc.Status. The
codes of HTTP are those of all other endpoints, and an exporter knows which it may repeat.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracking import clock
from tracking import vocabulary as v
from tracking.api import problems, rates
from tracking.api.authentication import key_holder_with
from tracking.api.body import media_type, read_body
from tracking.api.parameters import check_parameters
from tracking.api.problems import explained, method_not_allowed
from tracking.ingest.accept import Producer, accept
from tracking.ingest.otlp import OTLP_TYPES, PROTOBUF, Translated, read_spans, translate
from tracking.metering import count_records

METHODS: Final = ["POST"]
_REFUSED: Final = (v.INVALID, v.CONFLICT)
_NAMED: Final = 5  # refused spans that an answer names
_CODES: Final = {  # google.rpc.Code, which exporters at most write down
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    408: 4,
    413: 8,
    429: 8,
    500: 13,
    503: 14,
}
_INVALID_ARGUMENT: Final = 3


def answered_as_status(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view whose problems are answered as OTLP's, with the same status and headers."""

    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.get("Content-Type") == problems.MEDIA_TYPE:
            found = orjson.loads(response.content)
            message = f"{found['code']}: {found['detail']}"
            code = _CODES.get(response.status_code, _INVALID_ARGUMENT)
            _encode_status(request, response, code, message)
        return response

    return wrapper


@csrf_exempt  # no cookie is looked at: only the key counts
@answered_as_status
@explained
def traces(request: HttpRequest) -> HttpResponse:
    """Record spans; the answer says how many of them were refused."""
    if request.method != "POST":
        return method_not_allowed(request, METHODS)
    holder = key_holder_with(request, v.SCOPE_INGEST)
    rates.look(holder)
    check_parameters(request, ())
    kind = media_type(request, OTLP_TYPES)
    spans = read_spans(read_body(request), kind)
    # Read now: a body may have taken its time to come in.
    moment = clock.now()
    producer = Producer(holder.tenant, holder.prefix)
    refused = 0
    named: list[str] = []
    recorded = 0
    for some in _in_batches(translate(spans, moment)):
        recorded += sum(len(span.records) for span in some)
        for span, why in _record(some, producer, moment):
            refused += 1
            if len(named) < _NAMED:
                named.append(f"span {span or 'without an id'}: {why}")
    # How many they are is known only now: what is too much, the next post waits for.
    rates.settle(holder, recorded)
    return _answer(kind, refused, named)


def _in_batches(spans: Iterator[Translated]) -> Iterator[list[Translated]]:
    """As many spans at a time as fill one transaction of the journal."""
    batch: list[Translated] = []
    records = 0
    for span in spans:
        if batch and (
            records + len(span.records) > v.BATCH_RECORDS_MAX or len(batch) >= v.BATCH_RECORDS_MAX
        ):
            yield batch
            batch, records = [], 0
        batch.append(span)
        records += len(span.records)
    if batch:
        yield batch


def _record(spans: list[Translated], producer: Producer, moment: Any) -> Iterator[tuple[str, str]]:
    """Record the spans; yields those that were refused, and why."""
    values = [record for span in spans for record in span.records]
    answer = accept(producer=producer, values=values, moment=moment) if values else None
    if answer:
        count_records(answer.count)
    results = iter(answer.results if answer else ())
    for span in spans:
        problems = [
            problem
            for _, result in zip(span.records, results, strict=False)
            if result.outcome in _REFUSED
            for problem in result.errors
        ]
        if problems:
            yield span.span, f"{problems[-1].pointer} {problems[-1].message}".strip()
        elif span.why:
            yield span.span, span.why


def _answer(kind: str, refused: int, named: list[str]) -> HttpResponse:
    """Nothing but an empty message when all went well, as OTLP demands."""
    message = ""
    if refused:
        more = f" And {refused - len(named)} more." if refused > len(named) else ""
        message = f"{refused} refused, do not send them again: {' '.join(named)}{more}"
    if kind == PROTOBUF:
        response = ExportTraceServiceResponse()
        if refused:
            response.partial_success.rejected_spans = refused
            response.partial_success.error_message = message
        content = response.SerializeToString()
    else:
        partial = {"rejectedSpans": str(refused), "errorMessage": message}
        content = orjson.dumps({"partialSuccess": partial} if refused else {})
    answer = HttpResponse(content, content_type=kind)
    answer["Cache-Control"] = "no-store"
    return answer


def _encode_status(request: HttpRequest, response: HttpResponse, code: int, message: str) -> None:
    if (request.content_type or "").lower() == PROTOBUF:
        response["Content-Type"] = PROTOBUF
        response.content = _status_message(code, message.encode())
    else:
        response["Content-Type"] = "application/json"
        response.content = orjson.dumps({"code": code, "message": message})


def _status_message(code: int, message: bytes) -> bytes:
    """google.rpc.Status: `code` is field 1, `message` field 2."""
    size, length = len(message), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes((8, code, 18)) + bytes(length) + message
