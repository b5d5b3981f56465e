"""A compiled [[record]]: a row → one wire record, or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.importing.attempts import AttemptRule
from tracking.importing.conditions import Condition
from tracking.importing.parts import Put
from tracking.importing.problems import RowError
from tracking.importing.times import TimeReader
from tracking.importing.values import Value
from tracking.importing.words import as_text

# The standard life cycle of XES; whatever else a log says must be mapped.
LIFECYCLE: Final = {
    "schedule": v.QUEUED,
    "assign": v.QUEUED,
    "reassign": v.QUEUED,
    "start": v.STARTED,
    "resume": v.STARTED,
    "suspend": v.STARTED,
    "complete": v.SUCCEEDED,
    "autoskip": v.SKIPPED,
    "manualskip": v.SKIPPED,
    "withdraw": v.SKIPPED,
    "ate_abort": v.FAILED,
    "pi_abort": v.FAILED,
}


@dataclass(frozen=True, slots=True)
class RecordRule:
    """How one kind of record is made of a row. `columns`: what it reads, and for which key."""

    key: str
    when: Condition | None
    unless: Condition | None
    occurred_at: tuple[Value, TimeReader]
    skip_empty: bool
    first: tuple[tuple[str, Value], ...]
    attempt: AttemptRule
    puts: tuple[Put, ...]
    columns: Mapping[str, str]

    def applies(self, row: Mapping[str, Any]) -> bool:
        return (self.when is None or self.when(row)) and not (
            self.unless is not None and self.unless(row)
        )

    def build(
        self, row: dict[str, Any], counts: dict[Any, int]
    ) -> tuple[dict[str, Any], datetime] | None:
        """The wire record and its moment; None where it has no time and may lack one.

        Sets the computed names of the record in `row`. Raises RowError.
        """
        value, reader = self.occurred_at
        given = value.get(row)
        if given is None:
            if self.skip_empty:
                return None
            raise missing("occurred_at", value, row)
        try:
            moment = reader.read(given)
        except ValueError as error:
            raise RowError(f"occurred_at{named(value)}: {error}") from None
        wire: dict[str, Any] = {"occurred_at": clock.iso(moment)}
        for name, value in self.first:
            found = value.get(row)
            if found is None:
                raise missing(name, value, row)
            row[f"@{name}"] = wire[name] = found if type(found) is str else as_text(found)
        attempt = self.attempt(row, counts)
        row["@attempt"] = attempt
        if attempt != 1:
            wire["attempt"] = attempt
        for put in self.puts:
            put(row, wire)
        return wire, moment


def missing(name: str, value: Value, row: Mapping[str, Any]) -> RowError:
    if not value.columns:
        return RowError(f"{name} has no value")
    shown = ", ".join(
        f"{column} is {row[column]!r:.80}" if row.get(column) is not None else f"{column} is empty"
        for column in value.columns
    )
    return RowError(f"{name} has no value: {shown}")


def named(value: Value) -> str:
    return f" ({', '.join(value.columns)})" if value.columns else ""


def standard_status(row: Mapping[str, Any]) -> str:
    transition = row.get("@lifecycle")
    if transition is None:
        return v.SUCCEEDED
    status = LIFECYCLE.get(as_text(transition).casefold())
    if status is None:
        raise RowError(f"the life-cycle transition {transition!r:.80} is not mapped to a status")
    return status


def explain_abort(row: dict[str, Any], wire: dict[str, Any]) -> None:
    """A failed record needs a cause; of an aborted event the transition is all there is."""
    if wire["status"] == v.FAILED and "exception" not in wire:
        wire["reason"] = f"life-cycle transition {row.get('@lifecycle')}"
