"""What a transaction's records say, gathered record by record, in any order.

A history can be packed into plain values and taken up again, so that a follower which has
folded a transaction before need not read its old records for a new one. What stands in it is
what the conclusion needs: blocks, attempts, sums, never the records themselves.
"""

from __future__ import annotations

from bisect import insort
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.blocks import BASE_HOUR, EXACT, Attempt, Block, Document, Key, record_id

_NOTHING: Final = Decimal(0)
_RANK: Final = v.STATUS_RANK
_SHOWN: Final = ("type", "message", "code", "location")

Packed = dict[str, Any]


class History:
    """Collects, record by record, what the conclusion needs."""

    __slots__ = (
        "blocks",
        "count",
        "created_at",
        "first",
        "flows",
        "head",
        "objects",
        "parents",
        "recorded_at",
        "references",
        "updated_at",
        "version",
    )

    def __init__(self) -> None:
        self.count = 0
        self.blocks: dict[str, Block] = {}
        self.first: Key | None = None
        # transaction, object id, object type and flow of the first record (F1)
        self.head = ("", "", "", "")
        self.version: tuple[Key, str] | None = None
        self.objects: set[tuple[str, str]] = set()
        self.flows: set[str] = set()
        self.references: set[tuple[str, str]] = set()
        self.parents: set[str] = set()
        self.created_at: datetime | None = None
        self.updated_at: datetime | None = None
        # F9: the last record time, of those that do not count, too
        self.recorded_at: datetime | None = None

    def see(self, recorded: datetime) -> None:
        """Take note of when a record was recorded."""
        if self.recorded_at is None or recorded > self.recorded_at:
            self.recorded_at = recorded

    def take(self, document: Document) -> Block:
        """Take up a record that counts; returns the block it is of."""
        self.count += 1
        occurred, status, get = document["occurred_at"], document["status"], document.get
        key: Key = (occurred, _RANK[status], record_id(document))
        thing, kind, flow = document["object_id"], document["object_type"], document["flow"]
        if self.first is None or key < self.first:
            self.first = key
            self.head = (document["transaction"], thing, kind, flow)
        version = get("flow_version")
        if version is not None and (self.version is None or key > self.version[0]):
            self.version = (key, version)
        self.objects.add((kind, thing))
        self.flows.add(flow)
        if parents := get("parents"):
            self.parents.update(parents)
        recorded = document["recorded_at"]
        if self.recorded_at is None or recorded > self.recorded_at:
            self.recorded_at = recorded
        shown = occurred if occurred < recorded else recorded  # F2
        if self.created_at is None or shown < self.created_at:
            self.created_at = shown
        if self.updated_at is None or shown > self.updated_at:
            self.updated_at = shown
        name = document["block"]
        block = self.blocks.get(name)
        if block is None:
            block = self.blocks[name] = Block(name)
        block.changed = True
        block.records += 1
        hour = occurred.toordinal() * 24 + occurred.hour - BASE_HOUR
        place = (hour * 60 + occurred.minute) * 8 + key[1]
        block.counts[place] = block.counts.get(place, 0) + 1
        if block.first_at is None or occurred < block.first_at:
            block.first_at = occurred
        if block.last_at is None or occurred > block.last_at:
            block.last_at = occurred
        if block.shown_last_at is None or shown > block.shown_last_at:
            block.shown_last_at = shown
        _take_attempt(block, document, key, status)
        if part := get("part"):
            for reference in part.get("references") or ():
                name = reference["name"]
                self.references.update([(name, value) for value in reference["values"]])
            _take_part(block, document, part, key, hour)
        return block

    # --- taken down and taken up again ---------------------------------------------------

    def pack(self) -> Packed:
        """All of it as plain values: texts, numbers, moments, lists."""
        return {
            "count": self.count,
            "first": self.first,
            "head": self.head,
            "version": self.version,
            "objects": list(self.objects),
            "flows": list(self.flows),
            "references": list(self.references),
            "parents": list(self.parents),
            "created": self.created_at,
            "updated": self.updated_at,
            "recorded": self.recorded_at,
            "blocks": [_pack_block(block) for block in self.blocks.values()],
        }

    @classmethod
    def unpack(cls, packed: Packed) -> History:
        history = cls()
        history.count = packed["count"]
        history.first = tuple(packed["first"])
        history.head = tuple(packed["head"])
        if version := packed["version"]:
            history.version = (tuple(version[0]), version[1])
        history.objects = {(kind, thing) for kind, thing in packed["objects"]}
        history.flows = set(packed["flows"])
        history.references = {(name, value) for name, value in packed["references"]}
        history.parents = set(packed["parents"])
        history.created_at = packed["created"]
        history.updated_at = packed["updated"]
        history.recorded_at = packed["recorded"]
        history.blocks = {each[0]: _unpack_block(each) for each in packed["blocks"]}
        return history


