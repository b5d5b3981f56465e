"""Stored, duplicate, conflict, invalid: each record's outcome, and what the post answers."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import zstandard
from django.db import connection
from django.test import Client

from tests.api.http import BLOCKS, NDJSON, assert_problem, bearer, make_key, post_body, post_values
from tests.tools import record
from tracking import vocabulary as v
from tracking.core import merkle
from tracking.core.canonical import leaf_hash
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


def body(response: Any) -> dict[str, Any]:
    return json.loads(response.content)


def outcomes(response: Any) -> list[str]:
    return [result["outcome"] for result in body(response)["results"]]


def journal() -> list[dict[str, Any]]:
    return list(connection.database["journal"].find())


def queue() -> list[dict[str, Any]]:
    return list(connection.database["seal_queue"].find())


def test_one_record_may_be_posted_as_it_is() -> None:
    response = post_values(record(id="one"), make_key())
    assert (response.status_code, outcomes(response)) == (201, [v.STORED])
    assert [document["_id"] for document in journal()] == ["acme/one"]


def test_lines_are_records() -> None:
    text = "\n".join(json.dumps(record()) for _ in range(3)) + "\r\n\n"
    response = post_body(text, make_key(), content_type=NDJSON)
    assert (response.status_code, outcomes(response)) == (201, [v.STORED] * 3)


def test_a_repeated_post_is_answered_with_the_same_receipts_and_changes_nothing() -> None:
    key, values = (
        make_key(),
        [record(), record(reason="because", cost={"amount": "1", "currency": "EUR"})],
    )
    first = post_values(values, key)
    before = journal(), queue()
    second = post_values(values, key)
    assert (first.status_code, second.status_code) == (201, 200)
    assert outcomes(second) == [v.DUPLICATE] * 2
    assert body(second)["batches"] == []
    receipts = [
        [result["receipt"] for result in body(answer)["results"]] for answer in (first, second)
    ]
    assert receipts[0] == receipts[1]
    assert (journal(), queue()) == before


def test_the_same_content_in_other_words_is_a_duplicate() -> None:
    key = make_key()
    wire = record(
        id="same",
        occurred_at="2026-01-31T10:00:00.123456Z",
        attributes={"b": 1, "a": 2.0},
        references={"po": ["1", "1"]},
        parents=["p", "p"],
    )
    other = record(
        id="same",
        object=wire["object"],
        occurred_at="2026-01-31T11:00:00.123+01:00",
        attempt=1,
        attributes={"a": 2, "b": 1.0},
        references={"po": "1"},
        parents=["p"],
        reason="",
        final=False,
    )
    post_values([wire], key)
    assert outcomes(post_values([other], key)) == [v.DUPLICATE]


@pytest.mark.parametrize(
    "change",
    [
        {"flow": "other"},
        {"status": "started"},
        {"attempt": 2},
        {"occurred_at": "2026-01-31T10:00:00.001Z"},
        {"final": True},
        {"reason": "another"},
        {"attributes": {"a": True}},
        {"subject": "somebody"},
    ],
)
def test_other_content_under_a_known_id_is_a_conflict_and_changes_nothing(change: Any) -> None:
    key = make_key()
    wire = record(id="known", reason="first", attributes={"a": 1})
    post_values([wire], key)
    before = journal(), queue()
    response = post_values([{**wire, **change}], key)
    assert (response.status_code, outcomes(response)) == (422, [v.CONFLICT])
    result = body(response)["results"][0]
    assert (result["id"], result["receipt"]) == ("known", None)
    assert [(e["pointer"], e["code"]) for e in result["errors"]] == [("/id", "conflict")]
    assert (journal(), queue()) == before


def test_an_id_given_twice_in_one_post() -> None:
    key, first = make_key(), record(id="twice")
    response = post_values([first, first, {**first, "flow": "other"}], key)
    assert (response.status_code, outcomes(response)) == (207, [v.STORED, v.DUPLICATE, v.CONFLICT])
    receipts = [result["receipt"] for result in body(response)["results"]]
    assert receipts[0] == receipts[1]
    assert len(journal()) == 1


def test_true_and_one_are_not_the_same_content() -> None:
    key, first = make_key(), record(id="twice", attributes={"a": True})
    for query in ("", "?atomic=true"):
        response = post_values([first, {**first, "attributes": {"a": 1}}], key, query=query)
        assert outcomes(response)[1] == v.CONFLICT


def test_of_an_id_given_twice_each_is_compared_with_what_is_recorded() -> None:
    key, recorded = make_key(), record(id="known")
    post_values([recorded], key)
    response = post_values([{**recorded, "flow": "other"}, recorded], key)
    assert (response.status_code, outcomes(response)) == (207, [v.CONFLICT, v.DUPLICATE])


def test_some_new_and_some_known() -> None:
    key, known = make_key(), [record() for _ in range(5)]
    post_values(known, key)
    fresh = [record() for _ in range(5)]
    mixed = [wire for pair in zip(known, fresh, strict=True) for wire in pair]
    response = post_values(mixed, key)
    assert (response.status_code, outcomes(response)) == (201, [v.DUPLICATE, v.STORED] * 5)
    assert len(journal()) == 10


def test_another_tenant_may_use_the_same_id() -> None:
    wire = record(id="shared")
    assert post_values([wire], make_key("acme")).status_code == 201
    assert post_values([{**wire, "flow": "other"}], make_key("globex")).status_code == 201
    assert {document["_id"] for document in journal()} == {"acme/shared", "globex/shared"}


def test_the_receipt_is_the_leaf_of_what_is_stored_and_the_batch_covers_it() -> None:
    values = [record(reason=f"reason {n}", attributes={"n": n, "f": n / 3}) for n in range(20)]
    answer = body(post_values(values, make_key()))
    stored = {document["_id"]: document for document in collection("journal").find()}
    for result in answer["results"]:
        assert result["receipt"] == leaf_hash(stored[f"acme/{result['id']}"]).hex()
    [batch], [entry] = answer["batches"], queue()
    assert (entry["_id"], entry["count"]) == (batch["id"], 20)
    assert bytes(entry["leaves"]).hex() == "".join(r["receipt"] for r in answer["results"])
    leaves = [bytes.fromhex(result["receipt"]) for result in answer["results"]]
    assert batch["root"] == merkle.root_hash(leaves).hex()
    assert (batch["first"], batch["count"]) == (0, len(leaves))


def test_a_large_post_is_recorded_in_batches_and_answered_in_order() -> None:
    values = [record() for _ in range(2_500)]
    response = post_values(values, make_key())
    answer = body(response)
    assert (response.status_code, answer["stored"]) == (201, 2_500)
    assert [result["id"] for result in answer["results"]] == [wire["id"] for wire in values]
    assert [entry["count"] for entry in queue()] == [1_000, 1_000, 500]
    assert len(answer["batches"]) == 3


def test_marks_of_late_records_and_fast_clocks() -> None:
    post_values([record(occurred_at="1970-01-01T00:00:00Z")], make_key())
    assert journal()[0]["marks"] == ["late"]


def test_minimal_answers_list_only_what_was_not_stored() -> None:
    key, known = make_key(), record()
    post_values([known], key)
    for preference in ("return=minimal", 'respond-async, Return = "minimal"; foo'):
        response = post_values([record(), known, {}], key, Prefer=preference)
        assert response["Preference-Applied"] == "return=minimal"
        assert [result["index"] for result in body(response)["results"]] == [1, 2]
        assert body(response)["received"] == 3
    assert len(body(post_values([record()], key, Prefer="return=representation"))["results"]) == 1


def test_options_state_the_limits() -> None:
    response = Client().options(BLOCKS)
    assert response.status_code == 200
    assert response["Allow"] == "POST, OPTIONS"
    assert response["Accept-Post"].split(", ") == [
        *("application/json", "application/x-ndjson"),
        *("application/cloudevents+json", "application/cloudevents-batch+json"),
    ]
    assert body(response)["limits"]["post_records"] == 5_000


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_other_methods_are_not_offered(method: str) -> None:
    response = getattr(Client(), method)(BLOCKS, headers=bearer(make_key()))
    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"
    if method != "head":
        assert_problem(response, 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ("?atomc=true", "unknown_parameter", "atomc"),
        ("?atomic=yes", "bad_parameter", "atomic"),
        ("?atomic=", "bad_parameter", "atomic"),
        ("?atomic=true&atomic=true", "repeated_parameter", "atomic"),
    ],
)
def test_parameters_are_understood_or_refused(query: str, code: str, parameter: str) -> None:
    response = post_values([record()], make_key(), query=query)
    assert_problem(response, 400, code, parameter=parameter)
    assert journal() == []


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "GZIP", "identity"])
def test_a_compressed_body_is_read_like_a_plain_one(encoding: str) -> None:
    plain = json.dumps([record() for _ in range(500)]).encode()
    sent = {"gzip": gzip.compress, "zstd": zstandard.compress}.get(encoding.lower(), bytes)(plain)
    response = post_body(sent, make_key(), Content_Encoding=encoding)
    assert response.status_code == 201
    assert body(response)["stored"] == 500


def test_a_gzip_body_of_several_members_is_one_body() -> None:
    lines = [json.dumps(record()).encode() + b"\n" for _ in range(3)]
    sent = b"".join(gzip.compress(line) for line in lines)
    response = post_body(sent, make_key(), content_type=NDJSON, Content_Encoding="gzip")
    assert body(response)["stored"] == 3
