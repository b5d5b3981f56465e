"""Record → canonical bytes → hashes (docs/integrity.md). Version 1.

The canonical form is RFC 8785 JSON of the values as they will be read back: times as
ISO 8601 with milliseconds and a Z, binary as lower-case hex.

    part hash = SHA-256(salt || canonical(part))
    leaf      = SHA-256(0x00 || canonical(every stored field but salt and part,
                                          with part_hash for the part))
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import rfc8785

from tracking.clock import iso

VERSION: Final = 1
SALT_BYTES: Final = 16
_HEADER: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
_sha256: Final = hashlib.sha256
_NOT_HASHED: Final = frozenset(("salt", "part"))


def canonical(value: Mapping[str, Any] | list[Any]) -> bytes:
    """RFC 8785 bytes of a value made of dict, list, str, bool, int and float.

    orjson is some twenty times faster than a full implementation and equal to it but for
    floats (1e16, 5e-324), and for keys beyond ASCII, which our field names never have.
    """
    if _has_float(value):
        return rfc8785.dumps(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _has_float(value: Any) -> bool:
    kind = type(value)
    if kind is str or kind is int or kind is bool:
        return False
    if kind is list:
        return any(_has_float(item) for item in value)
    if isinstance(value, Mapping):
        return any(_has_float(item) for item in value.values())
    return isinstance(value, float)


def part_hash(salt: bytes, part: Mapping[str, Any]) -> bytes:
    """The commitment to the erasable part; the salt keeps a short text from being guessed."""
    return part_hash_of(salt, canonical(part))


def part_hash_of(salt: bytes, part_bytes: bytes) -> bytes:
    """The same, from the canonical bytes of the part."""
    return _sha256(salt + part_bytes).digest()


def leaf_input(document: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a stored journal document, as the leaf covers it."""
    shown = {name: value for name, value in document.items() if name not in _NOT_HASHED}
    # No header field is a float, so the fast encoder is the canonical one.
    return orjson.dumps(shown, default=_spelled, option=_HEADER)


# The canonical text of what a producer said, cut where the server's fields go between. Fields
# stand in the order of their names: _id, [attempt], batch, [block … flow_version], index, lane,
# marks, [object_id … parents], part_hash, producer, [queued_at], recorded_at, [stage … status],
# tenant, [transaction], v. Each fragment is empty or ends with a comma.
Fragments = tuple[str, str, str, str, str, str]
_GROUPS: Final = (
    ("attempt",),
    ("block", "corrects", "ended_at", "final", "flow", "flow_version"),
    ("object_id", "object_type", "occurred_at", "parents"),
    ("queued_at",),
    ("stage", "started_at", "status"),
    ("transaction",),
)


def fragments_of(header: Mapping[str, Any]) -> Fragments:
    """The fragments of a header, whatever it holds."""
    a, b, c, d, e, f = (_fragment(header, names) for names in _GROUPS)
    return a, b, c, d, e, f


def _fragment(header: Mapping[str, Any], names: tuple[str, ...]) -> str:
    shown = {name: header[name] for name in names if name in header}
    text = orjson.dumps(shown, default=_spelled, option=_HEADER).decode()
    return f"{text[1:-1]}," if shown else ""


def leaf_hash_of_text(text: str) -> bytes:
    """The leaf of what it covers, given as its canonical text."""
    return _sha256(b"\x00" + text.encode()).digest()


def _spelled(value: object) -> str:
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return iso(aware if aware.tzinfo is UTC else aware.astimezone(UTC))
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"A journal document holds no {type(value).__name__}.")


def leaf_hash(document: Mapping[str, Any]) -> bytes:
    """The record's leaf in the log (RFC 9162, 2.1.1); its hex is the receipt."""
    return hashlib.sha256(b"\x00" + leaf_input(document)).digest()
