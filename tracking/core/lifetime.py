"""The reducer: the records of one transaction → its lifetime (docs/status-rules.md).

Pure and insensitive to order: the same set of records gives the same result, whatever the
order of arrival. `fold` takes stored journal documents (times all aware or all naive) and
runs over them twice, so it needs memory for a transaction's blocks, attempts and record ids,
never for its records. Where no record of a transaction corrects another, its `History` may be
kept, given further records, each once, and concluded again: the result is that of `fold`. The
rules are numbered as in the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from tracking import vocabulary as v
from tracking.core.blocks import (
    Attempt,
    Block,
    Definition,
    Document,
    Step,
    record_id,
    total,
)
from tracking.core.corrections import withdrawn_among, withdraws_only
from tracking.core.history import History
from tracking.core.rules import (
    STAGE_RANK,
    choose_definition,
    done_of,
    error_of,
    is_good,
    is_out_of_order,
    percent_of,
    stages_of,
    status_of,
)

__all__ = [
    "Attempt",
    "Block",
    "Definition",
    "History",
    "Lifetime",
    "Step",
    "conclude",
    "fold",
    "record_id",
]

_MS: Final = timedelta(milliseconds=1)


@dataclass(slots=True)
class Lifetime:
    """What a transaction's records say, taken together."""

    transaction: str
    object_id: str
    object_type: str
    flow: str
    flow_version: str | None
    definition: Definition | None
    status: str
    blocks: list[Block]
    current: Block
    error: Block | None
    created_at: datetime
    updated_at: datetime
    recorded_at: datetime
    first_at: datetime
    last_at: datetime
    stages: dict[str, str]
    blocks_done: int
    blocks_expected: int | None
    percent: int | None
    next_block: str | None
    next_due_at: datetime | None
    stalls_at: datetime | None
    due_at: datetime | None
    records: int
    withdrawn: Set[str]
    references: list[tuple[str, str]]
    parents: list[str]
    usage: dict[tuple[str, str], Decimal]
    costs: dict[str, Decimal]
    warnings: list[str]

    @property
    def throughput_ms(self) -> int:
        return (self.last_at - self.first_at) // _MS

    @property
    def queue_ms(self) -> int | None:
        return total(block.queue_ms for block in self.blocks)

    @property
    def work_ms(self) -> int | None:
        return total(block.work_ms for block in self.blocks)

    @property
    def retries(self) -> int:
        return sum(len(block.attempts) - 1 for block in self.blocks)


def _no_definitions(_flow: str) -> Sequence[Definition]:
    return ()


def fold(
    records: Callable[[], Iterable[Document]] | Sequence[Document],
    definitions: Callable[[str], Sequence[Definition]] = _no_definitions,
) -> Lifetime:
    """Reduce a transaction's journal documents, at least one, to its lifetime.

    `records` is a sequence, or a callable that yields the same documents each time it is
    called; `definitions` gives the versions of a flow by its name.
    """
    again = records if callable(records) else lambda: records
    ids: set[str] = set()
    corrects: dict[str, str] = {}
    for document in again():
        ids.add(record_id(document))
        if target := document.get("corrects"):
            corrects[record_id(document)] = target
    withdrawn, warnings = withdrawn_among(corrects, ids) if corrects else (set(), set())
    history = _history(again(), withdrawn)
    if not history.count:
        history = _history(again(), withdrawn, as_filtered=True)
    history.count = len(ids)
    return conclude(history, definitions, withdrawn, warnings)


def _history(
    documents: Iterable[Document], withdrawn: Set[str], *, as_filtered: bool = False
) -> History:
    """What counts; `as_filtered`: what only withdraws, where nothing else is left (C5)."""
    history = History()
    seen: set[str] = set()
    for document in documents:
        name = record_id(document)
        if name in seen:
            continue
        seen.add(name)
        if name in withdrawn or (withdraws_only(document) and not as_filtered):
            history.see(document["recorded_at"])
        elif as_filtered:
            history.take({**document, "status": v.FILTERED})
        else:
            history.take(document)
    return history


