"""The fast reader accepts a subset of what the careful one does, with the same result."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools import record
from tracking import vocabulary as v
from tracking.core.fast import read_usual
from tracking.core.record import Record, read_record

NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)

FULL: dict[str, Any] = {
    "flow_version": "2",
    "transaction": "tx-1",
    "attempt": 3,
    "queued_at": "2026-01-31T09:00:00Z",
    "started_at": "2026-01-31T09:00:00.5+00:00",
    "ended_at": "2026-01-31T10:00:00.123456Z",
    "parents": ["a", "b", "a"],
    "corrects": "r-0",
    "final": True,
    "reason": "no\nroom",
    "exception": {"type": "E", "message": "m", "stacktrace": "a\n\tb"},
    "attributes": {"a.b": 1, "c": 2.5, "d": "x", "e": True, "f": [1, "x"], "g": 1.0},
    "references": {"customer": "c1", "invoice": ["i1", "i2", "i1"]},
    "usage": [{"resource": "cpu", "quantity": 0.1, "unit": "s"}],
    "cost": {"amount": "1.20", "currency": "EUR"},
    "payload": {"hash": "abc", "size": 3},
    "subject": "someone",
}
PROBES: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 1.5, -0.0, 1e400, float("nan"), 2**53, 10**30, "", " ", "x",
    "a\nb", "a\x00b", "\u0085", "\u200b", "\ud800", "é", "x" * 101, "x" * 201, "x" * 4001,
    "ж" * 33_000, [], {}, ["x"], [None], ["x"] * 101, {"x": 1}, {"": 1}, {"x" * 101: 1},
    {"a": {"b": 1}}, {"a": "b" * 4001}, {str(i): "x" for i in range(101)},
    {str(i): "ж" * 3_900 for i in range(20)}, {"id": "a"}, {"id": "a", "type": "b", "c": 1},
    "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.1Z", "2026-01-31T10:00:00.123456789Z",
    "2026-01-31T10:00:00.123999Z", "2026-01-31t10:00:00z", "2026-01-31T10:00:00+02:00",
    "2026-01-31 10:00:00Z", "20260131T100000Z", "2026-W05-6T10:00:00Z", "2026-01-31T10:00:00,123Z",
    "2026-02-30T10:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T10:00:60Z", "1969-12-31T23:59:59Z",
    "2201-01-01T00:00:00Z", "2026-02-02T11:59:59Z", "2026-02-02T12:00:01Z", "2026-01-31T10:00:00",
    {str(i): ["ж" * 200 + str(n) for n in range(20)] for i in range(20)},
    [{"resource": "cpu", "quantity": -1, "unit": "s"}], {"amount": 1.5, "currency": "EUR"},
    {"amount": "1.5", "currency": "XXX"}, {"type": "", "message": "m"}, {"stacktrace": 5},
    "failed", "filtered", "egress",
]  # fmt: skip
PLACES = [
    "id", "object", "object/id", "object/type", "flow", "block", "stage", "status", "occurred_at",
    "attributes/a.b", "attributes/d", "references/customer", "references/invoice",
    "exception/message", "usage/0/quantity", "cost/amount", "nonsense", *FULL,
]  # fmt: skip


def agree(wire: Any) -> Record | None:
    usual = read_usual(copy.deepcopy(wire), NOW)
    if usual is not None:
        careful = read_record(wire, now=NOW)
        assert careful == usual
        assert repr(careful) == repr(usual)  # 1 and 1.0 are equal, but not the same
    return usual


def put(wire: dict[str, Any], place: str, value: Any) -> None:
    *way, last = place.split("/")
    at: Any = wire
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at.get(step, {})
        if not isinstance(at, dict | list):
            return
    if isinstance(at, list):
        at[int(last) : int(last) + 1] = [value]
    else:
        at[last] = value


def test_the_usual_records_are_read_fast() -> None:
    assert agree(record())
    for name in FULL:
        if name not in ("payload", "attributes", "started_at"):
            assert agree(record(**{name: FULL[name]})), name


def test_every_probe_in_every_place_is_read_alike() -> None:
    read = 0
    for place in PLACES:
        for probe in PROBES:
            for base in ({}, FULL, {n: x for n, x in FULL.items() if n != "payload"}):
                wire = copy.deepcopy(record(**base))
                put(wire, place, probe)
                read += agree(wire) is not None
    assert read > 100


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(PROBES)), max_size=3), st.data())
def test_combined_probes_are_read_alike(
    changes: list[tuple[str, Any]], data: st.DataObject
) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(FULL))))
    status = data.draw(st.sampled_from(v.STATUSES))
    wire = copy.deepcopy(record(status=status, **{name: FULL[name] for name in names}))
    for place, probe in changes:
        put(wire, place, copy.deepcopy(probe))
    agree(wire)


def test_what_is_no_object_is_left_to_the_careful_reader() -> None:
    for wire in (None, 1, "x", [], [1]):
        assert agree(wire) is None
