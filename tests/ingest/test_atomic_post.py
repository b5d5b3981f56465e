"""`?atomic=true`: all of a post is recorded, or nothing of it."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from tests.api.http import assert_problem, make_key, post_values
from tests.tools import record
from tracking import vocabulary as v

pytestmark = pytest.mark.django_db(transaction=True)

ATOMIC = "?atomic=true"


def count() -> int:
    return connection.database["journal"].count_documents({})


def refusals(response: object) -> list[tuple[str, str | None]]:
    results = json.loads(response.content)["results"]  # type: ignore[attr-defined]
    return [
        (result["outcome"], result["errors"][0]["code"] if result["errors"] else None)
        for result in results
    ]


def test_all_are_recorded_in_one_batch() -> None:
    values = [record() for _ in range(1_000)]
    response = post_values([*values[:999], values[0]], make_key(), query=ATOMIC)
    assert response.status_code == 201
    answer = json.loads(response.content)
    assert (answer["stored"], answer["duplicates"], len(answer["batches"])) == (999, 1, 1)
    assert answer["results"][0]["receipt"] == answer["results"][-1]["receipt"] is not None
    assert count() == 999


def test_an_invalid_record_keeps_the_others_out() -> None:
    response = post_values([record(), {}, record()], make_key(), query=ATOMIC)
    assert response.status_code == 422
    assert refusals(response) == [
        (v.INVALID, "atomic_refused"),
        (v.INVALID, "required"),
        (v.INVALID, "atomic_refused"),
    ]
    assert count() == 0
    assert connection.database["seal_queue"].count_documents({}) == 0


def test_a_conflict_keeps_the_others_out_and_known_ones_stay_known() -> None:
    key, known, other = make_key(), record(id="known"), record(id="other")
    post_values([known, other], key)
    values = [record(), {**known, "flow": "changed"}, other]
    response = post_values(values, key, query=ATOMIC)
    assert response.status_code == 422
    assert refusals(response) == [
        (v.INVALID, "atomic_refused"),
        (v.CONFLICT, "conflict"),
        (v.DUPLICATE, None),
    ]
    assert count() == 2


def test_a_conflict_within_the_post_keeps_all_out() -> None:
    first = record()
    response = post_values([first, {**first, "flow": "changed"}, first], make_key(), query=ATOMIC)
    assert response.status_code == 422
    assert [outcome for outcome, _code in refusals(response)] == [v.INVALID, v.CONFLICT, v.INVALID]
    assert count() == 0


def test_a_repeated_atomic_post_is_a_success() -> None:
    key, values = make_key(), [record(), record()]
    assert post_values(values, key, query=ATOMIC).status_code == 201
    assert post_values(values, key, query=ATOMIC).status_code == 200
    assert post_values([*values, record()], key, query=ATOMIC).status_code == 201
    assert count() == 3


def test_an_atomic_post_has_at_most_a_thousand_records() -> None:
    response = post_values([{}] * 1_001, make_key(), query=ATOMIC)
    assert_problem(response, 413, "too_many_records", limit=1_000)
