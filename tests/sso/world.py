"""The provider as a process, somebody with a browser, and somebody who stands between."""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.rules.sources import ROOT
from tracking.sso.config import Config, config_of

CLIENT = "dft"
SECRET = "a secret: with & what must be quoted%"
CALLBACK = "/admin/sso/callback/"
PEOPLE: dict[str, dict[str, Any]] = {
    "alice": {"name": "Alice Adams", "email": "alice@example.org", "groups": ["dft-auditors"]},
    "bob": {"name": "Bob Baker", "email": "bob@example.org", "groups": ["cooks"]},
    # calls herself as an account does that was made here
    "mallory": {
        "preferred_username": "auditor",
        "name": "auditor Person",
        "email": "auditor@example.org",
        "groups": ["dft-support"],
    },
}


class Provider:
    """The process; `says` changes what it tells of somebody from their next sign-in on."""

    def __init__(self, directory: Path, redirect_uri: str) -> None:
        self.directory = directory
        self.port = 0
        self.key = self.new_key()
        client = {"id": CLIENT, "secret": SECRET, "redirect_uri": redirect_uri}
        (directory / "client.json").write_text(json.dumps(client))
        self.forget()
        self.start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/o"

    def new_key(self) -> rsa.RSAPrivateKey:
        self.key = rsa.generate_private_key(65537, 2048)
        (self.directory / "key.pem").write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return self.key

    def forget(self) -> None:
        (self.directory / "people.json").write_text(json.dumps(PEOPLE))

    def says(self, name: str, /, **claims: Any) -> None:
        told = json.loads((self.directory / "people.json").read_text())
        told[name].update(claims)
        (self.directory / "people.json").write_text(json.dumps(told))

    def start(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DJANGO_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.sso.provider", str(self.directory), str(self.port)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def config(issuer: str, **settings: str) -> Config:
    """As the environment would give it."""
    made = config_of(
        {
            "DFT_OIDC_ISSUER": issuer,
            "DFT_OIDC_CLIENT_ID": CLIENT,
            "DFT_OIDC_CLIENT_SECRET": SECRET,
            "DFT_OIDC_SCOPES": "openid profile email groups",
            "DFT_OIDC_ROLES": "dft-auditors=Auditor,dft-support=Support,dft-admins=Administrator",
            "DFT_OIDC_TENANTS": "acme,dft-auditors=globex",
            "DFT_OIDC_NAME": "Example ID",
            **settings,
        }
    )
    assert made is not None
    return made


class _Form(HTMLParser):
    """The first form of a page: where it goes and what its fields hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = said.get("action", "")
        elif tag == "input" and said.get("type") != "submit" and "name" in said:
            self.fields[said["name"]] = said.get("value", "")


class Browser:
    """Follows redirects, keeps cookies, presses buttons."""

    def __init__(self, site: str, known: dict[str, Any] | None = None) -> None:
        """`known`: sessions at the provider by name, so that people sign in there once."""
        self.site = site
        self.known = {} if known is None else known
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, url: str, *, follow: bool = True) -> requests.Response:
        return self.session.get(urljoin(self.site, url), allow_redirects=follow, timeout=60)

    def submit(self, page: requests.Response, **fields: str) -> requests.Response:
        form = _Form(page.text)
        return self.session.post(
            urljoin(page.url, form.action), {**form.fields, **fields}, timeout=60
        )

    def button(self, then: str = "") -> str:
        """Where "Sign in with" leads."""
        page = self.session.get(f"{self.site}/admin/login/", params={"next": then}, timeout=60)
        assert page.status_code == 200
        link = re.search(r'href="([^"]*/admin/sso/[^"]*)"', page.text)
        assert link is not None
        return html.unescape(link[1])

    def sign_in(self, name: str, *, then: str = "", consent: bool = True) -> requests.Response:
        """From the button on: whatever page it ends with, after its redirects."""
        if name in self.known:
            self.session.cookies.set("sessionid", self.known[name], domain="127.0.0.1")
        return self.go_on(self.get(self.button(then)), name, consent=consent)

    def go_on(
        self, page: requests.Response, name: str, *, consent: bool = True
    ) -> requests.Response:
        for _ in range(3):
            if page.url.startswith(self.site):
                break
            if 'name="password"' in page.text:
                page = self.submit(page, username=name, password=name)
                self.known[name] = self.session.cookies["sessionid"]
            else:
                page = self.submit(page, **({"allow": "Authorize"} if consent else {}))
        return page

    def answer_for(self, name: str) -> str:
        """The address that the provider sends the browser back to, not yet opened."""
        page = self.get(self.button(), follow=False)
        while not page.headers.get("location", "").startswith(self.site + CALLBACK):
            if page.is_redirect:
                page = self.get(urljoin(page.url, page.headers["location"]), follow=False)
            else:
                sent = _Form(page.text)
                fields = (
                    {"username": name, "password": name}
                    if "password" in sent.fields
                    else {"allow": "Authorize"}
                )
                page = self.session.post(
                    urljoin(page.url, sent.action),
                    {**sent.fields, **fields},
                    allow_redirects=False,
                    timeout=60,
                )
        return page.headers["location"]

    def is_in(self) -> bool:
        return self.get("/admin/", follow=False).status_code == 200


Change = Callable[[dict[str, Any]], Any]


class Meddler:
    """A server in front of the provider that passes everything on but what it changes.

    `changes`: the end of a path → what becomes of the JSON answered there; a number is a status.
    """

    def __init__(self, provider: Provider) -> None:
        self.changes: dict[str, Change] = {}
        self.asked: list[str] = []
        meddler = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.pass_on(None)

            def do_POST(self) -> None:
                self.pass_on(self.rfile.read(int(self.headers["Content-Length"])))

            def pass_on(self, body: bytes | None) -> None:
                meddler.asked.append(self.path)
                passing = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=60)
                # the Host header as well, so that the provider names itself by our address
                passing.request(self.command, self.path, body, dict(self.headers))
                answer = passing.getresponse()
                status, found = answer.status, answer.read()
                for end, change in meddler.changes.items():
                    if self.path.partition("?")[0].endswith(end):
                        changed = change(json.loads(found))
                        if isinstance(changed, int):
                            status, found = changed, b"{}"
                        else:
                            found = json.dumps(changed).encode()
                self.send_response(status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(found)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(found)
                passing.close()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/o"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
