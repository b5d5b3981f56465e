"""How each stored field is changed, removed, added and retyped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson.binary import Binary
from bson.int64 import Int64

from tests.verification.world import RICH, key_of, replace
from tracking.mongo.connection import collection


def target(name: str) -> tuple[Any, bytes]:
    """Key and bytes of the document whose fields are tampered with."""
    if name == "journal":
        key: Any = key_of(RICH)
    else:
        # in the middle, where there is something before and after
        keys = [row["_id"] for row in collection(name).find({}, {"_id": 1}).sort("_id", 1)]
        key = keys[len(keys) // 2]
    return key, collection(name, raw=True).find_one({"_id": key}).raw


def plain_target() -> tuple[Any, bytes]:
    """A record without any optional field but a part that the log has."""
    raw = (
        collection("journal", raw=True).find_one({"tenant": "bolt"}, sort=[("recorded_at", 1)]).raw
    )
    return bson.decode(raw)["_id"], raw


def tamper(name: str, path: str, verb: str) -> None:
    key, raw = target(name)
    document = bson.decode(raw)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    holder: Any = document
    for part in way:
        holder = holder[part]
    if verb == "remove":
        del holder[last]
    elif verb == "add":
        if last in holder:  # what this record has, another one gets
            value = holder[last]
            key, raw = plain_target()
            document = bson.decode(raw)
            assert last not in document
            document[last] = value
        else:
            holder[last] = "x"
    elif verb == "change":
        holder[last] = changed(holder[last])
    elif verb == "change-hour":
        holder[last] -= timedelta(hours=1)
    elif verb == "retype":
        holder[last] = retyped(holder[last])
    elif verb == "symbol":
        raw = as_symbol(raw, str(last), holder[last])
        replace(name, key, raw)
        return
    else:
        raise LookupError(verb)
    replace(name, key, document)


def changed(value: Any) -> Any:
    """Another value of the same type, as near as can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Int64):
        return Int64(value + 1)
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    if isinstance(value, datetime):
        return value + timedelta(milliseconds=1)
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:] if value else bytes(32)
    if isinstance(value, list):
        return value[::-1] if len(value) > 1 and value != value[::-1] else [*value, *value]
    if isinstance(value, dict):
        return dict(list(value.items())[1:])
    raise TypeError(type(value))


def retyped(value: Any) -> Any:
    """What a reader in a hurry would take for the same."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Int64):
        return float(value)
    if isinstance(value, int):
        return Int64(value)
    if isinstance(value, float):
        return str(value)
    if isinstance(value, str):
        return Binary(value.encode(), 0)
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return Binary(value, 5)
    if isinstance(value, list):
        return {str(place): item for place, item in enumerate(value)}
    if isinstance(value, dict):
        return [value]
    raise TypeError(type(value))


def as_symbol(raw: bytes, name: str, value: str) -> bytes:
    """The field as a symbol, which the driver reads as a string."""
    text = value.encode()
    size = (len(text) + 1).to_bytes(4, "little")
    old = b"\x02" + name.encode() + b"\0" + size + text + b"\0"
    assert raw.count(old) == 1, name
    return raw.replace(old, b"\x0e" + old[1:])
