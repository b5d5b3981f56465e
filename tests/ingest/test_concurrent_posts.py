"""Posts at the same time: every record once, every caller told the truth."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from tests.tools import make_tenant, record
from tracking import clock
from tracking import vocabulary as v
from tracking.ingest.accept import Answer, Producer, accept

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


def all_at_once(posts: list[list[dict[str, Any]]], *, atomic: bool = False) -> list[Answer]:
    make_tenant()
    start = Barrier(len(posts))

    def run(values: list[dict[str, Any]]) -> Answer:
        start.wait()
        return accept(
            producer=Producer("acme", "test"), values=values, moment=clock.now(), atomic=atomic
        )

    with ThreadPoolExecutor(len(posts)) as pool:
        return list(pool.map(run, posts))


def assert_recorded_once(answers: list[Answer], ids: set[str]) -> None:
    told = Counter((r.id, r.outcome) for answer in answers for r in answer.results)
    for id_ in ids:
        assert told[id_, v.STORED] == 1, id_
        assert told[id_, v.CONFLICT] == told[id_, v.INVALID] == 0
    found = connection.database["journal"].find({}, {"_id": 1})
    assert sorted(document["_id"] for document in found) == sorted(f"acme/{id_}" for id_ in ids)
    receipts = {(r.id, r.receipt) for answer in answers for r in answer.results}
    assert len(receipts) == len(ids)
    entries = list(connection.database["seal_queue"].find())
    assert sum(entry["count"] for entry in entries) == len(ids)
    told_batches = {batch.id for answer in answers for batch in answer.batches}
    assert {entry["_id"] for entry in entries} == told_batches


@pytest.mark.parametrize("atomic", [False, True])
def test_identical_posts(atomic: bool) -> None:
    values = [record() for _ in range(50)]
    answers = all_at_once([values] * THREADS, atomic=atomic)
    assert_recorded_once(answers, {wire["id"] for wire in values})


@pytest.mark.parametrize("atomic", [False, True])
def test_overlapping_posts(atomic: bool) -> None:
    values = [record() for _ in range(120)]
    shuffled = random.Random(7)
    posts = [shuffled.sample(values, 60) for _ in range(THREADS)]
    answers = all_at_once(posts, atomic=atomic)
    assert_recorded_once(answers, {wire["id"] for one in posts for wire in one})


def test_rivals_for_one_id_with_other_content() -> None:
    wire = record(id="contested")
    answers = all_at_once([[{**wire, "flow": f"flow-{n}"}] for n in range(THREADS)])
    assert Counter(answer.results[0].outcome for answer in answers) == {
        v.STORED: 1,
        v.CONFLICT: THREADS - 1,
    }
    [stored] = connection.database["journal"].find()
    [winner] = [n for n, answer in enumerate(answers) if answer.results[0].outcome == v.STORED]
    assert stored["flow"] == f"flow-{winner}"
