"""How many objects pass, and how fast: the numbers behind page, CSV and API (docs/insights.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracking import vocabulary as v
from tracking.insights.cells import BEGINNING, Cell, Run, cover, grain_of, of_steps, read
from tracking.insights.counts import ENDINGS, Counts, Sketch, Spans
from tracking.insights.sums import Numbers, sums, total
from tracking.insights.windows import Window, ceil_hour, floor_minute
from tracking.models.rollups import BLOCK, FLOW

OBJECTS: Final[Numbers] = {"started": "started", **{each: f"ended.{each}" for each in ENDINGS}}
RECORDS: Final[Numbers] = {each: f"records.{each}" for each in v.STATUSES}
_VISITS: Final[Numbers] = {f"visits_{each}": f"visits.{each}" for each in v.STATUSES}
_OF_BLOCK: Final[Numbers] = {**RECORDS, **_VISITS, "retries": "retries"}
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
class BlockPart:
    """`visits` by status and `retries` are None where only minutes were asked for."""

    flow: str
    stage: str
    block: str
    records: dict[str, int]
    visits: dict[str, int] | None
    retries: int | None

    @property
    def failed_share(self) -> float | None:
        decided = sum(self.visits.values()) if self.visits else 0
        return self.visits[v.FAILED] / decided if self.visits and decided else None


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
        fields=("started", "ended", "throughput"),
        minutes=tuple(OBJECTS),
    ):
        objects.add(index, cell)
    records = _by_the_minute(tenant, window, flow) if by_minute else _records(tenant, window, flow)
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
                None if by_minute else objects.spans[index][v.DELIVERED].spans(),
            )
        )
    whole = _whole(objects)
    return Throughput(
        window=window,
        until=until,
        steps=steps,
        counts=whole,
        in_transit=inside,
        retries=None if by_minute else sum(records.retries),
        spans=None if by_minute else objects.by_ending(),
        by_flow=flow is None,
        parts=objects.parts(by_minute=by_minute),
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
        self.spans = [{each: Sketch() for each in ENDINGS} for _ in window.begins]
        self._by = "flow" if flow is None else "version"
        self._parts: dict[str, tuple[Counts, Sketch]] = {}

    def add(self, index: int, cell: Cell) -> None:
        numbers = _objects_of(cell)
        self.steps[index].add_objects(numbers)
        counts, sketch = self._parts.setdefault(cell[self._by], (Counts(), Sketch()))
        counts.add_objects(numbers)
        for ending, found in cell.get("throughput", {}).items():
            self.spans[index][ending].add(found)
        sketch.add(cell.get("throughput", {}).get(v.DELIVERED))

    def by_ending(self) -> dict[str, Spans]:
        return {ending: _merged(each[ending] for each in self.spans) for ending in ENDINGS}

    def parts(self, *, by_minute: bool) -> list[Part]:
        found = [
            Part(name, counts, None if by_minute else sketch.spans())
            for name, (counts, sketch) in self._parts.items()
            if counts.started or counts.ended
        ]
        return sorted(found, key=lambda part: (-part.counts.started, -part.counts.ended, part.name))


def _objects_of(cell: Cell) -> dict[str, int]:
    """Of a cell of whole hours, or of one minute."""
    ended = cell.get("ended", cell)
    return {
        "started": cell.get("started", 0),
        **{each: ended.get(each, 0) for each in ENDINGS},
    }


def _merged(sketches: Iterable[Sketch]) -> Spans:
    whole = Sketch()
    for each in sketches:
        whole.add({"n": each.n, "ms": each.ms, "b": each.buckets})
    return whole.spans()


def _whole(objects: _Objects) -> Counts:
    whole = Counts()
    for each in objects.steps:
        whole.started += each.started
        whole.delivered += each.delivered
        whole.failed += each.failed
        whole.filtered += each.filtered
        whole.add_records(each.records)
    return whole


@dataclass(slots=True)
class _Records:
    steps: list[dict[str, int]]
    retries: list[int]
    blocks: list[BlockPart]


def _records(tenant: str, window: Window, flow: str | None) -> _Records:
    found = _none(window)
    cells = [Run(grain_of(window), window.start, window.end)]
    numbers = {**RECORDS, "retries": "retries"}
    for (at,), added in sums(tenant, BLOCK, cells, by=("at",), numbers=numbers, flow=flow).items():
        index = window.index(at)
        if index is not None:
            found.retries[index] += added["retries"]
            _add(found.steps[index], added)
    by = ("flow", "stage", "block")
    cells = cover(window.start, window.end)
    rows = sums(tenant, BLOCK, cells, by=by, numbers=_OF_BLOCK, flow=flow)
    found.blocks = _sorted(
        BlockPart(
            flow,
            stage,
            block,
            records={status: added[status] for status in v.STATUSES},
            visits={status: added[f"visits_{status}"] for status in v.STATUSES},
            retries=added["retries"],
        )
        for (flow, stage, block), added in rows.items()
    )
    return found


def _by_the_minute(tenant: str, window: Window, flow: str | None) -> _Records:
    found = _none(window)
    blocks: dict[tuple[str, str, str], dict[str, int]] = {}
    for index, cell in of_steps(tenant, BLOCK, window, flow=flow, minutes=v.STATUSES):
        _add(found.steps[index], cell)
        names = (cell["flow"], cell["stage"], cell["block"])
        _add(blocks.setdefault(names, dict.fromkeys(v.STATUSES, 0)), cell)
    found.blocks = _sorted(
        BlockPart(flow, stage, block, records=records, visits=None, retries=None)
        for (flow, stage, block), records in blocks.items()
    )
    return found


def _none(window: Window) -> _Records:
    steps = [dict.fromkeys(v.STATUSES, 0) for _ in window.begins]
    return _Records(steps, [0] * len(window.begins), [])


def _add(found: dict[str, int], added: Mapping[str, int]) -> None:
    for status in v.STATUSES:
        found[status] += added[status]


def _sorted(parts: Iterable[BlockPart]) -> list[BlockPart]:
    """The most busy first; blocks of which nothing was recorded in this time are left out."""
    busy = (part for part in parts if any(part.records.values()) or part.retries)
    return sorted(busy, key=lambda part: (-sum(part.records.values()), part.flow, part.block))


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
    objects = _Objects(other, flow)
    names = ("started", "ended")
    for index, cell in of_steps(
        tenant, FLOW, other, flow=flow, fields=names, minutes=tuple(OBJECTS)
    ):
        objects.add(index, cell)
    spans = None
    if grain_of(window) != "minute":
        # durations are kept by the hour: with the hour that the cut lies in
        sketch = Sketch()
        cells = cover(other.start, ceil_hour(cut))
        for cell in read(tenant, FLOW, cells, flow=flow, fields=("throughput.delivered",)):
            sketch.add(cell.get("throughput", {}).get(v.DELIVERED))
        spans = sketch.spans()
    return Comparison(other.start, cut, counts, spans, objects.steps)
