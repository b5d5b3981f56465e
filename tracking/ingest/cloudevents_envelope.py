"""The envelope of a CloudEvent: its attributes, checked, and what its data is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from tracking import vocabulary as v
from tracking.core.checks import (
    NUMBER_SENTENCES,
    SURROGATE,
    BadNumber,
    Problem,
    kind_of,
    pointer_to,
    shown,
)
from tracking.core.wire import WireRecord

SPEC_VERSION: Final = "1.0"
# Extension attributes that fill a field of the record where data does not.
EXTENSIONS: Final = {
    "dftobjectid": "object",
    "dftobjecttype": "object",
    "dftflow": "flow",
    "dftflowversion": "flow_version",
    "dftblock": "block",
    "dftstage": "stage",
    "dftstatus": "status",
    "dfttransaction": "transaction",
    "dftattempt": "attempt",
    "dftreason": "reason",
    "dftparent": "parents",
    "dftsubject": "subject",
    "dftfinal": "final",
    "dftdata": "payload",  # record or payload: what data is
}
RECORD_FIELDS: Final = frozenset(WireRecord.__struct_fields__)
_TELLING: Final = ("flow", "block", "stage", "occurred_at")
_REQUIRED: Final = ("id", "source", "specversion", "type")
_TEXTS: Final = ("datacontenttype", "dataschema", "subject", "time")
_NAME: Final = re.compile(r"[a-z0-9]{1,100}", re.ASCII)
_JSON_TYPE: Final = re.compile(r"[a-z]+/([a-z0-9.-]+\+)?json(;.*)?", re.ASCII | re.IGNORECASE)
_HEADER: Final = "HTTP_CE_"


@dataclass(slots=True)
class Event:
    """What an event came to: the value to record, or `problems`.

    `places` says where in the event a field of the value came from.
    """

    value: Any = None
    id: str | None = None
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)

    def bad(self, pointer: str, code: str, message: str) -> None:
        self.problems.append(Problem(pointer, code, message))


def is_binary(headers: Mapping[str, Any]) -> bool:
    """Whether a request of JSON is an event in binary mode; headers as WSGI names them."""
    return f"{_HEADER}SPECVERSION" in headers


def from_headers(headers: Mapping[str, Any], content_type: str, data: object) -> dict[str, Any]:
    """The event of a request in binary mode: attributes in `ce-` headers, data in the body."""
    event: dict[str, Any] = {
        name[len(_HEADER) :].lower(): unquote(text, errors="replace")
        for name, text in headers.items()
        if name.startswith(_HEADER)
    }
    return {**event, "datacontenttype": content_type, "data": data}


def check_attributes(attributes: dict[str, Any], event: Event) -> None:
    for name in _REQUIRED:
        if name not in attributes:
            event.bad(f"/{name}", "required", f"CloudEvents requires the attribute {name}.")
    for name, value in attributes.items():
        where = pointer_to(name)
        if name == "data_base64":
            event.bad(where, "unknown_field", "Only JSON data is read: send it as data.")
        elif not _NAME.fullmatch(name):
            event.bad(where, "bad_name", "An attribute's name is made of a-z and 0-9, at most 100.")
        elif name.startswith("dft") and name not in EXTENSIONS:
            event.bad(
                where,
                "unknown_field",
                f"There is no {shown(name)}; there are {', '.join(EXTENSIONS)}.",
            )
        elif isinstance(value, BadNumber):
            event.bad(where, value.code, NUMBER_SENTENCES[value.code])
        elif name in _REQUIRED or name in _TEXTS:
            _check_text(name, value, event)
        elif not isinstance(value, str | bool | int):
            event.bad(
                where,
                "bad_type",
                f"An attribute is a string, a boolean or an integer, not {kind_of(value)}.",
            )
        elif isinstance(value, str) and SURROGATE.search(value):
            event.bad(where, "bad_unicode", "The text holds half of a surrogate pair.")


def _check_text(name: str, value: object, event: Event) -> None:
    where = f"/{name}"
    if not isinstance(value, str):
        event.bad(where, "bad_type", f"Must be a string, not {kind_of(value)}.")
    elif not value:
        event.bad(where, "too_short", "Must have at least 1 character.")
    elif SURROGATE.search(value):
        event.bad(where, "bad_unicode", "The text holds half of a surrogate pair.")
    elif name == "specversion" and value != SPEC_VERSION:
        event.bad(where, "bad_value", f"Only CloudEvents {SPEC_VERSION} is read.")
    elif name == "datacontenttype" and not _JSON_TYPE.fullmatch(value):
        event.bad(where, "bad_value", "Only JSON data is read, such as application/json.")


def is_record(attributes: dict[str, Any], data: object, event: Event) -> bool:
    """Whether data is a record of ours or of the producer's own making."""
    said = attributes.get("dftdata")
    if said is not None:
        if said not in ("record", "payload"):
            event.bad("/dftdata", "bad_value", "Must be one of record, payload.")
        return said == "record"
    if data is None:
        return True
    if not isinstance(data, dict):
        return False
    status = data.get("status")
    return (
        data.keys() <= RECORD_FIELDS
        or any(name in data for name in _TELLING)
        or isinstance(data.get("object"), dict)
        or (isinstance(status, str) and status in v.STATUSES)
    )
