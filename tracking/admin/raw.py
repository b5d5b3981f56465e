"""A stored journal document, as its page and its transaction's page show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from tracking.admin.display import quantity, stamp
from tracking.core.canonical import leaf_hash
from tracking.core.lifetime import record_id

Line = tuple[str, str]


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
    subject: str
    erased: bool
    corrects: str | None


def raw_record(document: Mapping[str, Any]) -> RawRecord:
    """From the whole stored document, whose receipt is made here from what is stored now."""
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
        receipt=leaf_hash(document).hex(),
        json=as_json(document),
        reason=part.get("reason", ""),
        exception=part.get("exception") or {},
        attributes=attribute_lines(part.get("attributes")),
        references=[(r["name"], ", ".join(r["values"])) for r in part.get("references") or ()],
        usage=[
            (u["resource"], f"{quantity(u['quantity'])} {u['unit']}")
            for u in part.get("usage") or ()
        ],
        cost=f"{cost['amount']} {cost['currency']}" if cost else "",
        payload=[(name, str(value)) for name, value in (part.get("payload") or {}).items()],
        subject=part.get("subject", ""),
        erased="salt" not in document,
        corrects=document.get("corrects"),
    )


def attribute_lines(attributes: Any) -> list[Line]:
    """Attributes are stored as name–value pairs."""
    return [(pair["name"], _text(pair["value"])) for pair in attributes or ()]


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def as_json(document: Mapping[str, Any]) -> str:
    options = orjson.OPT_INDENT_2
    return orjson.dumps(_plain(document), option=options).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
