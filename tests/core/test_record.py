"""How a wire record becomes the stored one: one spelling for what means the same."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from tests.core.wire_records import NOW, wire_records
from tests.tools import record
from tracking.core.canonical import canonical
from tracking.core.record import Record, default_transaction, lane_of, read_record


def read(**fields: Any) -> Record:
    found = read_record(record(**fields), now=NOW)
    assert isinstance(found, Record), found
    return found


def attribute(value: object) -> object:
    return read(attributes={"a": value}).part["attributes"][0]["value"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-01-31T10:00:00Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31t10:00:00z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T10:00:00.1Z", datetime(2026, 1, 31, 10, 0, 0, 100_000, tzinfo=UTC)),
        ("2026-01-31T10:00:00.123999Z", datetime(2026, 1, 31, 10, 0, 0, 123_000, tzinfo=UTC)),
        ("2026-01-31T10:00:00.9999999999Z", datetime(2026, 1, 31, 10, 0, 0, 999_000, tzinfo=UTC)),
        ("2026-01-31T10:00:00+02:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T23:30:00.5-05:30", datetime(2026, 2, 1, 5, 0, 0, 500_000, tzinfo=UTC)),
        ("1970-01-01T00:00:00.000Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1969-12-31T23:00:00-01:00", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_cut_to_milliseconds_and_turned_to_utc(text: str, wanted: datetime) -> None:
    for name in ("occurred_at", "queued_at"):
        found = read(**{name: text}).header[name]
        assert (found.replace(tzinfo=UTC), found.tzinfo) == (wanted, None)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(1.0, 1), (-0.0, 0), (0.0, 0), (2.0**53 - 1, 2**53 - 1), (1.5, 1.5), (1e300, 1e300)],
)
def test_whole_numbers_are_integers(given: float, wanted: float) -> None:
    found = attribute(given)
    assert (found, type(found)) == (wanted, type(wanted))
    assert repr(found) == repr(wanted), "-0.0 equals 0.0 to Python, not to a hash"
    assert attribute([given, "x"]) == [wanted, "x"]


def test_true_stays_true() -> None:
    assert attribute(True) is True


@pytest.mark.parametrize(
    ("given", "wanted"), [(2, "2"), (2.0, "2"), (0.1, "0.1"), (1e-7, "0.0000001"), ("2.50", "2.50")]
)
def test_quantities_are_decimal_strings(given: object, wanted: str) -> None:
    usage = [{"resource": "cpu", "quantity": given, "unit": "s"}]
    assert read(usage=usage).part["usage"][0]["quantity"] == wanted


def test_the_default_transaction_is_made_of_flow_type_and_object() -> None:
    found = read(flow="orders", object={"id": "ö-1", "type": "order"}).header["transaction"]
    digest = hashlib.sha256("orders\norder\nö-1".encode()).hexdigest()
    assert found == f"tx-{digest[:32]}"
    assert found == default_transaction("orders", "order", "ö-1")
    # a fixed one too: what producers computed for themselves must never change
    assert (
        default_transaction("orders", "order", "1")
        == "tx-" + (hashlib.sha256(b"orders\x0aorder\x0a1").hexdigest()[:32])
    )
    assert read(transaction="mine").header["transaction"] == "mine"


def test_the_lane_is_the_first_two_bytes_of_the_digest_mod_64() -> None:
    digest = hashlib.sha256(b"acme/tx-1").digest()
    assert lane_of("acme", "tx-1") == (digest[0] * 256 + digest[1]) % 64


def test_defaults_and_what_is_absent() -> None:
    found = read(id="r", object={"id": "o", "type": "t"})
    assert found.header["attempt"] == 1
    assert found.part == {}
    assert found.id == "r"
    assert found.content().keys() == {
        *("object_id", "object_type", "flow", "block", "transaction"),
        *("stage", "status", "occurred_at", "attempt"),
    }


def test_empty_is_absent() -> None:
    empty = read(
        reason="",
        attributes={},
        references={"a": []},
        usage=[],
        parents=[],
        subject="",
        final=False,
    )
    assert empty.part == {}
    assert not {"parents", "final"} & empty.header.keys()


def test_lists_lose_what_repeats_and_keep_their_order() -> None:
    found = read(parents=["b", "a", "b"], references={"n": ["y", "x", "y"], "m": "z"})
    assert found.header["parents"] == ["b", "a"]
    assert found.part["references"] == [
        {"name": "m", "values": ["z"]},
        {"name": "n", "values": ["y", "x"]},
    ]


def test_field_names_are_never_made_of_data() -> None:
    found = read(attributes={"$set.a": 1, "b.c": 2})
    assert found.part["attributes"] == [
        {"name": "$set.a", "value": 1},
        {"name": "b.c", "value": 2},
    ]


def scrambled(value: Any, dice: random.Random) -> Any:
    """The same JSON with the keys of its objects in another order."""
    if isinstance(value, dict):
        items = [(name, scrambled(item, dice)) for name, item in value.items()]
        dice.shuffle(items)
        return dict(items)
    return [scrambled(item, dice) for item in value] if isinstance(value, list) else value


@given(wire_records())
@settings(max_examples=150, deadline=None)
def test_the_order_of_keys_makes_no_other_record(wire: dict[str, Any]) -> None:
    one = read_record(wire, now=NOW)
    other = read_record(scrambled(wire, random.Random(1)), now=NOW)
    assert isinstance(one, Record), one
    assert isinstance(other, Record)
    assert one.content() == other.content()
    assert canonical(one.part) == canonical(other.part)
