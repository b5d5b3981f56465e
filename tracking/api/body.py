"""The body of a post: of a known type, inflated, and never more of it than the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.http.request import UnreadablePostError

from tracking.errors import BadRequest
from tracking.ingest.inflate import ENCODINGS, TooLarge, inflate

_CHUNK: Final = 64 * 1024


def media_type(request: HttpRequest, known: Sequence[str]) -> str:
    """The body's type, one of `known`."""
    given = (request.content_type or "").lower()
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    if given not in known or charset not in ("utf-8", "utf8"):
        raise BadRequest(
            "unsupported_media_type",
            f"The body must be {' or '.join(known)}, in UTF-8.",
            status=415,
            headers={"Accept-Post": ", ".join(known)},
        )
    return given


def read_body(request: HttpRequest) -> bytes:
    """The inflated body, never more of it than the limit."""
    encoding = _encoding(request)
    body = _read_sent(request)
    if not encoding:
        return body
    try:
        return inflate(body, encoding, settings.DFT_POST_BYTES)
    except TooLarge:
        raise _too_large() from None


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
    if int(announced) > settings.DFT_POST_BYTES:
        raise _too_large()
    body = _read(request, int(announced))
    if len(body) < int(announced):
        raise BadRequest(
            "incomplete_body",
            f"The body ended after {len(body)} of {announced} bytes.",
            offset=len(body),
        )
    return body


def _read(stream: Any, step: int = _CHUNK) -> bytes:
    parts = []
    size = 0
    try:
        while part := stream.read(step or _CHUNK):
            size += len(part)
            if size > settings.DFT_POST_BYTES:
                raise _too_large()
            parts.append(part)
    except (OSError, UnreadablePostError):
        raise BadRequest("incomplete_body", "The body broke off.", offset=size) from None
    return b"".join(parts)


def _too_large() -> BadRequest:
    return BadRequest(
        "body_too_large",
        f"The body has more than {settings.DFT_POST_BYTES} bytes; split the post.",
        status=413,
        limit=settings.DFT_POST_BYTES,
    )
