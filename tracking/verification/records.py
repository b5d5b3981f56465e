"""Stored records → their leaves, with whatever is wrong about their own form.

Most records are as they should be, so a whole batch of bytes is judged by the fastest way that lets
nothing pass; a record that fails it is looked at again, slowly, for a sentence that says why.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final

import bson
import orjson
from bson.errors import BSONError
from bson.int64 import Int64

from tracking import vocabulary as v
from tracking.core import native
from tracking.core.canonical import SALT_BYTES, VERSION, canonical, leaf_hash
from tracking.core.record import lane_of
from tracking.verification.shape import (
    CODEC,
    JOURNAL,
    UNFAITHFUL,
    UNREADABLE,
    decoded,
    faithful,
    is_of,
    odd_texts,
    odd_value,
    split,
    wrong_fields,
)

HASH_BYTES: Final = 32
_SORTED: Final = orjson.OPT_SORT_KEYS
_UTC: Final = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_WHOLE: Final = len("2026-01-31T10:00:00Z")
# What is made of so many records stays within a processor's cache: a third less time than with a
# whole batch of the cursor's.
_SOME: Final = 64
_SIZE: Final = struct.Struct("<i")
_LEAST: Final = 5
# Whatever is not plainly what it reads as goes to `_plain`, or the record is looked at slowly.
_PART: Final = (
    orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME
)
_NO_PART: Final[dict[str, Any]] = {}
_PLANS_MAX: Final = 5_000
_sha256: Final = hashlib.sha256
_lane_of = lru_cache(maxsize=16_384)(lane_of)


@dataclass(slots=True)
class Seen:
    """One record: its place as it says itself, its leaf, and what is wrong with its form.

    `kind` is the kind of finding; None: nothing is wrong. `leaf` is None where none can be made.
    """

    key: str
    tenant: str
    batch: str
    index: int
    moment: Any
    leaf: bytes | None
    kind: str | None = None
    text: str = ""


# (batch, index, leaf, _id, tenant, record time: as it was read, or in ms)
Row = tuple[str, int, bytes, str, str, Any]
_BSON_TYPES: Final[dict[Any, int]] = {
    str: 0x02, dict: 0x03, list: 0x04, bytes: 0x05, bool: 0x08, datetime: 0x09, int: 0x10
}  # fmt: skip


class _Plan:
    """What is to be done with records of certain fields and types, which are right."""

    def __init__(self, fields: Collection[str]) -> None:
        self.times = [name for name in fields if JOURNAL.fields[name] is datetime]
        self.moments = itemgetter(*self.times)
        self.is_rare = not {"final", "parents", "marks"}.isdisjoint(fields)


class Reader:
    """Raw batches → rows (batch, index, leaf, key, tenant, record time), or `Seen`.

    Remembers which fields and types it has judged to be right: a few dozen ways to combine them.
    """

    def __init__(self, *, compiled: bool = native.COMPILED) -> None:
        self._plans: dict[Any, _Plan | None] = {}
        self._places: dict[bytes, bytes] = {}
        self._compiled = compiled

    def read(self, data: bytes) -> Iterator[Row | Seen]:
        if not self._compiled:
            yield from self._read(data)
            return
        try:
            found = native.rows(data, self._places)
        except ValueError:
            yield from self._one_by_one(data)
            return
        for row in found:
            if type(row) is tuple:
                yield row
            else:
                yield from self._in_doubt(row)  # type: ignore[arg-type]  # its bytes

    def _in_doubt(self, raw: bytes) -> Iterator[Row | Seen]:
        """A record whose fields and types are new to us, or that is not plain."""
        signature = native.signature(raw)
        if signature is not None and signature not in self._places:
            if len(self._places) >= _PLANS_MAX:
                self._places.clear()
            self._places[signature] = _places_of(signature)
            (row,) = native.rows(raw, self._places)
            if type(row) is tuple:
                yield row
                return
        yield from self._read(raw)

    def _read(self, data: bytes) -> Iterator[Row | Seen]:
        try:
            cuts = _cuts(data)
        except struct.error:
            yield from self._one_by_one(data)
            return
        for start, end in pairwise(cuts):
            yield from self._some(data[start:end])

    def _some(self, data: bytes) -> Iterator[Row | Seen]:
        try:
            documents = bson.decode_all(data, CODEC)
            encode = bson.encode
            good = b"".join([encode(each, False, CODEC) for each in documents]) == data
        except (BSONError, ValueError, OverflowError):
            good = False
        if not good:
            yield from self._one_by_one(data)
            return
        plans = [self._plan(document) for document in documents]
        moments: list[datetime] = []
        for document, plan in zip(documents, plans, strict=True):
            if plan is not None:
                moments += plan.moments(document)
        spelled, at = _spelled(moments), 0
        dumps, lane = orjson.dumps, _lane_of
        for document, plan in zip(documents, plans, strict=True):
            if plan is None:
                yield judged(document)
                continue
            times = spelled[at : at + len(plan.times)]
            at += len(times)
            salt, part = document["salt"], document.get("part", _NO_PART)
            try:
                text = dumps(part, _plain, _PART)
            except orjson.JSONEncodeError:
                text = b""
            digest = document["part_hash"]
            key, tenant = document["_id"], document["tenant"]
            if (
                _sha256(salt + text).digest() != digest
                or len(salt) != SALT_BYTES
                or (part is not _NO_PART and not part)
                or document["lane"] != lane(tenant, document["transaction"])
                or document["v"] != VERSION
                or not key.startswith(tenant + "/")
                or (plan.is_rare and _odd_rarities(document))
            ):
                yield judged(document)
                continue
            moment = document["recorded_at"]
            # What is hashed, in the place of what was read: a copy would cost more than the hash.
            document.update(zip(plan.times, times, strict=True))
            document["part_hash"] = digest.hex()
            del document["salt"]
            document.pop("part", None)
            leaf = _sha256(b"\x00" + dumps(document, None, _SORTED)).digest()
            yield document["batch"], document["index"], leaf, key, tenant, moment

    def _plan(self, document: dict[str, Any]) -> _Plan | None:
        """None unless fields and types are those of a record."""
        signature = (tuple(document), tuple(map(type, document.values())))
        try:
            return self._plans[signature]
        except KeyError:
            pass
        if len(self._plans) >= _PLANS_MAX:
            self._plans.clear()
        right = document.keys() >= JOURNAL.required.keys() and all(
            type(value) is JOURNAL.fields.get(name) for name, value in document.items()
        )
        plan = self._plans[signature] = _Plan(document) if right else None
        return plan

    def _one_by_one(self, data: bytes) -> Iterator[Seen]:
        for raw in split(data):
            document = decoded(raw)
            if document is None:
                key = _named(raw)
                tenant = key.partition("/")[0]
                yield Seen(key, tenant, "", -1, None, None, "record_form", UNREADABLE)
                continue
            seen = judged(document)
            if seen.kind is None and not faithful(raw, document):
                seen.kind, seen.text = "record_form", UNFAITHFUL
            yield seen


def _places_of(signature: bytes) -> bytes:
    """The plan for documents of exactly these fields and types; empty: to be looked at slowly."""
    fields = native.fields_of(signature)
    names = [name for _kind, name in fields]
    right = (
        names[:1] == ["_id"]  # which the driver and MongoDB put first
        and len(set(names)) == len(names)
        and JOURNAL.required.keys() <= set(names)
        and all(_BSON_TYPES.get(JOURNAL.fields.get(name)) == kind for kind, name in fields)
    )
    return native.plan_of(names) if right else b""


def _cuts(data: bytes) -> list[int]:
    """Where some documents of a raw batch end and the next begin; struct.error: nowhere."""
    cuts, at, count = [0], 0, 0
    while at < len(data):
        (size,) = _SIZE.unpack_from(data, at)
        if size < _LEAST:
            raise struct.error
        at += size
        count += 1
        if count % _SOME == 0:
            cuts.append(at)
    if cuts[-1] != at:
        cuts.append(at)
    return cuts


def _spelled(moments: list[datetime]) -> list[str]:
    """Moments of whole milliseconds as a leaf has them; all at once takes a quarter of the time."""
    if not moments:
        return []
    texts = orjson.dumps(moments, option=_UTC).decode()[2:-2].split('","')
    # orjson writes microseconds, and none where there are none.
    return [f"{text[:23]}Z" if len(text) > _WHOLE else f"{text[:19]}.000Z" for text in texts]


def _odd_rarities(document: dict[str, Any]) -> bool:
    """Whether one of the fields that few records have is not as it is stored."""
    return bool(
        ("final" in document and document["final"] is not True)
        or ("parents" in document and odd_texts(document["parents"], "parents"))
        or ("marks" in document and odd_texts(document["marks"], "marks"))
    )


def judged(document: dict[str, Any]) -> Seen:
    """One record, with a sentence where it is not as a record is stored."""
    seen = Seen(
        key=_text(document.get("_id")),
        tenant=_tenant(document),
        batch=_text(document.get("batch")),
        index=document["index"] if type(document.get("index")) is int else -1,
        moment=document.get("recorded_at"),
        leaf=None,
    )
    if wrong := wrong_fields(document, JOURNAL):
        seen.kind, seen.text = "record_form", " ".join(wrong)
        if {"salt is missing.", "part is missing."} & set(wrong) and "part" not in document:
            seen.text += " Its erasable part is gone, and the log has no certificate of that."
        return seen
    try:
        seen.leaf = leaf_hash(document)
    except TypeError:
        seen.leaf = None  # a list that holds what no list of a record does: named below
    part = document.get("part", {})
    tenant, salt = document["tenant"], document["salt"]
    lists = [name for name in ("parents", "marks") if name in document]
    odd = odd_value(part, "part") or next(
        filter(None, (odd_texts(document[name], name) for name in lists)), None
    )
    if odd:
        seen.kind, seen.text = "record_form", odd
    elif document["v"] != VERSION:
        seen.kind, seen.text = "record_form", f"v is {document['v']}, and {VERSION} is known."
    elif not seen.key.startswith(f"{tenant}/"):
        seen.kind, seen.text = "record_form", "_id does not begin with the tenant."
    elif document["lane"] != lane_of(tenant, document["transaction"]):
        seen.kind, seen.text = "record_form", "lane is not that of its transaction."
    elif len(salt) != SALT_BYTES:
        seen.kind, seen.text = "record_form", f"salt has {len(salt)} bytes, not {SALT_BYTES}."
    elif _sha256(salt + canonical(part)).digest() != document["part_hash"]:
        seen.kind, seen.text = "record_part", "The salt or the part is not what part_hash is of."
    return seen


def _plain(value: object) -> int:
    """A long integer that needs its length; of everything else the hash would not say the type."""
    if type(value) is Int64 and is_of(value, int) and abs(value) <= v.INT_MAX:
        return int(value)
    raise TypeError


def _text(value: object) -> str:
    """A name for people, whatever stands where one should stand."""
    return value if type(value) is str else repr(value)[:200]


def _tenant(document: dict[str, Any]) -> str:
    """Whose record it says it is; where it does not say, its key may."""
    tenant = document.get("tenant")
    return tenant if type(tenant) is str else _text(document.get("_id")).partition("/")[0]


def _named(raw: bytes) -> str:
    """What of an unreadable document can be shown of its key."""
    kind, name, rest = raw[4:5], raw[5:9], raw[9:]
    if kind == b"\x02" and name == b"_id\x00":
        return rest[4 : 4 + min(200, int.from_bytes(rest[:4], "little") - 1)].decode(
            "utf-8", "replace"
        )
    return "unknown"
