"""What is tried against doors, addresses and downloads, and what comes of it."""

from __future__ import annotations

import logging
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client
from django.urls import reverse

from tests.access.asking import ask, asked_for, renamed, shown, told
from tests.access.house import (
    EVERYTHING,
    PASSWORD,
    SUPERUSER,
    House,
    Person,
    difference,
    sign_in,
    stored,
)
from tests.access.table import ROWS, addresses
from tests.api.http import bearer
from tests.tools import drain, post, record
from tracking.models import User

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
MIGHTY = Person(SUPERUSER)


def everywhere() -> list[str]:
    """The names of the admin's addresses, from what is mounted."""
    return [name for name, _each in addresses() if name.startswith("admin")]


# --- Requests forged from another site ---------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}], ids=["none", "other"])
@pytest.mark.parametrize("token", ["", "x" * 64])
def test_no_post_of_the_admin_is_taken_from_another_site(
    headers: dict[str, str], token: str, house: House
) -> None:
    client = sign_in(MIGHTY, enforce_csrf_checks=True)
    before = stored()
    for name in everywhere():
        row = ROWS[name]
        if name in ("admin:sso", "admin:sso_callback"):
            continue  # nothing is posted there
        asked = asked_for(name, row, house, "own")
        more = {"headers": {**headers, **({"X-CSRFToken": token} if token else {})}}
        assert ask(client, asked, row, "POST", house, **more).status_code == 403, name
    assert difference(before, stored()) == []
    # still signed in: nobody is signed out from another site either
    assert client.get(reverse("admin:index")).status_code == 200


def test_the_api_takes_no_post_by_a_session(house: House) -> None:
    client = sign_in(MIGHTY)
    for path in ("/api/v1/blocks", "/api/v1/otlp/v1/traces"):
        answer = client.post(path, "[]", content_type="application/json")
        assert answer.status_code == 401, path


# --- A key in an address -----------------------------------------------------------------------


