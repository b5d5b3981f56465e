"""Whatever is given: nothing is raised, and what can be mended is accepted by the server."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tracking import clock
from tracking import vocabulary as v
from tracking.client import Client, limits
from tracking.client.ids import new_id
from tracking.client.intake import fields_of
from tracking.client.snapshot import fix
from tracking.client.wire import Unfit, line_of, shape
from tracking.core.record import Record, read_record

NOWHERE = "http://127.0.0.1:9"


class Hostile:
    """An object that answers everything with an error."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        raise RuntimeError("str")

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("iter")


class Colour(StrEnum):
    RED = "red"


def circle() -> list[Any]:
    one: list[Any] = []
    one.append({"again": one})
    return one


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.characters(categories=["Cs", "Cc"]),
    st.binary(max_size=5),
    st.decimals(),
    st.datetimes(),
    st.uuids(),
    st.builds(Hostile),
    st.builds(object),
    st.builds(circle),
    st.just(Colour.RED),
    st.builds(lambda: 10**5000),
    st.builds(lambda: "x" * 100_000),
    st.builds(RuntimeError, st.text(max_size=5)),
)
GARBAGE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.text(max_size=5), st.integers(), st.none()), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
FIELDS = (
    "id object object_id object_type flow flow_version block transaction stage status occurred_at"
    " queued_at started_at ended_at attempt reason exception attributes references parents usage"
    " cost payload subject corrects final nonsense"
).split()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(FIELDS), GARBAGE, max_size=6), GARBAGE)
@example({"attributes": {"a": math.nan, "b": 10**400, "c": "\ud800\x00"}}, None)
def test_garbage_is_never_raised_and_never_spoils_a_post(
    fields: dict[str, Any], value: Any
) -> None:
    record_all_ways(fields, value)


@pytest.mark.parametrize("make", [Hostile, circle, object, lambda: Hostile, lambda: iter("ab")])
def test_an_object_that_fights_back_is_text_or_nothing(make: Any) -> None:
    fields = {
        name: [make(), make(), {"a": make()}, {"amount": make()}][number % 4]
        for number, name in enumerate(FIELDS)
    }
    record_all_ways(fields, make())


def record_all_ways(fields: dict[str, Any], value: Any) -> None:
    client = Client(NOWHERE, "key")
    client._engine.start = lambda: None  # type: ignore[method-assign]
    client.flush(value)
    client.record(**fields)
    client.record(value)
    client.record(value, value)
    client.track(value)
    with client.track(value, value, value, references=value, nonsense=value) as track:
        track.record(value)
        track.record(value, value, value, attributes=value)
        with track.block(value, stage=value, attempt=value, queued_at=value) as block:
            block.attribute(value, value)
            block.attribute()
            block.reference(value, value)
            block.usage(value, value, value)
            block.cost(value, value)
            block.filter(value)
            block.fail(value)
            block.skip(value)
        assert isinstance(track.transaction, str)
    for entry in client._engine.intake.take():
        try:
            line, _trimmed = line_of(fields_of(entry))
        except Unfit:
            continue
        assert b"\n" not in line
        # what a strict parser takes, the server can judge record by record
        read_record(orjson.loads(line), now=clock.now())
    client._engine.intake.landed()
    assert client.close(0)
    assert client.stats()["errors"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "nonsense://x"},
        {"url": "http://"},
        {"url": "http://host:port"},
        {"url": 5},
        {"key": "line\nbreak"},
        {"key": b"bytes"},
        {"batch_size": "many"},
        {"batch_size": 10**9},
        {"timeout": -1},
        {"spool_dir": 5},
        {"on_drop": "no function"},
        {"unknown": 1},
        {"ssl_context": "none"},
    ],
)
def test_a_client_made_wrongly_is_said_and_never_raised(arguments: dict[str, Any]) -> None:
    options: dict[str, Any] = {"url": NOWHERE, "key": "key", **arguments}
    client = Client(options.pop("url"), options.pop("key"), **options)
    assert client.counts.all()["bad_arguments"] == 1
    with client.track("o-1", "order", "orders").block("check"):
        pass
    client.close(0)


