"""Where a flow loses its time: its path, its blocks by their share of all elapsed time, and why.

Definitions: docs/insights.md, "Bottlenecks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tracking.insights.counts import Sketch
from tracking.insights.observed import (
    BlockSums,
    Counts,
    EdgeSums,
    FlowSums,
    busiest_flow,
    by_steps,
    counted,
    flow_of,
    observed,
    on_the_hour,
)
from tracking.insights.ranking import WHOLE, Block, HotSpot, elapsed_of, hot_spots, ranked
from tracking.insights.sentences import Line, span_before, summary
from tracking.insights.verdicts import BOTTLENECK, GROWING
from tracking.insights.windows import Window, ceil_hour

# Steps are told of so many: the largest by elapsed time, and those that pile up most.
STEPS_OF_LARGEST: Final = 30
STEPS_OF_PILES: Final = 10


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` or `target` is empty where the path begins or ends."""

    source: str
    target: str
    passed: int
    wait: Sketch


@dataclass(frozen=True, slots=True)
class Bottlenecks:
    """Of one flow in one window, and in the one before; `flow` None: nothing is known of any.

    `steps`: of all blocks together. `rest`: the blocks beyond those that are told apart, and
    `rest_tenths` theirs of all elapsed time; `more_edges`: there were more than are told.
    """

    tenant: str
    flow: str | None
    window: Window
    summary: Sequence[Line] = ()
    objects: FlowSums = field(default_factory=FlowSums)
    objects_before: FlowSums = field(default_factory=FlowSums)
    elapsed_ms: int = 0
    blocks: Sequence[Block] = ()
    steps: Sequence[Counts] = ()
    edges: Sequence[Edge] = ()
    hot_spots: Sequence[HotSpot] = ()
    rest: BlockSums | None = None
    rest_tenths: int = 0
    more_edges: bool = False


def bottlenecks(
    tenant: str,
    asked: Window,
    *,
    flow: str | None,
    moment: datetime,
    edge_sketches: bool = False,
) -> Bottlenecks:
    """`flow` None: the one with most objects. The caller has made sure that `tenant` may be seen.

    The window is widened to full hours. `edge_sketches`: tell median and 95th percentile of what
    is waited on edges, not its mean alone; that takes half as long again.
    """
    window = on_the_hour(asked)
    flow = flow or busiest_flow(tenant, window.start, window.end)
    if flow is None:
        return Bottlenecks(tenant, None, window)
    found = observed(tenant, flow, window.start, window.end, edge_sketches=edge_sketches)
    start, end = compared_with(window, moment)
    before = counted(tenant, flow, start, end)
    steps, whole = by_steps(tenant, flow, window, _told_by_steps(found.blocks))
    blocks = ranked(found, before, steps, window, moment)
    elapsed = elapsed_of(found)
    return Bottlenecks(
        tenant=tenant,
        flow=flow,
        window=window,
        summary=_summary(blocks),
        objects=found.flow,
        objects_before=flow_of(tenant, flow, start, end),
        elapsed_ms=elapsed,
        blocks=blocks,
        steps=whole,
        edges=_edges(found.edges),
        hot_spots=hot_spots(blocks, span_before(window.span)),
        rest=found.rest,
        rest_tenths=WHOLE - sum(block.tenths for block in blocks) if elapsed else 0,
        more_edges=found.more_edges,
    )


def compared_with(window: Window, moment: datetime) -> tuple[datetime, datetime]:
    """From and to of what it is compared with: as much of the window before as has passed of this,
    to the hour."""
    start, end = window.start, min(window.end, ceil_hour(moment))
    if end <= start:
        end = window.end
    return start - window.span, end - window.span


def _told_by_steps(blocks: Mapping[str, BlockSums]) -> list[str]:
    by_size = sorted(blocks, key=lambda name: (-blocks[name].counts.elapsed_ms, name))
    by_pile = sorted(blocks, key=lambda name: (-blocks[name].counts.drift, name))
    return list(dict.fromkeys([*by_size[:STEPS_OF_LARGEST], *by_pile[:STEPS_OF_PILES]]))


def _summary(blocks: Sequence[Block]) -> list[Line]:
    largest = min(blocks, key=lambda each: (-each.counts.elapsed_ms, each.rank), default=None)
    worst = [block for block in blocks if block.verdict == BOTTLENECK]
    return summary(
        [(block.name, block.counts, block.tenths) for block in worst],
        [block.name for block in blocks if block.verdict == GROWING],
        (largest.name, largest.counts, largest.tenths) if largest else None,
    )


def _edges(edges: Mapping[tuple[str, str], EdgeSums]) -> list[Edge]:
    """The most passed first."""
    found = [
        Edge(source, target, sums.passed, sums.wait)
        for (source, target), sums in edges.items()
        if sums.passed
    ]
    return sorted(found, key=lambda edge: (-edge.passed, edge.source, edge.target))
