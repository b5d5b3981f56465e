"""What a story tells, ready to be set: texts, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tracking.core.spelling import NONE, stamp

_VALUES_TOLD: Final = 20
_TOLD_LEAST: Final = 20
_TOLD_TOGETHER: Final = 2_000


@dataclass(frozen=True, slots=True)
class Export:
    """Who asked for the package, and when."""

    moment: datetime
    exporter: str
    search: str = ""
    objects: int = 1

    def most(self, alone: int) -> int:
        """How many steps or records one story tells: of one object alone so many, of many objects
        fewer of each, because setting pages takes time."""
        return min(alone, max(_TOLD_LEAST, _TOLD_TOGETHER // self.objects))


@dataclass(frozen=True, slots=True)
class AttemptTold:
    number: int
    status: str
    queued: str
    started: str
    ended: str
    waited: str
    worked: str
    said: str
    record: str


@dataclass(frozen=True, slots=True)
class BlockTold:
    number: int
    name: str
    stage: str
    status: str
    sentence: str
    said: list[str]
    attempts: list[AttemptTold]
    left_out: int


@dataclass(frozen=True, slots=True)
class CorrectionTold:
    withdrawn: str
    by: str
    was: str
    stands: str


@dataclass(frozen=True, slots=True)
class RecordTold:
    number: int
    id: str
    block: str
    attempt: int
    status: str
    occurred: str
    recorded: str
    state: str
    leaf: str
    place: str
    notes: list[str]
    withdrawn: bool


@dataclass(slots=True)
class Story:
    tenant: str
    transaction: str
    object_id: str
    object_type: str
    flow: str
    status: str
    summary_lines: list[str]
    facts: list[tuple[str, str]]
    blocks: list[BlockTold]
    blocks_left_out: int
    corrections: list[CorrectionTold]
    records: list[RecordTold]
    recorded: int
    states: dict[str, int]
    seal_lines: list[str]
    origin: str
    export: Export
    exported: str = field(init=False)

    def __post_init__(self) -> None:
        self.exported = f"{stamp(self.export.moment)} UTC"

    @property
    def state(self) -> str:
        return word(self.status)

    @property
    def records_left_out(self) -> int:
        return self.recorded - len(self.records)

    def summary(self, folder: str) -> dict[str, Any]:
        """The object as package.json names it."""
        return {
            "folder": folder,
            "tenant": self.tenant,
            "transaction": self.transaction,
            "object": {"id": self.object_id, "type": self.object_type},
            "flow": self.flow,
            "status": self.status,
            **self.states,
        }


def word(text: str) -> str:
    return text.replace("_", " ")


def utc(moment: datetime | None) -> str:
    return f"{stamp(moment)} UTC" if moment else NONE


def some(values: Sequence[str]) -> str:
    """The first of many, and how many more there are."""
    more = len(values) - _VALUES_TOLD
    return ", ".join(values[:_VALUES_TOLD]) + (f" and {more} more" if more > 0 else "")


def counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
