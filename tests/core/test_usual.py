"""The usual reader accepts a subset of what the careful one does, with the same result."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools import record
from tracking import vocabulary as v
from tracking.core.canonical import canonical
from tracking.core.record import Problem, Record, read_record
from tracking.core.usual import read_usual
from tracking.core.wire import convert, parse, plain

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
DISTINCT = FULL | {"parents": ["a", "b"], "references": {"customer": "c1", "invoice": ["i1", "i2"]}}
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
    "2026-01-31T10:00:00.123456+00:00", "2026-01-31T10:00:00.1234567Z", "２026-01-31T10:00:00Z",
    "a\tb", "a\\b", 'a"b', "a\u2028b", "a\u00a0b", "\x7f", ["a\tb"], {"a\tb": 1}, [1.0, 2.5],
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


NEIGHBOUR = record()


def agree(wire: Any) -> Record | None:
    """What is read of it by itself, among others and, if it has JSON, from its text."""
    (usual,) = read_usual(convert([copy.deepcopy(wire)]), NOW)
    among = read_usual(convert([NEIGHBOUR, copy.deepcopy(wire), NEIGHBOUR]), NOW)
    assert exactly(among[1]) == exactly(usual)
    assert exactly(among[0]) == exactly(among[2]) == exactly(read_record(NEIGHBOUR, now=NOW))
    check_text(wire)
    if usual is not None:
        assert exactly(usual) == exactly(read_record(wire, now=NOW))
    return usual


def check_text(wire: Any) -> None:
    for ascii_only in (True, False):
        try:
            text = json.dumps(wire, ensure_ascii=ascii_only).encode()
            value = orjson.loads(text)
        except ValueError:  # NaN, half of a surrogate pair
            assert parse(text) is None
            continue
        for parsed in (parse(text), parse(b"[%s]" % text)):
            if parsed is None or len(parsed) != 1 or isinstance(value, list):
                continue
            (usual,) = read_usual(parsed, NOW)
            careful = read_record(value, now=NOW)
            if usual is not None:
                assert exactly(usual) == exactly(careful)
            # Handed on to the careful reader, it is still the same value.
            assert exactly(read_record(plain(parsed[0]), now=NOW)) == exactly(careful)


def exactly(found: Record | list[Problem] | None) -> Any:
    """To Python, true equals 1 and 1 equals 1.0; here only the same is equal."""
    if not isinstance(found, Record):
        return found
    header = sorted((name, repr(value)) for name, value in found.content().items())
    return (
        found.id,
        header,
        found.fragments,
        found.part_bytes,
        canonical(found.part),
        deep(found.part),
    )


def deep(value: Any) -> str:
    if isinstance(value, dict):
        return repr(sorted((name, deep(item)) for name, item in value.items()))
    return repr([deep(item) for item in value]) if isinstance(value, list) else repr(value)


def put(wire: dict[str, Any], place: str, value: Any) -> None:
    *way, last = place.split("/")
    at: Any = wire
    for step in way:
        if isinstance(at, list):
            at = at[int(step)] if step.isdigit() and int(step) < len(at) else None
        else:
            at = at.get(step, {})
        if not isinstance(at, dict | list):
            return
    if isinstance(at, list):
        if last.isdigit():  # else an earlier change has put a list where names were
            at[int(last) : int(last) + 1] = [value]
    else:
        at[last] = value


def test_the_usual_records_are_read_fast() -> None:
    assert agree(record())
    for name in FULL:
        if name not in ("parents", "references"):  # which say something twice
            assert agree(record(**{name: FULL[name]})), name


def test_every_probe_in_every_place_is_read_alike() -> None:
    read = 0
    for place in PLACES:
        for probe in PROBES:
            for base in ({}, FULL, DISTINCT):
                wire = copy.deepcopy(record(**base))
                put(wire, place, probe)
                read += agree(wire) is not None
    assert read > 1_000


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
