"""What a verification found, in words that stay the same (docs/integrity.md, "Verifying")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from tracking import clock
from tracking.errors import DftError

CLEAN, FINDINGS, FAILED = OUTCOMES = ("clean", "findings", "failed")
FULL, SINCE, TRANSACTION = SCOPES = ("full", "since last", "transaction")

# Kind → what it says; docs/integrity.md has the same table.
KINDS: Final = {
    "record_changed": "a record is not the one that stands in the log",
    "record_form": "a record has a field too many, too few, or of another type",
    "record_part": "the erasable part of a record is not the one it commits to",
    "record_removed": "a record that stands in the log, or in the queue, is gone",
    "record_added": "a record stands neither in the log nor in the queue",
    "back_dated": "a batch claims to be older than what was sealed long before it",
    "time_order": "a time lies before one that it must follow",
    "batch_twice": "a batch stands in the log twice",
    "batch_form": "the log says of a batch what its records do not",
    "segment_form": "a segment has a field too many, too few, or of another type",
    "segment_order": "the log has a gap or an overlap",
    "segment_tree": "the hashes that a segment keeps are not those of its leaves",
    "checkpoint_form": "a checkpoint has a field too many, too few, or of another type",
    "checkpoint_signature": "a checkpoint is not signed by the key for its size",
    "checkpoint_root": "a checkpoint was signed of other leaves",
    "checkpoint_missing": "no checkpoint was signed where one must be",
    "queue_form": "an entry of the seal queue has a field too many, too few, or of another type",
    "queue_changed": "an entry of the seal queue is not of its records",
    "outside_signature": "a checkpoint kept outside is not signed by the key for its size",
    "log_cut": "the log is shorter than what was signed of it",
    "log_rewritten": "the log is another one than what was signed of it",
    "derived": "what is derived is not what the journal says",
}
KEPT: Final = 1_000


class CannotCheck(DftError):
    """Nothing was found out; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`record`: tenant/id, or batch and place; `leaf`: its index in the log."""

    kind: str
    text: str
    tenant: str | None = None
    record: str | None = None
    leaf: int | None = None
    expected: str | None = None
    found: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(slots=True)
class Findings:
    """The first ones as they are, of the others how many: a flood must not fill the memory."""

    most: int = KEPT
    kept: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        kind: str,
        text: str,
        *,
        tenant: str | None = None,
        record: str | None = None,
        leaf: int | None = None,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        if kind not in KINDS:
            raise LookupError(f"{kind} is no kind of finding.")
        self.counts[kind] += 1
        if len(self.kept) < self.most:
            self.kept.append(Finding(kind, text, tenant, record, leaf, expected, found))

    def time(self, name: str, what: str, bound: datetime, found: datetime) -> None:
        """A time beyond what it must lie before or after."""
        self.add(
            "time_order",
            f"{name.capitalize()} says that it was {what}.",
            record=name,
            expected=clock.iso(bound),
            found=clock.iso(found),
        )

    def merge(self, kept: Iterable[Finding], counts: dict[str, int]) -> None:
        self.kept.extend(list(kept)[: self.most - len(self.kept)])
        self.counts.update(counts)

    @property
    def total(self) -> int:
        return self.counts.total()


@dataclass(slots=True)
class Report:
    """Of one run. `size`, `root`: of the log as far as it was checked; `later`: records that came
    after that, checked without their place being signed yet."""

    scope: str
    started_at: datetime
    target: str = ""
    ended_at: datetime | None = None
    size: int = 0
    root: bytes = b""
    records: int = 0
    later: int = 0
    segments: int = 0
    checkpoints: int = 0
    outside: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    notes: list[str] = field(default_factory=list)
    failure: str = ""

    @property
    def outcome(self) -> str:
        if self.findings.total:
            return FINDINGS
        return FAILED if self.failure else CLEAN

    @property
    def clean(self) -> bool:
        return self.outcome == CLEAN

    @property
    def seconds(self) -> float:
        return ((self.ended_at or self.started_at) - self.started_at).total_seconds()

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "outcome": self.outcome,
            "scope": self.scope,
            **({"target": self.target} if self.target else {}),
            "started_at": clock.iso(self.started_at),
            "ended_at": clock.iso(self.ended_at or self.started_at),
            "seconds": self.seconds,
            "size": self.size,
            "root": self.root.hex(),
            "records": self.records,
            "later_records": self.later,
            "segments": self.segments,
            "checkpoints": self.checkpoints,
            "outside_checkpoints": self.outside,
            "findings_total": self.findings.total,
            "findings_by_kind": dict(sorted(self.findings.counts.items())),
            "findings": [finding.as_dict() for finding in self.findings.kept],
            "notes": self.notes,
            **({"failure": self.failure} if self.failure else {}),
        }
