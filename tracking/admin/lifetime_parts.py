"""What a lifetime's page reads beside the lifetime: details of blocks, relatives, raw records.

Each is bounded by number and by bytes; what does not fit is one click away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.access.masking import Masked, Masking
from tracking.admin import display as show
from tracking.admin.raw import Line, RawRecord, attribute_lines, raw_record
from tracking.admin.timeline import Row
from tracking.core.lifetime import Lifetime
from tracking.models import Transaction
from tracking.mongo.connection import collection
from tracking.projection.corrections import Corrections, corrections_of

RECORDS_SHOWN: Final = 200
RELATIVES_SHOWN: Final = 100
_CORRECTIONS_SHOWN: Final = 50
# Stack traces and attributes of many blocks, or 200 records of 128 KiB, would make a page of
# megabytes; what does not fit is one click away on the record's own page.
_DETAIL_BYTES: Final = 1_000_000
_JSON_BYTES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Relative:
    id: str
    url: str
    text: str
    labels: SafeString | None


@dataclass(slots=True)
class Detail:
    """What a block's row unfolds to."""

    reason: str = ""
    exception: Mapping[str, str] = field(default_factory=dict)
    stack: str = ""
    exception_record: str = ""
    exception_url: str = ""
    overcome: bool = False
    deciding_url: str = ""
    attributes: list[Line] = field(default_factory=list)
    usage: list[Line] = field(default_factory=list)
    costs: list[str] = field(default_factory=list)
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A raw record on the page; `json` is empty where the page is full."""

    raw: RawRecord
    label: SafeString
    url: str
    withdrawn_by: list[tuple[str, str]]
    corrects: list[tuple[str, str]]
    json: str


@dataclass(frozen=True, slots=True)
class Reference:
    """`sought`: what to search by for others that have it; empty where it is masked."""

    name: str
    text: SafeString | str
    sought: str


def references_of(life: Lifetime, masking: Masking) -> list[Reference]:
    return [
        Reference(name, show.value(text), "" if isinstance(text, Masked) else text)
        for name, text in masking.references(life.references)
    ]


def with_details(
    tenant: str, rows: list[Row], masking: Masking, *, raw: bool
) -> list[tuple[Row, Detail]]:
    """Rows with what they unfold to; the failing and the opened block come first in line."""
    parts = _parts(tenant, rows, masking) if raw else {}
    found = []
    for row in rows:
        detail = Detail()
        block = row.block
        if block is not None:
            deciding = parts.get(row.deciding, {})
            thrower = block.exception_record or ""
            detail = Detail(
                reason=block.reason or "",
                exception=block.exception or {},
                stack=parts.get(thrower, {}).get("exception", {}).get("stacktrace", ""),
                exception_record=thrower,
                exception_url=show.record_url(f"{tenant}/{thrower}") if thrower else "",
                overcome=bool(thrower) and block.status != v.FAILED,
                deciding_url=show.record_url(f"{tenant}/{row.deciding}"),
                attributes=attribute_lines(deciding.get("attributes")),
                usage=[
                    (resource, f"{show.quantity(quantity)} {unit}")
                    for (resource, unit), quantity in sorted(block.usage.items())
                ],
                costs=[show.amount(a, c) for c, a in sorted(block.costs.items())],
                left_out=raw and row.deciding not in parts,
            )
        found.append((row, detail))
    return found


def _parts(tenant: str, rows: list[Row], masking: Masking) -> dict[str, Mapping[str, Any]]:
    """Attributes and stack traces by record id, as many as fit on a page."""
    wanted: dict[str, None] = {}
    for row in sorted(rows, key=lambda row: not (row.failing or row.opened)):
        if row.block is not None:
            wanted[row.deciding] = None
            if row.block.exception_record:
                wanted[row.block.exception_record] = None
    ids = list(wanted)
    found: dict[str, Mapping[str, Any]] = {}
    room = _DETAIL_BYTES
    for start in range(0, len(ids), 20):
        rows_read = collection("journal").find(
            {"_id": {"$in": [f"{tenant}/{id}" for id in ids[start : start + 20]]}},
            {"part.attributes": 1, "part.exception.stacktrace": 1},
        )
        for document in rows_read:
            part = masking.part(document.get("part"))
            room -= len(str(part))
            found[document["_id"].partition("/")[2]] = part
        if room <= 0:
            break
    return found


def parents_of(
    visible: QuerySet[Transaction], tenant: str, life: Lifetime, now: datetime
) -> tuple[list[Relative], int]:
    ids = life.parents[:RELATIVES_SHOWN]
    keys = [f"{tenant}/{id}" for id in ids]
    known = {row.transaction: row for row in visible.filter(pk__in=keys)} if ids else {}
    shown = [_relative(tenant, id, known.get(id), now) for id in ids]
    return shown, len(life.parents) - len(ids)


def children_of(
    visible: QuerySet[Transaction], tenant: str, transaction: str, now: datetime
) -> tuple[list[Relative], bool]:
    rows = list(
        visible.filter(tenant_id=tenant, parents__holds=transaction).order_by()[
            : RELATIVES_SHOWN + 1
        ]
    )
    shown = [_relative(tenant, row.transaction, row, now) for row in rows[:RELATIVES_SHOWN]]
    return shown, len(rows) > RELATIVES_SHOWN


def _relative(tenant: str, id: str, row: Transaction | None, now: datetime) -> Relative:
    url = show.transaction_url(tenant, id)
    if row is None:
        return Relative(id, url, "not recorded yet", None)
    text = f"{row.object_type} {row.object_id}"
    return Relative(id, url, text, show.labels(show.states_of(row, now)))


def records_of(tenant: str, transaction: str, life: Lifetime, masking: Masking) -> list[Shown]:
    query = {"tenant": tenant, "transaction": transaction}
    rows = collection("journal").find(query).sort("occurred_at", 1).limit(RECORDS_SHOWN)
    corrections = corrections_of(tenant, transaction) if life.withdrawn else Corrections()
    rows = list(rows)
    here = {document["_id"].partition("/")[2] for document in rows}

    def linked(ids: list[str]) -> list[tuple[str, str]]:
        # a record that is on the page is a jump away, any other has its own page
        return [
            (id, f"#record-{id}" if id in here else show.record_url(f"{tenant}/{id}"))
            for id in ids[:_CORRECTIONS_SHOWN]
        ]

    shown, room = [], _JSON_BYTES
    for document in rows:
        raw = raw_record(document, masking)
        room -= len(raw.json)
        shown.append(
            Shown(
                raw=raw,
                label=show.label(raw.status),
                url=show.record_url(raw.key),
                withdrawn_by=linked(corrections.withdrawn_by.get(raw.id, [])),
                corrects=linked([raw.corrects] if raw.corrects else []),
                json=raw.json if room > 0 else "",
            )
        )
    return shown
