"""One byte or one field of one document, at random: always found. DFT_TAMPERS says how often."""

from __future__ import annotations

import os
from datetime import timedelta
from random import Random
from typing import Any

import bson
import pytest
from bson.errors import BSONError
from pymongo.errors import PyMongoError

from tests.verification import world
from tests.verification.fields import changed, retyped
from tracking.verification.shape import CODEC

TAMPERS = int(os.environ.get("DFT_TAMPERS", "200"))
NAMES = ("journal", "log_segment", "log_checkpoint", "seal_queue")


def one_byte(dice: Random, raw: bytes) -> bytes:
    place = dice.randrange(4, len(raw) - 1)
    return raw[:place] + bytes([raw[place] ^ dice.randrange(1, 256)]) + raw[place + 1 :]


def one_field(dice: Random, raw: bytes) -> bytes:
    document = bson.decode(raw)
    holder: Any = document
    while True:
        names = list(holder) if isinstance(holder, dict) else range(len(holder))
        name = dice.choice(list(names))
        inside = holder[name]
        if isinstance(inside, dict | list) and inside and dice.random() < 0.7:
            holder = inside
            continue
        verb = dice.choice(("change", "retype", "remove", "add"))
        if verb == "add" and isinstance(holder, dict):
            holder["extra"] = 1
        elif verb == "remove" and name != "_id":
            del holder[name]
        else:
            holder[name] = changed(inside) if verb == "change" else retyped(inside)
        return bson.encode(document)


def normal(value: Any) -> Any:
    """Values that are equal whatever the order of the fields they stand in."""
    if isinstance(value, dict):
        return sorted((name, normal(item)) for name, item in value.items())
    if isinstance(value, list):
        return [normal(item) for item in value]
    return (type(value).__name__, repr(value))


def unsigned_time(before: bytes, after: bytes) -> bool:
    """Only a time that nothing signs has moved, and by less than clocks may differ or within
    what must come before and after it (the table says why that cannot be found)."""
    try:
        old, new = bson.decode(before, CODEC), bson.decode(after, CODEC)
    except BSONError:
        return False
    for name in ("sealed_at", "signed_at"):
        moved, kept = new.pop(name, None), old.pop(name, None)
        if type(moved) is not type(kept):
            return False
        if kept is not None and not -timedelta(seconds=5) <= moved - kept <= timedelta(minutes=3):
            return False
    return bool(normal(old) == normal(new))


@pytest.mark.parametrize("seed", range(4))
def test_every_random_change_is_found(seed: int, the_log: world.Stored) -> None:
    dice = Random(seed)
    missed = []
    done = 0
    while done < TAMPERS // 4:
        name = NAMES[min(3, dice.randrange(10) // 3)]
        raw = bytes(dice.choice(the_log.documents[name]).raw)
        tampered = dice.choice((one_byte, one_field))(dice, raw)
        try:
            same = normal(bson.decode(raw)) == normal(bson.decode(tampered))
            if same and bson.encode(bson.decode(tampered)) == tampered:
                continue
        except BSONError:
            pass
        except (ValueError, OverflowError):  # dates that Python has no room for
            pass
        if unsigned_time(raw, tampered):
            continue
        key = bson.decode(raw)["_id"]
        try:
            world.replace(name, key, tampered)
        except (PyMongoError, BSONError):  # MongoDB, or its driver, does not take it
            world.restore(the_log)
            continue
        done += 1
        if world.check().clean:
            missed.append((name, key, raw, tampered))
        world.restore(the_log)
    assert not missed
