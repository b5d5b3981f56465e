"""An access as a record of the journal, and its way there.

object       who: {"type": user | key | operator | stranger, "id": never a name}
flow, block  "access", the action;  stage: egress for what was shown, ingress for signing in
status       succeeded, or skipped (not found), filtered (refused), failed, with a reason
transaction  the session, key or command that it belongs to
parents      the transactions that were looked at
attributes   names, addresses, pages, search terms, changes: erasable like all of them
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pymongo.errors import PyMongoError

from tracking import clock
from tracking import vocabulary as v
from tracking.access.scope import access_tenant
from tracking.core.checks import CONTROL_TEXT, SURROGATE
from tracking.core.record import Record, read_record
from tracking.errors import DatabaseUnavailable, DftError, WriteRefused
from tracking.ingest.writer import append_together

PRODUCER: Final = "access"
_TEXT_MAX: Final = 500
_TERMS_MAX: Final = 40
_VALUES_MAX: Final = 20
_BYTES_MAX: Final = 16 * 1024
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.\[\]-]")

_STATUSES: Final = {
    v.ACCESS_DONE: v.SUCCEEDED,
    v.ACCESS_NOT_FOUND: v.SKIPPED,
    v.ACCESS_REFUSED: v.FILTERED,
    v.ACCESS_FAILED: v.FAILED,
}
OUTCOMES: Final = {status: outcome for outcome, status in _STATUSES.items()}
_STAGES: Final = {
    v.VERIFY: v.PROCESSING,
    v.CHANGE: v.PROCESSING,
    v.SIGN_IN: v.INGRESS,
    v.SIGN_OUT: v.INGRESS,
}


class NotRecorded(DftError):
    """An access could not be written down, so what it would show is not shown."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who: `id` is a key of ours, `name` what people call them, `session` what it belongs to."""

    kind: str
    id: str
    name: str = ""
    roles: tuple[str, ...] = ()
    session: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """One access, as the surfaces see it; whatever it holds is cut to what a record can hold.

    `tenants`: whose data it was about; none: the installation's own. `terms`: what was asked for,
    `changes`: fields with what they were and what they became.
    """

    actor: Actor
    moment: datetime
    action: str
    outcome: str
    tenants: Sequence[str] = ()
    via: str = ""
    page: str = ""
    method: str = ""
    status: int = 0
    address: str = ""
    agent: str = ""
    transactions: Sequence[str] = ()
    record: str = ""
    target: str = ""
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    changes: Sequence[tuple[str, str, str]] = ()
    reason: str = ""


def record_accesses(accesses: Iterable[Access]) -> None:
    """Write all of them down, for each tenant that they are about, in one transaction.

    On disk on a majority when it returns; raises NotRecorded where that cannot be said.
    """
    posts = [
        (access_tenant(tenant), PRODUCER, [_record_of(access)], access.moment)
        for access in accesses
        for tenant in access.tenants or ("",)
    ]
    try:
        if posts and None in append_together(posts):
            raise NotRecorded("An access record of this id is there already.")
    except (DatabaseUnavailable, WriteRefused, PyMongoError) as error:
        # the driver's own text may quote what was to be written
        raise NotRecorded(f"The access could not be recorded: {type(error).__name__}.") from None


def record_access(access: Access) -> None:
    record_accesses((access,))


def session_name(kind: str, key: str) -> str:
    """What is done in one session belongs together; its key would open it, so a hash names it."""
    return f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _record_of(access: Access) -> Record:
    found = read_record(wire_of(access), now=access.moment)
    if not isinstance(found, Record):
        raise NotRecorded(f"The access makes no record: {found[0].pointer} {found[0].message}")
    return found


def wire_of(access: Access) -> dict[str, Any]:
    """The access as a record that would be posted; valid whatever the access holds."""
    actor = access.actor
    parents = list(dict.fromkeys(filter(v.ID_PATTERN.fullmatch, access.transactions)))
    status = _STATUSES[access.outcome]
    wire: dict[str, Any] = {
        "id": clock.uuid7(access.moment),
        "object": {"id": line(actor.id, v.OBJECT_ID_MAX) or "unknown", "type": actor.kind},
        "flow": v.ACCESS_FLOW,
        "block": access.action,
        "transaction": actor.session or actor.kind,
        "stage": _STAGES.get(access.action, v.EGRESS),
        "status": status,
        "occurred_at": clock.iso(access.moment),
        "attributes": _attributes(access, len(parents)),
    }
    if parents:
        wire["parents"] = parents[: v.PARENTS_MAX]
    reason = text(access.reason) or (access.outcome if status != v.SUCCEEDED else "")
    if reason:
        wire["reason"] = reason
    return wire


def _attributes(access: Access, transactions: int) -> dict[str, Any]:
    room = _Room()
    room.put("who", line(access.actor.name))
    room.put("roles", [line(role) for role in access.actor.roles][:_VALUES_MAX])
    for name in ("via", "page", "method", "address", "agent", "record", "target"):
        room.put(name, line(getattr(access, name)))
    if access.status:
        room.put("status", access.status)
    if transactions > v.PARENTS_MAX:
        room.put("transactions", transactions)
    for name, old, new in access.changes:
        room.put(f"changed.{_named(name)}", [text(old), text(new)])
    for name, values in list(access.terms.items())[:_TERMS_MAX]:
        room.put(f"term.{_named(name)}", [text(value) for value in values[:_VALUES_MAX]])
    if room.full or len(access.terms) > _TERMS_MAX:
        room.found["cut"] = True
    return room.found


class _Room:
    """Attributes up to what a record takes; what was too much is missed by `full`."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.left = _BYTES_MAX
        self.full = False

    def put(self, name: str, value: Any) -> None:
        if value == "" or value == []:
            return
        texts = value if isinstance(value, list) else [value]
        # an escaped character takes up to six bytes of the JSON that is measured
        size = len(name) + sum(6 + len(repr(str(each)).encode()) * 2 for each in texts)
        if size > self.left or len(self.found) >= v.ATTRIBUTES_MAX - 1:
            self.full = True
            return
        self.left -= size
        if name in self.found and isinstance(value, list):
            value = [*self.found[name], *value][: v.ATTRIBUTE_LIST_MAX]
        self.found[name] = value


def _named(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)[:60] or "_"


def text(value: str, most: int = _TEXT_MAX) -> str:
    """What a record can hold of any text."""
    # an address may be decoded to anything
    return CONTROL_TEXT.sub("\N{REPLACEMENT CHARACTER}", SURROGATE.sub("\ufffd", value))[:most]


def line(value: str, most: int = _TEXT_MAX) -> str:
    return re.sub(r"[\t\r\n]", " ", text(value, most))
