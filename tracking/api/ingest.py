"""POST /api/v1/blocks: the producers' door (docs/api.md, "Posting records").

A plain view: what a record may hold is read_record's matter, so there is no serializer.
"""

from __future__ import annotations

from typing import Final

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from tracking import clock
from tracking import vocabulary as v
from tracking.api import rates
from tracking.api.authentication import key_holder_with
from tracking.api.body import media_type, read_body
from tracking.api.parameters import check_parameters, flag
from tracking.api.problems import explained, method_not_allowed
from tracking.errors import BadRequest
from tracking.ingest.accept import Answer, Producer, Result, accept
from tracking.ingest.cloudevents import explain, read_event
from tracking.ingest.cloudevents_envelope import Event, from_headers, is_binary
from tracking.ingest.decode import CLOUD_EVENT, CLOUD_EVENTS, JSON, MEDIA_TYPES, decode, parse_json
from tracking.ingest.inflate import ENCODINGS
from tracking.metering import count_records

METHODS: Final = ["POST", "OPTIONS"]
_ACCEPT_POST: Final = ", ".join(MEDIA_TYPES)


def limits() -> dict[str, int]:
    """What a post may hold here; the settings decide about the first three."""
    return {
        "post_records": settings.DFT_POST_RECORDS,
        "post_bytes": settings.DFT_POST_BYTES,
        "atomic_records": min(settings.DFT_ATOMIC_RECORDS, settings.DFT_POST_RECORDS),
        "record_bytes": v.RECORD_BYTES_MAX,
        "nesting": v.DEPTH_MAX,
        "records_per_second": settings.DFT_RATE_RECORDS,
    }


@csrf_exempt  # no cookie is looked at: only the key counts
@explained
def blocks(request: HttpRequest) -> HttpResponse:
    """Record what is posted; the answer says of every record what became of it."""
    if request.method == "OPTIONS":
        return _options()
    if request.method != "POST":
        return method_not_allowed(request, METHODS)
    holder = key_holder_with(request, v.SCOPE_INGEST)
    rates.look(holder)
    check_parameters(request, ("atomic",))
    atomic = flag(request, "atomic")
    kind = media_type(request, MEDIA_TYPES)
    body = read_body(request)
    events = _events(request, kind, body)
    most = settings.DFT_POST_RECORDS
    values = decode(body, kind, most) if events is None else [event.value for event in events]
    if atomic and len(values) > settings.DFT_ATOMIC_RECORDS:
        raise BadRequest(
            "too_many_records",
            f"The post has {len(values)} records; an atomic one has at most"
            f" {settings.DFT_ATOMIC_RECORDS}.",
            status=413,
            limit=settings.DFT_ATOMIC_RECORDS,
        )
    headers = rates.charge(holder, len(values))
    answer = accept(
        producer=Producer(holder.tenant, holder.prefix),
        values=values,
        # Read now: a body may have taken its time to come in.
        moment=clock.now(),
        atomic=atomic,
    )
    count_records(answer.count)
    if events is not None:
        explain(answer.results, events)
    response = _answer(answer, minimal=_prefers_minimal(request))
    for name, text in headers.items():
        response[name] = text
    return response


# --- Reading the request ---------------------------------------------------------------------


def _events(request: HttpRequest, kind: str, body: bytes) -> list[Event] | None:
    """The posted CloudEvents, None where the body holds plain records."""
    if kind in (CLOUD_EVENT, CLOUD_EVENTS):
        return [read_event(value) for value in decode(body, kind, settings.DFT_POST_RECORDS)]
    if kind == JSON and is_binary(request.META):
        data = parse_json(body) if body else None
        return [read_event(from_headers(request.META, request.META["CONTENT_TYPE"], data))]
    return None


def _prefers_minimal(request: HttpRequest) -> bool:
    preferences = request.META.get("HTTP_PREFER", "").lower().replace('"', "").split(",")
    return any("".join(one.split()).startswith("return=minimal") for one in preferences)


# --- Shaping the answer ------------------------------------------------------------------------


def _answer(answer: Answer, *, minimal: bool) -> HttpResponse:
    results = answer.not_stored() if minimal else answer.results
    body = {
        "received": answer.received,
        "stored": answer.count(v.STORED),
        "duplicates": answer.count(v.DUPLICATE),
        "conflicts": answer.count(v.CONFLICT),
        "invalid": answer.count(v.INVALID),
        "batches": [
            {
                "id": batch.id,
                "recorded_at": clock.iso(batch.recorded_at),
                "first": batch.first,
                "count": len(batch.leaves),
                "root": batch.root.hex(),
                "signature": batch.signature,
            }
            for batch in answer.batches
        ],
        "results": [_result(result) for result in results],
    }
    response = HttpResponse(
        orjson.dumps(body), content_type="application/json", status=_status(answer)
    )
    response["Cache-Control"] = "no-store"
    if minimal:
        response["Preference-Applied"] = "return=minimal"
    return response


def _status(answer: Answer) -> int:
    stored, known = answer.count(v.STORED), answer.count(v.DUPLICATE)
    if answer.refused or stored + known == 0:
        return 422
    if stored + known < answer.received:
        return 207
    return 201 if stored else 200


def _result(result: Result) -> dict[str, object]:
    return {
        "index": result.index,
        "id": result.id,
        "outcome": result.outcome,
        "receipt": result.receipt,
        "errors": [error._asdict() for error in result.errors],
    }


def _options() -> HttpResponse:
    body = {
        "methods": METHODS,
        "media_types": MEDIA_TYPES,
        "encodings": ENCODINGS,
        "limits": limits(),
    }
    response = HttpResponse(orjson.dumps(body), content_type="application/json")
    response["Allow"] = ", ".join(METHODS)
    response["Accept-Post"] = _ACCEPT_POST
    return response
