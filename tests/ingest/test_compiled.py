"""The compiled way of a record into its stored form gives what the Python one gives, or nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.test_usual import DISTINCT, FULL, PLACES, PROBES, put
from tests.tools import record
from tracking import clock
from tracking import vocabulary as v
from tracking.core import native
from tracking.core.canonical import SALT_BYTES
from tracking.core.record import Record, read_record
from tracking.core.usual import read_usual
from tracking.core.wire import WireRecord, convert, parse
from tracking.ingest import writer
from tracking.ingest.writer import Stamp

NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
SALT = bytes(range(SALT_BYTES))
TENANT, KEY = 'ac"me', "kéy\\"

pytestmark = pytest.mark.skipif(not native.COMPILED, reason="no compiler was at hand")


@pytest.fixture(autouse=True, scope="module")
def _one_salt() -> Iterator[None]:
    """Both ways take their salts from the system; here always the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer.os, "urandom", lambda count: SALT * (count // SALT_BYTES))
        yield


STAMP = Stamp.of(TENANT, clock.uuid7(NOW), NOW)


def by_python(wired: WireRecord, value: Any, index: int) -> tuple[bytes, bytes] | None:
    (read,) = read_usual([wired], NOW)
    careful = read_record(copy.deepcopy(value), now=NOW)
    assert read is None or isinstance(careful, Record)
    found = read or careful
    if not isinstance(found, Record):
        return None
    documents: list[dict[str, Any]] = []
    leaves: list[bytes] = []
    STAMP.put(KEY, [found], [index], documents, leaves)
    return bson.encode(documents[0]), leaves[0]


def agree(value: Any) -> bool:
    """Whether the compiled code took it; then the bytes must be the same."""
    taken = False
    for ascii_only in (True, False):
        try:
            text = json.dumps(value, ensure_ascii=ascii_only).encode()
        except ValueError:
            continue
        for wired in (*(parse(text) or ()), *convert([copy.deepcopy(value)])):
            if wired is None:
                continue
            (found,) = STAMP.stored(KEY, [wired], 17, NOW)
            if found is None:
                continue
            taken = True
            expected = by_python(wired, value, 17)
            assert expected is not None
            (usual,) = read_usual([wired], NOW)
            if usual is None:  # read carefully, its fields stand in another order
                expected = bson.encode(in_order_of(found[0], expected[0])), expected[1]
            assert found == expected
    return taken


def in_order_of(one: bytes, other: bytes) -> dict[str, Any]:
    names, fields = bson.decode(one), bson.decode(other)
    assert names.keys() == fields.keys()
    return {name: fields[name] for name in names}


def test_usual_fields_take_the_compiled_way() -> None:
    assert agree(record())
    python_only = {"flow_version", "parents", "corrects", "final", "references"}
    for name in FULL.keys() - python_only:
        assert agree(record(**{name: FULL[name]})), name
    assert agree(record(references=DISTINCT["references"]))
    rest = {name: value for name, value in DISTINCT.items() if name not in python_only}
    assert agree(record(**rest, references={"b": ["2", "1"], "a": "x"}))
    assert not agree(record(corrects="r-0"))


def test_every_probe_in_every_place() -> None:
    taken = 0
    for place in PLACES:
        for probe in PROBES:
            for base in (record(), record(**DISTINCT), record(**_PLAIN)):
                value = copy.deepcopy(base)
                put(value, place, copy.deepcopy(probe))
                taken += agree(value)
    assert taken > 400


_PLAIN: dict[str, Any] = {
    "transaction": "tx-1",
    "queued_at": "2026-01-31T09:00:00Z",
    "started_at": "2026-01-31T09:00:00.500Z",
    "ended_at": "2026-01-31T10:00:00.123456Z",
    "reason": 'no\nroom\tleft "here" \\ \u2028 é 🙂',
    "exception": {"type": "E", "message": "", "code": "7", "stacktrace": "a\n\tb", "location": "x"},
    "attributes": {"b": 1, "a.b": "é", "ab": True, "B": -(2**40), "é": "z", "z\u00a0": False},
    "references": {"customer": "c1", "invoice": ["i2", "i1"]},
    "usage": [
        {"resource": "cpu", "quantity": 10**14, "unit": "s"},
        {"resource": "gpu", "quantity": "0.10", "unit": 'm"s'},
    ],
    "cost": {"amount": "-1.20", "currency": "EUR"},
    "subject": "someone",
}


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T10:00:00Z", "2026-01-31T10:00:00+00:00", "2026-01-31T10:00:00.5Z",
        "2026-01-31T10:00:00.123Z", "2026-01-31T10:00:00.123999+00:00", "2024-02-29T00:00:00Z",
        "2025-02-29T00:00:00Z", "2000-02-29T23:59:59.999Z", "2100-02-29T00:00:00Z",
        "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "2026-02-02T12:00:00Z",
        "2026-02-02T12:00:00.001Z", "2026-02-02T12:00:00.000999Z", "2026-01-31T12:00:00.000Z",
        "2026-01-31T11:59:59.999Z", "2026-02-01T12:05:00Z", "2026-02-01T12:05:00.001Z",
        "2026-04-31T10:00:00Z", "2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z",
        "2026-01-31T10:00:00.12Z", "2026-01-31T10:00:00.1234567Z", "2026-01-31T10:00:00.Z",
        "2026-01-31T10:00:00.123456789Z", "2026-01-31T10:00:00.1234567890Z",
        "2026-01-31T10:00:00-00:00", "2026-01-31T10:00:00,123Z", "-026-01-31T10:00:00Z",
        "2026-01-31T10:00:00.-12Z", "2026-01-31T10:00:00.123+0:00", "2026-01-31T10:00:00.123456ZZ",
    ],
)  # fmt: skip
def test_times_are_read_alike(text: str) -> None:
    agree(record(occurred_at=text))
    agree(record(occurred_at="2026-01-31T10:00:00Z", started_at=text, ended_at=text))
    agree(record(queued_at="2026-01-31T10:00:00.500Z", ended_at=text))


