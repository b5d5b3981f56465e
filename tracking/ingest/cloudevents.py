"""CloudEvents 1.0 → records: the mapping of docs/cloudevents.md.

An event's `data` is a record of ours, whole or in part, or any JSON of the producer's own,
which is then kept as the payload. What a record lacks comes from the event's attributes. An
event is checked like a record: everything wrong with it is named, by pointers into the event.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from tracking import vocabulary as v
from tracking.core.checks import (
    Problem,
    is_too_deep,
    kind_of,
)
from tracking.ingest.accept import Result
from tracking.ingest.cloudevents_envelope import EXTENSIONS, Event, check_attributes, is_record

_NOT_KEPT: Final = frozenset(("specversion", "datacontenttype", "time", "data", *EXTENSIONS))
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*", re.ASCII)
# What is left of an id for the producer's own, with ~ and 12 digits of the source.
_OWN_ID: Final = re.compile(r"[A-Za-z0-9._:~-]{1,115}", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,10}", re.ASCII)


def read_event(wire: object) -> Event:
    """Translate one event; never raises on any decoded JSON value."""
    event = Event()
    if not isinstance(wire, dict):
        event.bad("", "bad_type", f"An event must be a JSON object, not {kind_of(wire)}.")
        return event
    if is_too_deep(wire):
        event.bad("", "too_deep", f"Nested deeper than {v.DEPTH_MAX} levels.")
        return event
    # The specification makes null the same as absent; of data, null is a value like others.
    attributes = {n: a for n, a in wire.items() if n != "data" and a is not None}
    check_attributes(attributes, event)
    data = wire.get("data")
    of_ours = is_record(attributes, data, event)
    if not event.problems:
        event.id = _record_id(attributes)
        value = _translate(attributes, data, of_ours, event)
        event.value = None if event.problems else value
    return event


def explain(results: Sequence[Result], events: Sequence[Event]) -> None:
    """Turn the door's answers about records into answers about the events they came from."""
    for result, event in zip(results, events, strict=True):
        result.id = result.id or event.id
        if event.problems:
            result.errors = event.problems[: v.PROBLEMS_MAX]
        elif result.errors:
            result.errors = [_in_event(problem, event.places) for problem in result.errors]


def _in_event(problem: Problem, places: Mapping[str, str]) -> Problem:
    message = problem.message
    if problem.code == "unknown_field":
        message += " Data that is no record of ours needs the attribute dftdata: payload."
    return Problem(_place(problem.pointer, places), problem.code, message)


def _place(pointer: str, places: Mapping[str, str]) -> str:
    """Where in the event: the longest known beginning of the pointer, else within data."""
    if not pointer:
        return pointer
    at = pointer
    while at:
        if at in places:
            # What an attribute filled has no parts of its own.
            return places[at] + (pointer[len(at) :] if places[at].startswith("/data") else "")
        at = at.rpartition("/")[0]
    return f"/data{pointer}"


# --- Making the record -----------------------------------------------------------------------


def _translate(
    attributes: dict[str, Any], data: Any, of_ours: bool, event: Event
) -> dict[str, Any]:
    value: dict[str, Any] = {}
    if of_ours:
        if data is not None and not isinstance(data, dict):
            event.bad("/data", "bad_type", f"A record is an object, not {kind_of(data)}.")
            return value
        value.update(data or {})
    else:
        value["payload"] = _payload(attributes, data, event)
    kind = attributes["type"]
    noun = kind.rpartition(".")[0] or kind  # of com.example.order.created: com.example.order
    fills: dict[str, tuple[str, Any]] = {
        "id": ("id", event.id),
        "flow": ("type", noun),
        "block": ("type", kind),
        "stage": ("type", v.PROCESSING),
        "status": ("type", v.SUCCEEDED),
    }
    if "time" in attributes:
        fills["occurred_at"] = ("time", attributes["time"])
    for name, target in EXTENSIONS.items():
        if name in attributes and target not in ("object", "payload"):
            fills[target] = (name, _typed(target, attributes[name]))
    for target, (name, given) in fills.items():
        if target not in value:
            value[target] = given
            event.places[f"/{target}"] = f"/{name}"
    _fill_object(value, attributes, noun, event)
    if "occurred_at" not in value:
        event.places["/occurred_at"] = "/time"
    _add_envelope(value, attributes, event)
    return value


def _typed(target: str, given: Any) -> Any:
    """The value as the field wants it; in binary mode every attribute is a text."""
    if target == "parents":
        return [given]
    if target == "final" and given in ("true", "false"):
        return given == "true"
    if target == "attempt" and isinstance(given, str) and _INTEGER.fullmatch(given):
        return int(given)
    if target in ("attempt", "final") or isinstance(given, str):
        return given
    return str(given)


def _fill_object(
    value: dict[str, Any], attributes: dict[str, Any], noun: str, event: Event
) -> None:
    given = value.get("object", {})
    if not isinstance(given, dict):
        return  # the door finds the words
    filled = dict(given)
    for part, names in (("id", ("dftobjectid", "subject")), ("type", ("dftobjecttype",))):
        if part in filled:
            continue
        name = next((name for name in names if name in attributes), None)
        if name is not None:
            filled[part] = str(attributes[name])
        elif part == "type":
            filled[part] = noun
        event.places[f"/object/{part}"] = f"/{name or ('subject' if part == 'id' else 'type')}"
    value["object"] = filled


def _record_id(attributes: dict[str, Any]) -> str:
    """CloudEvents are unique by source and id, records by id alone."""
    source, own = attributes["source"], attributes["id"]
    if _OWN_ID.fullmatch(own):
        return f"{own}~{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    return "ce-" + hashlib.sha256(f"{source}\n{own}".encode()).hexdigest()[:32]


def _add_envelope(value: dict[str, Any], attributes: dict[str, Any], event: Event) -> None:
    """Keep what the envelope says beyond the record's fields, where data does not name it."""
    own = value.get("attributes", {})
    if isinstance(own, dict):
        added = {
            f"ce.{name}": given
            for name, given in attributes.items()
            if name not in _NOT_KEPT and f"ce.{name}" not in own
        }
        value["attributes"] = {**added, **own}
        event.places.update(
            {f"/attributes/{name}": f"/{name.removeprefix('ce.')}" for name in added}
        )
    trace = _TRACEPARENT.fullmatch(str(attributes.get("traceparent", "")))
    references = value.get("references", {})
    if trace and isinstance(references, dict) and len(references) < v.REFERENCES_MAX:
        value["references"] = {"trace": trace[1], **references}
        event.places.setdefault("/references/trace", "/traceparent")


def _payload(attributes: dict[str, Any], data: Any, event: Event) -> dict[str, Any]:
    try:
        content = orjson.dumps(data)
    except orjson.JSONEncodeError:
        event.bad("/data", "bad_value", "Holds a number out of range or half of a surrogate pair.")
        return {}
    payload: dict[str, Any] = {
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
        "content_type": attributes.get("datacontenttype", "application/json"),
    }
    event.places["/payload"] = "/data"
    event.places["/payload/content_type"] = "/datacontenttype"
    if len(content) <= v.PAYLOAD_CONTENT_BYTES_MAX:
        payload["content"] = content.decode()
    return payload
