"""Deriving everything again, in guarded steps: first drop, then walk the journal.

The walk goes transaction by transaction, so that each record is read once, however the
records of different objects lie between each other in the log. Where it ends the follower
goes on by leaf index, from the size that the log had before the walk began: what was recorded
meanwhile is derived once more, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracking.core.lifetime import fold
from tracking.mongo.connection import collection
from tracking.projection.definitions import definitions_of
from tracking.projection.journal import Records, records_after, tenant_after
from tracking.projection.log import log_size
from tracking.projection.store import DERIVED, Change, stored_of

STEP_DOCUMENTS = 2_000
STEP_TRANSACTIONS = 500

# write(leaf, change, also): one guarded MongoDB transaction that moves the cursor
Write = Callable[[int, Change, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Walk:
    """Where starting over stands; kept in the cursor, so that it survives a crash."""

    dropping: bool = False
    walking: bool = False
    tenant: str = ""
    after: str = ""
    to: int = 0

    @classmethod
    def of(cls, cursor: dict[str, Any]) -> Walk:
        names = ("dropping", "walking", "tenant", "after", "to")
        return cls(**{name: cursor[f"walk_{name}"] for name in names if f"walk_{name}" in cursor})

    @property
    def under_way(self) -> bool:
        return self.dropping or self.walking


def fields_of(walk: Walk) -> dict[str, Any]:
    """The walk as fields of the cursor."""
    return {
        "walk_dropping": walk.dropping,
        "walk_walking": walk.walking,
        "walk_tenant": walk.tenant,
        "walk_after": walk.after,
        "walk_to": walk.to,
    }


def take_step(walk: Walk, write: Write) -> int:
    """Drop some documents, or derive some transactions; returns how many records or documents."""
    return _drop_some(write) if walk.dropping else _walk_some(walk, write)


def _drop_some(write: Write) -> int:
    change = Change()
    dropped = 0
    for name in DERIVED:
        for row in collection(name).find({}, {"_id": 1}).limit(STEP_DOCUMENTS):
            change.drop(name, row["_id"])
            dropped += 1
    following = Walk(dropping=True) if dropped else Walk(walking=True, to=log_size())
    write(0, change, fields_of(following))
    return max(1, dropped)


def _walk_some(walk: Walk, write: Write) -> int:
    change = Change()
    group: list[tuple[str, Records]] = []
    read = 0
    tenant = walk.tenant
    for name, records in records_after(tenant, walk.after):
        group.append((name, records))
        read += len(records) if isinstance(records, list) else STEP_DOCUMENTS
        if len(group) >= STEP_TRANSACTIONS or read >= 5 * STEP_DOCUMENTS:
            break
    if not group:
        next_tenant = tenant_after(tenant)
        if next_tenant is None:
            write(walk.to, change, fields_of(Walk()))
        else:
            write(0, change, fields_of(Walk(walking=True, tenant=next_tenant, to=walk.to)))
        return 1
    definitions = definitions_of(tenant, naive=True)
    stored = stored_of(tenant, [name for name, _records in group])
    for _name, records in group:
        change.compare(tenant, fold(records, definitions), stored)
    further = Walk(walking=True, tenant=tenant, after=group[-1][0], to=walk.to)
    write(0, change, fields_of(further))
    return read
