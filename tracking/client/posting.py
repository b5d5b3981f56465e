"""One batch, one POST, one verdict: what became of it and what to do next."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

# What to do with the batch.
SETTLED: Final = "settled"
AGAIN: Final = "again"  # the server or the way to it is in trouble: the same batch later
PAUSE: Final = "pause"  # the server does not want us: a person must mend something
SPLIT: Final = "split"  # too large for some part of the way

PATH: Final = "/api/v1/blocks"
_ANSWER_BYTES: Final = 32 * 1024 * 1024
_OVERLOAD: Final = frozenset((408, 425, 429))
_RETRY_AFTER_MOST: Final = 3_600.0


@dataclass(slots=True)
class Verdict:
    """`refused`: (index in the batch, why) of each record that the server will never take."""

    what: str
    reason: str = ""
    wait: float | None = None  # the server's own wish, in seconds
    duplicates: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


class Poster:
    """A kept-alive connection to one server; used by one thread, but for `abort`."""

    def __init__(
        self, url: str, key: str, *, timeout: float, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the url must read http(s)://host[:port]")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/").removesuffix(PATH) + PATH
        self._timeout = timeout
        self._context = ssl_context
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-ndjson",
            "Accept": "application/json",
            "Prefer": "return=minimal",
            "User-Agent": "dft-client",
        }
        if not key.isascii() or not key.isprintable():
            raise ValueError("the key holds characters that no key has")

    def post(self, lines: list[bytes]) -> Verdict:
        body = b"\n".join(lines)
        fresh = self._connection is None
        try:
            return self._exchange(body, len(lines))
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self.drop()
            if fresh:
                return Verdict(AGAIN, _reason(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.drop()
            return Verdict(AGAIN, _reason(error))
        # An idle connection that the server had closed meanwhile says nothing about the server.
        try:
            return self._exchange(body, len(lines))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.drop()
            return Verdict(AGAIN, _reason(error))

    def _exchange(self, body: bytes, count: int) -> Verdict:
        connection = self._connection
        if connection is None:
            made = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            more: dict[str, Any] = {"context": self._context} if self._secure else {}
            connection = made(self._host, self._port, timeout=self._timeout, **more)
            self._connection = connection
        connection.request("POST", self._path, body, self._headers)
        response = connection.getresponse()
        answer = _read(response, time.monotonic() + self._timeout)
        if response.will_close:
            self.drop()
        return verdict_of(response.status, response.headers, answer, count)

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def abort(self) -> None:
        """From another thread: end a post that nobody will wait for any longer."""
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(2)


def verdict_of(status: int, headers: Any, answer: bytes, count: int) -> Verdict:
    if status in (200, 201, 207, 422):
        return _settled(status, answer, count)
    reason = f"{status} {_problem(answer)}".strip()
    if status == 413:
        return Verdict(SPLIT, reason)
    if status in _OVERLOAD or status >= 500:
        return Verdict(AGAIN, reason, wait=retry_after(headers.get("Retry-After")))
    if 300 <= status < 400:
        reason = f"{status} redirected to {headers.get('Location', 'elsewhere')}: set that url"
    return Verdict(PAUSE, reason)


def _settled(status: int, answer: bytes, count: int) -> Verdict:
    """Only an answer that accounts for every record is believed: a proxy's or a captive
    portal's 200 stored nothing."""
    try:
        body = json.loads(answer)
        received = [body[name] for name in ("stored", "duplicates", "conflicts", "invalid")]
        if body["received"] != count or sum(received) != count:
            raise ValueError
        refused = [
            (int(result["index"]), _why(result))
            for result in body["results"]
            if result["outcome"] in ("invalid", "conflict")
        ]
        if any(not 0 <= index < count for index, _why_ in refused):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        return Verdict(AGAIN, f"{status} with an answer that is none of a tracker's")
    return Verdict(SETTLED, duplicates=int(body["duplicates"]), refused=refused)


def _why(result: dict[str, Any]) -> str:
    if result["outcome"] == "conflict":
        return "conflict: another record has this id"
    errors = result.get("errors") or [{}]
    first = errors[0]
    return f"{first.get('pointer', '')}: {first.get('code', 'invalid')}: {first.get('message', '')}"


def _problem(answer: bytes) -> str:
    try:
        body = json.loads(answer)
        return f"{body.get('code', '')}: {body.get('detail', '')}"[:300]
    except (ValueError, AttributeError):
        return ""


def retry_after(text: str | None) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    if not text:
        return None
    try:
        seconds = float(text) if text.strip().isdigit() else _until(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), _RETRY_AFTER_MOST)


def _until(text: str) -> float:
    return parsedate_to_datetime(text).timestamp() - time.time()


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The whole answer, in bounded time: one that drips must not hold up the rest."""
    parts = []
    size = 0
    while part := response.read1(65_536):
        parts.append(part)
        size += len(part)
        if size > _ANSWER_BYTES:
            raise ValueError("the answer is too long")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer takes too long")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    response.close()  # or the connection takes no further post
    return b"".join(parts)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
