"""Posting as a well-behaved producer does: kept-alive, patient, the same batch again."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from tracking import clock
from tracking.errors import DftError

PATH: Final = "/api/v1/blocks"
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
_DONE: Final = (200, 201, 207, 422)
_AGAIN: Final = (429, 502, 503, 504)


class PostRefused(DftError):
    """The server will not take what we send, however often; the message says why."""


@dataclass(slots=True)
class Posted:
    """The answer to one post. `tries` counts the attempts it took."""

    stored: int
    duplicates: int
    conflicts: int
    invalid: int
    refusals: list[str]
    tries: int


class Producer:
    """One kept-alive connection to the ingest door.

    `patience` is how many seconds a server that is away, or asks to wait, is tried again.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PostRefused(f"{url!r} is no URL such as http://localhost:8000.")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else None
        self._connect = kind or http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + PATH
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Prefer": "return=minimal",
        }
        self._connection: http.client.HTTPConnection | None = None
        self._patience = patience
        self._sleep = sleep

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def post(self, wires: list[dict[str, Any]]) -> Posted:
        """Post one batch, again and again while the server asks for it; raises PostRefused."""
        body = json.dumps(wires, ensure_ascii=False).encode()
        waited, pause, tries = 0.0, FIRST_PAUSE, 0
        while True:
            tries += 1
            trouble, wanted = "", None
            try:
                status, headers, content = self._send(body)
            except (OSError, http.client.HTTPException) as error:
                # Whether it arrived is unknown; the ids make repeating it safe.
                self.close()
                trouble = f"{type(error).__name__}: {error}"
            else:
                if status in _DONE:
                    return _answer(content, tries)
                if status not in _AGAIN:
                    raise PostRefused(_explained(status, content))
                trouble, wanted = f"HTTP {status}", _retry_after(headers)
            wait = min(wanted if wanted is not None else pause, LONGEST_PAUSE)
            if waited + wait > self._patience:
                raise PostRefused(f"{self._host} could not take the records: {trouble}.")
            self._sleep(wait)
            waited += wait
            pause = min(pause * 2, LONGEST_PAUSE)

    def _send(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self._connection is None:
            self._connection = self._connect(self._host, self._port, timeout=30)
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers, content


def _answer(content: bytes, tries: int) -> Posted:
    try:
        body = json.loads(content)
        refusals = [
            f"{result['id']}: {result['outcome']}: "
            + "; ".join(error["message"] for error in result["errors"])
            for result in body["results"]
            if result["outcome"] in ("conflict", "invalid")
        ]
        return Posted(
            stored=body["stored"],
            duplicates=body["duplicates"],
            conflicts=body["conflicts"],
            invalid=body["invalid"],
            refusals=refusals,
            tries=tries,
        )
    except (ValueError, KeyError, TypeError):
        raise PostRefused("The answer is not that of Data Flow Tracking; check the URL.") from None


def _explained(status: int, content: bytes) -> str:
    try:
        problem = json.loads(content)
        return f"HTTP {status}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}, and no explanation; check the URL."


def _retry_after(headers: http.client.HTTPMessage) -> float | None:
    """Seconds, of either form that HTTP allows."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None
