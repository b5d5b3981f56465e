"""Whatever is posted, it is answered in the one shape, and nothing malformed is stored."""

from __future__ import annotations

import gzip
import json
from typing import Any, NamedTuple

import pytest
import zstandard
from django.db import connection

from tests.api.http import JSON, NDJSON, assert_problem, make_key, post_body
from tests.ingest.bad_records import bad_records
from tests.tools import record
from tracking import vocabulary as v

pytestmark = pytest.mark.django_db(transaction=True)


def journal_ids() -> set[str]:
    return {document["_id"] for document in connection.database["journal"].find({}, {"_id": 1})}


def assert_answer(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content[:2_000]
    assert response["Content-Type"] == "application/json"
    answer = json.loads(response.content)
    assert answer.keys() == {
        "received",
        "stored",
        "duplicates",
        "conflicts",
        "invalid",
        "batches",
        "results",
    }
    for result in answer["results"]:
        assert result.keys() == {"index", "id", "outcome", "receipt", "errors"}
        assert (result["outcome"] in (v.STORED, v.DUPLICATE)) == (result["receipt"] is not None)
        for error in result["errors"]:
            assert error.keys() == {"pointer", "code", "message"}
            assert error["message"]
    return answer


def test_the_table_is_as_long_as_promised() -> None:
    rows = bad_records()
    assert len(rows) + len(BODIES) >= 130
    assert len({row.name for row in rows}) == len(rows)


def test_a_malformed_record_is_named_and_not_stored_and_its_neighbours_are(
    subtests: pytest.Subtests,
) -> None:
    key = make_key()
    for row in bad_records():
        with subtests.test(row.name):
            before = journal_ids()
            neighbours = [record(), record()]
            first, last = map(json.dumps, neighbours)
            answer = assert_answer(post_body(f"[{first},{row.text},{last}]", key), 207)
            outcomes = [result["outcome"] for result in answer["results"]]
            assert outcomes == [v.STORED, v.INVALID, v.STORED]
            found = [(e["pointer"], e["code"]) for e in answer["results"][1]["errors"]]
            assert (row.pointer, row.code) in found, found
            assert journal_ids() - before == {f"acme/{wire['id']}" for wire in neighbours}


def test_a_malformed_record_alone_is_unprocessable(subtests: pytest.Subtests) -> None:
    key = make_key()
    for row in bad_records():
        with subtests.test(row.name):
            answer = assert_answer(post_body(f"[{row.text}]", key), 422)
            assert (answer["received"], answer["stored"], answer["invalid"]) == (1, 0, 1)
    assert journal_ids() == set()


class BadBody(NamedTuple):
    """A row: a body that cannot be read at all, and the problem it must be answered with."""

    name: str
    body: bytes
    status: int
    code: str
    content_type: str = JSON
    members: dict[str, object] = {}
    headers: dict[str, str] = {}


GOOD = json.dumps(record(id="good")).encode()
LIST = b"[" + GOOD + b"]"

GZIP = {"Content_Encoding": "gzip"}
ZSTD = {"Content_Encoding": "zstd"}
# A few kilobytes that inflate to 200 MB; the zstd frame states its size, which must not count.
GZIP_BOMB = gzip.compress(bytes(200_000_000), 9)
ZSTD_BOMB = zstandard.compress(bytes(200_000_000))

BODIES = [
    BadBody(
        "byte-order mark", b"\xef\xbb\xbf" + LIST, 400, "byte_order_mark", members={"offset": 0}
    ),
    BadBody("UTF-16 with mark", LIST.decode().encode("utf-16"), 400, "byte_order_mark"),
    BadBody("UTF-16 without mark", LIST.decode().encode("utf-16-le"), 400, "bad_json"),
    BadBody("UTF-32", LIST.decode().encode("utf-32"), 400, "byte_order_mark"),
    BadBody("NDJSON with mark", b"\xef\xbb\xbf" + GOOD, 400, "byte_order_mark", NDJSON),
    BadBody(
        "bad UTF-8",
        LIST.replace(b"orders", b"ord\xffers"),
        400,
        "bad_encoding",
        members={"offset": LIST.index(b"orders") + 3},
    ),
    BadBody("overlong UTF-8", LIST.replace(b"orders", b"\xc0\xaf"), 400, "bad_encoding"),
    BadBody("surrogate in UTF-8", LIST.replace(b"orders", b"\xed\xa0\x80"), 400, "bad_encoding"),
    BadBody("truncated JSON", LIST[:-10], 400, "bad_json"),
    BadBody("trailing text", LIST + b"x", 400, "bad_json", members={"offset": len(LIST)}),
    BadBody("two documents", GOOD + GOOD, 400, "bad_json", members={"offset": len(GOOD)}),
    BadBody("trailing comma", b"[" + GOOD + b",]", 400, "bad_json"),
    BadBody("comment", b"/* */" + LIST, 400, "bad_json", members={"offset": 0}),
    BadBody("single quotes", b"{'id': 'r'}", 400, "bad_json"),
    BadBody("empty body", b"", 400, "bad_json", members={"offset": 0}),
    BadBody("white space", b" \n\t ", 400, "bad_json"),
    BadBody("NUL bytes", b"\0" * 100, 400, "bad_json"),
    BadBody("a scalar", b"42", 400, "bad_body"),
    BadBody("a string", b'"record"', 400, "bad_body"),
    BadBody("null", b"null", 400, "bad_body"),
    BadBody("NaN", b"NaN", 400, "bad_body"),
    BadBody("true", b"true", 400, "bad_body"),
    BadBody("a number of 5,000 digits", b"1" * 5_000, 400, "bad_body"),
    BadBody("deep brackets", b"[" * 100_000 + b"]" * 100_000, 400, "too_deep"),
    BadBody("deep objects", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "too_deep"),
    BadBody("deep brackets, never closed", b"[" * 1_000_000, 400, "too_deep"),
    BadBody(
        "5,001 records",
        b"[" + b",".join([b"{}"] * 5_001) + b"]",
        413,
        "too_many_records",
        members={"limit": 5_000},
    ),
    BadBody(
        "5,001 lines",
        b"\n".join([b"{}"] * 5_001),
        413,
        "too_many_records",
        NDJSON,
        members={"limit": 5_000},
    ),
    BadBody(
        "more than 16 MiB",
        LIST + b" " * v.POST_BYTES_MAX,
        413,
        "body_too_large",
        members={"limit": v.POST_BYTES_MAX},
    ),
    BadBody("a form", LIST, 415, "unsupported_media_type", "application/x-www-form-urlencoded"),
    BadBody(
        "a file upload", LIST, 415, "unsupported_media_type", "multipart/form-data; boundary=x"
    ),
    BadBody("text", LIST, 415, "unsupported_media_type", "text/plain"),
    BadBody("no content type", LIST, 415, "unsupported_media_type", ""),
    BadBody("nonsense as content type", LIST, 415, "unsupported_media_type", "json"),
    BadBody(
        "another charset", LIST, 415, "unsupported_media_type", "application/json; charset=latin1"
    ),
    BadBody("not gzip", LIST, 400, "bad_encoding", headers={"Content_Encoding": "gzip"}),
    BadBody("not zstd", LIST, 400, "bad_encoding", headers={"Content_Encoding": "zstd"}),
    BadBody("half a gzip", gzip.compress(LIST)[:-9], 400, "bad_encoding", headers=GZIP),
    BadBody("half a zstd", zstandard.compress(LIST)[:-1], 400, "bad_encoding", headers=ZSTD),
    BadBody("gzip and more", gzip.compress(LIST) + b"x", 400, "bad_encoding", headers=GZIP),
    BadBody("nothing as gzip", b"", 400, "bad_encoding", headers=GZIP),
    BadBody("a gzip bomb", GZIP_BOMB, 413, "body_too_large", headers=GZIP),
    BadBody("a zstd bomb", ZSTD_BOMB, 413, "body_too_large", headers=ZSTD),
    BadBody(
        "two codings", LIST, 415, "unsupported_encoding", headers={"Content_Encoding": "gzip, zstd"}
    ),
    BadBody(
        "unknown coding", LIST, 415, "unsupported_encoding", headers={"Content_Encoding": "rot13"}
    ),
]


def test_an_unreadable_body_is_a_problem_and_nothing_is_stored(subtests: pytest.Subtests) -> None:
    key = make_key()
    for row in BODIES:
        with subtests.test(row.name):
            response = post_body(row.body, key, content_type=row.content_type, **row.headers)
            assert_problem(response, row.status, row.code, **row.members)
            assert journal_ids() == set()


def test_an_empty_post_is_unprocessable() -> None:
    key = make_key()
    for body, content_type in ((b"[]", JSON), (b"", NDJSON), (b"\n \n", NDJSON)):
        answer = assert_answer(post_body(body, key, content_type=content_type), 422)
        assert answer["received"] == 0
        assert answer["results"] == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"id": "\xff"}', "bad_encoding"),
        (b'{"id": "x"', "bad_json"),
        (b"[" * 100_000, "too_deep"),
        (b"not json", "bad_json"),
        (b"[]", "bad_type"),
        (b"\0", "bad_json"),
    ],
)
def test_a_bad_line_leaves_the_other_lines_alone(line: bytes, code: str) -> None:
    good = [record(), record()]
    lines = [json.dumps(good[0]).encode(), line, json.dumps(good[1]).encode()]
    answer = assert_answer(post_body(b"\n".join(lines), make_key(), content_type=NDJSON), 207)
    outcomes = [result["outcome"] for result in answer["results"]]
    assert outcomes == [v.STORED, v.INVALID, v.STORED]
    assert answer["results"][1]["errors"][0]["code"] == code
    assert journal_ids() == {f"acme/{wire['id']}" for wire in good}


