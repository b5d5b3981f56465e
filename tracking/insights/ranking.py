"""The blocks of a flow in the order in which they deserve a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tracking.insights.counts import Sketch, Spans
from tracking.insights.observed import BlockSums, Counts, Observed
from tracking.insights.rates import Rates, passed_of, rates_of
from tracking.insights.sentences import Line, of_block, of_hot_spot, span_before
from tracking.insights.verdicts import (
    BOTTLENECK,
    FINE,
    GROWING,
    SLOW,
    change_of_waiting,
    drift_that_lasts,
    fails_often,
    judged,
    repeats_often,
)
from tracking.insights.windows import HOUR, Window

_ORDER: Final = {BOTTLENECK: 0, GROWING: 1, SLOW: 2, FINE: 3}
WHOLE: Final = 1_000
_NONE: Final = Counts()


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the path.

    `queue_tenths` and `work_tenths` are tenths of a percent of all elapsed time, rounded so that
    those of all blocks add up to `WHOLE`. `left`: visits that ended, or, of a block that never says
    so, that went on. `queue` and `work`: times of its visits; `waits`: from the end of the visit
    before until work began. `grows`: by how many more arrived than left, where that is no chance.
    `change`: of a visit's waiting against the window before, 0.3 being 30 % more. `steps`: none,
    but of the largest blocks.
    """

    rank: int
    name: str
    stage: str
    verdict: str
    line: Line
    sums: BlockSums
    before: Counts
    queue_tenths: int
    work_tenths: int
    left: int
    grows: int
    change: float | None
    queue: Spans
    work: Spans
    waits: Spans
    rates: Rates
    steps: Sequence[Counts]

    @property
    def counts(self) -> Counts:
        return self.sums.counts

    @property
    def tenths(self) -> int:
        return self.queue_tenths + self.work_tenths


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A block that fails, or is tried again; `often`: in so many of its visits that it matters."""

    block: str
    often: bool
    counts: Counts
    before: Counts
    line: Line


def said_tenths(part: int) -> str:
    """Tenths of a percent as they are read: `41.3 %`."""
    return f"{part // 10}.{part % 10} %"


def elapsed_of(found: Observed) -> int:
    rest = found.rest.counts.elapsed_ms if found.rest else 0
    return rest + sum(sums.counts.elapsed_ms for sums in found.blocks.values())


def ranked(
    found: Observed,
    before: Mapping[str, Counts],
    steps: Mapping[str, Sequence[Counts]],
    window: Window,
    moment: datetime,
) -> list[Block]:
    """First what holds the flow up, then what gets worse, then what takes long by its work; of
    equals what takes most of the elapsed time."""
    parts = _parts(found)
    waits, went_on = _edges_by_block(found)
    blocks = []
    for name, sums in found.blocks.items():
        counts, earlier, told = sums.counts, before.get(name, _NONE), steps.get(name, ())
        if not counts.visits and not counts.arrived:
            continue  # taken back, and yet to be removed
        left, drift, lasting = counts.ended, counts.drift, told
        if not counts.ended and not earlier.ended:
            left = went_on.get(name, 0)
            drift, lasting = counts.arrived - left, ()
        grows = drift_that_lasts(counts.arrived, drift, lasting)
        change = change_of_waiting(counts, earlier)
        queue, work = parts[name]
        work_times = sums.work.spans()
        verdict = judged(queue + work, counts, blocks=len(parts), grows=grows, change=change)
        why = of_block(
            counts,
            earlier,
            tenths=queue + work,
            left=left,
            grows=grows,
            verdict=verdict,
            hours=passed_of(window, moment) / HOUR,
            span=span_before(window.span),
        )
        blocks.append(
            Block(
                rank=0,
                name=name,
                stage=sums.stage,
                verdict=verdict,
                line=Line((name,), why),
                sums=sums,
                before=earlier,
                queue_tenths=queue,
                work_tenths=work,
                left=left,
                grows=grows,
                change=change,
                queue=sums.queue.spans(),
                work=work_times,
                waits=waits[name].spans() if name in waits else Spans(0),
                rates=rates_of(sums, work_times, left, told, window, moment),
                steps=told,
            )
        )
    blocks.sort(key=_place)
    return [replace(block, rank=rank) for rank, block in enumerate(blocks, 1)]


def _place(block: Block) -> tuple[int, int, int, str]:
    counts = block.counts
    return _ORDER[block.verdict], -counts.elapsed_ms, -counts.arrived, block.name


def _parts(found: Observed) -> dict[str, tuple[int, int]]:
    """Queue and work of each block in tenths of a percent: cut, and what is missing from the whole
    given to those from which most was cut."""
    spans = []
    for name, sums in found.blocks.items():
        spans += [(name, 0, sums.counts.queue_ms), (name, 1, sums.counts.work_ms)]
    if found.rest:
        spans.append(("", 0, found.rest.counts.elapsed_ms))
    elapsed = sum(ms for _name, _kind, ms in spans)
    cut = {(name, kind): WHOLE * ms // elapsed if elapsed else 0 for name, kind, ms in spans}
    if elapsed:
        by_rest = sorted(spans, key=lambda span: (-(WHOLE * span[2] % elapsed), span[0], span[1]))
        for name, kind, _ms in by_rest[: WHOLE - sum(cut.values())]:
            cut[name, kind] += 1
    return {name: (cut[name, 0], cut[name, 1]) for name in found.blocks}


def _edges_by_block(found: Observed) -> tuple[dict[str, Sketch], dict[str, int]]:
    """The waiting before each block, and how often something went on from it."""
    waits: dict[str, Sketch] = {}
    went_on: dict[str, int] = {}
    for (source, target), edge in found.edges.items():
        wait = {"n": edge.wait.n, "ms": edge.wait.ms, "b": edge.wait.buckets}
        waits.setdefault(target, Sketch()).add(wait)
        went_on[source] = went_on.get(source, 0) + edge.passed
    return waits, went_on


def hot_spots(blocks: Sequence[Block], span: str) -> list[HotSpot]:
    """Those that fail most first; `span`: the window before, in words."""
    failed = sum(block.counts.failed for block in blocks)
    found = [
        HotSpot(
            block=block.name,
            often=fails_often(block.counts) or repeats_often(block.counts),
            counts=block.counts,
            before=block.before,
            line=Line(
                (block.name,), of_hot_spot(block.counts, block.before, failed=failed, span=span)
            ),
        )
        for block in blocks
        if block.counts.failed or block.counts.retries
    ]
    found.sort(key=lambda spot: (-spot.counts.failed, -spot.counts.retries, spot.block))
    return found