def conclude(
    history: History,
    definitions: Callable[[str], Sequence[Definition]] = _no_definitions,
    withdrawn: Set[str] = frozenset(),
    marks: Set[str] = frozenset(),
) -> Lifetime:
    """The lifetime that a history comes to; `marks` are warnings known already.

    The lifetime's blocks are the history's own.
    """
    if history.created_at is None or history.updated_at is None or history.recorded_at is None:
        raise ValueError("A transaction has at least one record that counts.")
    transaction, object_id, object_type, flow = history.head
    named = history.objects - {(v.TRACE_OBJECT, transaction)}
    if named and (object_type, object_id) not in named:
        object_type, object_id = min(named)  # F1
    by_name = history.blocks
    version = history.version[1] if history.version else None
    definition = choose_definition(definitions(flow), version, history.created_at)
    known = {step.block for step in definition.steps} if definition else None
    # A total order: first event, then stage, then name.
    blocks = sorted(by_name.values(), key=_place)
    for position, block in enumerate(blocks):
        block.put(position, block.name in known if known is not None else None)
        block.settle()
    status, current = status_of(blocks, by_name, definition)
    in_transit = status == v.IN_TRANSIT
    expected = [step for step in definition.steps if not step.optional] if definition else None
    done = done_of(expected, by_name)
    next_step = (
        next((s for s in expected if not is_good(by_name.get(s.block))), None)
        if expected and in_transit
        else None
    )
    first_at = min(block.first_at for block in blocks if block.first_at)
    last_at = max(block.last_at for block in blocks if block.last_at)
    patience = definition.patience if definition else v.PATIENCE_DEFAULT
    usage, costs = _sums(blocks)
    warnings = {*marks, *_warnings(history, definition, len(usage))}
    return Lifetime(
        transaction=transaction,
        object_id=object_id,
        object_type=object_type,
        flow=flow,
        flow_version=version,
        definition=definition,
        status=status,
        blocks=blocks,
        current=current,
        error=error_of(blocks, status, current),
        created_at=history.created_at,
        updated_at=history.updated_at,
        recorded_at=history.recorded_at,
        first_at=first_at,
        last_at=last_at,
        stages=stages_of(blocks, by_name, definition, status),
        blocks_done=done,
        blocks_expected=len(expected) if expected is not None else None,
        percent=percent_of(status, done, expected),
        next_block=next_step.block if next_step else None,
        next_due_at=first_at + next_step.due if next_step and next_step.due else None,
        stalls_at=history.updated_at + patience if in_transit else None,
        due_at=first_at + definition.deadline
        if in_transit and definition and definition.deadline
        else None,
        records=history.count,
        withdrawn=withdrawn,
        references=sorted(history.references)[: v.KEPT_REFERENCES],
        parents=sorted(history.parents)[: v.KEPT_PARENTS],
        usage=dict(sorted(usage.items())[: v.KEPT_USAGE]),
        costs=dict(sorted(costs.items())),
        warnings=sorted(warnings),
    )


def _place(block: Block) -> tuple[datetime | None, int, str]:
    return (block.first_at, STAGE_RANK[block.stage], block.name)


def _sums(blocks: list[Block]) -> tuple[dict[tuple[str, str], Decimal], dict[str, Decimal]]:
    usage: dict[tuple[str, str], Decimal] = {}
    costs: dict[str, Decimal] = {}
    for block in blocks:
        block.add_to(usage, costs)
    return usage, costs


def _warnings(history: History, definition: Definition | None, used: int) -> Iterator[str]:
    if len(history.objects - {(v.TRACE_OBJECT, history.head[0])}) > 1:
        yield v.WARN_MIXED_OBJECTS
    if len(history.flows) > 1:
        yield v.WARN_MIXED_FLOWS
    if definition and is_out_of_order(definition, history.blocks):
        yield v.WARN_OUT_OF_ORDER
    if (
        len(history.references) > v.KEPT_REFERENCES
        or len(history.parents) > v.KEPT_PARENTS
        or used > v.KEPT_USAGE
        or len(history.blocks) > v.KEPT_PATH
    ):
        yield v.WARN_CAPPED
