"""Usual records, many at a time, read without ceremony.

`read_usual` gives for a parsed record the `Record` that `read_record` gives for the value it
was parsed from, or None where it has any doubt: then `read_record` decides and finds the words.
tests/core/test_usual.py holds the two against each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from tracking import vocabulary as v
from tracking.clock import iso
from tracking.core.canonical import canonical, fragments_of
from tracking.core.checks import Checks
from tracking.core.parts import AMOUNT, QUANTITY
from tracking.core.record import Record, default_transaction
from tracking.core.wire import WireException, WirePayload, WireRecord, WireUsage

# A time as text and as the moment it names; None: there is some doubt about it.
Times = dict[str, tuple[datetime, str] | None]

_ID: Final = v.ID_PATTERN.fullmatch
_IN_IDS: Final = bytes(b for b in range(128) if v.ID_PATTERN.fullmatch(chr(b)))
_TIME_MIN: Final = v.TIME_MIN.replace(tzinfo=None)
_TIME_END: Final = v.TIME_END.replace(tzinfo=None)
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_SHAPES: Final = tuple(
    f"0000-00-00T00:00:00{fraction}Z".encode() for fraction in ("", ".000", ".000000")
)
_dumps: Final = orjson.dumps
_SORTED: Final = orjson.OPT_SORT_KEYS
_PLAIN: Final = frozenset((str, int, bool))
# Of the canonical bytes of a part. No longer one can hide attributes beyond their limit, nor a
# record beyond its own: what a header may hold is far less than the difference.
_SURELY_SMALL: Final = v.ATTRIBUTES_BYTES_MAX
_CONTROL_ESCAPED: Final = re.compile(rb"\\(?:[bf]|u00)")
_CONTROL_RAW: Final = re.compile(rb"\xc2[\x80-\x9f]")


class _Doubt(Exception):
    """Not usual: let the careful reader decide."""


def read_usual(wires: Sequence[WireRecord | None], now: datetime) -> list[Record | None]:
    """The record of each, where it is a usual one; None says nothing about it."""
    times = _read_times(wires, now)
    ids = "".join([wire.id for wire in wires if wire is not None])
    ids_are_good = ids.isascii() and not ids.encode().translate(None, _IN_IDS)
    found: list[Record | None] = []
    for wire in wires:
        record = None
        if wire is not None and (ids_are_good or _ID(wire.id)):
            try:
                record = _read(wire, times)
            except (_Doubt, TypeError, ValueError):  # half of a surrogate pair has no bytes
                record = None
        found.append(record)
    return found


def _read(wire: WireRecord, times: Times) -> Record:
    thing = wire.object
    status = wire.status
    moment, text = _time(wire.occurred_at, times)
    # Printable is narrower than free of control characters; the rest is for the careful.
    lines = f"{thing.id}{thing.type}{wire.flow}{wire.block}"
    if not lines.isprintable():
        raise _Doubt
    transaction = wire.transaction
    if transaction is None:
        transaction = _default_transaction(wire.flow, thing.type, thing.id)
    elif not _ID(transaction):
        raise _Doubt
    # What the server adds has its place already: a dict that grows is built twice.
    header: dict[str, Any] = {
        "_id": None,
        "v": None,
        "tenant": None,
        "lane": None,
        "object_id": thing.id,
        "object_type": thing.type,
        "flow": wire.flow,
        "block": wire.block,
        "transaction": transaction,
        "stage": wire.stage,
        "status": status,
        "attempt": wire.attempt,
        "occurred_at": moment,
        "recorded_at": None,
        "producer": None,
        "batch": None,
        "index": None,
        "part_hash": None,
        "salt": None,
    }
    queued = started = ended = ""
    previous = None
    if wire.queued_at is not None:
        header["queued_at"], spelled = found = _time(wire.queued_at, times)
        queued = f'"queued_at":"{spelled}",'
        previous = found[0]
    if wire.started_at is not None:
        header["started_at"], spelled = found = _time(wire.started_at, times)
        started = f'"started_at":"{spelled}",'
        if previous is not None and found[0] < previous:
            raise _Doubt
        previous = found[0]
    if wire.ended_at is not None:
        header["ended_at"], spelled = found = _time(wire.ended_at, times)
        ended = f'"ended_at":"{spelled}",'
        if previous is not None and found[0] < previous:
            raise _Doubt
    part, part_bytes = _part(wire)
    if status == v.FAILED:
        if "reason" not in part and "exception" not in part:
            raise _Doubt
    elif status == v.FILTERED and "reason" not in part:
        raise _Doubt
    if _add_rarities(wire, header) or '"' in lines or "\\" in lines:
        return Record(wire.id, header, fragments_of(header), part, part_bytes)
    # Nothing to escape: the canonical text is put together by hand.
    fragments = (
        f'"attempt":{wire.attempt},',
        f'"block":"{wire.block}",{ended}"flow":"{wire.flow}",',
        f'"object_id":"{thing.id}","object_type":"{thing.type}","occurred_at":"{text}",',
        queued,
        f'"stage":"{wire.stage}",{started}"status":"{status}",',
        f'"transaction":"{transaction}",',
    )
    return Record(wire.id, header, fragments, part, part_bytes)


def _add_rarities(wire: WireRecord, header: dict[str, Any]) -> bool:
    """Add the fields that few records have; whether there are any."""
    before = len(header)
    if wire.flow_version is not None:
        header["flow_version"] = _line(wire.flow_version)
    if wire.parents:
        header["parents"] = _parents(wire.parents, header["transaction"])
    if wire.corrects is not None:
        if not _ID(wire.corrects) or wire.corrects == wire.id:
            raise _Doubt
        header["corrects"] = wire.corrects
    if wire.final:
        header["final"] = True
    return len(header) > before


_default_transaction = lru_cache(maxsize=4096)(default_transaction)


# --- Times -----------------------------------------------------------------------------------


def _time(text: str, times: Times) -> tuple[datetime, str]:
    found = times[text]
    if found is None:
        raise _Doubt
    return found


def _read_times(wires: Iterable[WireRecord | None], now: datetime) -> Times:
    texts: set[str] = set()
    for wire in wires:
        if wire is not None:
            texts.add(wire.occurred_at)
            if wire.queued_at is not None:
                texts.add(wire.queued_at)
            if wire.started_at is not None:
                texts.add(wire.started_at)
            if wire.ended_at is not None:
                texts.add(wire.ended_at)
    times: Times = {}
    by_length: dict[int, list[str]] = {}
    for text in texts:
        by_length.setdefault(len(text), []).append(text)
    for shape in _SHAPES:
        if alike := by_length.get(len(shape)):
            times.update(_of_shape(alike, shape, now))
    for text in texts.difference(times):
        times[text] = _carefully(text, now)
    return times


def _of_shape(texts: list[str], shape: bytes, now: datetime) -> Times:
    """The moments of texts of one length, or none of them if one is not of the shape."""
    joined = "".join(texts)
    if not joined.isascii() or joined.encode().translate(_DIGITS) != shape * len(texts):
        return {}
    # The cut to milliseconds is made in the text: there it costs nothing.
    bare = [text[:23] for text in texts] if len(shape) > 20 else [f"{t[:19]}.000" for t in texts]
    try:
        moments = list(map(datetime.fromisoformat, bare))
    except ValueError:
        return {}
    if not (
        min(moments) >= _TIME_MIN
        and max(moments) < _TIME_END
        and max(moments) - now.replace(tzinfo=None) <= v.AHEAD_MAX
    ):
        return {}
    return {
        text: (moment, f"{cut}Z") for text, moment, cut in zip(texts, moments, bare, strict=True)
    }


def _carefully(text: str, now: datetime) -> tuple[datetime, str] | None:
    moment = Checks(now).time("", text)
    return None if moment is None else (moment.replace(tzinfo=None), iso(moment))


# --- The erasable part -------------------------------------------------------------------------


def _part(wire: WireRecord) -> tuple[dict[str, Any], bytes]:
    """The part and its canonical bytes."""
    part: dict[str, Any] = {}
    has_float = False
    if wire.reason:
        part["reason"] = wire.reason
    if wire.exception is not None:
        part["exception"] = _exception(wire.exception)
    if wire.attributes:
        part["attributes"], has_float = _attributes(wire.attributes)
    if wire.references:
        part["references"] = _references(wire.references)
    if wire.usage:
        part["usage"] = [_usage(item) for item in wire.usage]
    cost = wire.cost
    if cost is not None:
        if not AMOUNT.fullmatch(cost.amount) or cost.currency not in v.CURRENCIES:
            raise _Doubt
        part["cost"] = {"amount": cost.amount, "currency": cost.currency}
    if wire.payload is not None:
        part["payload"] = _payload(wire.payload)
    if wire.subject:
        part["subject"] = wire.subject
    written = canonical(part) if has_float else _dumps(part, None, _SORTED)
    if len(written) > _SURELY_SMALL:
        raise _Doubt
    if b"\\" in written:
        # Texts may hold tabs and line breaks, what stands on one line may not.
        if _CONTROL_ESCAPED.search(written):
            raise _Doubt
        for text in _lines(part):
            _line(text)
    if b"\x7f" in written or (b"\xc2" in written and _CONTROL_RAW.search(written)):
        raise _Doubt
    return part, written


def usual_part(wire: WireRecord) -> tuple[dict[str, Any], bytes] | None:
    """The part of a usual record and its canonical bytes; None where there is any doubt."""
    try:
        return _part(wire)
    except (_Doubt, TypeError, ValueError):
        return None


def _lines(part: dict[str, Any]) -> Iterable[str]:
    for reference in part.get("references", ()):
        yield from reference["values"]
    for usage in part.get("usage", ()):
        yield usage["resource"]
        yield usage["unit"]
    payload = part.get("payload", {})
    for name in ("hash", "content_type", "uri"):
        yield payload.get(name, "")
    yield part.get("subject", "")


def _line(text: str) -> str:
    if not text.isprintable():
        raise _Doubt
    return text


@lru_cache(maxsize=1024)
def _sorted_names(names: tuple[str, ...]) -> list[str] | None:
    """Producers write the same names again and again."""
    return sorted(names) if "".join(names).isprintable() else None


def _names(given: dict[str, Any]) -> list[str]:
    names = tuple(given)
    found = _sorted_names(names) if len(names) <= 20 else sorted(map(_line, names))
    if found is None:
        raise _Doubt
    return found


def _attributes(given: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Name–value pairs sorted by name, and whether a float may be among them."""
    names = _names(given)
    if _PLAIN.issuperset(map(type, given.values())):
        return [{"name": name, "value": given[name]} for name in names], False
    return [{"name": name, "value": _value(given[name])} for name in names], True


