"""Checkpoints and proofs over HTTP: what a producer or auditor checks without our software."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.test import Client

from tests.admin.world import make_person, signed_in
from tests.api.http import assert_problem, bearer, make_key, post_body
from tests.tools import make_tenant, record
from tracking.core.merkle import check_consistency, check_inclusion, root_hash
from tracking.core.note import Checkpoint, PublicKey, open_note
from tracking.ledger.sealer import seal_once
from tracking.signing import keyring

pytestmark = pytest.mark.django_db(transaction=True)


def get(path: str, key: str) -> Any:
    return Client(raise_request_exception=False).get(f"/api/v1{path}", headers=bearer(key))


def public_key(use: str) -> PublicKey:
    return PublicKey.parse(keyring.public_list()[use][0]["key"])


def post(key: str, count: int) -> dict[str, Any]:
    answer = post_body(json.dumps([record() for _ in range(count)]), key)
    assert answer.status_code == 201
    return answer.json()


def test_the_receipt_of_a_post_is_signed_over_its_own_records() -> None:
    answer = post(make_key(), 5)
    (batch,) = answer["batches"]
    receipts = [bytes.fromhex(result["receipt"]) for result in answer["results"]]
    assert (batch["first"], batch["count"]) == (0, 5)
    assert batch["root"] == root_hash(receipts).hex()
    told = (keyring.origin(), batch["id"], "0", "5", batch["root"], batch["recorded_at"])
    text = "\n".join(("dft-receipt/v1", *told, ""))
    key = public_key("receipt")
    assert key.has_signed(text.encode(), base64.b64decode(batch["signature"]))
    assert not key.has_signed(
        text.replace("\n5\n", "\n6\n").encode(), base64.b64decode(batch["signature"])
    )


def test_a_record_is_recorded_and_then_sealed_with_a_proof() -> None:
    key = make_key()
    answer = post(key, 3)
    id = answer["results"][1]["id"]
    before = get(f"/blocks/{id}/proof", key).json()
    assert (before["state"], before["checkpoint"], before["hashes"]) == ("recorded", None, [])
    post(key, 4)
    seal_once()
    proof = get(f"/blocks/{id}/proof", key).json()
    assert proof["state"] == "sealed"
    assert proof["receipt"] == answer["results"][1]["receipt"] == before["receipt"]
    text, _signed = open_note(proof["checkpoint"]["note"], [public_key("log")])
    checkpoint = Checkpoint.parse(text)
    # seven records, and who looked for the proof before
    assert checkpoint.size == proof["checkpoint"]["size"] == 8
    check_inclusion(
        bytes.fromhex(proof["receipt"]),
        proof["leaf_index"],
        checkpoint.size,
        [bytes.fromhex(each) for each in proof["hashes"]],
        checkpoint.root,
    )


def test_an_older_checkpoint_can_be_asked_for() -> None:
    key = make_key()
    first = post(key, 3)["results"][2]["id"]
    seal_once()
    post(key, 5)
    seal_once()
    proof = get(f"/blocks/{first}/proof?checkpoint=3", key).json()
    assert proof["checkpoint"]["size"] == 3
    assert get(f"/blocks/{first}/proof", key).json()["checkpoint"]["size"] == 8
    assert get(f"/blocks/{first}/proof?checkpoint=4", key).status_code == 404


def test_checkpoints_are_listed_newest_first_and_only_grow() -> None:
    key = make_key()
    assert get("/checkpoints/latest", key).status_code == 404
    for count in (1, 2, 3, 4):
        post(key, count)
        seal_once()
    assert get("/checkpoints/latest", key).json()["size"] == 10
    page = get("/checkpoints?page_size=3", key).json()
    assert [row["size"] for row in page["results"]] == [10, 6, 3]
    rest = get(f"/checkpoints?before={page['before']}", key).json()
    assert [row["size"] for row in rest["results"]] == [1]
    assert rest["before"] is None
    answer = get("/checkpoints/consistency?from=3&to=10", key).json()
    check_consistency(
        3,
        10,
        bytes.fromhex(answer["from"]["root"]),
        bytes.fromhex(answer["to"]["root"]),
        [bytes.fromhex(each) for each in answer["hashes"]],
    )
    assert get("/checkpoints/consistency?from=10&to=10", key).json()["hashes"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/checkpoints/consistency", 400),
        ("/checkpoints/consistency?from=1", 400),
        ("/checkpoints/consistency?from=3&to=1", 400),
        ("/checkpoints/consistency?from=1&to=2", 404),
        ("/checkpoints/consistency?from=0&to=1", 404),
        ("/checkpoints/consistency?from=-1&to=1", 400),
        ("/checkpoints/consistency?from=1&to=99999999999999999999", 400),
        ("/checkpoints?before=x", 400),
        ("/checkpoints?page_size=0", 400),
        ("/checkpoints/latest?x=1", 400),
        ("/blocks/none/proof", 404),
        ("/blocks/none/proof?checkpoint=1.0", 404),
    ],
)
def test_what_cannot_be_told_is_said(path: str, status: int) -> None:
    key = make_key()
    for count in (1, 2):
        post(key, count)
        seal_once()
    answer = get(path, key)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_a_proof_is_as_visible_as_its_record() -> None:
    mine = post(make_key("acme"), 1)["results"][0]["id"]
    seal_once()
    other = make_key("globex")
    assert get(f"/blocks/{mine}/proof", other).status_code == 404
    assert get(f"/blocks/{mine}/proof", make_key("acme", ("ingest",))).status_code == 403


def test_a_key_that_only_verifies_gets_proofs_and_nothing_else() -> None:
    posting = make_key()
    id = post(posting, 3)["results"][0]["id"]
    while seal_once():
        pass
    key = make_key(scopes=("verify",))
    for path in (
        f"/blocks/{id}/proof",
        "/checkpoints",
        "/checkpoints/latest",
        "/checkpoints/consistency?from=3&to=3",
    ):
        assert get(path, key).status_code == 200, path
        refused = get(path, make_key(scopes=("ingest", "export")))
        assert_problem(refused, 403, "wrong_scope")
        assert "'read' or 'verify'" in refused.json()["detail"]
    for path in (
        f"/blocks/{id}",
        "/transactions",
        "/evidence",
        *(f"/transactions/x{page}" for page in ("", "/lifetime", "/blocks", "/lineage")),
    ):
        assert_problem(get(path, key), 403, "wrong_scope")
    assert post_body(json.dumps(record()), key).status_code == 403


@pytest.mark.parametrize(
    ("role", "may"), [("Auditor", True), ("Developer", True), ("Support", False)]
)
def test_checkpoints_are_for_the_same_roles_here_as_in_the_admin(role: str, may: bool) -> None:
    make_tenant()
    make_person("ann", role)
    for page in ("checkpoints", "checkpoints/latest"):
        status = signed_in("ann").get(f"/api/v1/{page}").status_code
        assert status == (403 if not may else 404 if page.endswith("latest") else 200)
