"""Canonical bytes: RFC 8785, over every stored field, and the same after MongoDB had them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.wire_records import NOW, wire_records
from tests.tools import make_tenant, record
from tracking import clock
from tracking.core.canonical import canonical, leaf_hash, leaf_input, part_hash
from tracking.ingest.accept import Producer, accept
from tracking.models import TransactionBlock
from tracking.mongo.connection import collection

# Beyond ±(2^53−1) the contract refuses integers; keys are our own field names.
_scalars = (
    st.text(st.characters(blacklist_categories=("Cs",)))
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([1e16, 1e21, 5e-324, -0.0, 100.0, 1e-7, 123456789012345680.0])
)
_keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_keys, _values, max_size=6))
@settings(max_examples=400, deadline=None)
def test_canonical_is_rfc_8785(value: dict[str, Any]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_canonical_spells_the_example_of_the_rfc() -> None:
    example = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [True, False],
    }
    # RFC 8785, 3.2.3, without the null, which no record holds
    assert canonical(example) == (
        b'{"literals":[true,false],'
        b'"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


# --- The leaf covers every stored field --------------------------------------------------


def full_document() -> dict[str, Any]:
    """A journal document that has every field of the model."""
    moment = datetime(2026, 1, 31, 10, 0, 0, 123_000, tzinfo=UTC)
    texts = (
        *("_id", "tenant", "transaction", "object_id", "object_type", "flow", "flow_version"),
        *("stage", "block", "status", "corrects", "producer", "batch"),
    )
    times = ("occurred_at", "queued_at", "started_at", "ended_at", "recorded_at")
    part = {"reason": "because", "attributes": [{"name": "a", "value": 1.5}]}
    return {
        **{name: f"{name} text" for name in texts},
        **dict.fromkeys(times, moment),
        "v": 1,
        "lane": 7,
        "attempt": 3,
        "index": 12,
        "parents": ["p1", "p2"],
        "marks": ["late"],
        "final": True,
        "salt": b"s" * 16,
        "part_hash": part_hash(b"s" * 16, part),
        "part": part,
    }


COLUMNS = sorted(field.column for field in TransactionBlock._meta.concrete_fields)


def test_the_full_document_has_every_stored_field() -> None:
    assert sorted(full_document()) == COLUMNS


def changed(value: Any) -> Any:
    """The least different value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + " "
    if isinstance(value, datetime):
        return value + timedelta(milliseconds=1)
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, list):
        return value[::-1] if len(value) > 1 else [*value, "more"]
    raise TypeError(value)


COMMITTED = {"salt", "part"}  # reached through part_hash


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in COMMITTED])
def test_the_leaf_changes_with_this_field(name: str) -> None:
    document = full_document()
    leaf = leaf_hash(document)
    assert leaf_hash({**document, name: changed(document[name])}) != leaf
    document.pop(name)
    assert leaf_hash(document) != leaf, "a field that was removed"


def test_the_leaf_changes_with_a_field_that_nobody_knows() -> None:
    document = full_document()
    assert leaf_hash({**document, "unknown": 1}) != leaf_hash(document)


def test_the_leaf_outlives_the_erasure_of_part_and_salt() -> None:
    document = full_document()
    leaf = leaf_hash(document)
    erased = {name: value for name, value in document.items() if name not in COMMITTED}
    assert leaf_hash(erased) == leaf


def altered(value: Any) -> Any:
    """The value with one thing different, however deep it stands."""
    if isinstance(value, dict):
        last = list(value)[-1]
        return {**value, last: altered(value[last])}
    if isinstance(value, list):
        return [*value[:-1], altered(value[-1])] if value else ["more"]
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value / 2 or 1.5
    if isinstance(value, int):
        return value - 1 if value > 0 else value + 1  # never out of the range of a record
    return value + " "


@given(wire_records())
@settings(max_examples=60, deadline=None)
def test_the_commitment_changes_with_every_value_of_the_part(wire: dict[str, Any]) -> None:
    from tracking.core.record import Record, read_record

    read = read_record(wire, now=NOW)
    assert isinstance(read, Record)
    committed = part_hash(b"s" * 16, read.part)
    assert part_hash(b"t" * 16, read.part) != committed
    for name, value in read.part.items():
        rest = {other: value for other, value in read.part.items() if other != name}
        assert part_hash(b"s" * 16, rest) != committed
        assert part_hash(b"s" * 16, {**read.part, name: altered(value)}) != committed


def test_naive_times_are_taken_for_utc() -> None:
    document = full_document()
    times = {n: x.replace(tzinfo=None) for n, x in document.items() if isinstance(x, datetime)}
    assert leaf_input({**document, **times}) == leaf_input(document)


# --- What is read back is what was hashed ------------------------------------------------


@given(wire_records())
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.django_db(transaction=True)
def test_what_mongodb_gives_back_has_the_leaf_that_was_acknowledged(wire: dict[str, Any]) -> None:
    tenant = f"t{clock.uuid7(clock.now())}"[:40]  # its own: examples share a database
    answer = accept(producer=Producer(tenant, "key"), values=[wire], moment=clock.now())
    result = answer.results[0]
    assert result.outcome == "stored", result.errors
    document = collection("journal").find_one({"_id": f"{tenant}/{result.id}"})
    assert document is not None
    assert leaf_hash(document).hex() == result.receipt
    assert part_hash(document["salt"], document.get("part", {})) == document["part_hash"]
    assert TransactionBlock.objects.get(pk=document["_id"]).receipt == result.receipt


@pytest.mark.django_db(transaction=True)
def test_a_repeated_post_of_the_read_back_content_is_a_duplicate() -> None:
    tenant = make_tenant()
    wire = record(attributes={"a": 1e16, "b": [1.0, -0.0, 2.5]}, reason="ü\n")
    producer = Producer(tenant, "key")
    first = accept(producer=producer, values=[wire], moment=clock.now())
    again = accept(producer=producer, values=[wire], moment=clock.now())
    assert again.results[0].outcome == "duplicate"
    assert again.results[0].receipt == first.results[0].receipt
