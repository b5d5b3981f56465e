"""The compiled reader of stored records and the Python one judge every document alike."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import bson
import pytest
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from tests.tools import record
from tests.verification.test_random_tampering import one_byte, one_field
from tests.verification.world import rich_record
from tracking import clock
from tracking.core import native
from tracking.core.wire import parse
from tracking.ingest.accept import _are_usual
from tracking.ingest.writer import Stamp, _stored
from tracking.verification.journal import _ms
from tracking.verification.records import Reader, Seen

pytestmark = pytest.mark.skipif(not native.COMPILED, reason="no compiler was at hand")

TAMPERS = int(os.environ.get("DFT_TAMPERS", "200")) * 20
NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
STAMP = Stamp.of("acme", clock.uuid7(NOW), NOW)


def stored(values: list[dict[str, Any]]) -> list[bytes]:
    wires = parse(json.dumps(values).encode())
    assert wires is not None
    assert _are_usual(wires)
    found = _stored(STAMP, "kéy", wires, 0, NOW)
    assert found is not None
    return [document for document, _leaf in found]


def documents() -> list[bytes]:
    rich = rich_record()
    for name in ("occurred_at", "queued_at", "started_at", "ended_at"):
        rich[name] = "2026-01-20T10:00:00.007Z"
    plain = {k: x for k, x in rich.items() if k not in ("parents", "corrects", "final")}
    whole = {**plain, "id": "whole", "attributes": {"z": 2**40, "a": 'é\n"\\', "m": True, "n": -1}}
    some = [record(id=f"s-{n}", attributes={"n": n, "t": "x" * n}) for n in range(40)]
    many = record(id="many", attributes={f"k{n:03}": n for n in range(90)})
    return stored([record(), rich, {**plain, "id": "plain"}, whole, many, *some])


def seen(reader: Reader, data: bytes) -> list[Any]:
    """What is said of each, in one form."""
    found: list[Any] = []
    try:
        rows = list(reader.read(data))
    except BSONError:
        return [()]  # it cannot even be cut into documents
    for row in rows:
        if isinstance(row, Seen):
            if row.kind is None and row.leaf is not None:
                row = (row.batch, row.index, row.leaf, row.key, row.tenant, row.moment)
            else:
                found.append(
                    (row.kind, row.text, row.key, row.tenant, row.batch, row.index, row.leaf)
                )
                continue
        found.append((*row[:5], _ms(row[5])))
    return found


def both(data: bytes) -> list[Any]:
    compiled, by_python = Reader(compiled=True), Reader(compiled=False)
    found = seen(by_python, data)
    for _again in range(2):  # once the fields are new to it, once known
        assert seen(compiled, data) == found, data
    return found


def elements(raw: bytes) -> list[bytes]:
    """The fields of a document as their bytes."""
    whole = RawBSONDocument(raw)
    return [bson.encode({name: whole[name]})[4:-1] for name in whole]


def made_of(parts: list[bytes]) -> bytes:
    body = b"".join(parts)
    return (len(body) + 5).to_bytes(4, "little") + body + b"\0"


def retyped_byte(dice: Random, raw: bytes) -> bytes:
    """Another type for a field, one that has the same length above all."""
    parts = elements(raw)
    place = dice.randrange(len(parts))
    kind = dice.choice(
        [0x02, 0x0E, 0x0D, 0x09, 0x11, 0x12, 0x01, 0x05, 0x03, 0x04, 0x10, 0x08, 0x0A]
    )
    parts[place] = bytes([kind]) + parts[place][1:]
    return made_of(parts)


def twice(dice: Random, raw: bytes) -> bytes:
    parts = elements(raw)
    parts.insert(dice.randrange(len(parts) + 1), dice.choice(parts))
    return made_of(parts)


def in_the_part(dice: Random, raw: bytes) -> bytes:
    """The same changes within the part, and none that the part's hash covers."""
    parts = elements(raw)
    places = [n for n, part in enumerate(parts) if part.startswith(b"\x03part\0")]
    if not places:
        return raw
    inside = parts[places[0]][6:]
    change = dice.choice((twice, retyped_byte, shuffled, one_byte))
    parts[places[0]] = b"\x03part\0" + change(dice, inside)
    return made_of(parts)


def shuffled(dice: Random, raw: bytes) -> bytes:
    parts = elements(raw)
    dice.shuffle(parts)
    return made_of(parts)


def renamed(dice: Random, raw: bytes) -> bytes:
    """Another name for an item of an array, or for a field."""
    old, new = dice.choice([(b"\x030\0", b"\x031\0"), (b"\x020\0", b"\x02x\0"), (b"flow", b"flaw")])
    return raw.replace(old, new, 1)


def cut(dice: Random, raw: bytes) -> bytes:
    return raw[: dice.randrange(len(raw))]


CHANGES = (one_byte, one_field, retyped_byte, twice, in_the_part, shuffled, renamed, cut)


def test_what_is_stored_is_read_alike() -> None:
    whole = documents()
    found = both(b"".join(whole))
    assert len(found) == len(whole)
    assert all(len(each) == 6 for each in found)
    plain = [each for each in whole if type(native_row(each)) is tuple]
    assert len(plain) >= len(whole) - 2, "the compiled reader took them"


def native_row(document: bytes) -> Any:
    reader = Reader(compiled=True)
    list(reader.read(document))
    return native.rows(document, reader._places)[0]


@pytest.mark.parametrize("seed", range(4))
def test_every_change_is_judged_alike(seed: int) -> None:
    dice = Random(seed)
    whole = documents()
    wrong = 0
    for _ in range(TAMPERS // 4):
        raw = dice.choice(whole)
        try:
            changed = dice.choice(CHANGES)(dice, raw)
        except (BSONError, OverflowError, ValueError):
            continue
        neighbours = [dice.choice(whole) for _ in range(dice.randrange(3))]
        found = both(b"".join([*neighbours, changed, *neighbours]))
        wrong += any(len(each) != 6 for each in found)
    assert wrong > TAMPERS // 12


def test_numbers_and_times_at_their_bounds_are_judged_alike() -> None:
    (raw,) = stored([record(attributes={"n": 1})])
    document = bson.decode(raw)
    for name, value in (
        ("occurred_at", datetime(1969, 12, 31, tzinfo=UTC)),
        ("occurred_at", datetime(2200, 12, 31, 23, 59, 59, 999000, UTC)),
        ("occurred_at", datetime(2201, 1, 1, tzinfo=UTC)),
        ("occurred_at", datetime(1, 1, 1, tzinfo=UTC)),
        ("recorded_at", NOW + timedelta(days=1)),
        ("index", 2**31 - 1),
        ("index", 2**31),
        ("index", -1),
        ("lane", document["lane"] + 1),
        ("v", 2),
        ("salt", document["salt"] + b"x"),
        ("part_hash", document["part_hash"][:-1]),
        ("part", {}),
        ("_id", "acme-r"),
        ("_id", "acme"),
        ("tenant", "acm"),
        ("block", "\x00\x1f\x7f\u2028"),
        ("attempt", bson.Int64(5)),
    ):
        both(bson.encode({**document, name: value}))
    both(bson.encode({k: x for k, x in document.items() if k != "part"}))
