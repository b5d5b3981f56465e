"""The numbers of the page of bottlenecks as tables, for people and as CSV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tracking.insights.bottlenecks import Bottlenecks
from tracking.insights.counts import Spans
from tracking.insights.ranking import WHOLE, Block
from tracking.insights.tables import Table, Value

# Block, what of it → where that is listed.
Where = Callable[[Block, str], str]

_SPANS: Final = (("mean", "mean"), ("median", "median"), ("p95", "95 of 100 within"))
_BLOCKS: Final = {
    "rank": "rank",
    "block": "block",
    "stage": "stage",
    "verdict": "verdict",
    "elapsed_share": "of all elapsed time",
    "queue_share": "as queue",
    "work_share": "as work",
    "arrived": "arrived",
    "left": "left",
    "arrived_per_hour": "arrived an hour",
    "left_per_hour": "left an hour",
    "open": "under way",
    "failed": "failed",
    "retries": "retries",
    "lost": "lost",
    **{f"queue_{name}_ms": f"queue time, {said}" for name, said in _SPANS},
    **{f"work_{name}_ms": f"work time, {said}" for name, said in _SPANS},
    **{f"wait_{name}_ms": f"since the block before, {said}" for name, said in _SPANS},
    "waiting_at_once": "waiting at once",
    "at_work_at_once": "at work at once",
    "utilisation_share": "utilised, at most",
    "one_alone_per_hour": "an hour, one at a time",
    "most_left_per_hour": "most ended an hour",
    "waiting_change_share": "waiting against before",
    "elapsed_ms": "elapsed time",
    "elapsed_before_ms": "elapsed time before",
    "arrived_before": "arrived before",
    "ended_before": "ended before",
    "failed_before": "failed before",
    "why": "why",
}


# What only edges with their sketches tell.
_SKETCHED: Final = ("wait_median_ms", "wait_p95_ms")


def blocks_table(found: Bottlenecks, where: Where, *, sketched: bool) -> Table:
    """`sketched`: edges were read with their sketches."""
    links = [
        {name: where(block, name) for name in ("block", "arrived", "failed", "retries")}
        for block in found.blocks
    ]
    rows = [_block(block) for block in found.blocks]
    return _told(Table("bottlenecks-blocks", _BLOCKS, rows, links), sketched)


def _block(block: Block) -> list[Value]:
    counts, before, rates = block.counts, block.before, block.rates
    return [
        block.rank,
        block.name,
        block.stage,
        block.verdict,
        block.tenths / WHOLE,
        block.queue_tenths / WHOLE,
        block.work_tenths / WHOLE,
        counts.arrived,
        block.left,
        _rounded(rates.arrived),
        _rounded(rates.left),
        counts.open,
        counts.failed,
        counts.retries,
        counts.lost,
        *_spans(block.queue),
        *_spans(block.work),
        *_spans(block.waits),
        _rounded(rates.waiting),
        _rounded(rates.at_work),
        _rounded(rates.utilisation),
        _rounded(rates.one_alone),
        _rounded(rates.most_left),
        _rounded(block.change),
        counts.elapsed_ms,
        before.elapsed_ms,
        before.arrived,
        before.ended,
        before.failed,
        str(block.line),
    ]


def edges_table(found: Bottlenecks, url_of: Callable[[str], str], *, sketched: bool) -> Table:
    """`url_of`: where the visits of a block are listed, by its name."""
    columns = {
        "source": "from",
        "target": "to",
        "passed": "passed",
        **{f"wait_{name}_ms": f"waiting, {said}" for name, said in _SPANS},
        "waited_ms": "waiting, all",
    }
    rows = [
        (
            edge.source or None,
            edge.target or None,
            edge.passed,
            *_spans(edge.wait.spans()),
            edge.wait.ms if edge.wait.n else None,
        )
        for edge in found.edges
    ]
    links = [{"source": url_of(edge.source), "target": url_of(edge.target)} for edge in found.edges]
    return _told(Table("bottlenecks-path", columns, rows, links), sketched)


def _told(table: Table, sketched: bool) -> Table:
    """Without the columns of which nothing is known."""
    if sketched:
        return table
    kept = [place for place, name in enumerate(table.columns) if name not in _SKETCHED]
    columns = {name: said for name, said in table.columns.items() if name not in _SKETCHED}
    rows = [[row[place] for place in kept] for row in table.rows]
    return replace(table, columns=columns, rows=rows)


def steps_table(found: Bottlenecks) -> Table:
    columns = {
        "from": "from (UTC)",
        "to": "to (UTC)",
        "block": "block",
        "arrived": "arrived",
        "ended": "ended",
        "failed": "failed",
        "retries": "retries",
        "queue_ms": "elapsed as queue",
        "work_ms": "elapsed as work",
    }
    window = found.window
    rows: list[tuple[Value, ...]] = []
    for place, (begin, end) in enumerate(zip(window.begins, window.ends, strict=True)):
        for block in found.blocks:
            if block.steps:
                step = block.steps[place]
                counts = (step.arrived, step.ended, step.failed, step.retries)
                rows.append((begin, end, block.name, *counts, step.queue_ms, step.work_ms))
    return Table("bottlenecks-steps", columns, rows)


def _spans(found: Spans) -> tuple[Value, ...]:
    return tuple(
        None if each is None else round(each) for each in (found.mean, found.median, found.p95)
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
