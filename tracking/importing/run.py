"""The import itself: items in batches through the door, counted, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from tracking import vocabulary as v
from tracking.errors import DatabaseUnavailable
from tracking.importing.mapper import Item
from tracking.importing.problems import SourceError
from tracking.importing.state import ImportState

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0


class Result(Protocol):
    """What the door says of one record."""

    id: str | None
    outcome: str
    errors: Sequence[Any]


# Posts wire records and returns a result for each, in order; may raise DatabaseUnavailable.
Post = Callable[[list[dict[str, Any]]], Sequence[Result]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A record or row that was not stored, and why."""

    place: str
    id: str | None
    outcome: str
    message: str


@dataclass(slots=True)
class Summary:
    """What an import did. `resumed_from` counts what an earlier run had settled."""

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    invalid: int = 0
    resumed_from: int = 0
    seconds: float = 0.0
    complete: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def settled(self) -> int:
        return self.stored + self.duplicates + self.conflicts + self.invalid

    @property
    def refused(self) -> int:
        return self.conflicts + self.invalid

    @property
    def rate(self) -> float:
        return self.settled / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Options:
    """`patience` is how many seconds a database that cannot be reached is waited for."""

    batch: int = v.BATCH_RECORDS_MAX
    shown_problems: int = 20
    patience: float = 300.0


def run(
    items: Iterable[Item],
    post: Post,
    state: ImportState,
    options: Options,
    report: Callable[[Summary], None],
) -> Summary:
    """Post all `items` but those that `state` has settled; `report` is called per batch.

    Raises DatabaseUnavailable when patience ends and SourceError when the log breaks off or
    nothing of its beginning can be mapped; the state then tells how far it came.
    """
    began = time.monotonic()
    summary = Summary(resumed_from=state.done)
    stream = iter(items)
    skipped = sum(1 for _item in islice(stream, state.done))
    state.done = skipped  # the log may have become shorter by a --limit
    try:
        for batch in _batches(stream, options.batch):
            _settle(batch, post, summary, options)
            state.done += len(batch)
            state.save()
            summary.seconds = time.monotonic() - began
            report(summary)
            _check_hope(summary, options)
    finally:
        summary.seconds = time.monotonic() - began
    state.complete = summary.complete = True
    state.save()
    return summary


def _batches(stream: Iterator[Item], size: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    try:
        for item in stream:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except SourceError:
        # What was read before the log broke off is good.
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _settle(batch: list[Item], post: Post, summary: Summary, options: Options) -> None:
    good = [item for item in batch if item.wire is not None]
    results = iter(_post_patiently([i.wire for i in good if i.wire], post, options.patience))
    for item in batch:
        if item.wire is None:
            summary.invalid += 1
            _note(summary, options, item, None, v.INVALID, item.problem or "")
            continue
        result = next(results)
        if result.outcome == v.STORED:
            summary.stored += 1
        elif result.outcome == v.DUPLICATE:
            summary.duplicates += 1
        else:
            if result.outcome == v.CONFLICT:
                summary.conflicts += 1
            else:
                summary.invalid += 1
            text = "; ".join(_sentence(error) for error in result.errors)
            _note(summary, options, item, result.id, result.outcome, text)


def _sentence(error: Any) -> str:
    return f"{error.pointer.lstrip('/')}: {error.message}" if error.pointer else error.message


def _note(
    summary: Summary, options: Options, item: Item, id_: str | None, outcome: str, message: str
) -> None:
    if len(summary.problems) < options.shown_problems:
        summary.problems.append(Problem(str(item.place), id_, outcome, message))


def _check_hope(summary: Summary, options: Options) -> None:
    """A mapping that does not fit the log at all should fail soon, not after a gigabyte."""
    if summary.invalid == summary.settled >= options.batch and not summary.resumed_from:
        first = summary.problems[0] if summary.problems else None
        raise SourceError(
            f"None of the first {summary.settled} records could be stored, so the import was"
            f" stopped. The first: {first.place}: {first.message}"
            if first
            else f"None of the first {summary.settled} records could be stored."
        )


def _post_patiently(wires: list[dict[str, Any]], post: Post, patience: float) -> Sequence[Result]:
    if not wires:
        return ()
    deadline = time.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        try:
            return post(wires)
        except DatabaseUnavailable:
            # The write may have happened: the same ids again are duplicates then.
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
