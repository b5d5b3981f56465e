"""Script in every text that people and services can leave behind: shown as text, run nowhere."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from tests.access.crawl import crawl
from tests.access.house import House, Person, sign_in_user
from tests.tools import drain, post, record
from tracking.access.keys import create_key
from tracking.models import FlowDefinition, FlowStep, Membership, Tenant, User

pytestmark = pytest.mark.django_db

TENANT = "scripted"
# Each breaks out of another place: text, attributes, a script, a template, an address.
BREAKS = (
    '<evil7 onevil7="1">{0}</evil7>',
    '"><script>evil7({0})</script>',
    "' onevil7='evil7({0})' x='",
    '" onevil7="evil7({0})" autofocus onfocus="evil7()',
    "</script><script>evil7({0})</script>",
    "</textarea></title><img src=x onerror=evil7({0})>",
    "javascript:evil7({0})",
    "{{{{evil7({0})}}}} ${{evil7({0})}} {{%evil7%}}",
    "'; evil7({0}); '",
    "<svg/onload=evil7({0})>",
)
# What a browser runs, Alpine and htmx included.
RUN = re.compile(r"on|x-|@|:|hx-|srcdoc|style|formaction", re.I)
ADDRESSES = ("href", "src", "action", "data", "poster", "xlink:href")


class _Page(HTMLParser):
    """What stems from the texts: elements, attributes, and what would be run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.inside = self.type = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside, self.type = tag, dict(attrs).get("type") or ""
        if "evil7" in tag:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            text = value or ""
            if "evil7" in name or ("evil7" in text and RUN.match(name)):
                self.wrong.append(f"<{tag} {name}={text[:80]}>")
            # as browsers read a scheme
            plain = re.sub(r"[\x00-\x20]", "", text).lower()
            if name in ADDRESSES and plain.startswith(("javascript:", "data:text", "vbscript:")):
                self.wrong.append(f"<{tag} {name}={text[:80]}>")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style") and "evil7" in data:
            self.wrong.append(f"<{self.inside}> {data[:80]}")
        elif self.inside == "script" and data.strip() and "json" not in self.type:
            self.wrong.append(f"an inline script, which the policy forbids: {data[:80]}")


def wrong_in(html: str) -> list[str]:
    page = _Page()
    page.feed(html)
    return page.wrong


def test_the_reader_sees_what_gets_through() -> None:
    shown = [break_.format(1) for break_ in BREAKS]
    for text in (*shown[:2], *shown[4:6], shown[9]):
        assert wrong_in(f"<p>{text}</p>") or wrong_in(f"<script>{text}</script>"), text
    assert wrong_in(f"<p title='{shown[2]}'>")
    assert wrong_in(f'<p title="{shown[3]}">')
    assert wrong_in(f'<a href="{shown[6]}">')
    assert wrong_in(f"<p x-data=\"{{a: '{shown[8]}'}}\">")


