"""POST /api/v1/blocks: the producers' door (docs/api.md, "Posting records").

A plain view: what a record may hold is read_record's matter, so there is no serializer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from tracking import clock
from tracking import vocabulary as v
from tracking.api.authentication import key_holder_with
from tracking.api.parameters import check_parameters, flag
from tracking.api.problems import explained, method_not_allowed
from tracking.errors import BadRequest
from tracking.ingest.accept import Answer, Producer, Result, accept
from tracking.ingest.decode import MEDIA_TYPES, decode
from tracking.ingest.inflate import ENCODINGS, TooLarge, inflate

METHODS: Final = ["POST", "OPTIONS"]
_CHUNK: Final = 64 * 1024
_ACCEPT_POST: Final = ", ".join(MEDIA_TYPES)

LIMITS: Final = {
    "post_records": v.POST_RECORDS_MAX,
    "post_bytes": v.POST_BYTES_MAX,
    "atomic_records": v.ATOMIC_RECORDS_MAX,
    "record_bytes": v.RECORD_BYTES_MAX,
    "nesting": v.DEPTH_MAX,
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
    check_parameters(request, ("atomic",))
    atomic = flag(request, "atomic")
    media_type = _media_type(request)
    values = decode(_read_body(request), media_type)
    if atomic and len(values) > v.ATOMIC_RECORDS_MAX:
        raise BadRequest(
            "too_many_records",
            f"The post has {len(values)} records; an atomic one has at most"
            f" {v.ATOMIC_RECORDS_MAX}.",
            status=413,
            limit=v.ATOMIC_RECORDS_MAX,
        )
    answer = accept(
        producer=Producer(holder.tenant, holder.prefix),
        values=values,
        # Read now: a body may have taken its time to come in.
        moment=clock.now(),
        atomic=atomic,
    )
    return _answer(answer, minimal=_prefers_minimal(request))


# --- Reading the request ---------------------------------------------------------------------


def _media_type(request: HttpRequest) -> str:
    media_type = (request.content_type or "").lower()
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if media_type not in MEDIA_TYPES or charset not in ("utf-8", "utf8"):
        raise BadRequest(
            "unsupported_media_type",
            f"The body must be {' or '.join(MEDIA_TYPES)}, in UTF-8.",
            status=415,
            headers={"Accept-Post": _ACCEPT_POST},
        )
    return media_type


def _encoding(request: HttpRequest) -> str:
    """gzip, zstd, or nothing."""
    coding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding in ("", "identity"):
        return ""
    if coding not in ENCODINGS:
        raise BadRequest(
            "unsupported_encoding",
            f"The body's Content-Encoding must be {' or '.join(ENCODINGS)}, or absent.",
            status=415,
            headers={"Accept-Encoding": ", ".join(ENCODINGS)},
        )
    return coding


def _read_body(request: HttpRequest) -> bytes:
    """The inflated body, never more of it than the limit."""
    encoding = _encoding(request)
    body = _read_sent(request)
    if not encoding:
        return body
    try:
        return inflate(body, encoding, v.POST_BYTES_MAX)
    except TooLarge:
        raise _too_large() from None


def _read_sent(request: HttpRequest) -> bytes:
    """The body as it was sent, never more of it than the limit."""
    environ: Mapping[str, Any] = request.META
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        # Of unknown length: Django would read nothing. The server marks the end instead.
        if not environ.get("wsgi.input_terminated"):
            raise BadRequest("length_required", "Send a Content-Length.", status=411)
        return _read(environ["wsgi.input"])
    announced = environ.get("CONTENT_LENGTH") or "0"
    if not (announced.isascii() and announced.isdigit()):
        raise BadRequest("bad_request", "The Content-Length is not a number.")
    if int(announced) > v.POST_BYTES_MAX:
        raise _too_large()
    body = _read(request)
    if len(body) < int(announced):
        raise BadRequest(
            "incomplete_body",
            f"The body ended after {len(body)} of {announced} bytes.",
            offset=len(body),
        )
    return body


def _read(stream: Any) -> bytes:
    parts = []
    size = 0
    try:
        while part := stream.read(_CHUNK):
            size += len(part)
            if size > v.POST_BYTES_MAX:
                raise _too_large()
            parts.append(part)
    except (OSError, UnreadablePostError):
        raise BadRequest("incomplete_body", "The body broke off.", offset=size) from None
    return b"".join(parts)


def _too_large() -> BadRequest:
    return BadRequest(
        "body_too_large",
        f"The body has more than {v.POST_BYTES_MAX} bytes; split the post.",
        status=413,
        limit=v.POST_BYTES_MAX,
    )


def _prefers_minimal(request: HttpRequest) -> bool:
    preferences = request.META.get("HTTP_PREFER", "").lower().replace('"', "").split(",")
    return any("".join(one.split()).startswith("return=minimal") for one in preferences)


# --- Shaping the answer ------------------------------------------------------------------------


def _answer(answer: Answer, *, minimal: bool) -> HttpResponse:
    results = answer.results
    if minimal:
        results = [result for result in results if result.outcome != v.STORED]
    body = {
        "received": len(answer.results),
        "stored": answer.count(v.STORED),
        "duplicates": answer.count(v.DUPLICATE),
        "conflicts": answer.count(v.CONFLICT),
        "invalid": answer.count(v.INVALID),
        "batches": [
            {
                "id": batch.id,
                "recorded_at": clock.iso(batch.recorded_at),
                "root": batch.root,
                "signature": None,
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
    if stored + known < len(answer.results):
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
        "limits": LIMITS,
    }
    response = HttpResponse(orjson.dumps(body), content_type="application/json")
    response["Allow"] = ", ".join(METHODS)
    response["Accept-Post"] = _ACCEPT_POST
    return response
