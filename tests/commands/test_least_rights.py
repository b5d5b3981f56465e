"""The whole product, from the first start on, under the database users that `up` makes."""

from __future__ import annotations

import base64
import http.cookiejar
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database

from tests.admin.test_flow_definitions import body as definition
from tests.commands.test_import_log import loans
from tests.commands.test_up import Installation, derived
from tests.faults.processes import ROOT, wait_for
from tests.tools import record
from tracking import clock
from tracking.access import totp
from tracking.mongo.users import DERIVED, FACTS

REFUSED = ("not authorized", "Unauthorized", "Traceback", "ERROR", "may change or remove")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "data", tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.terminate()
        made.process.wait(60)


class Person:
    """Somebody with a browser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def get(self, path: str) -> str:
        with self.opener.open(f"{self.url}{path}", timeout=30) as answer:
            return answer.read().decode()

    def post(self, path: str, **fields: Any) -> tuple[str, str]:
        """The address it led to, and the page there."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(path))
        assert token is not None
        sent = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1]}, doseq=True)
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}{path}", sent.encode(), {"Referer": f"{self.url}{path}"}
        )
        with self.opener.open(request, timeout=30) as answer:
            return answer.geturl().removeprefix(self.url), answer.read().decode()


def run(installation: Installation, *arguments: str, expected: int = 0) -> str:
    """What a command says that is run by hand beside what runs."""
    inherited = {name: text for name, text in os.environ.items() if name[:4] != "DFT_"}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**inherited, "DFT_DATA_DIR": str(installation.data)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def post(installation: Installation, key: str, *records: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310
        f"{installation.url}/api/v1/blocks",
        json.dumps(list(records)).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        told: dict[str, Any] = json.loads(answer.read())
    return told


def administrator(installation: Installation) -> Database[Any]:
    """The database as it is for who may do anything, such as put a backup back."""
    known = json.loads((installation.data / "mongodb" / "credentials.json").read_text())
    login = {"username": known["root_user"], "password": known["root_password"]}
    return MongoClient("127.0.0.1", known["port"], directConnection=True, **login)["dft"]


def put_back(database: Database[Any], backup: dict[str, list[dict[str, Any]]]) -> None:
    """All of it at one moment, while everything runs."""

    def work(session: ClientSession) -> None:
        for name, documents in backup.items():
            database[name].delete_many({}, session=session)
            if documents:
                database[name].insert_many(documents, session=session)

    with database.client.start_session() as session:
        session.with_transaction(work)


def sign_in(installation: Installation) -> list[str]:
    """A second factor set up and used, a lock and its end, all as the web workers' user."""
    known = installation.credentials()
    name, password = known["admin_user"], known["admin_password"]
    person = Person(installation.url)

    def code(secret: bytes, later: int = 0) -> str:
        return totp.code_at(secret, totp.step_of(clock.now()) + later)

    person.post("/admin/login/", username=name, password=password)
    where, page = person.post("/admin/second-factor/", what="device", password=password)
    assert where == "/admin/second-factor/enrol/"
    found = re.search(r'id="secret"[^>]*>([A-Z2-7 ]+)<', page)
    assert found is not None
    secret = base64.b32decode(found[1].replace(" ", ""))
    _where, page = person.post("/admin/second-factor/enrol/", code=code(secret))
    shown = re.search(r'id="recovery-codes"[^>]*>([^<]+)<', page)
    assert shown is not None
    recovery = shown[1].split()

    person = Person(installation.url)
    where, _page = person.post("/admin/login/", username=name, password=password)
    assert where == "/admin/login/code/"
    # an app whose clock is half a minute ahead: the code of this step has confirmed it
    assert person.post("/admin/login/code/", code=code(secret, 1))[0] == "/admin/"
    _where, page = person.post(
        "/admin/second-factor/", what="codes", password=password, code=recovery[0]
    )
    assert "Keep these recovery codes now" in page

    stranger = Person(installation.url)
    for _ in range(4):
        assert stranger.post("/admin/login/", username=name, password="x")[0] == "/admin/login/"
    for given in ("x", password):
        with pytest.raises(urllib.error.HTTPError, match="429"):
            stranger.post("/admin/login/", username=name, password=given)
    said = [run(installation, "axes_list_attempts"), run(installation, "axes_reset_username", name)]
    assert "admin" in said[0]
    assert person.post("/admin/second-factor/", what="", password=password, code="0")[1]
    said.append(run(installation, "reset_second_factor", name))
    assert stranger.post("/admin/login/", username=name, password=password)[0] == "/admin/"
    return said


def sealed(installation: Installation, name: str) -> str:
    """The checkpoint that a record's proof leads to, once there is one: a signed note."""

    def covered() -> Any:
        status, answer = installation.get(f"/api/v1/blocks/{name}/proof")
        return answer["checkpoint"] if status == 200 else None

    found: dict[str, Any] = wait_for(covered, f"{name} is sealed")
    return str(found["note"])


def keys_and_logs(installation: Installation, key: str, kept: Path) -> list[str]:
    """What commands say that change keys, publish, and go on after the database was put back."""
    said = [run(installation, "rotate_keys")]
    listed = json.loads((installation.data / "keys" / "public.json").read_text())
    assert [len(listed[use]) for use in ("log", "receipt")] == [2, 2]
    assert post(installation, key, record(id="rotated"))["stored"] == 1
    assert sealed(installation, "rotated").count("\n— ") == 2, "both sign"

    database = administrator(installation)
    backup = {name: list(database[name].find()) for name in (*FACTS, *DERIVED)}
    assert post(installation, key, record(id="lost"))["stored"] == 1
    sealed(installation, "lost")
    derived(installation)
    put_back(database, backup)
    database.client.close()
    assert installation.get("/api/v1/blocks/lost")[0] == 404
    assert post(installation, key, record(id="after"))["stored"] == 1
    wait_for(lambda: "nothing is sealed: The log has" in installation.output, "it refuses to sign")
    said.append(run(installation, "new_log", "--reason=The disk was lost.", "--yes"))
    told = re.search(r"from (\d+) leaves\. .* up to (\d+): (\d+) are missing", said[-1])
    assert told is not None, said[-1]
    # what was posted, and who looked
    assert int(told[2]) - int(told[1]) == int(told[3]) >= 2
    assert "/log2\n" in sealed(installation, "after")
    derived(installation)
    # the follower has published there by itself, and cannot for the log of the new name
    (installation.data / "anchors" / "checkpoints.txt").rename(kept)
    said.append(run(installation, "anchor"))
    assert re.search(r"checkpoints\.txt: (anchored|has) \d+ leaves", said[-1])
    said.append(run(installation, "verify", "--derived", f"--checkpoint={kept}"))
    assert "0 findings" in said[-1]
    return said


def test_everything_works_and_nothing_is_refused(
    installation: Installation, tmp_path: Path
) -> None:
    installation.start()
    installation.ready()
    said = []
    known = installation.credentials()

    assert post(installation, known["ingest_key"], record(id="a", transaction="t"))["stored"] == 1
    wait_for(lambda: installation.get("/api/v1/transactions/t")[0] == 200, "it is derived")
    for path in (
        "/api/v1/transactions",
        "/api/v1/blocks/a",
        "/api/v1/transactions/t/lifetime",
        "/api/v1/transactions/t/blocks",
        "/api/v1/transactions/t/lineage",
    ):
        assert installation.get(path)[0] == 200, path
    sealed(installation, "a")

    person = Person(installation.url)
    signed_in, _page = person.post(
        "/admin/login/", username=known["admin_user"], password=known["admin_password"]
    )
    assert "login" not in signed_in
    home = person.get("/admin/")
    lists = set(re.findall(r'href="(/admin/[a-z]+/[a-z]+/)"', home))
    assert len(lists) >= 13
    for path in sorted(lists):
        page = person.get(path)
        for row in re.findall(rf'href="({path}[^"]+/change/)[^"]*"', page)[:1]:
            person.get(row)
    person.get("/admin/?q=order-1001")

    _where, page = person.post(
        "/admin/tracking/apikey/add/", name="shop", tenant="default", scopes=["ingest"]
    )
    made = re.search(r"dft_[a-z0-9]+_[A-Za-z0-9_-]{43}", page)
    assert made is not None
    assert post(installation, made[0], record(id="b", transaction="u"))["stored"] == 1
    key = made[0].split("_")[1]
    person.post(f"/admin/tracking/apikey/{key}/revoke/", post="yes")
    person.post("/admin/tracking/tenant/add/", slug="globex", name="Globex")
    person.post(
        "/admin/tracking/user/add/",
        username="ann",
        full_name="Ann",
        email="",
        tenants=["globex"],
        usable_password="true",
        password1="long-pass-w-7",
        password2="long-pass-w-7",
    )
    assert "ann" in person.get("/admin/tracking/user/")

    def percent() -> Any:
        return installation.get("/api/v1/transactions/t")[1]["progress"]["percent"]

    assert percent() is None
    steps = [("receive", "ingress", 5), ("ship", "egress", 60)]
    where, page = person.post(
        "/admin/tracking/flowdefinition/add/", **definition(steps, tenant="default")
    )
    assert where == "/admin/tracking/flowdefinition/", page
    wait_for(lambda: percent() == 50, "the flow is derived again")
    # the newest first
    flow = re.search(r"/admin/tracking/flowdefinition/[^/\"]+/(?=change/)", page)
    assert flow is not None
    person.post(f"{flow[0]}delete/", post="yes")

    secret = run(installation, "create_key", "--tenant=default", "--name=x", "--scope=ingest")
    assert post(installation, secret.strip(), record(id="c"))["stored"] == 1
    log = str(loans(tmp_path, 6))
    said.append(run(installation, "import_log", log, "--mapping=bpic2012", "--tenant=default"))
    said.append(
        run(
            *(installation, "simulate", "--url", installation.url),
            *("--key", secret.strip(), "--objects", "20"),
        )
    )
    followed = derived(installation)
    said.append(run(installation, "rebuild"))
    assert f"from {followed} records" in said[-1]
    said.append(run(installation, "rebuild", "--check"))
    said.append(run(installation, "create_database_users", "--check"))
    assert said[-1].count(": as it should be") == 4
    checked = run(installation, "check", "--deploy", "--database", "default")
    assert "dft." not in checked
    assert "couldn't be flushed" in run(installation, "flush", "--no-input", expected=1)
    assert derived(installation) == followed
    assert installation.get("/api/v1/blocks/a")[0] == 200
    assert set(re.findall(r'href="(/admin/[a-z]+/[a-z]+/)"', person.get("/admin/"))) == lists

    said += sign_in(installation)
    said += keys_and_logs(installation, secret.strip(), tmp_path / "kept.txt")

    directory = installation.data / "mongodb"
    for name in ("uri", "uri-follower", "uri-migrator", "uri-auditor", "credentials.json"):
        assert (directory / name).stat().st_mode & 0o777 == 0o600
    installation.stop()
    for text in (installation.output, *said):
        assert not any(word in text for word in REFUSED), text