def test_a_key_in_an_address_is_refused_and_written_down_nowhere(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = house.keys["all"]
    secret = key.split("_", 2)[2]
    coded = "".join(f"%{ord(letter):02x}" for letter in key)
    clients = [sign_in(MIGHTY), Client(headers=bearer(key)), Client()]
    paths = [
        *(
            f"{path}?{name}={text}"
            for path in _PATHS
            for name in ("key", "q")
            for text in (key, coded)
        ),
        *(f"{path}?{key}=1" for path in _PATHS),
        *(f"{path}{text}" for path in _ROOMS for text in (key, coded, f"{key}/evidence")),
        f"{LOGIN}?next=/admin/?key={key}",
        f"{LOGIN}?next={quote('/admin/?key=' + key)}",
    ]
    before = stored()
    for client in clients:
        for path in paths:
            for method in ("get", "post"):
                answer = getattr(client, method)(path)
                assert answer.status_code == 400, path
                body = answer.content.decode()
                assert secret not in body
                assert "Revoke it" in body
                assert secret not in str(answer.headers)
    assert secret not in caplog.text
    assert secret not in str([vars(each) for each in caplog.records])
    assert difference(before, stored()) == []
    assert (
        client.post("/api/v1/otlp/v1/traces?k=" + key, "{}", content_type="application/json")
        .json()["message"]
        .startswith("key_in_url")
    )


_PATHS = (
    "/",
    "/admin/",
    "/admin/find/",
    LOGIN,
    "/api/v1/transactions",
    "/api/v1/blocks",
    "/readyz",
)
_ROOMS = ("/", "/admin/", "/static/", "/api/v1/", "/api/v1/transactions/", "/api/v1/blocks/")


# --- Redirects that leave ----------------------------------------------------------------------

AWAY = (
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "https://evil.example/",
    "https:evil.example",
    "http:///evil.example",
    "HtTpS://evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/%09/evil.example",
    "/\t/evil.example",
    "/%5cevil.example",
    "%2f%2fevil.example",
    "%68ttps://evil.example",
    "//evil%E3%80%82example",
    "//evil。example",
    "／／evil.example",
    "https://testserver@evil.example",
    "https://testserver.evil.example",
    "//testserver:80@evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    " //evil.example",
    "\x01//evil.example",
    "https://evil.example\r\nSet-Cookie: evil=1",
)


def _raw(path: str) -> str:
    """As a server hands on what is not ASCII: a character to a byte."""
    return path.encode().decode("latin-1")


def stays(location: str) -> bool:
    """As a browser reads it: a backslash is a slash, tabs and line breaks are not there."""
    read = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    parts = urlsplit(urljoin(f"http://testserver{LOGIN}", read))
    return parts.scheme == "http" and parts.netloc == "testserver"


def test_what_leaves_is_recognised() -> None:
    assert not [
        away for away in ("//evil.example", "/\\evil.example", "/\t/x", "https:/x") if stays(away)
    ]
    assert stays("/admin/?next=//evil.example")


@pytest.mark.parametrize("away", AWAY)
def test_signing_in_and_out_never_leads_away(away: str, house: House) -> None:
    body = {"username": MIGHTY.name, "password": PASSWORD}
    for where, sent in ((f"{LOGIN}?next={quote(away)}", body), (LOGIN, {**body, "next": away})):
        answer = Client(raise_request_exception=False).post(where, sent)
        assert answer.status_code == 302, where
        assert stays(answer["Location"]), answer["Location"]
        assert "evil" not in answer.cookies
    client = sign_in(MIGHTY)
    for answer in (
        client.get(f"{LOGIN}?next={quote(away)}"),
        client.get(f"/admin/password_change/?next={quote(away)}"),
        client.post(f"/admin/logout/?next={quote(away)}", {"next": away}),
        Client(raise_request_exception=False).get("/", PATH_INFO=_raw(away)),
        Client(raise_request_exception=False).get("/", PATH_INFO=_raw(f"{away}/admin")),
    ):
        assert answer.status_code < 500
        assert stays(answer.get("Location", "/"))


def test_an_address_of_another_host_is_refused(house: House) -> None:
    for host in (
        "evil.example",
        "testserver.evil.example",
        "evil.example:80",
        "testserver@evil",
        "a b",
    ):
        answer = sign_in(MIGHTY).get("/admin/", HTTP_HOST=host)
        assert answer.status_code == 400, host
    answer = Client(headers={**bearer(house.keys["read"]), "X-Forwarded-Host": "evil.example"}).get(
        "/api/v1/transactions?page_size=1"
    )
    assert "evil" not in answer.content.decode()


# --- Headers and file names ----------------------------------------------------------------------


def test_no_line_of_an_answer_is_anothers_to_write(house: House) -> None:
    client = sign_in(MIGHTY)
    evil = "x%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a<script>"
    for name in everywhere():
        row = ROWS[name]
        if name == "admin:logout":
            continue
        asked = asked_for(name, row, house, "own")
        for url in (
            f"{asked.url.partition('?')[0]}?q={evil}&flow={evil}&next={evil}&copy={evil}&e={evil}",
            asked.url.replace(quote(asked.id or "…"), evil) if asked.id else "",
        ):
            if not url:
                continue
            answer = client.get(url)
            assert answer.status_code < 500, url
            assert "evil" not in answer.cookies
            assert not [text for _n, text in answer.items() if "\r" in text or "\n" in text]


NAMES = (
    "..",
    "...",
    "~",
    "a:b",
    "-rf",
    ".hidden",
    "CON",
    "x" * 128,
    "a..b",
    "-1-1",
)


def test_a_package_and_what_is_in_it_have_names_that_are_safe_anywhere(house: House) -> None:
    things = {name: f"=cmd|' /C calc'!A0,{name}/../../etc/passwd" for name in NAMES}
    post([record(id=f"n-{n}", transaction=name, object={"id": things[name], "type": "@SUM(1)"})
          for n, name in enumerate(NAMES)])  # fmt: skip
    drain()
    client = sign_in(Person(EVERYTHING))
    answers = [client.get(reverse("admin:tracking_transaction_evidence"))]
    for name in NAMES:
        shown = f"acme_2F{name}".replace(":", "_3A")
        answers.append(client.get(reverse("admin:tracking_transaction_evidence_of", args=(shown,))))
    for answer in answers:
        assert answer["Content-Type"] == "application/zip", answer.wsgi_request.path
        stated = answer["Content-Disposition"]
        assert re.fullmatch(
            r'attachment; filename="evidence-[A-Za-z0-9_~-][A-Za-z0-9._~-]*\.zip"', stated
        ), stated
        assert answer["X-Content-Type-Options"] == "nosniff"
        with zipfile.ZipFile(BytesIO(b"".join(answer.streaming_content))) as package:
            for entry in package.infolist():
                assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_./-]*", entry.filename), entry
                assert ".." not in entry.filename.split("/")
                assert entry.external_attr >> 28 in (0, 8), "no link"