def test_what_is_cut_to_fit_is_accepted_by_the_server() -> None:
    fields = {
        "id": new_id(),
        "object": {"id": 4711, "type": Colour.RED},
        "flow": "orders",
        "block": "check",
        "stage": "egress",
        "status": "failed",
        "occurred_at": datetime(2026, 1, 31, 12, 0, 0, 999_999),  # noqa: DTZ001
        "started_at": 1_769_860_799.123,
        "ended_at": 1_769_860_800_123,
        "reason": "a\ud800b\x00c\td" + "é" * 5_000,
        "exception": {"message": "m" * 10_000, "stacktrace": "😀" * 40_000, "code": 7},
        "attributes": {
            "": 1,
            "nan": math.nan,
            "big": 2**60,
            "none": None,
            "nested": {"a": [1, {"b": 2}]},
            "list": [1, "two", None, Decimal("3.50"), 4.5],
            "uuid": UUID(int=1),
            "when": datetime(2026, 1, 1, tzinfo=UTC),
            "day": date(2026, 1, 1),
            "bytes": b"\xff\x00",
            "colour": Colour.RED,
            "set": {1},
            "tuple": (True, False),
            **{f"more {n}": n for n in range(200)},
        },
        "references": {"order": ("a", "b"), "x" * 200: "y", "gone": "z" * 999},
        "usage": [{"resource": "cpu", "quantity": Decimal("1.50"), "unit": "s"}] * 30,
        "cost": {"amount": 0.25, "currency": "EUR"},
        "payload": {"content": "c" * 60_000, "size": 5},
    }
    fix(fields)
    line, trimmed = line_of(fields)
    assert trimmed
    record = read_record(orjson.loads(line), now=clock.now())
    assert isinstance(record, Record), record
    assert record.header["object_id"] == "4711"
    assert record.header["object_type"] == "red"
    assert record.header["occurred_at"].replace(tzinfo=UTC) == datetime(
        2026, 1, 31, 12, 0, 0, 999_000, tzinfo=UTC
    )
    assert record.header["started_at"].replace(tzinfo=UTC) == datetime(
        2026, 1, 31, 11, 59, 59, 123_000, tzinfo=UTC
    )
    assert record.header["ended_at"].replace(tzinfo=UTC) == datetime(
        2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC
    )
    part = record.part
    assert part["reason"].startswith("a\\ud800b\\x00c\td")
    kept = {pair["name"]: pair["value"] for pair in part["attributes"]}
    assert len(kept) == v.ATTRIBUTES_MAX
    assert kept["nan"] == "nan"
    assert kept["big"] == str(2**60)
    assert kept["nested"] == '{"a":[1,{"b":2}]}'
    assert kept["list"] == [1, "two", "3.50", 4.5]
    assert kept["when"] == "2026-01-01T00:00:00.000Z"
    assert kept["day"] == "2026-01-01"
    assert kept["bytes"] == "\\xff\\x00"
    assert kept["tuple"] == [True, False]
    assert part["references"] == [{"name": "order", "values": ["a", "b"]}]
    assert part["cost"] == {"amount": "0.25", "currency": "EUR"}


def test_a_record_beyond_the_limit_of_records_is_refused_here() -> None:
    with pytest.raises(Unfit, match="too_large"):
        line_of({"id": "r", "subject": "s" * 140_000})
    wire, _trimmed = shape({"payload": {"content": "c" * 66_000}})
    assert len(wire["payload"]["content"]) == 66_000  # a payload is never cut: the server judges


def test_the_limits_are_those_of_the_contract() -> None:
    assert limits.REASON == v.REASON_MAX
    assert limits.EXCEPTION == v.EXCEPTION_MAX
    assert (limits.ATTRIBUTES, limits.ATTRIBUTE_NAME) == (v.ATTRIBUTES_MAX, v.ATTRIBUTE_NAME_MAX)
    assert limits.ATTRIBUTE_TEXT == v.ATTRIBUTE_TEXT_MAX
    assert limits.ATTRIBUTE_LIST == v.ATTRIBUTE_LIST_MAX
    assert limits.ATTRIBUTES_BYTES == v.ATTRIBUTES_BYTES_MAX
    assert (limits.REFERENCES, limits.REFERENCE_NAME) == (v.REFERENCES_MAX, v.REFERENCE_NAME_MAX)
    assert limits.REFERENCE_VALUES == v.REFERENCE_VALUES_MAX
    assert limits.REFERENCE_VALUE == v.REFERENCE_VALUE_MAX
    assert (limits.PARENTS, limits.USAGE) == (v.PARENTS_MAX, v.USAGE_MAX)
    assert (limits.RECORD_BYTES, limits.INTEGER) == (v.RECORD_BYTES_MAX, v.INT_MAX)
    assert limits.POST_RECORDS == v.POST_RECORDS_MAX
