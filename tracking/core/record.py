"""Wire → record, or the full list of what is wrong with it (docs/api.md, "A record").

`read_record` never raises on any decoded JSON value. A `Record` holds what will be stored:
`header`, the fields that are hashed in the clear, and `part`, the erasable fields that are
hashed behind a salted commitment. Absent fields are absent in both, never null.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from tracking import vocabulary as v
from tracking.core.canonical import Fragments, canonical, fragments_of
from tracking.core.checks import BadNumber, Problem, is_too_deep, kind_of, pointer_to, shown
from tracking.core.parts import PartChecks

__all__ = ["BadNumber", "Problem", "Record", "default_transaction", "lane_of", "read_record"]


# What the server adds to a stored record; everything else in it is the producer's content.
SERVER_FIELDS: Final = frozenset(
    "_id v tenant lane recorded_at marks producer batch index salt part_hash part".split()
)


@dataclass(slots=True, eq=False)
class Record:
    """A valid record in its stored form (docs/integrity.md).

    `header`: the stored document without the part; what the server adds may stand there with any
    value until it is written. Its times are UTC without saying so, which the driver writes
    fastest. `fragments`, `part_bytes`: the canonical text of either.
    """

    id: str
    header: dict[str, Any]
    fragments: Fragments
    part: dict[str, Any]
    part_bytes: bytes

    def content(self) -> dict[str, Any]:
        """The header without what the server adds."""
        return content_of(self.header)


def content_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the producer said in the clear of a stored record."""
    return {name: value for name, value in document.items() if name not in SERVER_FIELDS}


_FIELDS: Final = frozenset(
    "id object flow flow_version block transaction stage status occurred_at queued_at started_at"
    " ended_at attempt reason exception attributes references parents usage cost payload subject"
    " corrects final".split()
)
_TIMES: Final = ("occurred_at", "queued_at", "started_at", "ended_at")


def default_transaction(flow: str, object_type: str, object_id: str) -> str:
    """One object's pass through one flow is one transaction, unless the producer says more."""
    digest = hashlib.sha256(f"{flow}\n{object_type}\n{object_id}".encode()).hexdigest()
    return f"tx-{digest[:32]}"


def lane_of(tenant: str, transaction: str) -> int:
    """The shard lane: first two bytes of SHA-256(tenant/transaction) mod 64."""
    digest = hashlib.sha256(f"{tenant}/{transaction}".encode()).digest()
    return int.from_bytes(digest[:2], "big") % v.LANES


def read_record(wire: object, *, now: datetime) -> Record | list[Problem]:
    """Check one decoded JSON value against the contract; `now` bounds future times."""
    if not isinstance(wire, dict):
        problems = [
            Problem("", "bad_type", f"A record must be a JSON object, not {kind_of(wire)}.")
        ]
    else:
        reader = _Reader(wire, now)
        record = reader.read()
        if record is not None and not reader.problems:
            return record
        problems = reader.problems
    # No valid record comes near the limit, so only the invalid ones are measured.
    if is_too_deep(wire):
        return [Problem("", "too_deep", f"Nested deeper than {v.DEPTH_MAX} levels.")]
    return problems[: v.PROBLEMS_MAX]


