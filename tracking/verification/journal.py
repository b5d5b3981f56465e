"""The journal against the log: each record at its place, each leaf with its record.

The journal is read by the index (tenant, record time, batch, place), so a batch comes in one piece
and the whole can be cut into ranges. A range is the unit of work: of several processes, and of a
run that was interrupted.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from bson import MaxKey, MinKey

from tracking import clock
from tracking.mongo.connection import collection
from tracking.verification.log import JOURNAL, Log, milliseconds
from tracking.verification.pending import Pending
from tracking.verification.records import HASH_BYTES, Reader, Row, Seen
from tracking.verification.report import CannotCheck, Findings

INDEX: Final = (("tenant", 1), ("recorded_at", 1), ("batch", 1), ("index", 1))
# A range takes a second or two: what an interrupted run has to do again.
RANGE_RECORDS: Final = 50_000
AT_ONCE: Final = 500
_MERGE_MS: Final = 60_000
_STRAYS_MAX: Final = 10_000
UNCLAIMED, CLAIMED, CHANGED = b"\0", b"\1", b"\2"

# (tenant, record time in ms); None: where the index begins or ends, or the tenant does.
Edge = tuple[str, int | None] | None
Range = tuple[Edge, Edge]


@dataclass(frozen=True, slots=True)
class Stray:
    """A record at a place in the log whose leaf is another: changed, or added beside it."""

    place: int
    key: str
    tenant: str
    leaf: bytes


@dataclass(slots=True)
class Scanned:
    """What came of one range."""

    records: int = 0
    later: int = 0
    findings: Findings = field(default_factory=Findings)
    strays: list[Stray] = field(default_factory=list)


def check_index() -> None:
    """An index that leaves documents out would hide them."""
    for each in collection(JOURNAL).list_indexes():
        if tuple(each["key"].items()) == INDEX:
            if extra := each.keys() - {"v", "key", "name", "ns", "background"}:
                raise CannotCheck(
                    f"The journal's index {each['name']} is not as it was made"
                    f" ({', '.join(sorted(extra))}): drop it and run `manage.py migrate`."
                )
            return
    raise CannotCheck(
        "The journal has no index (tenant, recorded_at, batch, index): run `manage.py migrate`."
    )


def ranges_of(log: Log, size: int = RANGE_RECORDS) -> list[Range]:
    """Ranges that cover the whole index, with some `size` records of the log in each."""
    cuts: list[Edge] = []
    held = 0
    order = sorted(
        range(len(log.firsts)), key=lambda at: (log.tenants[log.owners[at]], log.moments[at])
    )
    before: Edge = None
    for number in order:
        edge = (log.tenants[log.owners[number]], log.moments[number])
        if held >= size and edge != before:
            cuts.append(edge)
            held = 0
        held += log.counts[number]
        before = edge
    return list(zip([None, *cuts], [*cuts, None], strict=True))


def ranges_since(log: Log, place: int) -> list[Range]:
    """Ranges with all records of the batches from this place of the log on, and with what claims
    to have been recorded since."""
    first = log.number_at(place - 1) + 1
    # of a tenant that has nothing new, what was recorded lately may still have been added
    lately = max(log.moments[:first], default=0) - _MERGE_MS if first else 0
    oldest = dict.fromkeys(log.tenants, lately)
    for number in range(first, len(log.firsts)):
        tenant = log.tenants[log.owners[number]]
        oldest[tenant] = min(oldest[tenant], log.moments[number])
    return [((tenant, ms), (tenant, None)) for tenant, ms in sorted(oldest.items())]


def _ms(moment: datetime | int) -> int:
    return moment if isinstance(moment, int) else milliseconds(moment)


def _bound(edge: tuple[str, int | None]) -> dict[str, Any]:
    tenant, ms = edge
    if ms is None:
        rest: list[Any] = [MaxKey(), MaxKey(), MaxKey()]
    else:
        rest = [clock.from_ms(ms), MinKey(), MinKey()]
    return {name: value for (name, _), value in zip(INDEX, [tenant, *rest], strict=True)}


def batches_in(span: Range) -> Iterator[bytes]:
    """The stored documents of a range, some hundred at a time; the next are fetched meanwhile."""
    options: dict[str, Any] = {"hint": list(INDEX), "batch_size": AT_ONCE}
    low, high = span
    if low is not None:
        options["min"] = _bound(low)
    if high is not None:
        options["max"] = _bound(high)
    return ahead(collection(JOURNAL).find_raw_batches({}, **options))


def ahead(source: Iterable[bytes]) -> Iterator[bytes]:
    """`source`, read by a thread of its own: MongoDB and we work at the same time."""
    fetched: queue.Queue[bytes | BaseException | None] = queue.Queue(2)
    stopped = threading.Event()

    def put(item: bytes | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                fetched.put(item, timeout=0.2)
            except queue.Full:
                continue
            return

    def fetch() -> None:
        try:
            for data in source:
                put(data)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=fetch, name="fetch", daemon=True)
    thread.start()
    try:
        while (item := fetched.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()


class Scanner:
    """Checks the records of one range; `claims` has a byte for each leaf of the log."""

    def __init__(self, log: Log, claims: Any, later: Pending) -> None:
        self.log = log
        self.claims = claims
        self.later = later
        self._reader = Reader()
        self._group: list[Row] = []
        self._batch = ""
        self._out = Scanned()

    def scan(self, data: Iterable[bytes]) -> Scanned:
        self._out = Scanned()
        group, batch, records = self._group, self._batch, 0
        read = self._reader.read
        for part in data:
            for row in read(part):
                records += 1
                if isinstance(row, Seen):
                    self._seen(row)
                    continue
                if row[0] != batch:
                    self._flush()
                    batch = row[0]
                group.append(row)
            # a large batch need not be held whole
            self._flush()
        out = self._out
        out.records += records - out.later
        return out

    def _flush(self) -> None:
        """Compare a run of records of one batch at once; one by one where that fails."""
        group = self._group
        if not group:
            return
        name, first = group[0][0], group[0][1]
        log = self.log
        batch = log.batch(name)
        if batch is None:
            self._pending(name, group)
            group.clear()
            return
        count = len(group)
        low = batch.first + first
        if (
            first >= 0
            and first + count <= batch.count
            and [row[1] for row in group] == list(range(first, first + count))
            and log.leaves[low * HASH_BYTES : (low + count) * HASH_BYTES]
            == b"".join([row[2] for row in group])
            and group[0][4] == batch.tenant
            and _ms(group[0][5]) == batch.recorded_ms
        ):
            self.claims[low : low + count] = CLAIMED * count
        else:
            for row in group:
                self._one(row)
        group.clear()

    def _one(self, row: Row) -> None:
        name, index, leaf, key, tenant, moment = row
        batch = self.log.batch(name)
        if batch is None or not 0 <= index < batch.count:
            self._added(key, tenant, f"batch {name} has no place {index}", leaf)
            return
        place = batch.first + index
        if self.log.leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES] != leaf:
            self._stray(Stray(place, key, tenant, leaf))
            return
        self.claims[place : place + 1] = CLAIMED
        if (tenant, _ms(moment)) != (batch.tenant, batch.recorded_ms):
            self._out.findings.add(
                "batch_form",
                f"The log says of batch {name} another tenant or record time than {key}.",
                tenant=tenant,
                record=key,
                leaf=self.log.index_of(place),
                expected=f"{tenant}, {clock.iso(clock.from_ms(_ms(moment)))}",
                found=f"{batch.tenant}, {clock.iso(clock.from_ms(batch.recorded_ms))}",
            )

    def _seen(self, seen: Seen) -> None:
        """A record whose own form is wrong, or that was only looked at slowly."""
        if seen.kind is None and seen.leaf is not None:
            row = (seen.batch, seen.index, seen.leaf, seen.key, seen.tenant, seen.moment)
            if self.log.batch(seen.batch) is None:
                self._pending(seen.batch, [row])
            else:
                self._one(row)
            return
        batch = self.log.batch(seen.batch)
        place = None
        if batch is not None and 0 <= seen.index < batch.count:
            place = batch.first + seen.index
            self.claims[place : place + 1] = CHANGED
        self._out.findings.add(
            seen.kind or "record_form",
            f"{seen.key}: {seen.text}",
            tenant=seen.tenant,
            record=seen.key,
            leaf=None if place is None else self.log.index_of(place),
            expected="a record as it is stored",
            found=seen.text,
        )

    def _stray(self, stray: Stray) -> None:
        if len(self._out.strays) < _STRAYS_MAX:
            self._out.strays.append(stray)
        else:
            judge_stray(stray, self.log, self.claims, self._out.findings)

    def _pending(self, name: str, rows: list[Row]) -> None:
        """Of a batch that is not in the log as it was read: it waits, or was sealed since."""
        leaves = self.later.leaves(name)
        self._out.later += len(rows) if leaves is not None else 0
        for _name, index, leaf, key, tenant, _moment in rows:
            if leaves is None:
                self._added(key, tenant, f"batch {name} is neither in the log nor waiting", leaf)
            elif not 0 <= index < len(leaves) // HASH_BYTES:
                self._added(key, tenant, f"batch {name} has no place {index}", leaf)
            elif (wanted := leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES]) != leaf:
                self._out.findings.add(
                    "record_changed",
                    f"{key} is not the record that batch {name} was recorded with.",
                    tenant=tenant,
                    record=key,
                    expected=wanted.hex(),
                    found=leaf.hex(),
                )

    def _added(self, key: str, tenant: str, why: str, leaf: bytes) -> None:
        self._out.findings.add(
            "record_added",
            f"{key} was not recorded through the door: {why}.",
            tenant=tenant,
            record=key,
            expected="a place in the log or in the queue",
            found=leaf.hex(),
        )


def judge_stray(stray: Stray, log: Log, claims: Any, findings: Findings) -> None:
    """Once all records were seen: was the place somebody else's?"""
    index = log.index_of(stray.place)
    wanted = log.leaves[stray.place * HASH_BYTES : (stray.place + 1) * HASH_BYTES].hex()
    if claims[stray.place : stray.place + 1] == CLAIMED:
        findings.add(
            "record_added",
            f"{stray.key} was not recorded through the door: leaf {index} is another record's.",
            tenant=stray.tenant,
            record=stray.key,
            leaf=index,
            expected=wanted,
            found=stray.leaf.hex(),
        )
        return
    claims[stray.place : stray.place + 1] = CHANGED
    findings.add(
        "record_changed",
        f"{stray.key} is not the record that stands in the log as leaf {index}.",
        tenant=stray.tenant,
        record=stray.key,
        leaf=index,
        expected=wanted,
        found=stray.leaf.hex(),
    )


def report_removed(log: Log, claims: Any, low: int, high: int, findings: Findings) -> None:
    """Every leaf of places [low, high) that no record stands for."""
    for name, index, place in log.unclaimed(claims, low, high):
        leaf = log.index_of(place)
        tenant = log.numbered(log.numbers[name]).tenant
        findings.add(
            "record_removed",
            f"No record stands for leaf {leaf}: place {index} of batch {name}.",
            tenant=tenant,
            record=f"batch {name}, place {index}",
            leaf=leaf,
            expected=log.leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES].hex(),
            found="nothing",
        )
