"""Asking an address for something of somebody's, and what of the answer may depend on its name."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote as percent
from urllib.parse import unquote, urlsplit

from django.contrib.admin.utils import quote
from django.http import HttpResponse
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from tests.access.house import House
from tests.access.table import Answer, Endpoint, Open, Row

# Different each time, whoever asks for what.
CHANCE = re.compile(
    r'(?<=name="csrfmiddlewaretoken" value=")[^"]+'
    r"|(?<=Search took )[^<]*"
    r'|(?<=X-CSRFTOKEN"] = ")[^"]+'
)
HEADERS_OF_CHANCE = frozenset({"set-cookie", "content-length", "expires"})


# Status, headers, body.
Shown = tuple[int, dict[str, str], str]


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
        url = f"/{path}" if path or (isinstance(row, Open) and ":" not in name) else reverse(name)
    if query:
        url += "?" + query.format(size=house.ids["acme"]["checkpoint"])
    return Asked(name, url, identifier)


def ask(
    client: Client, asked: Asked, row: Row, method: str, house: House, **more: Any
) -> HttpResponse:
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


def shown(answer: HttpResponse) -> Shown:
    """All of an answer but what is different each time: status, headers, body."""
    text = "" if answer.streaming else answer.content.decode()
    headers = {
        name: value for name, value in answer.items() if name.lower() not in HEADERS_OF_CHANCE
    }
    # messages wait in a cookie until a page shows them, and in the session when they are many
    headers["cookies"] = " ".join(sorted(answer.cookies.keys() - {"messages", "dft_session"}))
    return answer.status_code, headers, CHANCE.sub("", text)


def renamed(what: Shown, old: str, new: str) -> Shown:
    """As it would be, had `new` been asked for and not `old`, in whichever spelling."""
    parts = (re.split("[/\x1f]", each) for each in (old, new))
    pairs = [(old, new), *zip(*parts, strict=False)]

    def other(text: str) -> str:
        for one, another in pairs:
            for spell in _SPELLINGS:
                text = text.replace(spell(one), spell(another))
        return text

    status, headers, body = what
    return status, {name: other(value) for name, value in headers.items()}, other(body)


_SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    html.escape,
    quote,
    lambda text: percent(text, safe=""),
    lambda text: percent(quote(text), safe=""),
    unquote,
)
