"""The usual record, read without ceremony.

`read_usual` accepts a subset of what `read_record` accepts and gives the same `Record`; where
it has any doubt it returns None, and `read_record` decides and finds the words. It is some
seven times faster, because a plain record needs no pointers, no closures and no sentences.
tests/core/test_fast.py holds the two against each other.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.checks import CONTROL_TEXT
from tracking.core.parts import AMOUNT, QUANTITY
from tracking.core.record import Record, default_transaction

_ID = v.ID_PATTERN.fullmatch
_STAGES: Final = frozenset(v.STAGES)
_STATUSES: Final = frozenset(v.STATUSES)
_TIMES: Final = ("queued_at", "started_at", "ended_at")
_QUANTITY_END: Final = 10 ** v.QUANTITY_DIGITS[0]
# Below it no field sum can reach the limit of a record, whatever its bytes per character.
_SURELY_SMALL: Final = v.RECORD_BYTES_MAX // 8
_ATTRIBUTES_SMALL: Final = v.ATTRIBUTES_BYTES_MAX // 8


class _Doubt(Exception):
    """Not usual: let the careful reader decide."""


def read_usual(wire: Any, now: datetime) -> Record | None:
    """The record, if it is a usual one; None says nothing about it."""
    if type(wire) is not dict:
        return None
    try:
        return _read(wire, now)
    except (_Doubt, KeyError, TypeError, ValueError, OverflowError):
        return None


def _read(wire: dict[str, Any], now: datetime) -> Record:
    left = len(wire) - 7  # the required fields; each optional one is taken off when read
    header: dict[str, Any] = {}
    part: dict[str, Any] = {}

    header["id"] = _identifier(wire["id"])
    given = wire["object"]
    if type(given) is not dict or len(given) != 2:
        raise _Doubt
    header["object_id"] = _line(given["id"], v.OBJECT_ID_MAX)
    header["object_type"] = _line(given["type"], v.NAME_MAX)
    header["flow"] = _line(wire["flow"], v.NAME_MAX)
    if "flow_version" in wire:
        left -= 1
        header["flow_version"] = _line(wire["flow_version"], v.NAME_MAX)
    header["block"] = _line(wire["block"], v.NAME_MAX)
    if "transaction" in wire:
        left -= 1
        header["transaction"] = _identifier(wire["transaction"])
    stage, status = wire["stage"], wire["status"]
    if stage not in _STAGES or status not in _STATUSES:
        raise _Doubt
    header["stage"] = stage
    header["status"] = status
    if "attempt" in wire:
        left -= 1
        attempt = wire["attempt"]
        if type(attempt) is not int or not 1 <= attempt <= v.ATTEMPT_MAX:
            raise _Doubt
        header["attempt"] = attempt
    else:
        header["attempt"] = 1
    header["occurred_at"] = _time(wire["occurred_at"], now)
    if left:
        left -= _optional(wire, header, part, now)
    if left:
        raise _Doubt
    if (status == v.FAILED and "reason" not in part and "exception" not in part) or (
        status == v.FILTERED and "reason" not in part
    ):
        raise _Doubt
    if "transaction" not in header:
        header["transaction"] = default_transaction(
            header["flow"], header["object_type"], header["object_id"]
        )
    if header["transaction"] in header.get("parents", ()) or header.get("corrects") == header["id"]:
        raise _Doubt
    return Record(header, part)


def _optional(
    wire: dict[str, Any], header: dict[str, Any], part: dict[str, Any], now: datetime
) -> int:
    """Read the optional fields; returns how many there were."""
    read = 0
    size = 0
    previous: datetime | None = None
    for name in _TIMES:
        if name in wire:
            read += 1
            moment = header[name] = _time(wire[name], now)
            if previous is not None and moment < previous:
                raise _Doubt
            previous = moment
    if "parents" in wire:
        read += 1
        parents = list(dict.fromkeys([_identifier(parent) for parent in wire["parents"]]))
        if type(wire["parents"]) is not list or len(wire["parents"]) > v.PARENTS_MAX:
            raise _Doubt
        if parents:
            header["parents"] = parents
    if "corrects" in wire:
        read += 1
        header["corrects"] = _identifier(wire["corrects"])
    if "final" in wire:
        read += 1
        if type(wire["final"]) is not bool:
            raise _Doubt
        if wire["final"]:
            header["final"] = True
    if "reason" in wire:
        read += 1
        reason = _text(wire["reason"], v.REASON_MAX)
        if reason:
            part["reason"] = reason
            size += len(reason)
    if "exception" in wire:
        read += 1
        given = wire["exception"]
        kept = {}
        for name, most in v.EXCEPTION_MAX.items():
            if name in given:
                text = _text(given[name], most)
                if text:
                    kept[name] = text
                    size += len(text)
        if type(given) is not dict or len(kept) != len(given) or not kept:
            raise _Doubt
        part["exception"] = kept
    if "attributes" in wire:
        read += 1
        attributes, length = _attributes(wire["attributes"])
        size += length
        if attributes:
            part["attributes"] = attributes
    if "references" in wire:
        read += 1
        references, length = _references(wire["references"])
        size += length
        if references:
            part["references"] = references
    if "usage" in wire:
        read += 1
        usage = _usage(wire["usage"])
        if usage:
            part["usage"] = usage
    if "cost" in wire:
        read += 1
        given = wire["cost"]
        amount, currency = given["amount"], given["currency"]
        if len(given) != 2 or not AMOUNT.fullmatch(amount) or currency not in v.CURRENCIES:
            raise _Doubt
        part["cost"] = {"amount": amount, "currency": currency}
    if "subject" in wire:
        read += 1
        part["subject"] = _line(wire["subject"], v.SUBJECT_MAX)
    if "payload" in wire:
        raise _Doubt
    if size > _SURELY_SMALL:
        raise _Doubt
    return read


def _identifier(value: str) -> str:
    if _ID(value) is None:
        raise _Doubt
    return value


def _line(value: str, most: int) -> str:
    # Printable is narrower than free of control characters; the rest is for the careful.
    if type(value) is not str or not 0 < len(value) <= most or not value.isprintable():
        raise _Doubt
    return value


def _text(value: str, most: int) -> str:
    if type(value) is not str or len(value) > most:
        raise _Doubt
    if not value.isprintable() and (not value.isascii() or CONTROL_TEXT.search(value)):
        raise _Doubt
    return value


def _time(value: str, now: datetime) -> datetime:
    """Only 2026-01-31T23:59:59[.123[456]]Z, the way nearly everybody writes it."""
    length = len(value)
    if (
        length not in (20, 24, 27)
        or value[4] != "-"
        or value[7] != "-"
        or value[10] != "T"
        or value[13] != ":"
        or value[16] != ":"
        or value[-1] != "Z"
        or (length > 20 and value[19] != ".")
        or not value.isascii()
    ):
        raise _Doubt
    # The cut to milliseconds is made in the text: there it costs nothing.
    moment = datetime.fromisoformat(value if length != 27 else value[:23] + "Z")
    if not v.TIME_MIN <= moment < v.TIME_END or moment - now > v.AHEAD_MAX:
        raise _Doubt
    return moment


def _attributes(value: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    if type(value) is not dict or len(value) > v.ATTRIBUTES_MAX:
        raise _Doubt
    kept = []
    size = 0
    for name in sorted(value):
        _line(name, v.ATTRIBUTE_NAME_MAX)
        given = value[name]
        kind = type(given)
        if kind is str:
            _text(given, v.ATTRIBUTE_TEXT_MAX)
            size += len(given)
        elif kind is int:
            if not -v.INT_MAX <= given <= v.INT_MAX:
                raise _Doubt
        elif kind is float:
            if not math.isfinite(given) or given.is_integer():
                raise _Doubt
        elif kind is not bool:
            raise _Doubt
        size += len(name) + 24
        kept.append({"name": name, "value": given})
    if size > _ATTRIBUTES_SMALL:
        raise _Doubt
    return kept, size


def _usage(value: list[dict[str, Any]]) -> list[dict[str, str]]:
    if type(value) is not list or len(value) > v.USAGE_MAX:
        raise _Doubt
    kept = []
    for given in value:
        if type(given) is not dict or len(given) != 3:
            raise _Doubt
        quantity = given["quantity"]
        if type(quantity) is int:
            if not 0 <= quantity < _QUANTITY_END:
                raise _Doubt
            quantity = str(quantity)
        else:
            if type(quantity) is float:
                quantity = repr(quantity)
                # 1e-05 and 1.0 have another spelling.
                if quantity.endswith(".0"):
                    raise _Doubt
            if not QUANTITY.fullmatch(quantity):
                raise _Doubt
        kept.append(
            {
                "resource": _line(given["resource"], v.RESOURCE_MAX),
                "quantity": quantity,
                "unit": _line(given["unit"], v.UNIT_MAX),
            }
        )
    return kept


def _references(value: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    if type(value) is not dict or len(value) > v.REFERENCES_MAX:
        raise _Doubt
    kept = []
    size = 0
    for name in sorted(value):
        _line(name, v.REFERENCE_NAME_MAX)
        given = value[name]
        if type(given) is str:
            values = [_line(given, v.REFERENCE_VALUE_MAX)]
        elif type(given) is list and 0 < len(given) <= v.REFERENCE_VALUES_MAX:
            values = list(dict.fromkeys([_line(text, v.REFERENCE_VALUE_MAX) for text in given]))
        else:
            raise _Doubt
        kept.append({"name": name, "values": values})
        size += len(name) + sum(map(len, values))
    return kept, size
