"""Spans → records: the mapping of docs/opentelemetry.md.

A trace is a transaction, a span the record of a block. Names that begin with `dft.` say what
a service wants to say itself, on the span or, for all its spans, on the resource; everything
else has a default that makes a service useful which has never heard of us.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from tracking import vocabulary as v
from tracking.errors import BadRequest
from tracking.ingest.otlp_end import about, add_cause, time_of
from tracking.ingest.otlp_json import read_json
from tracking.ingest.otlp_protobuf import read_protobuf
from tracking.ingest.otlp_span import (
    CONSUMER,
    ERROR,
    PRODUCER,
    SERVER,
    Attributes,
    Refused,
    Source,
    Span,
    fit_attributes,
    fit_text,
)

PROTOBUF, JSON = OTLP_TYPES = ("application/x-protobuf", "application/json")

# What is said by an attribute of this name is not kept as an attribute.
TOLD: Final = {
    "dft.object.id": "object",
    "dft.object.id.from": "object",
    "dft.object.type": "object",
    "dft.flow": "flow",
    "dft.flow.version": "flow_version",
    "dft.block": "block",
    "dft.stage": "stage",
    "dft.status": "status",
    "dft.transaction": "transaction",
    "dft.attempt": "attempt",
    "dft.reason": "reason",
    "dft.parents": "parents",
    "dft.subject": "subject",
    "dft.final": "final",
}
REFERENCE: Final = "dft.reference."
STAGES: Final = {SERVER: v.INGRESS, CONSUMER: v.INGRESS, PRODUCER: v.EGRESS}
_REMOTE_PARENT: Final = 0x300  # SpanFlags: it is known whether the parent is remote, and it is
_SERVICE_MAX: Final = 40  # of a block's name, so that the span's own name has room
_UNNAMED: Final = "(no name)"
_NO_SERVICE: Final = "unknown_service"
# They describe the SDK, the same on every span of a service.
_NOISE: Final = ("telemetry.", "dft.")
_NS: Final = 10**9


class Translated(NamedTuple):
    """The records of one span, the last of them about its end; or why there are none."""

    span: str
    records: list[dict[str, Any]]
    why: str = ""


def read_spans(body: bytes, media_type: str) -> Iterator[tuple[Source, Span | Refused]]:
    """The spans of a request; raises BadRequest before the first one when it is unreadable."""
    if media_type == PROTOBUF:
        return read_protobuf(body)
    if not body.strip():
        raise BadRequest("bad_json", "The body is empty; no spans are {}.", 0)
    return read_json(body)


def translate(
    spans: Iterator[tuple[Source, Span | Refused]], moment: datetime
) -> Iterator[Translated]:
    """The records of each span; the door checks them (`accept`), against the same moment."""
    latest = int((moment + v.AHEAD_MAX).timestamp() * _NS)
    seen: Source | None = None
    common = _Common(Source({}))
    for source, span in spans:
        if isinstance(span, Refused):
            yield Translated(span.span, [], span.why)
            continue
        if source is not seen:
            seen, common = source, _Common(source)
        why = _refusal(span, latest)
        yield Translated(span.id, [] if why else _records(span, common), why)


def _refusal(span: Span, latest: int) -> str:
    if not _is_id(span.trace, 32):
        return "trace_id must be 16 bytes that are not all zero."
    if not _is_id(span.id, 16):
        return "span_id must be 8 bytes that are not all zero."
    if not (span.start and span.end):
        return "It needs a start and an end time; one of them is zero."
    if span.start > latest or span.end > latest:
        return "It lies more than 24 hours ahead of the server's clock."
    return ""


def _is_id(text: str, length: int) -> bool:
    return len(text) == length and text.strip("0") != "" and _HEX.issuperset(text)


_HEX: Final = frozenset("0123456789abcdef")


class _Common:
    """What the spans of one source share, prepared once."""

    def __init__(self, source: Source) -> None:
        resource = source.resource
        self.told = {name: value for name, value in resource.items() if name.startswith("dft.")}
        self.service = _line(resource.get("service.name"), v.NAME_MAX) or _NO_SERVICE
        self.flow = _line(resource.get("service.namespace"), v.NAME_MAX) or self.service
        self.scope = {
            "otel.scope.name": source.scope_name or None,
            "otel.scope.version": source.scope_version or None,
            **source.scope,
        }
        self.resource = {
            name: value for name, value in resource.items() if not name.startswith(_NOISE)
        }
        self.resource.update(
            {name: value for name, value in self.told.items() if not _is_told(name)}
        )


def _is_told(name: str) -> bool:
    return name in TOLD or name.startswith(REFERENCE)


def _records(span: Span, common: _Common) -> list[dict[str, Any]]:
    told = common.told
    own = {name: value for name, value in span.attributes.items() if name.startswith("dft.")}
    if own:
        told = {**told, **own}
    name = f"{span.trace}-{span.id}"
    begun, ended = min(span.start, span.end), span.end
    record: dict[str, Any] = {
        "id": name,
        "transaction": _told(told, "dft.transaction", span.trace),
        "flow": _told(told, "dft.flow", common.flow),
        "block": _told(told, "dft.block", None) or _block(span, common, told),
        "stage": _told(told, "dft.stage", STAGES.get(span.kind, v.PROCESSING)),
        "status": _told(told, "dft.status", v.FAILED if span.status == ERROR else v.SUCCEEDED),
        "occurred_at": time_of(ended),
    }
    record["object"] = _object(span, told, record["transaction"])
    parents = _parents(span, told, record["transaction"])
    if parents:
        record["parents"] = parents[: v.PARENTS_MAX]
    if told:
        _add_told(record, told)
    records = []
    is_entry = _is_entry(span)
    ends = isinstance(record["status"], str) and record["status"] in v.TERMINAL
    if is_entry and ends and begun < ended:
        # The first event of a trace names its flow and object (docs/status-rules.md, F1), and
        # of spans that enclose each other the outermost ends last.
        records.append(
            {**record, "id": f"{name}-start", "status": v.STARTED, "occurred_at": time_of(begun)}
        )
    if span.start <= span.end:
        record["started_at"] = time_of(span.start)
    add_cause(record, span, told)
    if _is_final(told, is_entry):
        record["final"] = True
    lost = span.dropped + max(0, len(parents) - v.PARENTS_MAX)
    own_attributes = span.attributes
    if own:
        own_attributes = {n: a for n, a in own_attributes.items() if not _is_told(n)}
    record["attributes"] = fit_attributes(
        (about(span), own_attributes, common.scope, common.resource), lost
    )
    records.append(record)
    return records


def _told(told: Attributes, name: str, default: Any) -> Any:
    value = told.get(name)
    if value is None or value == "":
        return default
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _block(span: Span, common: _Common, told: Attributes) -> str:
    name = _line(span.name, v.NAME_MAX) or _UNNAMED
    if _told(told, "dft.flow", None):
        return name
    # Client and server of a call often name their spans alike, and they are two blocks.
    return fit_text(f"{fit_text(common.service, _SERVICE_MAX)[0]}: {name}", v.NAME_MAX)[0]


def _line(value: object, most: int) -> str:
    return " ".join(fit_text(value, most)[0].split()) if isinstance(value, str) else ""


def _object(span: Span, told: Attributes, transaction: Any) -> dict[str, Any]:
    id = _told(told, "dft.object.id", None)
    source = told.get("dft.object.id.from")
    if id is None and isinstance(source, str):
        id = _told(span.attributes, source, None)
    if id is None:
        return {"id": transaction, "type": v.TRACE_OBJECT}
    return {"id": id, "type": _told(told, "dft.object.type", "object")}


def _parents(span: Span, told: Attributes, transaction: Any) -> list[Any]:
    said = told.get("dft.parents")
    parents = said if isinstance(said, list) else [] if said is None else [said]
    linked = [trace for trace in span.links if trace != transaction and _is_id(trace, 32)]
    return list(dict.fromkeys([*map(_hashable, parents), *linked]))


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str) else str(value)


def _add_told(record: dict[str, Any], told: Attributes) -> None:
    for name, field in (("dft.flow.version", "flow_version"), ("dft.subject", "subject")):
        value = _told(told, name, None)
        if value is not None:
            record[field] = value
    attempt = told.get("dft.attempt")
    if attempt is not None:
        is_number = isinstance(attempt, str) and attempt.isascii() and attempt.isdigit()
        record["attempt"] = int(attempt) if is_number and len(attempt) < 10 else attempt
    references = {
        name[len(REFERENCE) :]: _reference(value)
        for name, value in told.items()
        if name.startswith(REFERENCE) and value is not None and value != ""
    }
    if references:
        record["references"] = references


def _reference(value: Any) -> Any:
    if isinstance(value, list):
        return [_reference(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _is_entry(span: Span) -> bool:
    """Whether it is where a service takes the work up: the first span, or one called from afar."""
    return (
        not span.parent.strip("0")
        or span.kind in (SERVER, CONSUMER)
        or span.flags & _REMOTE_PARENT == _REMOTE_PARENT
    )


def _is_final(told: Attributes, is_entry: bool) -> bool:
    said = told.get("dft.final")
    if said is not None:
        return said is True or (isinstance(said, str) and said.lower() == "true")
    return is_entry and told.get("dft.transaction") is None
