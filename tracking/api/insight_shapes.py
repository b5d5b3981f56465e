"""What insights count → JSON (docs/api.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracking.api import shapes
from tracking.insights.counts import Counts, Spans
from tracking.insights.records import BlockPart
from tracking.insights.throughput import Comparison, Step, Throughput, change
from tracking.insights.windows import Window

Shape = dict[str, Any]


def window_shape(window: Window) -> Shape:
    return {
        "from": shapes.time(window.start),
        "to": shapes.time(window.end),
        "step": window.step,
    }


def share(value: float | None) -> float | None:
    """A share of one, to a ten-thousandth of a percent."""
    return None if value is None else round(value, 6)


def throughput_shape(found: Throughput) -> Shape:
    return {
        **window_shape(found.window),
        "until": shapes.time(found.until),
        "totals": {
            **_counts(found.counts),
            "in_transit": found.in_transit,
            "retries": found.retries,
        },
        "throughput_time": _by_ending(found.spans),
        "steps": [_step(step) for step in found.steps],
        "compared": {name: _comparison(found, each) for name, each in found.comparisons.items()},
        "by": "flow" if found.by_flow else "version",
        "parts": [
            {"name": part.name, **_objects(part.counts), "throughput_time": spans_shape(part.spans)}
            for part in found.parts
        ],
        "blocks": [_block(part) for part in found.blocks],
        "more_blocks": found.more_blocks > 0,
    }


def _step(step: Step) -> Shape:
    return {
        "from": shapes.time(step.begin),
        "to": shapes.time(step.end),
        **_counts(step.counts),
        "in_transit": step.in_transit,
        "retries": step.retries,
        "throughput_time": spans_shape(step.spans),
    }


def _counts(counts: Counts) -> Shape:
    return {**_objects(counts), "records": dict(counts.records)}


def _objects(counts: Counts) -> Shape:
    return {
        "started": counts.started,
        "delivered": counts.delivered,
        "failed": counts.failed,
        "filtered": counts.filtered,
        "failed_share": share(counts.failed_share),
    }


def _by_ending(found: Mapping[str, Spans] | None) -> Shape | None:
    return None if found is None else {name: spans_shape(spans) for name, spans in found.items()}


def spans_shape(found: Spans | None) -> Shape | None:
    """Whole milliseconds, as all spans of the API."""
    if found is None:
        return None
    return {
        "n": found.n,
        "mean_ms": _whole(found.mean),
        "median_ms": _whole(found.median),
        "p95_ms": _whole(found.p95),
    }


def _whole(ms: float | None) -> int | None:
    return None if ms is None else round(ms)


def _comparison(found: Throughput, other: Comparison) -> Shape:
    now, then = found.counts, other.counts
    return {
        "from": shapes.time(other.start),
        "to": shapes.time(other.end),
        **_counts(then),
        "throughput_time": spans_shape(other.spans),
        "change": {
            "started": share(change(now.started, then.started)),
            "delivered": share(change(now.delivered, then.delivered)),
            "failed": share(change(now.failed, then.failed)),
            "filtered": share(change(now.filtered, then.filtered)),
            "records": {
                status: share(change(now.records[status], then.records[status]))
                for status in now.records
            },
        },
        "steps": [_objects(counts) for counts in other.steps],
    }


def _block(part: BlockPart) -> Shape:
    return {
        "flow": part.flow,
        "stage": part.stage,
        "block": part.block,
        "records": dict(part.records),
        "visits": None if part.visits is None else dict(part.visits),
        "failed_share": share(part.failed_share),
        "retries": part.retries,
    }
