"""The OpenAPI document says what the API does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import jsonschema
import pytest
from django.test import Client

from tests.api.http import get, make_key, post_values
from tests.api.test_transaction_pages import define, story
from tests.tools import drain, record
from tracking import vocabulary as v
from tracking.api.schema_answers import COMPONENTS

pytestmark = pytest.mark.django_db(transaction=True)


def document() -> dict[str, Any]:
    response = Client().get("/api/v1/schema", headers={"Accept": "application/json"})
    assert response.status_code == 200
    return json.loads(response.content)


def strict(schema: Any) -> Any:
    """The schema in JSON Schema's words: OpenAPI 3.0 says `nullable` instead of null."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: strict(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") else plain


def assert_conforms(value: Any, component: str) -> None:
    root = {
        "$ref": f"#/components/schemas/{component}",
        "components": {"schemas": strict(COMPONENTS)},
    }
    jsonschema.Draft202012Validator(root).validate(value)


def test_the_document_is_valid_and_complete() -> None:
    from drf_spectacular.validation import validate_schema

    found = document()
    validate_schema(found)
    assert set(found["paths"]) == {
        "/api/v1/blocks",
        "/api/v1/blocks/{record}",
        "/api/v1/blocks/{record}/proof",
        "/api/v1/checkpoints",
        "/api/v1/checkpoints/consistency",
        "/api/v1/checkpoints/latest",
        "/api/v1/evidence",
        "/api/v1/insights/bottlenecks",
        "/api/v1/insights/costs",
        "/api/v1/insights/costs/export",
        "/api/v1/insights/forecast",
        "/api/v1/insights/throughput",
        "/api/v1/otlp/v1/traces",
        "/api/v1/transactions",
        "/api/v1/transactions/{transaction}",
        "/api/v1/transactions/{transaction}/blocks",
        "/api/v1/transactions/{transaction}/evidence",
        "/api/v1/transactions/{transaction}/lifetime",
        "/api/v1/transactions/{transaction}/lineage",
    }
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            assert operation["operationId"], (path, method)
    named = {p["name"] for p in found["paths"]["/api/v1/transactions"]["get"]["parameters"]}
    assert {"status", "q", "cursor", "page_size", "reference", "created_after"} <= named
    statuses = set(found["paths"]["/api/v1/blocks"]["post"]["responses"])
    assert statuses == set("200 201 207 400 401 403 408 413 415 422 429 503".split())


def test_making_the_document_warns_of_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    document()
    assert "Warning" not in capfd.readouterr().err


def test_answers_conform() -> None:
    key = make_key()
    define()
    posts = [
        [*story(), record(transaction="child", parents=["t", "ghost"])],
        [record(), {}, story()[0]],
        [],
    ]
    for values in posts:
        assert_conforms(json.loads(post_values(values, key).content), "PostAnswer")
    drain()
    base = "/api/v1/transactions"
    for path, component in (
        (base, "TransactionPage"),
        (f"{base}/t", "TransactionDetail"),
        (f"{base}/child", "TransactionDetail"),
        (f"{base}/t/lifetime", "Lifetime"),
        (f"{base}/child/lifetime", "Lifetime"),
        (f"{base}/t/blocks", "RecordPage"),
        (f"{base}/child/lineage", "Lineage"),
        ("/api/v1/blocks/t-1", "RecordDetail"),
        ("/api/v1/blocks/none", "Problem"),
        (f"{base}?status=x", "Problem"),
        ("/api/v1/blocks", "Problem"),
    ):
        assert_conforms(json.loads(get(path, key).content), component)


def test_the_record_schema_has_every_field_and_takes_what_is_taken() -> None:
    for wire in (*story(), record(), record(attributes={"a": [1, "x"]}, references={"a": ["1"]})):
        assert_conforms(wire, "Record")
    for wire in (record(flow=None), record(nix=1), record(attempt=0), record(id="a b")):
        with pytest.raises(jsonschema.ValidationError):
            assert_conforms(wire, "Record")
    from tests.ingest.bad_records import _TYPES

    assert set(COMPONENTS["Record"]["properties"]) == set(_TYPES)
    assert COMPONENTS["Record"]["properties"]["attempt"]["maximum"] == v.ATTEMPT_MAX


def test_the_page_about_it_needs_no_inline_script_and_nobody_else(settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    response = Client().get("/api/v1/docs")
    page = response.content.decode()
    assert response.status_code == 200
    assert (
        "unsafe-inline" not in re.search(r"script-src[^;]*", response["Content-Security-Policy"])[0]
    )
    for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL):
        assert 'src="/' in attributes
        assert not content.strip()
    assert not re.search(r"""(?:src|href)=["'](?!/(?!/))""", page)
    assert " on" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    script = Client().get("/api/v1/docs?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert "/api/v1/schema" in script.content.decode()
    assert not re.search(r"https?://", script.content.decode().replace("https://github.com", ""))


FIRST_REQUESTS = """
import sys, threading
import django
django.setup()
from django.test import Client
sys.setswitchinterval(1e-5)
begin, seen = threading.Barrier(8), []
def ask():
    begin.wait()
    seen.append(Client(SERVER_NAME="localhost").get("/api/v1/schema").status_code)
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(seen)
"""


def test_first_requests_that_come_at_once_are_all_answered() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dft_project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", FIRST_REQUESTS],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([200] * 8), done.stderr[-2000:]
