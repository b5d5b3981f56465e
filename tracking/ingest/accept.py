"""The one door: posted values in, an outcome for each of them out.

Everything that records passes here: the REST view, the importer. One call appends its valid
records in batches of at most 1,000; each batch is one MongoDB transaction of the journal
inserts and the batch's entry in the seal queue, so a record is either recorded and about to
be sealed, or not there at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from tracking import vocabulary as v
from tracking.core.canonical import leaf_hash, part_hash_of
from tracking.core.record import Problem, Record, content_of, read_record
from tracking.core.usual import read_usual
from tracking.core.wire import WireRecord, convert, plain
from tracking.errors import DatabaseUnavailable
from tracking.ingest.decode import Unreadable
from tracking.ingest.writer import (
    BATCH_BYTES,
    SMALL,
    Batch,
    append,
    append_usual,
    bytes_of,
    known_records,
)


@dataclass(frozen=True, slots=True)
class Producer:
    """Who posts: the tenant is fixed by the key."""

    tenant: str
    key: str


@dataclass(slots=True)
class Result:
    """What became of one posted value. `receipt` is the leaf hash in hex."""

    index: int
    id: str | None
    outcome: str
    receipt: str | None = None
    errors: Sequence[Problem] = ()


class Answer:
    """What became of a post, in request order; `refused`: an atomic one that stored nothing."""

    def __init__(self, results: list[Result]) -> None:
        self.results = results
        self.batches: list[Batch] = []
        self.refused = False

    @property
    def received(self) -> int:
        return len(self.results)

    def count(self, outcome: str) -> int:
        return sum(result.outcome == outcome for result in self.results)

    def not_stored(self) -> list[Result]:
        return [result for result in self.results if result.outcome != v.STORED]


class AllStored(Answer):
    """The usual answer: everything was new. Told record by record only to who asks for it."""

    def __init__(self, ids: list[str], batch: Batch) -> None:
        self.first = 0
        self.ids = ids
        self.batches = [batch]
        self.refused = False

    @cached_property
    def results(self) -> list[Result]:  # type: ignore[override]
        pairs = enumerate(zip(self.ids, self.batches[0].leaves, strict=True), self.first)
        return [Result(index, id, v.STORED, leaf.hex()) for index, (id, leaf) in pairs]

    @property
    def received(self) -> int:
        return len(self.ids)

    def count(self, outcome: str) -> int:
        return len(self.ids) if outcome == v.STORED else 0

    def not_stored(self) -> list[Result]:
        return []


class Joined(Answer):
    """The answers to the parts of a post, which follow one another."""

    def __init__(self, parts: list[Answer]) -> None:
        self.parts = parts
        self.batches = [batch for part in parts for batch in part.batches]
        self.refused = False
        first = 0
        for part in parts:
            if isinstance(part, AllStored):
                part.first = first
            else:
                for result in part.results:
                    result.index += first
            first += part.received

    @cached_property
    def results(self) -> list[Result]:  # type: ignore[override]
        return [result for part in self.parts for result in part.results]

    @property
    def received(self) -> int:
        return sum(part.received for part in self.parts)

    def count(self, outcome: str) -> int:
        return sum(part.count(outcome) for part in self.parts)

    def not_stored(self) -> list[Result]:
        return [result for part in self.parts for result in part.not_stored()]


Item = tuple[Result, Record]


def accept(
    *, producer: Producer, values: Sequence[object], moment: datetime, atomic: bool = False
) -> Answer:
    """Record what is valid and new among `values`; never raises for what they hold.

    `atomic`: nothing is recorded unless every value is valid and free of conflict; the caller
    sees to it that there are at most ATOMIC_RECORDS_MAX.

    Raises DatabaseUnavailable when MongoDB cannot be reached: some batches may then be
    recorded, and the caller may repeat the whole post, since ids make it idempotent.
    """
    usual = not atomic and _are_usual(values)
    if usual and len(values) > v.BATCH_RECORDS_MAX:
        # One after the other, so that only one batch's documents are in memory.
        starts = range(0, len(values), v.BATCH_RECORDS_MAX)
        parts = [values[at : at + v.BATCH_RECORDS_MAX] for at in starts]
        return Joined([accept(producer=producer, values=part, moment=moment) for part in parts])
    large = usual and len(values) > SMALL
    if large and (stored := _record_at_once(producer, values, moment)) is not None:
        return stored
    reads = _read(values, moment)
    if not (atomic or large) and (new := _record_if_all_new(producer, reads, moment)) is not None:
        return new
    answer = Answer([])
    firsts: dict[str, Item] = {}
    repeats: list[Item] = []
    for index, read in enumerate(reads):
        if not isinstance(read, Record):
            claimed = _claimed_id(values[index])
            answer.results.append(Result(index, claimed, v.INVALID, errors=read))
            continue
        result = Result(index, read.id, v.STORED)
        answer.results.append(result)
        if read.id in firsts:
            repeats.append((result, read))
        else:
            firsts[read.id] = (result, read)

    fresh = list(firsts.values())
    if atomic:
        _record_all_or_nothing(producer, fresh, repeats, moment, answer)
        return answer
    for items in _batches(fresh):
        _record_batch(producer, items, moment, answer)
    if repeats:
        # An id given twice: what stands in the journal by now decides about the second.
        _settle(repeats, known_records(producer.tenant, _ids(repeats)))
    return answer


def _are_usual(values: Sequence[object]) -> bool:
    """Whether all are parsed records, each of its own id: what becomes of one of them is then
    no matter of the others."""
    if set(map(type, values)) != {WireRecord}:
        return False
    wires: Sequence[WireRecord] = values  # type: ignore[assignment]
    return len({wire.id for wire in wires}) == len(wires)


def _record_at_once(
    producer: Producer, values: Sequence[object], moment: datetime
) -> Answer | None:
    """The same as below, for usual values that need not share a transaction with other posts."""
    wires: list[WireRecord] = list(values)  # type: ignore[arg-type]
    batch = append_usual(producer.tenant, producer.key, wires, moment)
    return AllStored([wire.id for wire in wires], batch) if batch is not None else None


def _record_if_all_new(
    producer: Producer, reads: list[Record | list[Problem]], moment: datetime
) -> Answer | None:
    """The answer where all are valid, make one batch and are new; else None, nothing recorded."""
    if set(map(type, reads)) != {Record}:
        return None
    records: list[Record] = reads  # type: ignore[assignment]
    if (
        len(records) > v.BATCH_RECORDS_MAX
        or len({record.id for record in records}) != len(records)
        or bytes_of(records) > BATCH_BYTES
    ):
        return None
    batch = append(producer.tenant, producer.key, records, moment)
    return AllStored([record.id for record in records], batch) if batch is not None else None


def _read(values: Sequence[object], moment: datetime) -> list[Record | list[Problem]]:
    """The record of each value, or what is wrong with it."""
    if set(map(type, values)) == {WireRecord}:
        wires: Sequence[WireRecord | None] = values  # type: ignore[assignment]
    else:
        wires = convert(values)
    return [
        record or _read_carefully(value, moment)
        for value, record in zip(values, read_usual(wires, moment), strict=True)
    ]


def _read_carefully(value: object, moment: datetime) -> Record | list[Problem]:
    if isinstance(value, Unreadable):
        return [Problem("", value.code, value.message)]
    return read_record(plain(value) if isinstance(value, WireRecord) else value, now=moment)


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    """Parts that one transaction takes, by number and by size."""
    first, size = 0, 0
    for place, (_result, record) in enumerate(items):
        size += (own := bytes_of((record,)))
        if place - first == v.BATCH_RECORDS_MAX or (size > BATCH_BYTES and place > first):
            yield items[first:place]
            first, size = place, own
    if items:
        yield items[first:]


def _record_batch(producer: Producer, items: list[Item], moment: datetime, answer: Answer) -> None:
    """Append the new ones of `items`; compare the known ones by content."""
    for round_ in range(_ROUNDS):
        if not items or _append(producer, items, moment, answer):
            return
        # Some id is known already and nothing was written: settle those, try the rest.
        known = known_records(producer.tenant, _ids(items))
        items = _settle(items, known)
        if not known:
            _wait_for_rival(round_)
    raise DatabaseUnavailable(_UNSETTLED)


def _record_all_or_nothing(
    producer: Producer,
    fresh: list[Item],
    repeats: list[Item],
    moment: datetime,
    answer: Answer,
) -> None:
    """Append all of `fresh` in one batch, unless any value of the post is refused."""
    firsts = {record.id: (result, record) for result, record in fresh}
    for round_ in range(_ROUNDS):
        known = known_records(producer.tenant, _ids(fresh)) if fresh else {}
        new = _settle(fresh, known)
        new_repeats = _settle(repeats, known)
        for result, record in new_repeats:
            if _equal(record, firsts[record.id][1]):
                result.outcome = v.DUPLICATE
            else:
                result.outcome, result.errors = v.CONFLICT, [_CONFLICT]
        if any(result.outcome in (v.INVALID, v.CONFLICT) for result in answer.results):
            answer.refused = True
            for result, _record in (*new, *new_repeats):
                if result.outcome != v.CONFLICT:
                    result.outcome, result.errors = v.INVALID, [_REFUSED]
            return
        if not new or _append(producer, new, moment, answer):
            for result, record in new_repeats:
                result.receipt = firsts[record.id][0].receipt
            return
        _wait_for_rival(round_)
    raise DatabaseUnavailable(_UNSETTLED)


def _append(producer: Producer, items: list[Item], moment: datetime, answer: Answer) -> bool:
    batch = append(producer.tenant, producer.key, [record for _, record in items], moment)
    if batch is None:
        return False
    answer.batches.append(batch)
    for (result, _record), leaf in zip(items, batch.leaves, strict=True):
        result.receipt = leaf.hex()
    return True


def _settle(items: list[Item], known: Mapping[str, dict[str, Any]]) -> list[Item]:
    """Compare with what is recorded; returns the items that are not."""
    rest = []
    for result, record in items:
        stored = known.get(record.id)
        if stored is None:
            rest.append((result, record))
        elif _same_content(stored, record):
            result.outcome, result.receipt = v.DUPLICATE, leaf_hash(stored).hex()
        else:
            result.outcome, result.errors = v.CONFLICT, [_CONFLICT]
    return rest


def _wait_for_rival(round_: int) -> None:
    # A rival's insert that a majority does not have yet: visible in a moment.
    time.sleep(0.01 * 2**round_)


_ROUNDS = 8
_UNSETTLED = "The records could not be settled against concurrent posts."
_CONFLICT = Problem(
    "/id", "conflict", "This id is recorded with other content; a record never changes."
)
_REFUSED = Problem(
    "", "atomic_refused", "Not recorded: another record of this atomic post was refused."
)


def _ids(items: list[Item]) -> list[str]:
    return [record.id for _result, record in items]


def _equal(one: Record, other: Record) -> bool:
    # The part by its bytes, as stored records are compared: to Python, true equals 1.
    return one.content() == other.content() and one.part_bytes == other.part_bytes


def _same_content(stored: Mapping[str, Any], record: Record) -> bool:
    if record.content() != content_of(stored):
        return False
    salt = stored.get("salt")
    # Once erased, a record's salt is gone and its part can no longer be compared.
    return salt is None or part_hash_of(salt, record.part_bytes) == stored["part_hash"]


def _claimed_id(value: object) -> str | None:
    if isinstance(value, WireRecord):
        claimed: object = value.id
    else:
        claimed = value.get("id") if isinstance(value, dict) else None
    if isinstance(claimed, str) and v.ID_PATTERN.fullmatch(claimed):
        return claimed
    return None
