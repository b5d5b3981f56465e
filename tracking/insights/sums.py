"""Sums of rollups, added up by the database: what has no buckets needs no cell to travel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tracking.insights.cells import ROLLUP, Run, Tenants, cover, read, whose
from tracking.insights.windows import HOUR, ceil_hour, floor_hour
from tracking.models.rollups import HOUR as BY_HOUR
from tracking.mongo.connection import collection

# Of a number its name, which is also that of its count by minute → where a cell keeps it.
Numbers = Mapping[str, str]


def summing(
    tenant: Tenants,
    kind: str,
    run: Run,
    *,
    by: Sequence[str],
    numbers: Numbers,
    flow: str | None = None,
) -> list[dict[str, Any]]:
    """The stages that add up the cells of a run, apart for each of what `by` names."""
    match: dict[str, Any] = {
        "tenant": whose(tenant),
        "kind": kind,
        "grain": run.grain,
        "at": {"$gte": run.start, "$lt": run.end},
    }
    if flow is not None:
        match["flow"] = flow
    return [
        {"$match": match},
        {
            "$group": {
                "_id": {name: f"${name}" for name in by},
                **{name: {"$sum": f"${field}"} for name, field in numbers.items()},
            }
        },
    ]


def sums(
    tenant: Tenants,
    kind: str,
    runs: Sequence[Run],
    *,
    by: Sequence[str] = (),
    numbers: Numbers,
    flow: str | None = None,
) -> dict[tuple[Any, ...], dict[str, int]]:
    """The numbers of the cells of all runs, by the values of what `by` names.

    The caller has made sure that `tenant` may be seen (access/scope.py).
    """
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for run in runs:
        stages = summing(tenant, kind, run, by=by, numbers=numbers, flow=flow)
        for row in collection(ROLLUP).aggregate(stages):
            of_key = found.setdefault(
                tuple(row["_id"].get(name) for name in by), dict.fromkeys(numbers, 0)
            )
            for name in numbers:
                of_key[name] += row[name]
    return found


def total(
    tenant: Tenants,
    kind: str,
    start: datetime,
    end: datetime,
    *,
    numbers: Numbers,
    flow: str | None = None,
) -> dict[str, int]:
    """The numbers from one full minute until another, exactly: full hours, days and months as
    far as there are any, and minutes at both ends."""
    found = dict.fromkeys(numbers, 0)
    if start >= end:
        return found
    first, last = ceil_hour(start), floor_hour(end)
    if first <= last:
        for added in sums(tenant, kind, cover(first, last), numbers=numbers, flow=flow).values():
            _add(found, added)
    for begin, until in _edges(start, end, first, last):
        hour = floor_hour(begin)
        for cell in read(
            tenant, kind, [Run(BY_HOUR, hour, hour + HOUR)], flow=flow, fields=("minutes",)
        ):
            for minute, counts in cell.get("minutes", {}).items():
                if begin.minute <= int(minute) < (until.minute or 60):
                    _add(found, {name: counts.get(name, 0) for name in numbers})
    return found


def _edges(
    start: datetime, end: datetime, first: datetime, last: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The parts that are no full hours; each lies in one."""
    if first > last:
        yield start, end
        return
    if start < first:
        yield start, first
    if last < end:
        yield last, end


def _add(found: dict[str, int], added: Mapping[str, int]) -> None:
    for name, number in added.items():
        found[name] += number