@given(
    st.datetimes(datetime(1969, 12, 1), datetime(2026, 3, 1)),  # noqa: DTZ001
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_any_moment_is_read_alike(moment: datetime, precision: str) -> None:
    value = record(occurred_at=moment.isoformat(timespec=precision) + "Z")
    inside = v.TIME_MIN.replace(tzinfo=None) <= moment < datetime(2026, 2, 2, 12)  # noqa: DTZ001
    assert agree(value) is inside


@settings(max_examples=1000, deadline=None)
@given(st.data())
def test_any_record_is_stored_alike(data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(_PLAIN))))
    status = data.draw(st.sampled_from(v.STATUSES))
    value = copy.deepcopy(record(status=status, **{name: _PLAIN[name] for name in names}))
    change = st.tuples(st.sampled_from(PLACES), st.sampled_from(PROBES))
    for place, probe in data.draw(st.lists(change, max_size=3)):
        put(value, place, copy.deepcopy(probe))
    agree(value)


_TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    [
        '"',
        "\\",
        "\x00",
        "\x1f",
        "\x7f",
        "\x80",
        "\x9f",
        "\xa0",
        "\t",
        "\u2028",
        "\U0001f642",
        "\ud800",
    ]
)


@settings(max_examples=1000, deadline=None)
@given(st.data())
def test_any_text_anywhere_is_stored_alike(data: st.DataObject) -> None:
    value = record(**copy.deepcopy(_PLAIN))
    places = [
        "object/id", "object/type", "flow", "block", "transaction", "id", "reason", "subject",
        "exception/type", "exception/stacktrace", "attributes/b", "references/customer",
        "references/invoice", "usage/0/unit", "usage/1/quantity", "cost/amount", "cost/currency",
    ]  # fmt: skip
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        put(value, place, data.draw(_TEXTS))
    if data.draw(st.booleans()):
        value["attributes"][data.draw(_TEXTS)] = data.draw(_TEXTS | st.integers() | st.booleans())
    agree(value)


def test_doubtful_ones_among_many_keep_their_places() -> None:
    values = [record(**({"corrects": "r-0"} if n % 3 == 0 else {})) for n in range(130)]
    wired = parse(json.dumps(values).encode())
    assert wired is not None
    stored = writer._stored(STAMP, KEY, wired, 40, NOW)
    assert stored is not None
    assert [bson.decode(one)["index"] for one, _leaf in stored] == list(range(40, 170))
    assert stored == [
        by_python(w, x, 40 + n) for n, (w, x) in enumerate(zip(wired, values, strict=True))
    ]