def test_nothing_is_given_away_that_a_spreadsheet_opens(house: House) -> None:
    """There is no export as CSV or as a sheet, so no formula to run; this fails when one comes."""
    client = sign_in(Person(EVERYTHING))
    kinds = set()
    for name, row in ROWS.items():
        if name == "admin:logout":
            continue
        answer = ask(client, asked_for(name, row, house, "own"), row, "GET", house)
        kinds.add(answer.get("Content-Type", "").partition(";")[0])
    assert kinds <= {
        *("text/html", "application/json", "application/problem+json", "application/zip"),
        *("text/javascript", "text/plain", "application/vnd.oai.openapi", ""),
    }


# --- Paths that climb ---------------------------------------------------------------------------

CLIMBING = (
    *("../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt"),
    *("..%252fsecret.txt", "..\\secret.txt", "..%5csecret.txt", "....//secret.txt"),
    *("tracking/../../secret.txt", "tracking/..%2f..%2fsecret.txt", "%00../secret.txt"),
    *("../secret.txt%00.css", "/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd"),
    *("..%c0%afsecret.txt", "..%ef%bc%8fsecret.txt", "file:///etc/passwd"),
)


@pytest.mark.parametrize("climbing", CLIMBING)
def test_no_path_climbs_out_of_static_files_or_downloads(
    climbing: str, house: House, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    (tmp_path / "static" / "tracking").mkdir(parents=True)
    (tmp_path / "static" / "plain.css").write_text("the style")
    settings.STATIC_ROOT = tmp_path / "static"
    client = sign_in(Person(EVERYTHING))
    answer = client.get("/static/plain.css")
    assert b"".join(answer.streaming_content) == b"the style"
    for path in (
        f"/static/{climbing}",
        f"/admin/tracking/transaction/{climbing}/evidence/",
        f"/admin/tracking/transaction/acme_2F{climbing}/evidence/",
        f"/api/v1/transactions/{climbing}/evidence",
        f"/api/v1/blocks/{climbing}",
        f"/admin/{climbing}",
        f"/{climbing}",
    ):
        answer = client.get("/", PATH_INFO=_decoded(path))
        assert answer.status_code in (301, 302, 400, 404), path
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert b"the secret" not in body
        assert b"root:" not in body


def _decoded(path: str) -> str:
    """As a server hands a path on: decoded once, a character to a byte."""
    return unquote_to_bytes(path).decode("latin-1")


# --- Who has an account ------------------------------------------------------------------------


def test_nobody_learns_who_has_an_account(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = User.objects.get(username="acme-support")
    gone.is_active = False
    gone.save()
    closed = User.objects.get(username="acme-analyst")
    closed.set_unusable_password()
    closed.save()
    hashed: list[int] = []
    for name in ("encode", "verify"):
        whole = getattr(Argon2PasswordHasher, name)
        monkeypatch.setattr(
            Argon2PasswordHasher,
            name,
            lambda self, *args, whole=whole, **more: (hashed.append(1), whole(self, *args, **more))[
                1
            ],
        )
    told_of = {}
    for name, password in (
        ("no-such-person", "wrong"),
        ("acme-auditor", "wrong"),
        ("acme-support", "wrong"),
        ("acme-support", PASSWORD),
        ("acme-barred", "wrong"),
        ("acme-barred", PASSWORD),
        ("acme-analyst", "wrong"),
        ("globex-auditor", "wrong"),
    ):
        hashed.clear()
        answer = Client().post(LOGIN, {"username": name, "password": password})
        told_of[name, password] = (renamed(shown(answer), name, "somebody"), len(hashed))
    assert len({str(each) for each in told_of.values()}) == 1, {
        who: (answer[0], count) for who, (answer, count) in told_of.items()
    }


def test_who_may_sign_in_does(house: House) -> None:
    """So the test above compares refusals."""
    answer = Client().post(LOGIN, {"username": "acme-auditor", "password": PASSWORD})
    assert told(answer) == (302, "admin:index")


# --- Headers that browsers heed -----------------------------------------------------------------


def test_every_answer_of_the_admin_tells_browsers_what_may_run(house: House) -> None:
    seen = set()
    for client, methods in (
        (sign_in(MIGHTY), ("GET", "PUT")),
        (sign_in(Person("Analyst")), ("GET",)),
        (Client(), ("GET",)),
    ):
        for name in everywhere():
            row = ROWS[name]
            for method in methods:
                if name == "admin:logout" and method == "POST":
                    continue
                asked = asked_for(name, row, house, "none")
                answer = ask(client, asked, row, method, house)
                seen.add(answer.status_code)
                policy = answer["Content-Security-Policy"]
                assert "unsafe-inline" not in policy.split("style-src")[0]
                assert "frame-ancestors 'none'" in policy
                assert answer["X-Content-Type-Options"] == "nosniff"
    assert {200, 302, 403, 404, 405} <= seen
