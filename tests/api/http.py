"""Asking over HTTP, as a producer or reader does, and what every answer has in common."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from tests.tools import make_tenant
from tracking.access.keys import create_key

BLOCKS = "/api/v1/blocks"
JSON = "application/json"
NDJSON = "application/x-ndjson"


def make_key(
    tenant: str = "acme", scopes: tuple[str, ...] = ("ingest", "read"), **more: Any
) -> str:
    make_tenant(tenant)
    return create_key(tenant=tenant, name="test", scopes=scopes, **more)[1]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def post_body(
    body: bytes | str, key: str, *, content_type: str = JSON, query: str = "", **headers: str
) -> HttpResponse:
    return Client(raise_request_exception=False).post(
        BLOCKS + query,
        data=body,
        content_type=content_type,
        CONTENT_TYPE=content_type,  # which the client leaves out of an empty post
        headers={**bearer(key), **{name.replace("_", "-"): text for name, text in headers.items()}},
    )


def post_values(values: Any, key: str, **more: Any) -> HttpResponse:
    return post_body(json.dumps(values), key, **more)


def get(path: str, key: str | None = None, query: dict[str, Any] | None = None) -> HttpResponse:
    return Client(raise_request_exception=False).get(
        path, query or {}, headers=bearer(key) if key else {}
    )


def assert_problem(
    response: HttpResponse, status: int, code: str, **members: object
) -> dict[str, Any]:
    """The one shape of every error of the product."""
    body = json.loads(response.content)
    assert (response.status_code, body.get("code")) == (status, code), body
    assert response["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body.keys() <= {
        "type",
        "title",
        "status",
        "detail",
        "code",
        "offset",
        "pointer",
        "parameter",
        "limit",
    }
    assert body["status"] == status
    assert body["type"] == "about:blank"
    assert body["title"]
    assert len(body["detail"]) > 10
    for name, value in members.items():
        assert body.get(name) == value, body
    return body
