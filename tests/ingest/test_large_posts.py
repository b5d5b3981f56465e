"""A large post of usual records takes a shorter way in; what becomes of it must not differ."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument

from tests.tools import make_tenant, record
from tracking import clock
from tracking import vocabulary as v
from tracking.core import merkle, native
from tracking.core.canonical import leaf_hash
from tracking.core.record import Record, content_of
from tracking.ingest.accept import AllStored, Answer, Producer, accept
from tracking.ingest.decode import JSON, decode
from tracking.ingest.writer import SMALL
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = 3 * SMALL


@pytest.fixture(params=["compiled", "python"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.setattr(native, "COMPILED", False)
    elif not native.COMPILED:
        pytest.skip("no compiler was at hand")


Wire = dict[str, Any]
_FULL: Wire = {
    "queued_at": "2026-01-31T09:00:00Z",
    "attributes": {"b": 1, "a": "x", "c": [True, "é"]},
    "references": {"po": ["1", "2"]},
    "usage": [{"resource": "cpu", "quantity": 3, "unit": "ms"}],
    "cost": {"amount": "0.10", "currency": "EUR"},
    "reason": "because",
}


def nothing(wires: list[Wire]) -> None:
    pass


def one_in_other_words(wires: list[Wire]) -> None:
    wires[170].update(occurred_at="2026-01-31T11:00:00.5+01:00", attributes={"a": 2.0})


def one_invalid(wires: list[Wire]) -> None:
    wires[70]["status"] = "gone"


def one_without_a_cause(wires: list[Wire]) -> None:
    wires[299].update(status="failed")
    del wires[299]["reason"]


def one_twice(wires: list[Wire]) -> None:
    wires[250] = dict(wires[3])


def one_twice_with_other_content(wires: list[Wire]) -> None:
    wires[250] = {**wires[3], "block": "other"}


def marked(wires: list[Wire]) -> None:
    wires[5]["occurred_at"] = clock.iso(clock.from_ms(clock.to_ms(clock.now()) + 600_000))


CHANGES: list[Callable[[list[Wire]], None]] = [
    nothing,
    one_in_other_words,
    one_invalid,
    one_without_a_cause,
    one_twice,
    one_twice_with_other_content,
    marked,
]


def wires_of(change: Callable[[list[Wire]], None], count: int = COUNT) -> list[Wire]:
    wires = [record(**_FULL) for _ in range(count)]
    change(wires)
    return wires


def post_parsed(wires: list[Wire], tenant: str) -> Answer:
    values = decode(json.dumps(wires).encode(), JSON)
    return accept(producer=Producer(tenant, "test"), values=values, moment=clock.now())


def stored(tenant: str) -> list[tuple[Any, ...]]:
    """What is in the journal, without what differs from post to post."""
    found = collection("journal").find({"tenant": tenant}).sort("_id", 1)
    return [
        (row["_id"].partition("/")[2], content_of(row), row["part"], row.get("marks"))
        for row in found
    ]


@pytest.mark.parametrize(
    ("change", "count"),
    [
        *((change, COUNT) for change in CHANGES),
        # in several batches
        *((change, v.BATCH_RECORDS_MAX + COUNT) for change in (nothing, one_invalid, one_twice)),
    ],
)
def test_one_large_post_does_what_several_small_ones_do(
    change: Callable[[list[Wire]], None], count: int
) -> None:
    make_tenant("large")
    make_tenant("small")
    wires = wires_of(change, count)
    large = post_parsed(wires, "large")
    parts = [post_parsed(wires[at : at + SMALL], "small") for at in range(0, count, SMALL)]
    small = [result for part in parts for result in part.results]
    assert [r.index for r in large.results] == list(range(count))
    assert [(r.id, r.outcome) for r in large.results] == [(r.id, r.outcome) for r in small]
    assert [r.errors for r in large.results] == [r.errors for r in small]
    for outcome in v.OUTCOMES:
        assert large.count(outcome) == sum(r.outcome == outcome for r in small)
    refused = [r.index for r in large.not_stored()]
    assert refused == [place for place, r in enumerate(small) if r.outcome != v.STORED]
    assert stored("large") == stored("small")


def test_the_receipts_of_a_large_post_are_the_leaves_of_what_is_stored() -> None:
    make_tenant("large")
    answer = post_parsed(wires_of(nothing), "large")
    assert isinstance(answer, AllStored), "the test is about the shorter way"
    [batch] = answer.batches
    rows = list(collection("journal").find({"batch": batch.id}).sort("index", 1))
    leaves = [leaf_hash(row) for row in rows]
    assert [result.receipt for result in answer.results] == [leaf.hex() for leaf in leaves]
    assert batch.root == merkle.root_hash(leaves)
    [entry] = collection("seal_queue").find()
    assert (entry["_id"], entry["count"]) == (batch.id, COUNT)
    assert bytes(entry["leaves"]) == b"".join(leaves)


def test_a_large_post_with_one_known_record_stores_the_others_once() -> None:
    make_tenant("large")
    wires = wires_of(nothing)
    post_parsed(wires[40:41], "large")
    answer = post_parsed(wires, "large")
    assert answer.results[40].outcome == v.DUPLICATE
    assert (answer.count(v.STORED), answer.count(v.DUPLICATE)) == (COUNT - 1, 1)
    assert len(stored("large")) == COUNT
    again = post_parsed(wires, "large")
    assert again.count(v.DUPLICATE) == COUNT
    assert [r.receipt for r in again.results] == [r.receipt for r in answer.results]


@pytest.mark.parametrize("count", [2, COUNT])
def test_a_repeated_post_keeps_nothing_in_memory(count: int) -> None:
    """The driver's error for a known id refers to the frames of all its callers, in a cycle."""
    tenant = make_tenant("acme")
    body = json.dumps([record() for _ in range(count)]).encode()

    def send() -> int:
        values = decode(body, JSON, v.POST_RECORDS_MAX)
        answer = accept(producer=Producer(tenant, "test"), values=values, moment=clock.now())
        return answer.count(v.DUPLICATE)

    def held() -> int:
        return sum(type(each) in (Record, RawBSONDocument) for each in gc.get_objects())

    assert send() == 0
    gc.collect()
    before = held()
    gc.disable()
    try:
        assert send() == count
        assert held() == before
    finally:
        gc.enable()
