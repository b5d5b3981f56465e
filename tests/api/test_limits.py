"""Limits that an operator may set: applied, told by OPTIONS and the OpenAPI document."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys

import pytest
from django.test import Client
from pytest_django import Settings

from tests.api.http import BLOCKS, NDJSON, assert_problem, get, make_key, post_body, post_values
from tests.faults.processes import ROOT
from tests.tools import record

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_set_holds_and_is_told(settings: Settings) -> None:
    settings.DFT_POST_RECORDS, settings.DFT_ATOMIC_RECORDS = 100, 20
    settings.DFT_POST_BYTES = 300_000
    told = json.loads(Client().options(BLOCKS).content)["limits"]
    assert (told["post_records"], told["atomic_records"], told["post_bytes"]) == (100, 20, 300_000)
    text = " ".join(get("/api/v1/schema").content.decode().split())
    assert "at most 100 records and 300000 bytes" in text
    assert "at most 20 records" in text

    key = make_key()
    many = [record() for _ in range(101)]
    lines = "\n".join(map(json.dumps, many))
    assert post_values(many[:100], key).status_code == 201
    assert_problem(post_values(many, key), 413, "too_many_records", limit=100)
    assert_problem(post_body(lines, key, content_type=NDJSON), 413, "too_many_records", limit=100)
    assert post_body("\n" * 5_000 + lines[: lines.index("\n")], key, content_type=NDJSON)
    atomic = post_values(many[:21], key, query="?atomic=true")
    assert_problem(atomic, 413, "too_many_records", limit=20)
    large = b"[" + b" " * 300_000 + b"]"
    assert_problem(post_body(large, key), 413, "body_too_large", limit=300_000)
    packed = post_body(gzip.compress(large), key, content_encoding="gzip")
    assert_problem(packed, 413, "body_too_large", limit=300_000)


def test_many_empty_lines_are_skipped() -> None:
    text = ("\n \t\r\n" * 10_000).join(json.dumps(record()) for _ in range(3))
    answer = post_body(text, make_key(), content_type=NDJSON)
    assert json.loads(answer.content)["stored"] == 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DFT_POST_RECORDS", "99"),
        ("DFT_POST_RECORDS", "1000000"),
        ("DFT_POST_BYTES", "16 MiB"),
        ("DFT_ATOMIC_RECORDS", "1001"),
        ("DFT_RATE_RECORDS", "-1"),
        ("DFT_QUEUE", "0"),
        ("DFT_BODY_SECONDS", "1.5"),
    ],
)
def test_a_limit_out_of_bounds_stops_the_start(name: str, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import dft_project.settings"],
        cwd=ROOT,
        env={**os.environ, name: text},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{name} must be an integer from" in done.stderr.decode()
