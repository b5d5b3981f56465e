"""Requests to the provider: bounded in time and size, redirects not followed."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from tracking.sso.refused import AWAY, Refused

# A person waits, and so does a thread of the worker.
SECONDS: Final = 5.0
ANSWER_BYTES_MAX: Final = 1 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Secrets go where the settings say, and nowhere that an answer says."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def ask(
    url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of the answer; with `form` it is posted.

    Refused as away when there is none in time, and when the server says that it is at fault.
    """
    host = urlsplit(url).hostname
    request = urllib.request.Request(  # noqa: S310 (config.is_safe allows http and https only)
        url,
        data=None if form is None else urlencode(form).encode(),
        headers={
            "User-Agent": "data-flow-tracking",
            "Accept": "application/json",
            **(headers or {}),
        },
    )
    end = time.monotonic() + SECONDS
    try:
        try:
            answer = _opener.open(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            status, body = int(answer.status), _read(answer, end)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise Refused(AWAY, f"{host} could not be reached: {reason}") from None
    if status >= 500 or status == 429:
        raise Refused(AWAY, f"{host} answered {status}")
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Refused(AWAY, f"{host} answered {status} and no JSON object")
    return status, told


def _read(answer: Any, end: float) -> bytes:
    found = b""
    while part := answer.read1(1 << 16):
        found += part
        if len(found) > ANSWER_BYTES_MAX:
            raise ValueError("too large")
        if time.monotonic() > end:
            raise TimeoutError
    return found