def _take_attempt(block: Block, document: Document, key: Key, status: str) -> None:
    number, occurred = document["attempt"], key[0]
    attempt = block.attempts.get(number)
    first = (occurred, len(key[2]), key[2])
    if attempt is None:
        attempt = block.attempts[number] = Attempt(number, key, status, document, first)
        if len(block.attempts) == 1 or number > block.deciding.number:
            block.deciding = attempt
    else:
        if key > attempt.key:
            attempt.key, attempt.status, attempt.deciding = key, status, document
        if first < attempt.first:
            attempt.first = first
    # B4
    get = document.get
    if queued := get("queued_at"):
        _keep_time(attempt.queues, queued)
    started = get("started_at")
    if status == v.QUEUED:
        _keep_time(attempt.queues, occurred)
    elif status == v.STARTED:
        if started is None or occurred < started:
            started = occurred
    elif status in v.TERMINAL:
        _keep_time(attempt.ends, get("ended_at") or occurred)
    if started is not None and (attempt.started is None or started < attempt.started):
        attempt.started = started


def _keep_time(times: list[datetime], moment: datetime) -> None:
    """Keep the earliest ones, each once, in order: whatever comes, and in whatever order."""
    if not times:
        times.append(moment)
    elif moment not in times:
        insort(times, moment)
        del times[v.KEPT_TIMES :]


def _take_part(block: Block, document: Document, part: Document, key: Key, hour: int) -> None:
    number = document["attempt"]
    if part.get("exception") and (block.failure is None or (number, key) > block.failure[0]):
        block.failure = ((number, key), document)
    spent = block.spent
    for used in part.get("usage") or ():
        line = (number, hour, used["resource"], used["unit"])
        spent[line] = EXACT.add(spent.get(line, _NOTHING), Decimal(used["quantity"]))
    if cost := part.get("cost"):
        line = (number, hour, "", cost["currency"])
        spent[line] = EXACT.add(spent.get(line, _NOTHING), Decimal(cost["amount"]))


def _pack_block(block: Block) -> list[Any]:
    failure = None
    if block.failure is not None:
        (number, key), document = block.failure
        exception = document["part"]["exception"]
        shown = {name: exception[name] for name in _SHOWN if name in exception}
        failure = [number, key, shown]
    return [
        block.name,
        block.records,
        block.first_at,
        block.last_at,
        block.shown_last_at,
        [_pack_attempt(attempt) for attempt in block.attempts.values()],
        failure,
        list(block.counts.items()),
        [(*line, str(quantity)) for line, quantity in block.spent.items()],
        block.position,
        block.expected,
    ]


def _unpack_block(packed: list[Any]) -> Block:
    name, records, first_at, last_at, shown_last_at, attempts, failure, counts, spent = packed[:9]
    block = Block(name, records=records, position=packed[9], expected=packed[10], changed=False)
    block.first_at, block.last_at, block.shown_last_at = first_at, last_at, shown_last_at
    for each in attempts:
        attempt = _unpack_attempt(each)
        block.attempts[attempt.number] = attempt
        if len(block.attempts) == 1 or attempt.number > block.deciding.number:
            block.deciding = attempt
    if failure is not None:
        number, key, exception = failure
        document = {"_id": f"/{key[2]}", "part": {"exception": exception}}
        block.failure = ((number, tuple(key)), document)
    block.counts = dict(counts)
    if spent:
        block.spent = {
            (number, hour, resource, unit): Decimal(text)
            for number, hour, resource, unit, text in spent
        }
    return block


def _pack_attempt(attempt: Attempt) -> list[Any]:
    document = attempt.deciding
    get = document.get
    return [
        attempt.number,
        attempt.key,
        attempt.status,
        document["stage"],
        attempt.first,
        attempt.started,
        attempt.queues,
        attempt.ends,
        get("final"),
        (get("part") or {}).get("reason"),
    ]


def _unpack_attempt(packed: list[Any]) -> Attempt:
    number, key, status, stage, first, started, queues, ends, final, reason = packed
    document: dict[str, Any] = {"_id": f"/{key[2]}", "occurred_at": key[0], "stage": stage}
    if final is not None:
        document["final"] = final
    if reason is not None:
        document["part"] = {"reason": reason}
    return Attempt(number, tuple(key), status, document, tuple(first), started, queues, ends)