class Texts:
    """A new one each time, by what it stands in."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def __call__(self, kind: str, most: int = 100) -> str:
        number = len(self.of) + 70_000
        text = BREAKS[len(self.of) % len(BREAKS)].format(number)
        self.of[kind] = f"{number}"
        # its number stays, so that it is known wherever it is shown
        return f"{number} {text}"[:most]


def leave_behind(texts: Texts) -> User:
    Tenant.objects.create(slug=TENANT, name=texts("tenant"))
    people = [
        User.objects.create(
            username=texts(f"user name {n}"), full_name=texts(f"full name {n}"), is_superuser=not n
        )
        for n in range(10)
    ]
    for user in people:
        Membership.objects.create(user=user, tenant_id=TENANT)
    Group.objects.create(name=texts("group"))
    create_key(tenant=TENANT, name=texts("key"), scopes=["read"])
    for _n in range(4):
        definition = FlowDefinition.objects.create(
            tenant_id=TENANT,
            flow=texts(f"defined flow {_n}"),
            version=texts(f"version {_n}"),
            note=texts(f"note {_n}"),
        )
        FlowStep.objects.create(
            definition=definition, position=1, block=texts(f"step {_n}"), stage="egress"
        )
    post(list(_records(texts)), TENANT)
    drain()
    return people[0]


def _records(texts: Texts) -> Iterator[dict[str, Any]]:
    for n in range(len(BREAKS)):
        yield record(
            id=f"s-{n}",
            transaction=f"tx-{n}",
            object={"id": texts(f"object {n}"), "type": texts(f"object type {n}")},
            flow=texts(f"flow {n}"),
            flow_version=texts(f"flow version {n}"),
            block=texts(f"block {n}"),
            stage="egress",
            status="failed" if n % 2 else "succeeded",
            reason=texts(f"reason {n}"),
            exception={
                name: texts(f"{name} {n}")
                for name in ("type", "message", "code", "location", "stacktrace")
            }
            if n % 2
            else None,
            attributes={texts(f"attribute name {n}"): texts(f"attribute value {n}")},
            references={texts(f"reference name {n}"): texts(f"reference value {n}")},
            usage=[
                {"resource": texts(f"resource {n}"), "quantity": 1, "unit": texts(f"unit {n}", 50)}
            ],
            payload={
                name: texts(f"payload {name} {n}")
                for name in ("hash", "content_type", "uri", "content")
            },
            subject=texts(f"subject {n}"),
        )


# Names alone, which nobody shows anywhere but where they are changed or in JSON.
_STARTS = (
    "/admin/",
    "/api/v1/transactions",
    *(f"/api/v1/transactions/tx-{n}/lifetime" for n in range(10)),
)


def test_no_text_that_is_kept_is_run_by_any_page(house: House) -> None:
    texts = Texts()
    mighty = leave_behind(texts)
    agent = BREAKS[0].format(699)
    client = sign_in_user(
        mighty, headers={"User-Agent": agent, "Referer": f"http://testserver/{agent}"}
    )
    lists = [
        reverse(f"admin:{name}_changelist")
        for name in ("auth_group", "tracking_user", "tracking_apikey", "tracking_tenant")
    ]
    pages = crawl(client, [*_STARTS, *lists], most=900)
    shown = set()
    for url, text in pages.items():
        headers, _, body = text.partition("\n\n")
        assert "X-Content-Type-Options: nosniff" in headers, url
        if url.startswith("/admin/"):
            assert "Content-Security-Policy: " in headers, url
        if "text/html" in headers:
            assert wrong_in(body) == [], url
        shown.update(re.findall(r"\b(7\d{4})\b", body))
    missing = [kind for kind, number in texts.of.items() if number not in shown]
    assert missing == []
    answer = client.get(reverse("admin:tracking_transaction_evidence"))
    with zipfile.ZipFile(BytesIO(b"".join(answer.streaming_content))) as package:
        stories = [name for name in package.namelist() if name.endswith(".html")]
        assert stories
        for name in stories:
            assert wrong_in(package.read(name).decode()) == [], name
    print(f"\n{len(texts.of)} texts on {len(pages)} pages")


def test_no_text_that_is_asked_for_is_run_by_the_answer(house: House) -> None:
    client = sign_in_user(User.objects.get(username=Person("everything").name))
    for break_ in BREAKS:
        text = break_.format(1)
        for url, query in (
            (reverse("admin:find"), {"q": text}),
            (reverse("admin:search"), {"s": text, "extended": "1"}),
            (reverse("admin:tracking_transaction_changelist"), {"q": text, "flow": text}),
            (reverse("admin:tracking_transactionblock_changelist"), {"transaction": text}),
            (reverse("admin:tracking_apikey_add"), {"name": text, "tenant": text}),
            (reverse("admin:tracking_user_add"), {"username": text}),
            (reverse("admin:tracking_flowdefinition_add"), {"copy": text, "_popup": text}),
            (reverse("admin:login"), {"next": text}),
            (f"/admin/{text}", {}),
        ):
            for asker in (client, Client()):
                answer = asker.get(url, query)
                assert answer.status_code < 500, url
                assert wrong_in(answer.content.decode()) == [], (url, query)
                assert "Content-Security-Policy" in answer
        answer = client.post(reverse("admin:login"), {"username": text, "password": "x"})
        assert wrong_in(answer.content.decode()) == []
        answer = client.post(reverse("admin:tracking_tenant_add"), {"name": text, "slug": text})
        assert wrong_in(answer.content.decode()) == []
    missing = client.get(reverse("admin:tracking_user_change", args=(BREAKS[0],)), follow=True)
    assert wrong_in(missing.content.decode()) == []
