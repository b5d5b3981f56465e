"""What was observed of one flow in a time: its objects, its blocks, the edges between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tracking import vocabulary as v
from tracking.insights.cells import Cell, cover, of_steps, read
from tracking.insights.counts import ENDINGS, Sketch
from tracking.insights.sums import sums
from tracking.insights.windows import Window, ceil_hour, floor_hour, window
from tracking.models.rollups import BLOCK, EDGE, FLOW

# Who puts ids into block names makes as many blocks as objects: what goes beyond is added up as
# one, and its edges are left out.
BLOCKS_MAX: Final = 2_000
EDGES_MAX: Final = 5_000

_OF_FLOW: Final = ("started", "ended", "throughput", "busy_ms", "idle_ms", "retries")
_OF_BLOCK: Final = ("arrived", "visits", "retries", "lost", "share", "queue", "work")
# The same without the sketches, by far the most of it.
_COUNTS: Final = (*_OF_BLOCK[:5], "queue.ms", "work.n", "work.ms")
_OF_EDGE: Final = ("passed", "wait")
_COUNTS_OF_EDGE: Final = ("passed", "wait.n", "wait.ms")


@dataclass(slots=True)
class Counts:
    """Of one block. `open`: decided by a record that ends nothing; `lost`: failed, or superseded;
    `queue_ms`, `work_ms`: its share of elapsed time; `worked_ms`: its visits' work times added up,
    of the `worked` visits that tell them."""

    arrived: int = 0
    ended: int = 0
    failed: int = 0
    open: int = 0
    retries: int = 0
    lost: int = 0
    queue_ms: int = 0
    work_ms: int = 0
    worked: int = 0
    worked_ms: int = 0
    queued_ms: int = 0

    def add(self, cell: Cell) -> None:
        visits: Mapping[str, int] = cell.get("visits", {})
        share: Mapping[str, int] = cell.get("share", {})
        work: Mapping[str, int] = cell.get("work", {})
        self.arrived += cell.get("arrived", 0)
        self.ended += sum(count for status, count in visits.items() if status in v.TERMINAL)
        self.failed += visits.get(v.FAILED, 0)
        self.open += visits.get(v.QUEUED, 0) + visits.get(v.STARTED, 0)
        self.retries += cell.get("retries", 0)
        self.lost += cell.get("lost", 0)
        self.queue_ms += share.get("queue_ms", 0)
        self.work_ms += share.get("work_ms", 0)
        self.worked += work.get("n", 0)
        self.worked_ms += work.get("ms", 0)
        self.queued_ms += cell.get("queue", {}).get("ms", 0)

    @property
    def visits(self) -> int:
        return self.ended + self.open

    @property
    def elapsed_ms(self) -> int:
        return self.queue_ms + self.work_ms

    @property
    def drift(self) -> int:
        """By how many visits those under way grew: arrived, and neither ended nor given up.

        A superseded attempt without an end is over; `lost` counts it with the failed ones.
        """
        given_up = min(self.open, max(0, self.lost - self.failed))
        return self.arrived - self.ended - given_up


@dataclass(slots=True)
class BlockSums:
    counts: Counts = field(default_factory=Counts)
    statuses: dict[str, int] = field(default_factory=dict)
    stages: dict[str, int] = field(default_factory=dict)
    queue: Sketch = field(default_factory=Sketch)
    work: Sketch = field(default_factory=Sketch)

    def add(self, cell: Cell) -> None:
        self.counts.add(cell)
        visits: Mapping[str, int] = cell.get("visits", {})
        for status, count in visits.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        seen = sum(visits.values()) + cell.get("arrived", 0)
        self.stages[cell["stage"]] = self.stages.get(cell["stage"], 0) + seen
        self.queue.add(cell.get("queue"))
        self.work.add(cell.get("work"))

    @property
    def stage(self) -> str:
        """The one that most of its visits name, of several the first."""
        return max(v.STAGES, key=lambda stage: (self.stages.get(stage, 0), -v.STAGES.index(stage)))


@dataclass(slots=True)
class EdgeSums:
    passed: int = 0
    wait: Sketch = field(default_factory=Sketch)


@dataclass(slots=True)
class FlowSums:
    """`ended`: status → how many; `throughput` of these; `busy_ms` and `idle_ms` are its parts."""

    started: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    throughput: Sketch = field(default_factory=Sketch)
    busy_ms: int = 0
    idle_ms: int = 0
    retries: int = 0

    def add(self, cell: Cell) -> None:
        self.started += cell.get("started", 0)
        for status, count in cell.get("ended", {}).items():
            self.ended[status] = self.ended.get(status, 0) + count
        throughput: Mapping[str, Any] = cell.get("throughput", {})
        for status in ENDINGS:  # those in transit have yet to spend theirs
            self.throughput.add(throughput.get(status))
        self.busy_ms += cell.get("busy_ms", 0)
        self.idle_ms += cell.get("idle_ms", 0)
        self.retries += cell.get("retries", 0)


@dataclass(slots=True)
class Observed:
    """`rest`: the blocks beyond `BLOCKS_MAX`, as one; `edges` by source and target ("": none)."""

    flow: FlowSums = field(default_factory=FlowSums)
    blocks: dict[str, BlockSums] = field(default_factory=dict)
    edges: dict[tuple[str, str], EdgeSums] = field(default_factory=dict)
    rest: BlockSums | None = None
    more_edges: bool = False

    def add_block(self, cell: Cell) -> None:
        block = self.blocks.get(cell["block"])
        if block is None:
            if len(self.blocks) < BLOCKS_MAX:
                block = self.blocks[cell["block"]] = BlockSums()
            else:
                block = self.rest = self.rest or BlockSums()
        block.add(cell)

    def add_edge(self, cell: Cell) -> None:
        ends = (cell["source"], cell["target"])
        edge = self.edges.get(ends)
        if edge is None:
            if len(self.edges) >= EDGES_MAX:
                self.more_edges = True
                return
            edge = self.edges[ends] = EdgeSums()
        edge.passed += cell.get("passed", 0)
        edge.wait.add(cell.get("wait"))


def on_the_hour(asked: Window) -> Window:
    """Widened to full hours, in steps of at least one: what is told of blocks is kept by the
    hour."""
    step = asked.step
    if step.endswith("m") and int(step[:-1]) % 60:
        step = f"{-(-int(step[:-1]) // 60)}h"
    return window(floor_hour(asked.start), ceil_hour(asked.end), step)


def observed(
    tenant: str, flow: str, start: datetime, end: datetime, *, edge_sketches: bool
) -> Observed:
    """All of it, between two full hours; what is waited on edges with its sketches, which are
    nearly half of all there is to read, or without."""
    found = Observed()
    runs = cover(start, end)
    for cell in read(tenant, FLOW, runs, flow=flow, fields=_OF_FLOW):
        found.flow.add(cell)
    for cell in read(tenant, BLOCK, runs, flow=flow, fields=_OF_BLOCK):
        found.add_block(cell)
    of_edge = _OF_EDGE if edge_sketches else _COUNTS_OF_EDGE
    for cell in read(tenant, EDGE, runs, flow=flow, fields=of_edge):
        found.add_edge(cell)
    return found


def counted(tenant: str, flow: str, start: datetime, end: datetime) -> dict[str, Counts]:
    """What a comparison needs: counts by block, without quantiles."""
    found: dict[str, Counts] = {}
    for cell in read(tenant, BLOCK, cover(start, end), flow=flow, fields=_COUNTS):
        name = cell["block"]
        if name not in found and len(found) >= BLOCKS_MAX:
            continue
        found.setdefault(name, Counts()).add(cell)
    return found


def flow_of(tenant: str, flow: str, start: datetime, end: datetime) -> FlowSums:
    """Its objects alone."""
    found = FlowSums()
    for cell in read(tenant, FLOW, cover(start, end), flow=flow, fields=_OF_FLOW):
        found.add(cell)
    return found


def by_steps(
    tenant: str, flow: str, asked: Window, blocks: Collection[str]
) -> tuple[dict[str, list[Counts]], list[Counts]]:
    """The counts of some blocks in each step, and those of all blocks together."""
    found = {name: [Counts() for _begin in asked.begins] for name in blocks}
    whole = [Counts() for _begin in asked.begins]
    for index, cell in of_steps(tenant, BLOCK, asked, flow=flow, fields=_COUNTS):
        whole[index].add(cell)
        if (steps := found.get(cell["block"])) is not None:
            steps[index].add(cell)
    return found, whole


def busiest_flow(tenant: str, start: datetime, end: datetime) -> str | None:
    """The flow in which most objects started, of equals most ended; None: there was none."""
    numbers = {"started": "started", **{status: f"ended.{status}" for status in ENDINGS}}
    found = sums(tenant, FLOW, cover(start, end), by=("flow",), numbers=numbers)

    def objects(flow: str) -> tuple[int, int]:
        counts = found[(flow,)]
        return counts["started"], sum(counts[status] for status in ENDINGS)

    return max(sorted(flow for (flow,) in found), key=objects, default=None)
