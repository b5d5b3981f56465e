"""The page that tells where objects lose their time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.admin.bottleneck_tables import blocks_table, edges_table, steps_table
from tracking.admin.charts import Series, Spark, StepChart, by_steps, spark
from tracking.admin.insights import Asked, answer, asked_of, insight
from tracking.admin.path_map import path_map
from tracking.admin.sheets import sheet_of
from tracking.admin.throughput import span_text
from tracking.admin.transaction_links import Links
from tracking.core.spelling import duration
from tracking.insights.bottlenecks import Bottlenecks, bottlenecks
from tracking.insights.counts import ENDINGS
from tracking.insights.path import path_of
from tracking.insights.ranking import Block, HotSpot, said_tenths
from tracking.insights.sentences import Line, number, percent, span_before
from tracking.insights.tables import Table
from tracking.insights.windows import Window

BLOCKS_LISTED: Final = 12
SPOTS_LISTED: Final = 8
_STACKED: Final = 6
# Fewer at work at once than that says nothing of how busy a block is.
_WORTH_TELLING: Final = 0.1
_TONES: Final = ("c0", "c1", "c2", "c3", "c4", "c5")
_SAID: Final = {
    "bottleneck": "bottleneck",
    "growing": "gets worse",
    "slow": "long work",
    "fine": "no trouble",
}


@dataclass(frozen=True, slots=True)
class Item:
    """A block in the ranked list; `queue` and `work` are the widths of its bar in percent."""

    block: Block
    label: SafeString
    part: str
    queue: str
    work: str
    facts: Sequence[tuple[str, str, str]]
    trend: Spark | None
    url: str


@dataclass(frozen=True, slots=True)
class Spot:
    line: Line
    often: bool
    url: str


@insight
def bottlenecks_page(request: HttpRequest) -> HttpResponse:
    asked = asked_of(request, no_flow="the one with most objects")
    shown: dict[str, Any] = {}
    tables: dict[str, Table] = {}
    if asked.window is not None:
        flow = asked.flow or None
        as_csv = request.GET.get("format") == "csv"
        found = bottlenecks(
            asked.tenant,
            asked.window,
            flow=flow,
            moment=asked.moment,
            edge_sketches=as_csv,
        )
        links = Links(asked)
        where = partial(_where, links, found)
        tables = {
            "blocks": blocks_table(found, where, sketched=as_csv),
            "path": edges_table(found, partial(_of_name, links, found), sketched=as_csv),
        }
        if request.GET.get("table") == "steps":
            tables["steps"] = steps_table(found)
        shown = _shown(asked, links, found, tables) if found.blocks else {"found": found}
    return answer(
        asked,
        "tracking/bottlenecks.html",
        title="Bottlenecks",
        question="Where do objects lose their time, and why there?",
        tables=tables,
        **shown,
    )


def _shown(
    asked: Asked, links: Links, found: Bottlenecks, tables: Mapping[str, Table]
) -> dict[str, Any]:
    where = partial(_where, links, found)
    path = path_of(found)
    return {
        "found": found,
        "figures": _figures(links, found),
        "items": [_item(found, block, where) for block in found.blocks[:BLOCKS_LISTED]],
        "more": max(0, len(found.blocks) - BLOCKS_LISTED),
        "rest": said_tenths(found.rest_tenths) if found.rest else "",
        "spots": [_spot(links, found, spot) for spot in found.hot_spots[:SPOTS_LISTED]],
        "more_spots": max(0, len(found.hot_spots) - SPOTS_LISTED),
        "map": path_map(path, lambda block: where(block, "block")) if path.edges else None,
        "edges_sheet": sheet_of(tables["path"]),
        "edges_csv": asked.csv_url("path"),
        "blocks_sheet": sheet_of(tables["blocks"]),
        "blocks_csv": asked.csv_url("blocks"),
        "chart": _chart(asked, links, found) if found.elapsed_ms else None,
        "widened": asked.window is not None and asked.window.span != found.window.span,
        "span_before": span_before(found.window.span),
    }


def _where(links: Links, found: Bottlenecks, block: Block, name: str) -> str:
    """Where the visits behind a number of a block are listed."""
    start, end, counts = found.window.start, found.window.end, block.counts
    known = {"flow": found.flow or "", "block": block.name}
    if name == "arrived":
        return links.arrived(start, end, **known)
    if name == "failed":
        return links.visits(start, end, **known, status=v.FAILED) if counts.failed else ""
    if name == "retries":
        return links.visits(start, end, **known, retries="1") if counts.retries else ""
    return links.visits(start, end, **known)


def _of_name(links: Links, found: Bottlenecks, name: str) -> str:
    start, end = found.window.start, found.window.end
    return links.visits(start, end, flow=found.flow or "", block=name) if name else ""


def _figures(links: Links, found: Bottlenecks) -> list[tuple[str, str, str, str]]:
    """What, how much, how much before, and where it is listed."""
    now, before = found.objects, found.objects_before
    start, end, flow = found.window.start, found.window.end, found.flow or ""
    url = links.started(start, end, flow=flow)
    figures = [("started", f"{now.started:,}", f"{before.started:,}", url)]
    for status in ENDINGS:
        count, earlier = now.ended.get(status, 0), before.ended.get(status, 0)
        if count or earlier or status == v.DELIVERED:
            url = links.ended(status, start, end, flow=flow)
            figures.append((status, f"{count:,}", f"{earlier:,}", url))
    spans, then = now.throughput.spans(), before.throughput.spans()
    for said, value, earlier_value in (
        ("median time", spans.median, then.median),
        ("95 of 100 within", spans.p95, then.p95),
        ("mean time", spans.mean, then.mean),
    ):
        figures.append((said, span_text(value), span_text(earlier_value), ""))
    whole, whole_before = now.busy_ms + now.idle_ms, before.busy_ms + before.idle_ms
    worked, worked_before = percent(now.busy_ms, whole), percent(before.busy_ms, whole_before)
    figures.append(("of it worked on", worked, worked_before, ""))
    return figures


def _item(found: Bottlenecks, block: Block, where: Callable[[Block, str], str]) -> Item:
    counts, rates = block.counts, block.rates
    facts = [
        ("arrived", f"{counts.arrived:,}", where(block, "arrived")),
        ("left", f"{block.left:,}", where(block, "block")),
        ("failed", f"{counts.failed:,}", where(block, "failed")),
        ("retries", f"{counts.retries:,}", where(block, "retries")),
    ]
    for name, spans in (("queue", block.queue), ("work", block.work)):
        if spans.n:
            facts.append((f"{name} time, median", span_text(spans.median), ""))
            facts.append(("95 of 100 within", span_text(spans.p95), ""))
    if rates.at_work is not None and rates.at_work >= _WORTH_TELLING:
        most = f" of {number(rates.most_at_work)} or more" if rates.most_at_work else ""
        facts.append(("at work at once", f"{number(rates.at_work)}{most}", ""))
    return Item(
        block=block,
        label=show.label(block.verdict, _SAID[block.verdict]),
        part=said_tenths(block.tenths),
        queue=f"{block.queue_tenths / 10:.1f}",
        work=f"{block.work_tenths / 10:.1f}",
        facts=facts,
        trend=_trend(block, found.window),
        url=where(block, "block"),
    )


def _trend(block: Block, window: Window) -> Spark | None:
    """Elapsed time by step: what grows here costs the flow more and more."""
    spans = [step.elapsed_ms for step in block.steps]
    if len(spans) < 3 or not any(spans):
        return None
    says = (
        f"Elapsed time of {block.name} by steps of {window.step}: from {duration(spans[0])} to"
        f" {duration(spans[-1])}, at most {duration(max(spans))}"
    )
    return spark(spans, says=says)


def _spot(links: Links, found: Bottlenecks, spot: HotSpot) -> Spot:
    narrowed = {"status": v.FAILED} if spot.counts.failed else {"retries": "1"}
    start, end = found.window.start, found.window.end
    url = links.visits(start, end, flow=found.flow or "", block=spot.block, **narrowed)
    return Spot(spot.line, spot.often, url)


def _chart(asked: Asked, links: Links, found: Bottlenecks) -> StepChart:
    """The blocks that take most, and all others together."""
    largest = sorted(found.blocks, key=lambda block: (-block.counts.elapsed_ms, block.name))
    stacked = [block for block in largest if block.counts.elapsed_ms][:_STACKED]
    series = [
        Series(block.name, tone, [step.elapsed_ms for step in block.steps])
        for block, tone in zip(stacked, _TONES, strict=False)
    ]
    rest = [
        whole.elapsed_ms - sum(block.steps[place].elapsed_ms for block in stacked)
        for place, whole in enumerate(found.steps)
    ]
    if any(rest):
        series.append(Series("all others", "mute", rest))
    return by_steps(
        name="steps",
        title="When was the time lost?",
        window=found.window,
        say=lambda ms: duration(round(ms)),
        bars=series,
        spans=True,
        urls=[
            links.visits(begin, end, flow=found.flow or "") if whole.visits else ""
            for begin, end, whole in zip(
                found.window.begins, found.window.ends, found.steps, strict=True
            )
        ],
        now=asked.moment,
        table=None,
        csv_url=asked.csv_url("steps"),
        note="Elapsed time of all objects, put down to the block it was spent in or waiting for.",
    )
