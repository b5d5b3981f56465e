"""The wire record as a type, so that parsing and most checks of a usual one are one pass in C.

The types accept a subset of what `read_record` accepts; what they refuse says nothing, and
`read_record` decides and finds the words. Fields stand in the order producers write them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from tracking import vocabulary as v

Id = Annotated[str, Meta(min_length=1, max_length=v.ID_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=v.NAME_MAX)]
Time = Annotated[str, Meta(min_length=20, max_length=40)]
Scalar = (
    Annotated[str, Meta(max_length=v.ATTRIBUTE_TEXT_MAX)]
    | bool
    | Annotated[int, Meta(ge=-v.INT_MAX, le=v.INT_MAX)]
    | float
)
AttributeName = Annotated[str, Meta(min_length=1, max_length=v.ATTRIBUTE_NAME_MAX)]
ReferenceName = Annotated[str, Meta(min_length=1, max_length=v.REFERENCE_NAME_MAX)]
ReferenceValue = Annotated[str, Meta(min_length=1, max_length=v.REFERENCE_VALUE_MAX)]
# An absent field is None here; a null in the body is not accepted, for no type allows it.
_ABSENT: Final[Any] = None


class WireObject(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    id: Annotated[str, Meta(min_length=1, max_length=v.OBJECT_ID_MAX)]
    type: Name


class WireException(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    type: Annotated[str, Meta(max_length=v.EXCEPTION_MAX["type"])] = _ABSENT
    message: Annotated[str, Meta(max_length=v.EXCEPTION_MAX["message"])] = _ABSENT
    code: Annotated[str, Meta(max_length=v.EXCEPTION_MAX["code"])] = _ABSENT
    location: Annotated[str, Meta(max_length=v.EXCEPTION_MAX["location"])] = _ABSENT
    stacktrace: Annotated[str, Meta(max_length=v.EXCEPTION_MAX["stacktrace"])] = _ABSENT


class WireUsage(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    resource: Annotated[str, Meta(min_length=1, max_length=v.RESOURCE_MAX)]
    quantity: Annotated[int, Meta(ge=0, lt=10 ** v.QUANTITY_DIGITS[0])] | float | str
    unit: Annotated[str, Meta(min_length=1, max_length=v.UNIT_MAX)]


class WireCost(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    amount: str
    currency: Annotated[str, Meta(min_length=3, max_length=3)]


class WirePayload(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    hash: Annotated[str, Meta(min_length=1, max_length=v.PAYLOAD_HASH_MAX)] = _ABSENT
    size: Annotated[int, Meta(ge=0, le=v.INT_MAX)] = _ABSENT
    content_type: Annotated[str, Meta(min_length=1, max_length=v.PAYLOAD_TYPE_MAX)] = _ABSENT
    uri: Annotated[str, Meta(min_length=1, max_length=v.PAYLOAD_URI_MAX)] = _ABSENT
    content: Annotated[str, Meta(max_length=v.PAYLOAD_CONTENT_BYTES_MAX)] = _ABSENT


class WireRecord(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    id: Id
    object: WireObject
    flow: Name
    block: Name
    stage: Literal["ingress", "processing", "egress"]
    status: Literal["queued", "started", "succeeded", "failed", "skipped", "filtered"]
    occurred_at: Time
    flow_version: Name = _ABSENT
    transaction: Id = _ABSENT
    attempt: Annotated[int, Meta(ge=1, le=v.ATTEMPT_MAX)] = 1
    queued_at: Time = _ABSENT
    started_at: Time = _ABSENT
    ended_at: Time = _ABSENT
    reason: Annotated[str, Meta(max_length=v.REASON_MAX)] = _ABSENT
    exception: WireException = _ABSENT
    attributes: Annotated[
        dict[
            AttributeName, Scalar | Annotated[list[Scalar], Meta(max_length=v.ATTRIBUTE_LIST_MAX)]
        ],
        Meta(max_length=v.ATTRIBUTES_MAX),
    ] = _ABSENT
    references: Annotated[
        dict[
            ReferenceName,
            ReferenceValue
            | Annotated[
                list[ReferenceValue], Meta(min_length=1, max_length=v.REFERENCE_VALUES_MAX)
            ],
        ],
        Meta(max_length=v.REFERENCES_MAX),
    ] = _ABSENT
    parents: Annotated[list[Id], Meta(max_length=v.PARENTS_MAX)] = _ABSENT
    usage: Annotated[list[WireUsage], Meta(max_length=v.USAGE_MAX)] = _ABSENT
    cost: WireCost = _ABSENT
    payload: WirePayload = _ABSENT
    subject: Annotated[str, Meta(max_length=v.SUBJECT_MAX)] = _ABSENT
    corrects: Id = _ABSENT
    final: bool = False


_DECODER: Final = msgspec.json.Decoder(list[WireRecord] | WireRecord)
_ONE: Final = msgspec.json.Decoder(WireRecord)
# What a parser or a conversion says no with; RecursionError: nested too deep for it.
_REFUSALS: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def parse(body: bytes) -> list[WireRecord] | None:
    """The records of a JSON body where each is a usual one; None says nothing about it."""
    try:
        found = _DECODER.decode(body)
    except _REFUSALS:
        return None
    return found if isinstance(found, list) else [found]


def parse_one(text: bytes) -> WireRecord | None:
    """The record of a JSON object, if it is a usual one; None says nothing about it."""
    try:
        return _ONE.decode(text)
    except _REFUSALS:
        return None


def convert(values: Sequence[object]) -> list[WireRecord | None]:
    """Each decoded JSON value as a usual record, or None where it does not fit."""
    try:
        return list(msgspec.convert(values, list[WireRecord]))
    except _REFUSALS:
        return [_convert_one(value) for value in values]


def _convert_one(value: object) -> WireRecord | None:
    try:
        return msgspec.convert(value, WireRecord)
    except _REFUSALS:
        return None


def plain(record: WireRecord) -> dict[str, Any]:
    """The decoded JSON value that `record` was made from."""
    return dict(msgspec.to_builtins(record))
