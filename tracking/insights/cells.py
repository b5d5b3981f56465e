"""Reading rollups: which cells make up a time, and the cells."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from tracking.insights.windows import (
    DAY,
    HOUR,
    Window,
    ceil_hour,
    floor_day,
    floor_hour,
    floor_month,
    months_after,
)
from tracking.models.rollups import BLOCK, FLOW, MONTH
from tracking.mongo.connection import collection

ROLLUP: Final = "rollup"
# Before all that can be recorded.
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
# By kind, of what an hour has the minutes too.
KEPT_BY_MINUTE: Final[Mapping[str, tuple[str, ...]]] = {
    FLOW: ("started", "ended"),
    BLOCK: ("records",),
}

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
    inside = sorted(each for each in breaks if start < each < end)
    return _tiled(pairwise([start, *inside, end]))


def _tiled(times: Iterable[tuple[datetime, datetime]]) -> list[Run]:
    """The fewest cells of each of these times; neighbours of one grain are one run."""
    runs: list[Run] = []
    for begin, until in times:
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


def by_minute(window: Window) -> bool:
    """Whether its steps begin within hours: what is kept by the hour is not known of them."""
    return any(floor_hour(begin) != begin for begin in window.begins[1:]) or (
        window.step.endswith("m") and int(window.step[:-1]) % 60 > 0
    )


def parts_of(window: Window) -> tuple[list[Run], list[datetime]]:
    """The fewest cells that lie each in one step; and the hours that no step holds whole, whose
    minutes do."""
    bounds = (*window.begins, window.end)
    runs = _tiled((ceil_hour(begin), floor_hour(end)) for begin, end in pairwise(bounds))
    return runs, sorted({floor_hour(each) for each in bounds if floor_hour(each) != each})


def edges_of(window: Window) -> list[Run]:
    """The hours that it begins or ends within."""
    bounds = {floor_hour(each) for each in (window.start, window.end) if floor_hour(each) != each}
    return _hours(sorted(bounds))


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

    Of an hour that no step holds whole `minutes` come, the names of the counts that it keeps by
    minute: a cell for each minute, at that minute's `at`. What it keeps as a whole comes besides,
    where the window begins or ends in it; in steps of minutes it does not.
    """
    runs, hours = parts_of(window)
    for cell in read(tenant, kind, runs, flow=flow, fields=fields):
        yield bisect_right(window.begins, cell["at"]) - 1, cell
    yield from of_minutes(tenant, kind, window, hours, flow=flow, minutes=minutes)
    rest = [name for name in fields if name.partition(".")[0] not in KEPT_BY_MINUTE[kind]]
    if rest and not by_minute(window):
        for cell in read(tenant, kind, edges_of(window), flow=flow, fields=rest):
            yield bisect_right(window.begins, max(cell["at"], window.start)) - 1, cell


def of_minutes(
    tenant: Tenants,
    kind: str,
    window: Window,
    hours: Sequence[datetime],
    *,
    flow: str | None = None,
    minutes: Sequence[str],
) -> Iterator[tuple[int, Cell]]:
    """The counts of these hours by minute, as far as the window goes, with the step's index."""
    for cell in read(tenant, kind, _hours(hours), flow=flow, fields=("minutes",)):
        named: Cell = {name: cell[name] for name in _NAMING if name in cell}
        for minute, counts in cell.get("minutes", {}).items():
            at = cell["at"] + timedelta(minutes=int(minute))
            index = window.index(at)
            if index is not None:
                of_minute = {name: counts.get(name, 0) for name in minutes}
                yield index, {**named, "at": at, **of_minute}


def _hours(hours: Sequence[datetime]) -> list[Run]:
    """As runs, neighbours together."""
    return _tiled((hour, hour + HOUR) for hour in hours)


def flows_of(tenant: str) -> list[str]:
    """The flows that anything is known of, by name."""
    rows = collection(ROLLUP).distinct("flow", {"tenant": tenant, "kind": FLOW, "grain": MONTH})
    return sorted(rows)


def first_counted(tenants: Sequence[str]) -> str | None:
    """The first of these, by name, of which anything is known."""
    query = {"tenant": whose(tenants), "kind": FLOW, "grain": MONTH}
    row = collection(ROLLUP).find_one(query, {"tenant": 1}, sort=[("tenant", 1)])
    return None if row is None else str(row["tenant"])


def hours_between(start: datetime, end: datetime) -> int:
    return (end - start) // HOUR
