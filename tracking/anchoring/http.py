"""One POST to somebody else's server: bounded in time and size, redirects not followed."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tracking.anchoring.target import NotAnchored

SECONDS: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: what is signed goes where it was meant to go."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def host_of(url: str) -> str:
    """The part of the address that may be shown: paths and queries of webhooks hold secrets."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = SECONDS) -> bytes:
    """The body of a 2xx answer, up to 64 KiB; anything else raises NotAnchored."""
    host = host_of(url)
    end = time.monotonic() + seconds
    request = urllib.request.Request(  # noqa: S310 (settings allow http and https only)
        url, data=body, headers={"User-Agent": "data-flow-tracking", **headers}, method="POST"
    )
    try:
        with _opener.open(request, timeout=seconds) as answer:
            return _read(answer, end, host)
    except urllib.error.HTTPError as error:
        with error:
            raise NotAnchored(f"{host} answered {error.code}.") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise NotAnchored(f"{host} could not be reached: {reason}") from None


def _read(answer: Any, end: float, host: str) -> bytes:
    found = b""
    while part := answer.read1(ANSWER_BYTES_MAX):
        found += part
        if len(found) > ANSWER_BYTES_MAX:
            raise NotAnchored(f"{host} answered with more than {ANSWER_BYTES_MAX >> 10} KiB.")
        if time.monotonic() > end:
            raise NotAnchored(f"{host} did not answer in time.")
    return found