class _Reader(PartChecks):
    """Walks one record, collecting every problem rather than stopping at the first."""

    __slots__ = ("header", "part", "wire")

    def __init__(self, wire: dict[Any, Any], now: datetime) -> None:
        super().__init__(now)
        self.wire = wire
        self.header: dict[str, Any] = {}
        self.part: dict[str, Any] = {}

    # --- the walk ---------------------------------------------------------------------

    def read(self) -> Record | None:
        wire, header = self.wire, self.header
        for name in sorted(wire.keys() - _FIELDS)[: v.PROBLEMS_MAX]:
            self.bad(
                pointer_to(name),
                "unknown_field",
                f"{shown(name)} is not a field of a record.",
            )

        self.put(header, "id", self.required("id", self.identifier))
        self.read_object()
        self.put(header, "flow", self.required("flow", self.name))
        self.put(header, "flow_version", self.optional("flow_version", self.name))
        self.put(header, "block", self.required("block", self.name))
        self.put(header, "transaction", self.optional("transaction", self.identifier))
        self.put(header, "stage", self.required("stage", self.one_of(v.STAGES)))
        self.put(header, "status", self.required("status", self.one_of(v.STATUSES)))
        header["attempt"] = self.read_attempt()
        self.read_times()
        self.put(header, "parents", self.optional("parents", self.parents))
        self.put(header, "corrects", self.optional("corrects", self.identifier))
        if self.optional("final", self.boolean):
            header["final"] = True

        part = self.part
        self.put(part, "reason", self.optional("reason", self.text(v.REASON_MAX)) or None)
        self.put(part, "exception", self.optional("exception", self.exception))
        self.put(part, "attributes", self.optional("attributes", self.attributes) or None)
        self.put(part, "references", self.optional("references", self.references) or None)
        self.put(part, "usage", self.optional("usage", self.usage) or None)
        self.put(part, "cost", self.optional("cost", self.cost))
        self.put(part, "payload", self.optional("payload", self.payload))
        self.put(part, "subject", self.optional("subject", self.line(v.SUBJECT_MAX)) or None)

        self.check_together()
        if self.problems:
            return None
        self.check_size()
        if "transaction" not in header:
            header["transaction"] = default_transaction(
                header["flow"], header["object_type"], header["object_id"]
            )
        if header["transaction"] in header.get("parents", ()):
            self.bad("/parents", "self_reference", "A transaction cannot be its own parent.")
        id = header.pop("id")
        for name in _TIMES:
            if name in header:
                header[name] = header[name].replace(tzinfo=None)
        return Record(id, header, fragments_of(header), part, canonical(part))

    def required(self, name: str, check: Callable[[str, Any], Any]) -> Any:
        if name not in self.wire:
            self.bad(f"/{name}", "required", f"{name} is required.")
            return None
        return check(f"/{name}", self.wire[name])

    def optional(self, name: str, check: Callable[[str, Any], Any]) -> Any:
        return check(f"/{name}", self.wire[name]) if name in self.wire else None

    def read_object(self) -> None:
        value = self.required("object", self.mapping({"id", "type"}, required=("id", "type")))
        if value is None:
            return
        for name, target, most in (
            ("id", "object_id", v.OBJECT_ID_MAX),
            ("type", "object_type", v.NAME_MAX),
        ):
            if name in value:
                self.put(
                    self.header,
                    target,
                    self.line(most, least=1)(f"/object/{name}", value[name]),
                )

    def read_attempt(self) -> int:
        value = self.optional("attempt", self.integer(1, v.ATTEMPT_MAX))
        return 1 if value is None else int(value)

    def read_times(self) -> None:
        header = self.header
        self.put(header, "occurred_at", self.required("occurred_at", self.time))
        previous: tuple[str, datetime] | None = None
        for name in _TIMES[1:]:
            moment = self.optional(name, self.time)
            if moment is None:
                continue
            header[name] = moment
            if previous is not None and moment < previous[1]:
                self.bad(f"/{name}", "time_order", f"{name} lies before {previous[0]}.")
            previous = (name, moment)

    def check_together(self) -> None:
        status = self.header.get("status")
        has_reason, has_exception = "reason" in self.part, "exception" in self.wire
        if status == v.FAILED and not (has_reason or has_exception):
            self.bad(
                "/reason",
                "cause_required",
                "A failed record needs a reason or an exception.",
            )
        if status == v.FILTERED and not has_reason:
            self.bad("/reason", "cause_required", "A filtered record needs a reason.")
        if "corrects" in self.header and self.header["corrects"] == self.header.get("id"):
            self.bad("/corrects", "self_reference", "A record cannot correct itself.")

    def check_size(self) -> None:
        size = len(orjson.dumps(self.wire))
        if size > v.RECORD_BYTES_MAX:
            self.bad(
                "",
                "too_large",
                f"The record has {size} bytes; at most {v.RECORD_BYTES_MAX} are allowed.",
            )
