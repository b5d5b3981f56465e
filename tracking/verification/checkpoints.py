"""Checkpoints as they are stored: form, signature, and what stands beside the note."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from tracking.core.note import BadNote, Checkpoint
from tracking.verification.keys import Keys
from tracking.verification.log import CHECKPOINT, documents
from tracking.verification.report import Report
from tracking.verification.shape import CHECKPOINT as CHECKPOINT_SHAPE
from tracking.verification.shape import checked

# So far apart may the clocks of two machines be.
SKEW: Final = timedelta(seconds=5)
Signed = tuple[Checkpoint, datetime]


def signed_notes(report: Report, keys: Keys, now: datetime, limit: int) -> Iterator[Signed]:
    """The checkpoints in order of size, their own form and signature checked."""
    last: datetime | None = None
    for raw in documents(CHECKPOINT):
        row, wrong = checked(raw, CHECKPOINT_SHAPE)
        size = row.get("_id")
        if isinstance(size, int) and size > limit:
            continue
        report.checkpoints += 1
        what = f"checkpoint {size}"
        if wrong:
            report.findings.add("checkpoint_form", f"{what}: {' '.join(wrong)}", record=what)
            continue
        try:
            checkpoint = keys.stored(row["note"])
        except BadNote as error:
            report.findings.add("checkpoint_signature", f"{what}: {error}", record=what)
            continue
        for field, stored, noted in (
            ("size", str(size), str(checkpoint.size)),
            ("root", row["root"].hex(), checkpoint.root.hex()),
        ):
            if stored != noted:
                report.findings.add(
                    "checkpoint_root",
                    f"The {field} of {what} is not the one in its note.",
                    record=what,
                    expected=noted,
                    found=stored,
                )
        signed_at = row["signed_at"]
        if signed_at > now + SKEW:
            report.findings.time(what, "signed in the future", now, signed_at)
        if last is not None and signed_at < last - SKEW:
            report.findings.time(what, "signed before the one before it", last, signed_at)
        last = signed_at
        if size == checkpoint.size:
            yield checkpoint, signed_at


class Ahead:
    """A stream of checkpoints that can be looked into."""

    def __init__(self, rows: Iterator[Signed]) -> None:
        self._rows = rows
        self._held: list[Signed] = []

    def sizes(self, end: int) -> list[int]:
        """The sizes of those up to `end`."""
        while not self._held or self._held[-1][0].size <= end:
            row = next(self._rows, None)
            if row is None:
                break
            self._held.append(row)
        return [row[0].size for row in self._held if row[0].size <= end]

    def up_to(self, end: int) -> list[Signed]:
        """Take those up to `end`."""
        count = len(self.sizes(end))
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def drain(self) -> None:
        """Let the rest be looked at as well: each is checked on its way."""
        for _row in self._rows:
            pass
