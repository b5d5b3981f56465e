"""Walks what somebody signed in can reach in the admin, as far as links and forms lead."""

from __future__ import annotations

import io
import zipfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import NoReverseMatch, reverse

PAGES_MOST: Final = 1_000
# Of one page, so many sets of values for the same parameters.
_VARIANTS: Final = 1
# Rows whose own pages are opened: of what holds what may be masked all, of others one.
_ROWS: Final = {"transaction": 6, "transactionblock": 6}


class Found(HTMLParser):
    """The addresses that a page leads to: its links, and each choice of its forms on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.choices: list[tuple[str, str]] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.links += [given[name] for name in ("href", "hx-get") if given.get(name)]
        if tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select and given.get("value"):
            self.choices.append((self._select, given["value"]))


def text_of(answer: Any) -> str:
    """All that an answer tells: its head, its body, and what a zip holds."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            body = b"\n".join(packed.read(name) for name in packed.namelist())
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    cookies = "\n".join(map(str, answer.cookies.values()))
    return f"{head}\n{cookies}\n{body.decode('utf-8', 'replace')}"


def crawl(client: Client) -> Iterator[tuple[str, int, str]]:
    """Each address under /admin/ that is reached from the home page or that is registered, breadth
    first, with the status and text of its answer."""
    queue = deque([reverse("admin:index"), *registered()])
    seen: set[str] = set()
    variants: Counter[tuple[str, tuple[str, ...]]] = Counter()
    while queue:
        url = queue.popleft()
        if url in seen or not _is_new(url, variants):
            continue
        seen.add(url)
        assert len(seen) <= PAGES_MOST
        answer = client.get(url)
        text = text_of(answer)
        yield url, answer.status_code, text
        if "text/html" in answer.get("Content-Type", ""):
            page = Found()
            page.feed(text)
            here = urlsplit(url).path
            queue += [_address(url, link) for link in page.links if _is_ours(_address(url, link))]
            # a filter belongs to a list; the same names in a form to change something do not
            if here in _lists():
                queue += [f"{here}?{urlencode([choice])}" for choice in page.choices]
        elif answer.status_code in (301, 302):
            queue.append(_address(url, answer.url))


def registered() -> Iterator[str]:
    """The addresses of every page of every model, for the first few of its rows."""
    for name in ("find", "search", "jsi18n", "password_change"):
        yield reverse(f"admin:{name}")
    for model, page in admin.site._registry.items():
        most = _ROWS.get(str(model._meta.model_name), 1)
        keys = list(model._default_manager.values_list("pk", flat=True)[:most])
        for pattern in page.get_urls():
            if name := pattern.name:
                yield from _reversed(f"admin:{name}", keys)


def _reversed(name: str, keys: Iterable[Any]) -> Iterator[str]:
    try:
        yield reverse(name)
    except NoReverseMatch:
        for key in keys:
            try:
                yield reverse(name, args=[quote(key)])
            except NoReverseMatch:
                return


def _lists() -> set[str]:
    return {
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    }


def _address(base: str, link: str) -> str:
    parts = urlsplit(urljoin(f"http://testserver{base}", link))
    if parts.netloc != "testserver":
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _is_ours(url: str) -> bool:
    path = urlsplit(url).path
    return path.startswith("/admin/") and "logout" not in path


def _is_new(url: str, variants: Counter[tuple[str, tuple[str, ...]]]) -> bool:
    parts = urlsplit(url)
    names = tuple(sorted({name for name, _text in parse_qsl(parts.query)}))
    if len(names) > 1 and names != ("extended", "s"):
        return False  # every filter on its own
    variants[parts.path, names] += 1
    return not names or variants[parts.path, names] <= _VARIANTS
