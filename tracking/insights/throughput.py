"""How many objects pass, and how fast: the numbers behind page, CSV and API (docs/insights.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracking import vocabulary as v
from tracking.insights.cells import BEGINNING, Cell, Run, Tenants, cover, grain_of, of_steps, read
from tracking.insights.counts import ENDINGS, Counts, Sketch, Spans
from tracking.insights.records import RECORDS, BlockPart, records_by_the_minute, records_of
from tracking.insights.sums import Numbers, sums, total
from tracking.insights.windows import Window, ceil_hour, floor_minute
from tracking.models.rollups import BLOCK, FLOW

OBJECTS: Final[Numbers] = {"started": "started", **{each: f"ended.{each}" for each in ENDINGS}}
BLOCKS_TOLD: Final = 200
PREVIOUS, SAME_WEEKDAY = "previous", "same_weekday"


@dataclass(frozen=True, slots=True)
class Step:
    """`in_transit`: at its end, or now; None of what is to come. Not known in steps of minutes,
    which are None: `retries`, `spans` (of what was delivered)."""

    begin: datetime
    end: datetime
    counts: Counts
    in_transit: int | None
    retries: int | None
    spans: Spans | None


@dataclass(frozen=True, slots=True)
class Part:
    """What a flow, or a version of the one flow asked for, contributes."""

    name: str
    counts: Counts
    spans: Spans | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another window of the same length. `counts` and `spans` until `end`, which is as far into
    it as now is into the one asked for; `steps`: all of its steps, with objects only."""

    start: datetime
    end: datetime
    counts: Counts
    spans: Spans | None
    steps: list[Counts]


@dataclass(frozen=True, slots=True)
class Throughput:
    """`until`: the end of the window, or now, if that is sooner. `spans` by how objects ended."""

    window: Window
    until: datetime
    steps: list[Step]
    counts: Counts
    in_transit: int
    retries: int | None
    spans: dict[str, Spans] | None
    by_flow: bool
    parts: list[Part]
    blocks: list[BlockPart]
    more_blocks: int
    comparisons: dict[str, Comparison]


def change(now: float | None, before: float | None) -> float | None:
    """By which share something grew; None where there was nothing to grow."""
    return None if now is None or not before else (now - before) / before


def throughput(
    tenant: str, window: Window, *, flow: str | None = None, moment: datetime
) -> Throughput:
    """The caller has made sure that `tenant` may be seen (access/scope.py)."""
    until = max(window.start, min(window.end, floor_minute(moment)))
    by_minute = grain_of(window) == "minute"
    objects = _Objects(window, flow)
    for index, cell in of_steps(
        tenant,
        FLOW,
        window,
        flow=flow,
        fields=("started", "ended", f"throughput.{v.DELIVERED}"),
        minutes=tuple(OBJECTS),
    ):
        objects.add(index, cell)
    read_records = records_by_the_minute if by_minute else records_of
    records = read_records(tenant, window, flow)
    for counts, added in zip(objects.steps, records.steps, strict=True):
        counts.add_records(added)
    inside = _before(tenant, window.start, flow)
    steps = []
    for index, (begin, end) in enumerate(zip(window.begins, window.ends, strict=True)):
        counts = objects.steps[index]
        inside += counts.started - counts.ended
        steps.append(
            Step(
                begin,
                end,
                counts,
                inside if begin <= until else None,
                None if by_minute else records.retries[index],
                None if by_minute else objects.spans[index].spans(),
            )
        )
    spans, by_part = ({}, {}) if by_minute else _spans(tenant, window, flow)
    return Throughput(
        window=window,
        until=until,
        steps=steps,
        counts=_whole(objects),
        in_transit=inside,
        retries=None if by_minute else sum(records.retries),
        spans=None if by_minute else spans,
        by_flow=flow is None,
        parts=objects.parts(None if by_minute else by_part),
        blocks=records.blocks[:BLOCKS_TOLD],
        more_blocks=max(0, len(records.blocks) - BLOCKS_TOLD),
        comparisons={
            PREVIOUS: _compared(tenant, window, window.previous(), until, flow),
            SAME_WEEKDAY: _compared(tenant, window, window.same_weekday(), until, flow),
        },
    )


