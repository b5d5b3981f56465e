"""Following every link there is, as somebody who clicks on everything."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.http import HttpResponse
from django.test import Client

from tests.access.asking import CHANCE, HEADERS_OF_CHANCE

_LINKS = frozenset({"href", "src", "action", "hx-get", "data-url", "value"})
_NOT_FOLLOWED = ("/admin/logout/", "/admin/jsi18n/", "/static/")
_PACKAGES = ("/evidence", "/evidence/")  # asked for where they are looked into
_FOLLOWED = ("/admin/", "/api/v1/")
_WAYS = 1


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in _LINKS and value and (name != "value" or value.startswith(("?", "/"))):
                self.found.append(value)


def crawl(client: Client, starts: Iterable[str], most: int = 600) -> dict[str, str]:
    """All that can be reached from `starts`: by address, what was answered, headers included.

    Fails on an answer of 500, and where there is more than `most`.
    """
    waiting = list(dict.fromkeys(starts))
    seen: dict[str, str] = {}
    ways: Counter[str] = Counter()
    while waiting:
        url = waiting.pop()
        path = url.partition("?")[0]
        # a list is looked at once, not in each of the ways that links lead to
        if url in seen or ways[path] >= _WAYS:
            continue
        ways[path] += 1
        assert len(seen) < most, "a crawl that does not end"
        answer = client.get(url)
        assert answer.status_code < 500, url
        seen[url] = text_of(answer)
        waiting[:0] = [found for found in _links(url, answer) if found not in seen]
    return seen


def text_of(answer: HttpResponse) -> str:
    """Headers and body, without what is different each time."""
    headers = "\n".join(
        f"{name}: {value}"
        for name, value in answer.items()
        if name.lower() not in HEADERS_OF_CHANCE
    )
    return f"{answer.status_code}\n{headers}\n\n{CHANCE.sub('', body_of(answer))}"


def body_of(answer: HttpResponse) -> str:
    if answer.streaming:
        body = b"".join(answer.streaming_content)  # type: ignore[arg-type]
        answer.close()
        zipped = answer.get("Content-Type") == "application/zip"
        return unpacked(body) if zipped else body.decode()
    return answer.content.decode()


def unpacked(body: bytes) -> str:
    """All texts of a zip."""
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        return "\n".join(
            f"{name}\n{package.read(name).decode(errors='replace')}" for name in package.namelist()
        )


def _links(url: str, answer: HttpResponse) -> Iterator[str]:
    kind = answer.get("Content-Type", "")
    found: list[str] = [answer["Location"]] if answer.has_header("Location") else []
    if not answer.streaming and kind.startswith("text/html"):
        links = _Links()
        links.feed(answer.content.decode())
        found += links.found
    elif not answer.streaming and "json" in kind:
        found += re.findall(r'"(?:http://testserver)?(/api/v1/[^"]+)"', answer.content.decode())
    for link in found:
        parts = urlsplit(urljoin(f"http://testserver{url}", link))
        if parts.netloc != "testserver" or parts.path.startswith(_NOT_FOLLOWED):
            continue
        if parts.path.endswith(_PACKAGES):
            continue
        if parts.path.startswith(_FOLLOWED):
            yield parts.path + (f"?{parts.query}" if parts.query else "")
