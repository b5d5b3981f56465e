"""The two inner loops in C (`_native.c`): a usual record to its stored form, and back to its leaf.

They are built where a C compiler is at hand when DFT is installed; without them everything works
the same, at the speed of the Python code they stand for. That code stays the rule: what is not
plain is left to it, and tests hold the two against each other, byte by byte.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.core.canonical import VERSION
from tracking.core.record import default_transaction, lane_of

_REVISION: Final = 1
# The places in a plan of `rows` (see `plan_of`): fields that are more than hashed, then the others.
_PLACES: Final = "_id tenant transaction lane v batch index recorded_at part_hash salt part".split()
_NONE: Final = 255
# Names that come again do so soon; an entry of a cache takes half a kilobyte.
_NAMES: Final = 2_048
_APART: Final = frozenset(("salt", "part"))

# (batch, index, leaf, _id, tenant, record time in ms)
Row = tuple[str, int, bytes, str, str, int]
# Of a wire record whose part is read in Python: its stored bytes and canonical text.
PartOf = Callable[[Any], tuple[bytes, bytes] | None]


def _load() -> Any:
    """The compiled module; None where it was not built, is of another version, or is not wanted."""
    if os.environ.get("DFT_COMPILED", "1") == "0":
        return None
    try:
        from tracking.core import _native  # type: ignore[attr-defined]
    except ImportError:
        return None
    if _native.REVISION != _REVISION:
        return None
    _native.configure(
        in_id=bytes(b for b in range(128) if v.ID_PATTERN.fullmatch(chr(b))),
        id_max=v.ID_MAX,
        # no longer part can hide attributes beyond their limit
        part_max=v.ATTRIBUTES_BYTES_MAX,
        time_min=clock.to_ms(v.TIME_MIN),
        time_end=clock.to_ms(v.TIME_END),
        version=VERSION,
        amount=v.AMOUNT_DIGITS,
        quantity=v.QUANTITY_DIGITS,
        currencies=frozenset(v.CURRENCIES),
        late=v.MARK_LATE,
        skew=v.MARK_CLOCK_SKEW,
        sha256=hashlib.sha256,
        transaction_of=lru_cache(maxsize=_NAMES)(default_transaction),
        lane_of=lru_cache(maxsize=_NAMES)(lane_of),
    )
    return _native


_native: Final = _load()
COMPILED: Final = _native is not None


def stamp(
    wires: list[Any],
    first: int,
    *,
    tenant: str,
    producer: str,
    batch: str,
    times: tuple[int, int, int, int],
    salts: bytes,
    part_of: PartOf,
) -> list[tuple[bytes, bytes] | None]:
    """The stored bytes (BSON) and the leaf of each of `wires`; None where there is any doubt.

    `first`: the index of the first in its batch. `times`, in ms: of the record; before the second
    one an occurrence is late, beyond the third it is marked, beyond the fourth it is refused.
    `salts`: 16 bytes for each.
    """
    found: list[tuple[bytes, bytes] | None] = _native.stamp(
        wires, first, tenant, producer, batch, *times, salts, part_of
    )
    return found


def rows(data: bytes, plans: dict[bytes, bytes]) -> list[Row | bytes]:
    """For each document of a raw batch its row, or its bytes where there is any doubt.

    `plans`: by the `signature` of a document what to do with its fields, as `plan_of` says.
    Raises ValueError where the batch cannot be cut into documents.
    """
    found: list[Row | bytes] = _native.rows(data, plans)
    return found


def signature(document: bytes) -> bytes | None:
    """For each field its BSON type, name and a zero byte; None where the document is not plain."""
    found: bytes | None = _native.signature(document)
    return found


def fields_of(signature: bytes) -> list[tuple[int, str]]:
    """The BSON types and names in a signature."""
    return [(each[0], each[1:].decode("utf-8", "replace")) for each in signature.split(b"\0")[:-1]]


def plan_of(names: list[str]) -> bytes:
    """Where the fields of a document stand: those of `_PLACES`, then all that a leaf covers."""
    place = {name: at for at, name in enumerate(names)}
    special = [place.get(name, _NONE) for name in _PLACES]
    return bytes([*special, *(place[name] for name in sorted(names) if name not in _APART)])
