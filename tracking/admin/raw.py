"""A stored journal document, as its page and its transaction's page show it to somebody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.utils.safestring import SafeString

from tracking.access.masking import Masking, has_masked
from tracking.admin.display import quantity, stamp, value
from tracking.core.canonical import leaf_hash
from tracking.core.lifetime import record_id

Line = tuple[str, SafeString | str]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """The parts of a record that a page shows, and all of it as JSON."""

    id: str
    key: str
    status: str
    block: str
    attempt: int
    occurred: str
    recorded: str
    receipt: str
    json: str
    reason: str
    exception: Mapping[str, str]
    attributes: list[Line]
    references: list[Line]
    usage: list[Line]
    cost: str
    payload: list[Line]
    subject: SafeString | str
    erased: bool
    corrects: str | None
    masked: bool


def raw_record(stored: Mapping[str, Any], masking: Masking) -> RawRecord:
    """From the whole stored document, whose receipt is made here from what is stored now."""
    document = masking.document(stored)
    part = document.get("part") or {}
    cost = part.get("cost")
    return RawRecord(
        id=record_id(document),
        key=document["_id"],
        status=document["status"],
        block=document["block"],
        attempt=document["attempt"],
        occurred=stamp(document["occurred_at"]),
        recorded=stamp(document["recorded_at"]),
        receipt=leaf_hash(stored).hex(),
        json=as_json(document),
        reason=part.get("reason", ""),
        exception=part.get("exception") or {},
        attributes=attribute_lines(part.get("attributes")),
        references=[(r["name"], _joined(r["values"])) for r in part.get("references") or ()],
        usage=[
            (u["resource"], f"{quantity(u['quantity'])} {u['unit']}")
            for u in part.get("usage") or ()
        ],
        cost=f"{cost['amount']} {cost['currency']}" if cost else "",
        payload=[(name, _text(each)) for name, each in (part.get("payload") or {}).items()],
        subject=value(part.get("subject", "")),
        erased="salt" not in document,
        corrects=document.get("corrects"),
        masked=has_masked(document),
    )


def attribute_lines(attributes: Any) -> list[Line]:
    """Attributes are stored as name–value pairs."""
    return [(pair["name"], _text(pair["value"])) for pair in attributes or ()]


def _text(found: object) -> SafeString | str:
    return value(found if isinstance(found, str) else orjson.dumps(found).decode())


def _joined(values: list[str]) -> SafeString | str:
    return value(values[0]) if len(values) == 1 else ", ".join(values)


def as_json(document: Mapping[str, Any]) -> str:
    options = orjson.OPT_INDENT_2
    return orjson.dumps(_plain(document), option=options).decode()


def _plain(found: Any) -> Any:
    if isinstance(found, datetime):
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(found, bytes):
        return found.hex()
    if isinstance(found, Mapping):
        return {str(name): _plain(item) for name, item in found.items()}
    if isinstance(found, list):
        return [_plain(item) for item in found]
    return found
