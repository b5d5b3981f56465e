"""GET /api/v1/insights/bottlenecks, and its shape (docs/api.md)."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from tracking.api import schema, shapes
from tracking.api.insight_shapes import Shape, share, spans_shape, window_shape
from tracking.api.insights import InsightView
from tracking.insights.bottlenecks import Bottlenecks as Found
from tracking.insights.bottlenecks import Edge, bottlenecks, compared_with
from tracking.insights.counts import ENDINGS
from tracking.insights.observed import Counts, FlowSums
from tracking.insights.ranking import Block, HotSpot

# There may be thousands; those that take most of the time come first.
BLOCKS_TOLD: Final = 500
EDGES_TOLD: Final = 2_000


class Bottlenecks(InsightView):
    """Where a flow loses its time, and why."""

    @schema.insight_bottlenecks
    def get(self, request: Request) -> Response:
        asked = self.asked()
        moment = request.moment
        found = bottlenecks(
            asked.tenant, asked.window, flow=asked.flow, moment=moment, edge_sketches=True
        )
        start, end = compared_with(found.window, moment)
        return Response(
            {
                "tenant": found.tenant,
                "flow": found.flow,
                **window_shape(found.window),
                "compared_from": shapes.time(start),
                "compared_to": shapes.time(end),
                **bottlenecks_shape(found),
                "as_of": self.as_of(),
            }
        )


def bottlenecks_shape(found: Found) -> Shape:
    return {
        "summary": [str(line) for line in found.summary],
        "objects": _objects(found.objects),
        "objects_before": _objects(found.objects_before),
        "elapsed_ms": found.elapsed_ms,
        "blocks": [_block(block, found.elapsed_ms) for block in found.blocks[:BLOCKS_TOLD]],
        "edges": [_edge(edge) for edge in found.edges[:EDGES_TOLD]],
        "hot_spots": [_hot_spot(spot) for spot in found.hot_spots[:BLOCKS_TOLD]],
        "more_blocks": len(found.blocks) > BLOCKS_TOLD or found.rest is not None,
        "more_edges": len(found.edges) > EDGES_TOLD or found.more_edges,
    }


def _objects(sums: FlowSums) -> Shape:
    return {
        "started": sums.started,
        "ended": {status: sums.ended.get(status, 0) for status in ENDINGS},
        "throughput_time": spans_shape(sums.throughput.spans()),
        "processing_ms": sums.busy_ms,
        "idle_ms": sums.idle_ms,
    }


def _block(block: Block, elapsed_ms: int) -> Shape:
    rates = block.rates
    return {
        "rank": block.rank,
        "block": block.name,
        "stage": block.stage,
        "verdict": block.verdict,
        "sentence": str(block.line),
        "elapsed_share": share(block.counts.elapsed_ms / elapsed_ms if elapsed_ms else None),
        **_counts(block.counts),
        "left": block.left,
        "queue_grows_by": block.grows,
        "waiting_change": share(block.change),
        "queue_time": spans_shape(block.queue),
        "work_time": spans_shape(block.work),
        "waiting_time": spans_shape(block.waits),
        "rates": {
            "arrived_per_hour": share(rates.arrived),
            "left_per_hour": share(rates.left),
            "most_left_per_hour": share(rates.most_left),
            "one_alone_per_hour": share(rates.one_alone),
            "waiting_at_once": share(rates.waiting),
            "at_work_at_once": share(rates.at_work),
            "most_at_work_at_once": share(rates.most_at_work),
            "utilisation_share": share(rates.utilisation),
        },
        "before": _counts(block.before),
        "steps": [_counts(step) for step in block.steps],
    }


def _counts(counts: Counts) -> Shape:
    return {
        "arrived": counts.arrived,
        "ended": counts.ended,
        "open": counts.open,
        "failed": counts.failed,
        "retries": counts.retries,
        "lost": counts.lost,
        "queue_ms": counts.queue_ms,
        "work_ms": counts.work_ms,
    }


def _edge(edge: Edge) -> Shape:
    return {
        "source": edge.source or None,
        "target": edge.target or None,
        "passed": edge.passed,
        "waiting_time": spans_shape(edge.wait.spans()),
    }


def _hot_spot(spot: HotSpot) -> Shape:
    return {
        "block": spot.block,
        "often": spot.often,
        "failed": spot.counts.failed,
        "retries": spot.counts.retries,
        "visits": spot.counts.visits,
        "sentence": str(spot.line),
    }