class _Objects:
    """Flow cells, added up by step and by what the answer is taken apart by."""

    def __init__(self, window: Window, flow: str | None) -> None:
        self.steps = [Counts() for _ in window.begins]
        self.spans = [Sketch() for _ in window.begins]
        self._by = _apart_by(flow)
        self._parts: dict[str, Counts] = {}

    def add(self, index: int, cell: Cell) -> None:
        numbers = objects_of(cell)
        self.steps[index].add_objects(numbers)
        self._parts.setdefault(cell[self._by], Counts()).add_objects(numbers)
        self.spans[index].add(cell.get("throughput", {}).get(v.DELIVERED))

    def parts(self, spans: Mapping[str, Spans] | None) -> list[Part]:
        found = [
            Part(name, counts, None if spans is None else spans.get(name, Spans(0)))
            for name, counts in self._parts.items()
            if counts.started or counts.ended
        ]
        return sorted(found, key=lambda part: (-part.counts.started, -part.counts.ended, part.name))


def _apart_by(flow: str | None) -> str:
    return "flow" if flow is None else "version"


def _spans(
    tenant: str, window: Window, flow: str | None
) -> tuple[dict[str, Spans], dict[str, Spans]]:
    """Of the whole window by how objects ended, and of what was delivered by part.

    Not out of the cells of the steps: whole months and days have far fewer buckets to add up.
    """
    by_ending = {ending: Sketch() for ending in ENDINGS}
    by_part: dict[str, Sketch] = {}
    names = [f"throughput.{ending}" for ending in ENDINGS]
    runs = cover(window.start, window.end)
    for cell in read(tenant, FLOW, runs, flow=flow, fields=names):
        spans = cell.get("throughput", {})
        for ending in ENDINGS:
            by_ending[ending].add(spans.get(ending))
        part = by_part.setdefault(cell[_apart_by(flow)], Sketch())
        part.add(spans.get(v.DELIVERED))
    return (
        {ending: sketch.spans() for ending, sketch in by_ending.items()},
        {name: sketch.spans() for name, sketch in by_part.items()},
    )


def objects_by_step(tenant: Tenants, window: Window, *, flow: str | None = None) -> list[Counts]:
    """Only how many objects started and ended."""
    found = [Counts() for _ in window.begins]
    grain = grain_of(window)
    if grain == "minute":
        rows = of_steps(tenant, FLOW, window, flow=flow, minutes=tuple(OBJECTS))
        for index, cell in rows:
            found[index].add_objects(objects_of(cell))
        return found
    cells = [Run(grain, window.start, window.end)]
    for (at,), added in sums(tenant, FLOW, cells, by=("at",), numbers=OBJECTS, flow=flow).items():
        place = window.index(at)
        if place is not None:
            found[place].add_objects(added)
    return found


def objects_of(cell: Cell) -> dict[str, int]:
    """Of a cell of whole hours, or of one minute."""
    ended = cell.get("ended", cell)
    return {
        "started": cell.get("started", 0),
        **{each: ended.get(each, 0) for each in ENDINGS},
    }


def _whole(objects: _Objects) -> Counts:
    whole = Counts()
    for each in objects.steps:
        whole.started += each.started
        whole.delivered += each.delivered
        whole.failed += each.failed
        whole.filtered += each.filtered
        whole.add_records(each.records)
    return whole


def _before(tenant: str, start: datetime, flow: str | None) -> int:
    """How many were in transit at a moment."""
    found = total(tenant, FLOW, BEGINNING, start, numbers=OBJECTS, flow=flow)
    return found["started"] - sum(found[each] for each in ENDINGS)


def _compared(
    tenant: str, window: Window, other: Window, until: datetime, flow: str | None
) -> Comparison:
    cut = other.start + (until - window.start)
    counts = Counts()
    counts.add_objects(total(tenant, FLOW, other.start, cut, numbers=OBJECTS, flow=flow))
    counts.add_records(total(tenant, BLOCK, other.start, cut, numbers=RECORDS, flow=flow))
    spans = None
    if grain_of(window) != "minute":
        # durations are kept by the hour: with the hour that the cut lies in
        sketch = Sketch()
        cells = cover(other.start, ceil_hour(cut))
        for cell in read(tenant, FLOW, cells, flow=flow, fields=("throughput.delivered",)):
            sketch.add(cell.get("throughput", {}).get(v.DELIVERED))
        spans = sketch.spans()
    return Comparison(other.start, cut, counts, spans, objects_by_step(tenant, other, flow=flow))
