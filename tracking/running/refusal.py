"""What the door answers by itself, in the one shape of all errors (docs/api.md)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final, NamedTuple

from gunicorn.http import errors as parse

_OVERLOADED: Final = "The server has more to do than it can; come again. Nothing was recorded."


class Refusal(NamedTuple):
    """An answer that no application was asked for; `retry` in seconds."""

    status: int
    code: str
    detail: str
    limit: int | None = None
    offset: int | None = None
    retry: int | None = None

    def response(self, *, close: bool) -> bytes:
        body: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.limit is not None:
            body["limit"] = self.limit
        if self.offset is not None:
            body["offset"] = self.offset
        content = json.dumps(body).encode()
        lines = [
            f"HTTP/1.1 {self.status} {body['title']}",
            "Content-Type: application/problem+json",
            f"Content-Length: {len(content)}",
            "Cache-Control: no-store",
            f"Connection: {'close' if close else 'keep-alive'}",
        ]
        if self.retry is not None:
            lines.append(f"Retry-After: {self.retry}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def overloaded(retry: int) -> Refusal:
    return Refusal(503, "overloaded", _OVERLOADED, retry=retry)


def broken() -> Refusal:
    return Refusal(500, "error", "Something went wrong on our side. A post may be repeated.")


def slow(what: str) -> Refusal:
    return Refusal(408, "too_slow", f"The request's {what} did not come in time.")


def too_large(limit: int) -> Refusal:
    detail = f"The body has more than {limit} bytes; split the post."
    return Refusal(413, "body_too_large", detail, limit=limit)


def broken_off(received: int, announced: int | None) -> Refusal:
    of = f"{received} of {announced}" if announced is not None else str(received)
    return Refusal(400, "incomplete_body", f"The body ended after {of} bytes.", offset=received)


def unreadable(detail: str) -> Refusal:
    return Refusal(400, "bad_request", detail)


def of_parser(error: Exception, head_limit: int) -> Refusal:
    """What the server's parser refused, without quoting what was sent."""
    if isinstance(error, parse.LimitRequestLine):
        return Refusal(414, "address_too_long", "The address is too long.")
    if isinstance(error, parse.LimitRequestHeaders):
        detail = f"The headers are too many or too long; together {head_limit} bytes at most."
        return Refusal(431, "headers_too_large", detail, limit=head_limit)
    if isinstance(error, parse.ExpectationFailed):
        return Refusal(417, "bad_request", "Of expectations, only 100-continue is understood.")
    if isinstance(error, parse.UnsupportedTransferCoding):
        return unreadable("Of transfer codings, only chunked is understood.")
    if isinstance(error, parse.InvalidHTTPVersion):
        return unreadable("Speak HTTP/1.1.")
    if isinstance(error, parse.InvalidHeader) and str(error.hdr).upper() in (
        "CONTENT-LENGTH",
        "TRANSFER-ENCODING",
    ):
        return unreadable("The body's length is stated wrongly, twice or in two ways.")
    return unreadable("The request is no valid HTTP.")
