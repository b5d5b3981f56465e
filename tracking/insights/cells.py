"""Reading rollups: which cells make up a time, and the cells."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tracking.insights.windows import (
    DAY,
    HOUR,
    Window,
    floor_day,
    floor_hour,
    floor_month,
    months_after,
)
from tracking.mongo.connection import collection

ROLLUP: Final = "rollup"
# Before all that can be recorded.
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)

Cell = dict[str, Any]
# One, or several whose numbers are told together.
Tenants = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Run:
    """The cells of one grain from `start` until before `end`."""

    grain: str
    start: datetime
    end: datetime


def cover(start: datetime, end: datetime, *, breaks: Collection[datetime] = ()) -> list[Run]:
    """The fewest cells from one full hour until another.

    No cell has one of `breaks` (full hours) inside: what changes there changes between cells.
    """
    runs: list[Run] = []
    inside = sorted(each for each in breaks if start < each < end)
    for begin, until in zip([start, *inside], [*inside, end], strict=True):
        for run in _cover(begin, until):
            last = runs[-1] if runs else None
            if last and last.grain == run.grain and last.end == run.start:
                runs[-1] = Run(run.grain, last.start, run.end)
            else:
                runs.append(run)
    return runs


def _cover(start: datetime, end: datetime) -> Iterator[Run]:
    first_day = start if floor_day(start) == start else floor_day(start) + DAY
    last_day = floor_day(end)
    if first_day >= last_day:
        yield from _run("hour", start, end)
        return
    yield from _run("hour", start, first_day)
    month = floor_month(first_day)
    first_month = month if month == first_day else months_after(month, 1)
    last_month = floor_month(last_day)
    if first_month >= last_month:
        yield from _run("day", first_day, last_day)
    else:
        yield from _run("day", first_day, first_month)
        yield from _run("month", first_month, last_month)
        yield from _run("day", last_month, last_day)
    yield from _run("hour", last_day, end)


def _run(grain: str, start: datetime, end: datetime) -> Iterator[Run]:
    if start < end:
        yield Run(grain, start, end)


def grain_of(window: Window) -> str:
    """The widest grain whose cells lie each in one step; `minute`: the hours' minutes do."""
    bounds = (*window.begins, window.end)
    if all(floor_month(each) == each for each in bounds):
        return "month"
    if all(floor_day(each) == each for each in bounds):
        return "day"
    if all(floor_hour(each) == each for each in bounds):
        return "hour"
    return "minute"


def read(
    tenant: Tenants,
    kind: str,
    runs: Iterable[Run],
    *,
    flow: str | None = None,
    fields: Sequence[str] = (),
) -> Iterator[Cell]:
    """The cells of a kind, unsorted; `fields`: only these numbers, with what names the cell.

    The caller has made sure that `tenant` may be seen (access/scope.py).
    """
    wanted = None
    if fields:
        wanted = dict.fromkeys((*_NAMING, *fields), 1) | {"_id": 0}
    for run in runs:
        query: dict[str, Any] = {
            "tenant": whose(tenant),
            "kind": kind,
            "grain": run.grain,
            "at": {"$gte": run.start, "$lt": run.end},
        }
        if flow is not None:
            query["flow"] = flow
        yield from collection(ROLLUP).find(query, wanted, batch_size=10_000)


def whose(tenant: Tenants) -> Any:
    """The condition on whose cells."""
    return tenant if isinstance(tenant, str) else {"$in": list(tenant)}


_NAMING: Final = (
    "grain",
    "at",
    "flow",
    "version",
    "stage",
    "block",
    "source",
    "target",
    "resource",
    "unit",
    "currency",
    "lost",
    "vain",
)


def of_steps(
    tenant: Tenants,
    kind: str,
    window: Window,
    *,
    flow: str | None = None,
    fields: Sequence[str] = (),
    minutes: Sequence[str] = (),
) -> Iterator[tuple[int, Cell]]:
    """Cells with the index of the step that they lie in.

    In steps of minutes only `minutes` are known: the names of the counts that an hour keeps by
    minute, of which each cell that comes holds one minute's, at that minute's `at`.
    """
    grain = grain_of(window)
    if grain != "minute":
        for cell in read(
            tenant, kind, [Run(grain, window.start, window.end)], flow=flow, fields=fields
        ):
            index = window.index(cell["at"])
            if index is not None:
                yield index, cell
        return
    hours = Run("hour", floor_hour(window.start), window.end)
    for cell in read(tenant, kind, [hours], flow=flow, fields=("minutes",)):
        named: Cell = {name: cell[name] for name in _NAMING if name in cell}
        for minute, counts in cell.get("minutes", {}).items():
            at = cell["at"] + timedelta(minutes=int(minute))
            index = window.index(at)
            if index is not None:
                of_minute = {name: counts.get(name, 0) for name in minutes}
                yield index, {**named, "at": at, **of_minute}


def flows_of(tenant: str) -> list[str]:
    """The flows that anything is known of, by name."""
    rows = collection(ROLLUP).distinct("flow", {"tenant": tenant, "kind": "flow", "grain": "month"})
    return sorted(rows)


def hours_between(start: datetime, end: datetime) -> int:
    return (end - start) // HOUR