def _value(given: Any) -> Any:
    if type(given) is list:
        return [_value(item) for item in given]
    if type(given) is float:
        if not math.isfinite(given):
            raise _Doubt
        if given.is_integer() and abs(given) <= v.INT_MAX:
            return int(given)
    return given


def _references(given: dict[str, Any]) -> list[dict[str, Any]]:
    kept = []
    for name in _names(given):
        values = given[name]
        if type(values) is str:
            values = [values]
        elif len(set(values)) != len(values):
            raise _Doubt
        kept.append({"name": name, "values": values})
    return kept


def _parents(given: list[str], transaction: str) -> list[str]:
    if len(set(given)) != len(given) or transaction in given or not all(map(_ID, given)):
        raise _Doubt
    return given


def _exception(given: WireException) -> dict[str, str]:
    kept = {}
    if given.type:
        kept["type"] = given.type
    if given.message:
        kept["message"] = given.message
    if given.code:
        kept["code"] = given.code
    if given.location:
        kept["location"] = given.location
    if given.stacktrace:
        kept["stacktrace"] = given.stacktrace
    if not kept:
        raise _Doubt
    return kept


def _usage(given: WireUsage) -> dict[str, str]:
    quantity = given.quantity
    if type(quantity) is int:
        quantity = str(quantity)
    else:
        if type(quantity) is float:
            quantity = repr(quantity)
            if quantity.endswith(".0"):  # has another spelling
                raise _Doubt
        if not QUANTITY.fullmatch(quantity):  # type: ignore[arg-type]  # a str by now
            raise _Doubt
    return {"resource": given.resource, "quantity": quantity, "unit": given.unit}  # type: ignore[dict-item]


def _payload(given: WirePayload) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in ("hash", "size", "content_type", "uri", "content"):
        value = getattr(given, name)
        if value is not None:
            kept[name] = value
    if not kept:
        raise _Doubt
    return kept
