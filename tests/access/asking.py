"""Asking an address for something of somebody's, and what of the answer may depend on its name."""

from __future__ import annotations

import html
import json
import re
from typing import Any, NamedTuple
from urllib.parse import quote as percent
from urllib.parse import unquote, urlsplit

from django.contrib.admin.utils import quote
from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from tests.access.house import House
from tests.access.table import Answer, Endpoint, Open, Page, Row

# Different each time, whoever asks for what.
CHANCE = re.compile(
    r'(?<=name="csrfmiddlewaretoken" value=")[^"]+'
    r"|(?<=Search took )[^<]*"
)
_HEADERS_OFCHANCE = frozenset({"set-cookie", "content-length", "ratelimit", "ratelimit-policy"})


class Asked(NamedTuple):
    """`id`: as the database has it."""

    name: str
    url: str
    id: str | None


def asked_for(name: str, row: Row, house: House, whose: str) -> Asked:
    """The address of `row`, for what is `own`, the `other` tenant's or nobody's (`none`)."""
    key = getattr(row, "key", None)
    identifier = house.id(key, whose) if key else None
    path, query = getattr(row, "path", ""), getattr(row, "query", "")
    if isinstance(row, Endpoint) and identifier:
        identifier = identifier.partition("/")[2]
    if identifier:
        shown = identifier if isinstance(row, Endpoint) else quote(identifier)
        url = f"/{re.sub('<.*>', shown, path)}" if path else reverse(name, args=(shown,))
    else:
        url = f"/{path}" if path or isinstance(row, Open) and ":" not in name else reverse(name)
    if query:
        url += "?" + query.format(size=house.ids["acme"]["checkpoint"])
    return Asked(name, url, identifier)


def ask(client: Client, asked: Asked, row: Row, method: str, house: House, **more: Any) -> HttpResponse:
    body = getattr(row, "body", None)
    if method == "POST" and isinstance(row, Endpoint):
        data = json.dumps(body(house) if body else [])
        answer = client.post(asked.url, data, content_type="application/json", **more)
    elif method == "POST":
        answer = client.post(asked.url, dict(body(house)) if body else {}, **more)
    elif method in ("PUT", "PATCH", "DELETE"):
        answer = client.generic(method, asked.url, "{}", content_type="application/json", **more)
    else:
        answer = client.generic(method, asked.url, **more)
    if answer.streaming:
        b"".join(answer.streaming_content)  # type: ignore[arg-type]
        answer.close()
    return answer


def told(answer: HttpResponse) -> Answer:
    """Its status, and the name of where it leads."""
    if answer.status_code not in (301, 302):
        return answer.status_code, None
    parts = urlsplit(answer["Location"])
    assert not parts.netloc, answer["Location"]
    try:
        return answer.status_code, resolve(parts.path).view_name
    except Resolver404:
        return answer.status_code, parts.path


def without_name(answer: HttpResponse, asked: Asked) -> tuple[int, dict[str, str], str]:
    """All of an answer but the id that was asked for, and what is different each time."""
    text = "" if answer.streaming else answer.content.decode()
    headers = {
        name: _blank(value, asked)
        for name, value in answer.items()
        if name.lower() not in _HEADERS_OFCHANCE
    }
    headers["cookies"] = " ".join(sorted(answer.cookies))
    return answer.status_code, headers, _blank(CHANCE.sub("", text), asked)


def _blank(text: str, asked: Asked) -> str:
    names = {asked.id, (asked.id or "").partition("/")[2]} - {None, ""}
    for name in sorted((str(each) for each in names), key=len, reverse=True):
        for spelt in (name, html.escape(name), quote(name), percent(name, safe=""), unquote(name)):
            text = text.replace(spelt, "…")
    return text
