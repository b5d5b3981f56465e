"""Evidence over HTTP: who may have it, of what, and what is refused with which words."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.admin.world import make_person
from tests.api.http import assert_problem, bearer, make_key
from tests.evidence import script
from tests.evidence.world import make_log, story
from tests.tools import drain, post, record
from tracking import vocabulary as v
from tracking.ledger.proofs import latest_checkpoint
from tracking.mongo.connection import collection
from tracking.signing import keyring

pytestmark = pytest.mark.django_db(transaction=True)

ONE = "/api/v1/transactions/tx-1/evidence"
FOUND = "/api/v1/evidence"


def ask(path: str, key: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
    client = Client(raise_request_exception=False)
    return client.get(path, query or {}, headers={**bearer(key), **headers})


def body(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def verdicts(package: bytes, tmp_path: Any) -> list[str]:
    path = tmp_path / "package.zip"
    path.write_bytes(package)
    outsider = script.load()
    return list(outsider.check(outsider.files_of(path), keyring.public_list(), None))


def test_one_object_comes_as_a_zip_that_holds(tmp_path: Any) -> None:
    make_log()
    key = make_key(scopes=("export",))
    answer = ask(ONE, key, Accept="application/zip")
    package = body(answer)
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="evidence-tx-1.zip"'
    assert answer["Cache-Control"] == "no-store"
    assert int(answer["Content-Length"]) == len(package)
    assert len(verdicts(package, tmp_path)) == 7
    named = json.loads(zipfile.ZipFile(io.BytesIO(package)).read("package.json"))
    assert named["exported_by"].startswith("API key ")


def test_an_id_of_any_kind_names_a_file_safely(tmp_path: Any) -> None:
    make_log()
    key = make_key(scopes=("export",))
    for number, name in enumerate(("..", "a:b~c", "x" * 128, "CON", "-")):
        post([record(id=f"n-{number}", transaction=name)])
        answer = ask(f"/api/v1/transactions/{name}/evidence", key)
        assert "recorded" in verdicts(body(answer), tmp_path)[0]
        shown = answer["Content-Disposition"].removeprefix('attachment; filename="evidence-')
        assert set(shown[:-5]) <= set("abcxCON_-"), shown


def test_a_search_gives_its_objects_and_no_other_tenants(tmp_path: Any) -> None:
    make_log()
    post(story("tx-2", "order-2", "b"))
    drain()
    key = make_key(scopes=("export",))
    package = body(ask(FOUND, key, {"reference": "customer:K-1"}))
    found = verdicts(package, tmp_path)
    assert len(found) == 14
    assert not [each for each in found if "globex" in each]
    named = json.loads(zipfile.ZipFile(io.BytesIO(package)).read("package.json"))
    assert named["search"] == "reference=customer:K-1"
    assert len(verdicts(body(ask(FOUND, key, {"object_id": "order-2"})), tmp_path)) == 7
    assert_problem(ask(FOUND, key, {"object_id": "secret"}), 404, "not_found")


def test_too_much_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    make_log()
    drain()
    key = make_key(scopes=("export",))
    monkeypatch.setattr(v, "EVIDENCE_OBJECTS_MAX", 3)
    said = assert_problem(ask(FOUND, key), 413, "evidence_too_large")
    assert "narrow" in said["detail"]
    monkeypatch.setattr(v, "EVIDENCE_RECORDS_MAX", 3)
    said = assert_problem(ask(ONE, key), 413, "evidence_too_large")
    assert "/proof" in said["detail"]


def test_an_altered_record_gets_no_evidence() -> None:
    make_log()
    collection("journal").update_one({"_id": "acme/a-3"}, {"$set": {"status": "succeeded"}})
    said = assert_problem(ask(ONE, make_key(scopes=("export",))), 409, "record_altered")
    assert "a-3" in said["detail"]


def test_a_server_without_keys_says_so(settings: Any, tmp_path: Any) -> None:
    make_log()
    key = make_key(scopes=("export",))
    settings.DFT_KEY_DIR = tmp_path / "none"
    assert_problem(ask(ONE, key), 503, "no_keys")


def test_who_may_have_it() -> None:
    make_log()
    drain()
    for scopes in (("read",), ("ingest",), ("verify",), ("ingest", "read", "verify")):
        key = make_key(scopes=scopes)
        for path in (ONE, FOUND):
            assert_problem(ask(path, key), 403, "wrong_scope")
    assert Client().get(ONE).status_code == 401
    stranger = make_key("initech", scopes=("export",))
    assert_problem(ask(ONE, stranger), 404, "not_found")
    assert_problem(ask(FOUND, stranger), 404, "not_found")
    # a key of globex gets the transaction of that name which is globex's
    assert b"secret" in zipfile.ZipFile(
        io.BytesIO(body(ask(ONE, make_key("globex", scopes=("export",)))))
    ).read("story.html")
    for role in v.ROLES:
        make_person(role.lower(), role)
        client = Client(raise_request_exception=False)
        client.force_login(_user(role.lower()))
        expected = 200 if role == "Auditor" else 403
        assert client.get(ONE).status_code == expected, role
        assert client.get(f"{FOUND}?object_id=order-1").status_code == expected, role
    make_person("both", "Auditor", tenants=("acme", "globex"))
    client = Client(raise_request_exception=False)
    client.force_login(_user("both"))
    assert_problem(client.get(ONE), 400, "ambiguous_tenant")
    assert client.get(f"{ONE}?tenant=globex").status_code == 200
    make_person("gone", "Auditor", tenants=())
    client.force_login(_user("gone"))
    assert_problem(client.get(ONE), 404, "not_found")


def _user(name: str) -> Any:
    from tracking.models import User

    return User.objects.get(username=name)


# --- What the API can be asked to accept: sizes --------------------------------------------------

GARBAGE = (
    *("", " ", "x", "-1", "+1", "1.0", "1e3", "01", "00", "0x10", "1 ", " 1", "1,0", "1_0", "٥"),
    *("9" * 16, "9" * 400, "1" * 10_000, "NaN", "null", "None", "true", "[]", "{}", '{"$ne":1}'),
    *("$gt", "a.b", "1;2", "1/2", "..", "%00", "\x00", "\u202e1", "💣", "'", '"', "<", "1\n2"),
)


def garbage() -> Iterator[tuple[str, dict[str, str]]]:
    for value in GARBAGE:
        yield "/api/v1/blocks/a-1/proof", {"checkpoint": value}
        yield ONE, {"checkpoint": value}
        yield FOUND, {"checkpoint": value}
        yield "/api/v1/checkpoints", {"before": value}
        for name, other in (("from", "to"), ("to", "from")):
            yield "/api/v1/checkpoints/consistency", {name: value, other: "5"}
    # sizes that are spelt well, and that no checkpoint has or that stand in a false order
    for value in ("0", "1", "4", "6", "999999999999999"):
        yield "/api/v1/blocks/a-1/proof", {"checkpoint": value}
        yield ONE, {"checkpoint": value}
        yield "/api/v1/checkpoints/consistency", {"from": value, "to": "5"}
        yield "/api/v1/checkpoints/consistency", {"from": "5", "to": value}
    yield "/api/v1/checkpoints/consistency", {"from": "10", "to": "5"}
    yield "/api/v1/blocks/a-1/proof", {"checkpoint": "5"}  # which does not cover it


def test_no_size_that_is_none_is_accepted() -> None:
    make_log()
    newest = latest_checkpoint()
    assert newest
    assert newest.size > 10
    key = make_key(scopes=("read", "export"))
    tried = 0
    for path, query in garbage():
        answer = ask(path, key, query)
        tried += 1
        assert 400 <= answer.status_code < 500, (path, query, answer.status_code)
        assert answer["Content-Type"] == "application/problem+json"
    assert tried >= 240
