"""How fast a key may post, and what it is told beyond that."""

from __future__ import annotations

import time

import pytest
from pytest_django import Settings

from tests.api.http import assert_problem, get, make_key, post_body, post_values
from tests.tools import record
from tracking.access import keys
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


def test_too_fast_is_refused_and_told_truly_when_to_come_again(settings: Settings) -> None:
    settings.DFT_RATE_RECORDS, settings.DFT_RATE_BURST_SECONDS = 20, 1
    key, other = make_key(), make_key()
    values = [record() for _ in range(12)]
    first = post_values(values, key)
    assert (first.status_code, first["RateLimit-Policy"]) == (201, '"records";q=20;w=1')
    assert first["RateLimit"].startswith('"records";r=8;')
    more = [record() for _ in range(20)]
    refused = post_values(more, key)
    assert_problem(refused, 429, "rate_limited", limit=20)
    assert collection("journal").count_documents({}) == 12, "nothing of it is recorded"
    assert post_values([record()], other).status_code == 201, "another key's bucket is its own"
    time.sleep(int(refused["Retry-After"]))
    assert post_values(more, key).status_code == 201, "the same post, after that time"


def test_a_key_has_its_own_rate_or_none(settings: Settings) -> None:
    settings.DFT_RATE_RECORDS, settings.DFT_RATE_BURST_SECONDS = 1, 1
    free, usual = make_key(records_per_second=0), make_key()
    slow = make_key(records_per_second=5)
    for _ in range(3):
        answer = post_values([record() for _ in range(30)], free)
        assert answer.status_code == 201
        assert "RateLimit" not in answer
    assert post_values([record()], usual).status_code == 201
    assert_problem(post_values([record()], usual), 429, "rate_limited", limit=1)
    assert post_values([record() for _ in range(4)], slow).status_code == 201
    assert_problem(post_values([record() for _ in range(4)], slow), 429, "rate_limited", limit=5)


def test_a_post_larger_than_the_burst_passes_when_the_bucket_is_full(
    settings: Settings,
) -> None:
    settings.DFT_RATE_RECORDS, settings.DFT_RATE_BURST_SECONDS = 100, 1
    key = make_key()
    assert post_values([record() for _ in range(250)], key).status_code == 201
    refused = post_values([record()], key)
    assert_problem(refused, 429, "rate_limited")
    assert 2 <= int(refused["Retry-After"]) <= 3, "the debt, and a full bucket"
    # Refused unread: an empty bucket costs no parsing.
    assert_problem(post_body(b"\xff no JSON", key), 429, "rate_limited")


def test_what_cannot_be_read_costs_nothing(settings: Settings) -> None:
    settings.DFT_RATE_RECORDS, settings.DFT_RATE_BURST_SECONDS = 1, 1
    key = make_key()
    for _ in range(3):
        assert_problem(post_body(b"{", key), 400, "bad_json")
    assert post_values([record()], key).status_code == 201


def test_spans_are_paid_for_by_the_next_post(settings: Settings) -> None:
    settings.DFT_RATE_RECORDS, settings.DFT_RATE_BURST_SECONDS = 1, 1
    holder = keys.KeyHolder("acme", f"otlp{time.monotonic_ns()}", frozenset(), 2)
    from tracking.api import rates
    from tracking.errors import BadRequest

    rates.settle(holder, 100)
    with pytest.raises(BadRequest) as refused:
        rates.look(holder)
    assert refused.value.status == 429
    assert 49 <= int(refused.value.members["headers"]["Retry-After"]) <= 50  # type: ignore[index]


def test_reading_has_a_rate_where_one_is_set(settings: Settings) -> None:
    key = make_key()
    for _ in range(5):
        assert get("/api/v1/transactions", key).status_code == 200
    settings.DFT_RATE_READS, settings.DFT_RATE_BURST_SECONDS = 1, 2
    statuses = [get("/api/v1/transactions", key).status_code for _ in range(4)]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses
    assert_problem(get("/api/v1/transactions", key), 429, "rate_limited", limit=1)
