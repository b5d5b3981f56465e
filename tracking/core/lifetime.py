"""The reducer: the records of one transaction → its lifetime (docs/status-rules.md).

Pure and insensitive to order: the same set of records gives the same result, whatever the
order of arrival. `fold` takes stored journal documents (times all aware or all naive) and
runs over them twice, so it needs memory for a transaction's blocks, attempts and record ids,
never for its records. The rules are numbered as in the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Final

from tracking import vocabulary as v
from tracking.core.blocks import (
    Attempt,
    Block,
    Definition,
    Document,
    Key,
    Step,
    earliest,
    part_of,
    record_id,
    total,
)
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

__all__ = ["Attempt", "Block", "Definition", "Lifetime", "Step", "fold", "record_id"]

_MS: Final = timedelta(milliseconds=1)
# Wide enough for any number of records: a rounded sum would depend on their order.
_EXACT: Final = Context(prec=60)


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
    withdrawn: set[str]
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
    withdrawn, warnings = _withdrawn(again())
    gathered = _Gathering()
    seen: set[str] = set()
    for document in again():
        name = record_id(document)
        if name in seen:
            continue
        seen.add(name)
        if name not in withdrawn:
            gathered.take(document)
    gathered.count = len(seen)
    return gathered.conclude(withdrawn, warnings, definitions)


def _withdrawn(documents: Iterable[Document]) -> tuple[set[str], set[str]]:
    """C1–C4: the ids that another record of the transaction withdraws, and warnings."""
    ids: set[str] = set()
    corrects: dict[str, str] = {}
    for document in documents:
        ids.add(record_id(document))
        if target := document.get("corrects"):
            corrects[record_id(document)] = target
    if not corrects:
        return set(), set()
    warnings: set[str] = set()
    cyclic: set[str] = set()
    seen: set[str] = set()
    for start in corrects:
        walk: dict[str, None] = {}
        at = start
        while at in corrects and at not in seen and at not in walk:
            walk[at] = None
            at = corrects[at]
        if at in walk:
            chain = list(walk)
            cyclic.update(chain[chain.index(at) :])
        seen.update(walk)
    if cyclic:
        warnings.add(v.WARN_CORRECTION_CYCLE)
    if any(target not in ids for target in corrects.values()):
        warnings.add(v.WARN_CORRECTION_TARGET)
    # Within a cycle the next member is the one a member corrects; a correction from
    # outside into a cycle still stands.
    withdrawn = {
        target
        for source, target in corrects.items()
        if target in ids and not (source in cyclic and target in cyclic)
    }
    return withdrawn, warnings


class _Gathering:
    """Collects, record by record, what the conclusion needs."""

    def __init__(self) -> None:
        self.count = 0
        self.blocks: dict[str, Block] = {}
        self.first: tuple[Key, Document] | None = None
        self.version: tuple[Key, str] | None = None
        self.objects: set[tuple[str, str]] = set()
        self.flows: set[str] = set()
        self.references: set[tuple[str, str]] = set()
        self.parents: set[str] = set()
        self.created_at: datetime | None = None
        self.updated_at: datetime | None = None

    def take(self, document: Document) -> None:
        occurred = document["occurred_at"]
        key: Key = (occurred, v.STATUS_RANK[document["status"]], record_id(document))
        if self.first is None or key < self.first[0]:
            self.first = (key, document)
        version = document.get("flow_version")
        if version is not None and (self.version is None or key > self.version[0]):
            self.version = (key, version)
        self.objects.add((document["object_type"], document["object_id"]))
        self.flows.add(document["flow"])
        self.parents.update(document.get("parents") or ())
        shown = min(occurred, document["recorded_at"])  # F2
        if self.created_at is None or shown < self.created_at:
            self.created_at = shown
        if self.updated_at is None or shown > self.updated_at:
            self.updated_at = shown
        block = self.blocks.get(document["block"])
        if block is None:
            block = self.blocks[document["block"]] = Block(document["block"])
        _add_to_block(block, document, key, shown)
        for reference in part_of(document).get("references") or ():
            self.references.update((reference["name"], value) for value in reference["values"])

    def conclude(
        self,
        withdrawn: set[str],
        warnings: set[str],
        definitions: Callable[[str], Sequence[Definition]],
    ) -> Lifetime:
        if self.first is None or self.created_at is None or self.updated_at is None:
            raise ValueError("A transaction has at least one record that counts.")
        first = self.first[1]
        flow = first["flow"]
        version = self.version[1] if self.version else None
        definition = choose_definition(definitions(flow), version, self.created_at)
        # A total order: first event, then stage, then name.
        blocks = sorted(
            self.blocks.values(),
            key=lambda b: (b.first_at, STAGE_RANK[b.stage], b.name),
        )
        for position, block in enumerate(blocks):
            block.position = position
        if len(self.objects) > 1:
            warnings.add(v.WARN_MIXED_OBJECTS)
        if len(self.flows) > 1:
            warnings.add(v.WARN_MIXED_FLOWS)
        if definition and is_out_of_order(definition, self.blocks):
            warnings.add(v.WARN_OUT_OF_ORDER)

        status, current = status_of(blocks, self.blocks, definition)
        error = error_of(blocks, status, current)
        expected = [step for step in definition.steps if not step.optional] if definition else None
        done = done_of(expected, self.blocks)
        next_step = (
            next((s for s in expected if not is_good(self.blocks.get(s.block))), None)
            if expected and status == v.IN_TRANSIT
            else None
        )
        first_at = min(block.first_at for block in blocks if block.first_at)
        last_at = max(block.last_at for block in blocks if block.last_at)
        in_transit = status == v.IN_TRANSIT
        patience = definition.patience if definition else v.PATIENCE_DEFAULT
        usage: dict[tuple[str, str], Decimal] = {}
        costs: dict[str, Decimal] = {}
        for block in blocks:
            for line, quantity in block.usage.items():
                usage[line] = _EXACT.add(usage.get(line, Decimal(0)), quantity)
            for currency, amount in block.costs.items():
                costs[currency] = _EXACT.add(costs.get(currency, Decimal(0)), amount)
        if (
            len(self.references) > v.KEPT_REFERENCES
            or len(self.parents) > v.KEPT_PARENTS
            or len(usage) > v.KEPT_USAGE
            or len(blocks) > v.KEPT_PATH
        ):
            warnings.add(v.WARN_CAPPED)
        return Lifetime(
            transaction=first["transaction"],
            object_id=first["object_id"],
            object_type=first["object_type"],
            flow=flow,
            flow_version=version,
            definition=definition,
            status=status,
            blocks=blocks,
            current=current,
            error=error,
            created_at=self.created_at,
            updated_at=self.updated_at,
            first_at=first_at,
            last_at=last_at,
            stages=stages_of(blocks, self.blocks, definition, status),
            blocks_done=done,
            blocks_expected=len(expected) if expected is not None else None,
            percent=percent_of(status, done, expected),
            next_block=next_step.block if next_step else None,
            next_due_at=first_at + next_step.due if next_step and next_step.due else None,
            stalls_at=self.updated_at + patience if in_transit else None,
            due_at=first_at + definition.deadline
            if in_transit and definition and definition.deadline
            else None,
            records=self.count,
            withdrawn=withdrawn,
            references=sorted(self.references)[: v.KEPT_REFERENCES],
            parents=sorted(self.parents)[: v.KEPT_PARENTS],
            usage=dict(sorted(usage.items())[: v.KEPT_USAGE]),
            costs=dict(sorted(costs.items())),
            warnings=sorted(warnings),
        )


def _add_to_block(block: Block, document: Document, key: Key, shown: datetime) -> None:
    occurred, number, status = key[0], document["attempt"], document["status"]
    block.records += 1
    if block.first_at is None or occurred < block.first_at:
        block.first_at = occurred
    if block.last_at is None or occurred > block.last_at:
        block.last_at = occurred
    if block.shown_last_at is None or shown > block.shown_last_at:
        block.shown_last_at = shown
    attempt = block.attempts.get(number)
    if attempt is None:
        attempt = block.attempts[number] = Attempt(number, key, status, document)
    elif key > attempt.key:
        attempt.key, attempt.status, attempt.deciding = key, status, document
    attempt.queued = earliest(
        attempt.queued,
        document.get("queued_at"),
        occurred if status == v.QUEUED else None,
    )
    attempt.started = earliest(
        attempt.started,
        document.get("started_at"),
        occurred if status == v.STARTED else None,
    )
    part = part_of(document)
    if part.get("exception") and (block.failure is None or (number, key) > block.failure[0]):
        block.failure = ((number, key), document)
    for used in part.get("usage") or ():
        line = (used["resource"], used["unit"])
        quantity = block.usage.get(line, Decimal(0))
        block.usage[line] = _EXACT.add(quantity, Decimal(used["quantity"]))
    if cost := part.get("cost"):
        amount = block.costs.get(cost["currency"], Decimal(0))
        block.costs[cost["currency"]] = _EXACT.add(amount, Decimal(cost["amount"]))
