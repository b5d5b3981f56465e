"""One error shape, whatever fails; and a database that is away is said to be away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client

from tests.api.http import assert_problem, bearer, get, make_key, post_values
from tests.tools import record
from tracking import clock
from tracking.access import keys
from tracking.errors import DatabaseUnavailable
from tracking.ingest import writer
from tracking.ingest.accept import Producer, accept
from tracking.ingest.writer import known_records
from tracking.mongo.connection import settings_entry

pytestmark = pytest.mark.django_db(transaction=True)

PATHS = (
    "/api/v1/transactions",
    "/api/v1/transactions?q=x",
    "/api/v1/transactions/t",
    "/api/v1/transactions/t/lifetime",
    "/api/v1/transactions/t/blocks",
    "/api/v1/transactions/t/lineage",
    "/api/v1/blocks/r",
)


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key of the time before, and then nobody listens where MongoDB was."""
    monkeypatch.setattr(keys, "CACHED_FOR", timedelta(hours=1))
    key = make_key()
    keys.authenticate(key, clock.now())
    connection = connections["default"]
    before = dict(connection.settings_dict)
    connection.close_pool()
    # port 9 is "discard": nobody listens
    away = settings_entry(f"mongodb://127.0.0.1:9/{before['NAME']}", timeout_ms=200)
    connection.settings_dict.update(away)
    yield key
    connection.close_pool()
    connection.settings_dict.update(before)


def assert_unavailable(response: object) -> None:
    assert_problem(response, 503, "database_unavailable")  # type: ignore[arg-type]
    assert 1 <= int(response["Retry-After"]) <= 5  # type: ignore[index]


def test_reading_without_a_database(no_database: str, subtests: pytest.Subtests) -> None:
    for path in PATHS:
        with subtests.test(path):
            assert_unavailable(get(path, no_database))


def test_posting_without_a_database(no_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_PATIENCE_SECONDS", 0.2)
    for query in ("", "?atomic=true"):
        assert_unavailable(post_values([record()], no_database, query=query))


def test_a_key_cannot_be_looked_up_without_a_database(no_database: str) -> None:
    keys.forget_known_keys()
    assert_unavailable(post_values([record()], no_database))
    assert_unavailable(get(PATHS[0], no_database))


def test_ingest_names_the_missing_database(
    no_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_PATIENCE_SECONDS", 0.2)
    with pytest.raises(DatabaseUnavailable):
        accept(producer=Producer("acme", "k"), values=[record()], moment=clock.now())
    with pytest.raises(DatabaseUnavailable):
        known_records("acme", ["r"])


def test_health_without_a_database(no_database: str) -> None:
    assert_unavailable(Client().get("/readyz"))
    assert Client().get("/healthz").status_code == 200


def test_health() -> None:
    assert json.loads(Client().get("/healthz").content) == {"status": "ok"}
    post_values([record()], make_key())
    ready = json.loads(Client().get("/readyz").content)
    assert ready["status"] == "ready"
    assert (ready["lag"]["leaf"], ready["lag"]["log_size"], ready["lag"]["queued"]) == (0, 0, 1)
    assert ready["lag"]["behind_seconds"] > 0
    for path in ("/healthz", "/readyz"):
        response = Client().post(path)
        assert_problem(response, 405, "method_not_allowed")
        assert response["Allow"] == "GET, HEAD"


def test_a_fault_of_ours_is_a_problem_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    key = make_key()
    monkeypatch.setattr("tracking.api.ingest.accept", fail)
    monkeypatch.setattr("tracking.api.paging.page_of", fail)
    for response in (post_values([record()], key), get("/api/v1/transactions", key)):
        assert_problem(response, 500, "error")
        assert b"secret" not in response.content


def test_an_unknown_host_is_a_problem() -> None:
    response = Client().get("/api/v1/transactions", headers={"Host": "evil.example"})
    assert_problem(response, 400, "bad_request")


def test_an_answer_in_another_type_is_not_acceptable() -> None:
    response = Client().get(
        "/api/v1/transactions", headers={**bearer(make_key()), "Accept": "text/csv"}
    )
    assert_problem(response, 406, "not_acceptable")


def test_pages_for_people_stay_pages() -> None:
    response = Client().get("/nothing-here")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_answers_are_not_cached() -> None:
    key = make_key()
    for response in (
        get("/api/v1/transactions", key),
        post_values([record()], key),
        get("/api/v1/x"),
    ):
        assert response["Cache-Control"] == "no-store"