def test_the_last_of_a_duplicate_key_counts() -> None:
    text = json.dumps(record(id="twice"))[:-1] + ', "flow": "other"}'
    assert_answer(post_body(text, make_key()), 201)
    assert connection.database["journal"].find_one({"_id": "acme/twice"})["flow"] == "other"


def test_a_record_names_at_most_twenty_of_its_problems() -> None:
    wire = {f"field{number}": 1 for number in range(100_000)}
    answer = assert_answer(post_body(json.dumps(wire), make_key()), 422)
    assert len(answer["results"][0]["errors"]) == v.PROBLEMS_MAX


def test_limits_are_inclusive() -> None:
    wire = record(
        id="x" * 128,
        object={"id": "o" * 200, "type": "t" * 100},
        flow="f" * 100,
        attempt=1_000_000,
        reason="r" * 2_000,
        attributes={"n" * 100: "v" * 4_000, "list": list(range(100)), "most": 2**53 - 1},
        references={f"r{i}": [f"{j}" for j in range(20)] for i in range(20)},
        parents=[f"p{i}" for i in range(100)],
        usage=[{"resource": "cpu", "quantity": "999999999999999.123456789", "unit": "s"}] * 20,
        cost={"amount": "-999999999999999.123456789", "currency": "EUR"},
        payload={"content": "c" * 65_536, "size": 2**53 - 1},
        subject="s" * 200,
        occurred_at="1970-01-01T00:00:00Z",
    )
    assert_answer(post_body(json.dumps(wire), make_key()), 201)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'Application/JSON; charset="UTF-8"']
)
def test_a_charset_may_be_stated(content_type: str) -> None:
    assert_answer(post_body(LIST, make_key(), content_type=content_type), 201)
