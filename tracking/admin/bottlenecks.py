"""The page that tells where objects lose their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.admin.behind import blocks_url, objects_url
from tracking.admin.bottleneck_tables import blocks_table, edges_table, steps_table
from tracking.admin.charts import Series, Spark, StepChart, by_steps, spark
from tracking.admin.insights import Asked, answer, asked_of, insight
from tracking.admin.path_map import path_map
from tracking.admin.sheets import sheet_of
from tracking.core.spelling import duration
from tracking.insights.bottlenecks import Bottlenecks, bottlenecks
from tracking.insights.path import path_of
from tracking.insights.ranking import Block, HotSpot, said_tenths
from tracking.insights.sentences import Line, number, percent, span_before
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
    tables = {}
    if asked.window is not None and asked.flows:
        found = bottlenecks(
            asked.tenant, asked.window, flow=asked.flow or None, moment=asked.moment
        )
        tables = {
            "blocks": lambda: blocks_table(found, partial(_where, asked, found)),
            "path": lambda: edges_table(found),
            "steps": lambda: steps_table(found),
        }
        if request.GET.get("format") != "csv":
            shown = _shown(asked, found)
    return answer(
        asked,
        "tracking/bottlenecks.html",
        title="Bottlenecks",
        question="Where do objects lose their time, and why there?",
        tables=tables,
        **shown,
    )


def _shown(asked: Asked, found: Bottlenecks) -> dict[str, Any]:
    where = partial(_where, asked, found)
    path = path_of(found)
    return {
        "found": found,
        "figures": _figures(asked, found),
        "items": [_item(found, block, where) for block in found.blocks[:BLOCKS_LISTED]],
        "more": max(0, len(found.blocks) - BLOCKS_LISTED),
        "rest": said_tenths(found.rest_tenths) if found.rest else "",
        "spots": [_spot(asked, found, spot) for spot in found.hot_spots[:SPOTS_LISTED]],
        "more_spots": max(0, len(found.hot_spots) - SPOTS_LISTED),
        "map": path_map(path, lambda block: where(block, "block")) if path.edges else None,
        "edges_sheet": sheet_of(edges_table(found)),
        "edges_csv": asked.csv_url("path"),
        "blocks_sheet": sheet_of(blocks_table(found, where)),
        "blocks_csv": asked.csv_url("blocks"),
        "chart": _chart(asked, found) if found.elapsed_ms else None,
        "widened": found.window.start != asked.window.start or found.window.end != asked.window.end,
        "span_before": span_before(found.window.span),
    }


def _where(asked: Asked, found: Bottlenecks, block: Block, name: str) -> str:
    window = (found.window.start, found.window.end)
    narrowed: dict[str, Any] = {
        "block": {"updated_at": window},
        "arrived": {"first_at": window},
        "failed": {"status": v.FAILED, "updated_at": window} if block.counts.failed else None,
        "retries": {"retries": "1", "updated_at": window} if block.counts.retries else None,
    }[name]
    if narrowed is None:
        return ""
    known = {"flow": found.flow or "", "block": block.name}
    return blocks_url(asked.request, asked.tenant, **known, **narrowed)


def _figures(asked: Asked, found: Bottlenecks) -> list[tuple[str, str, str, str]]:
    """What, how much, beside what, and where it is listed."""
    now, before = found.objects, found.objects_before
    window = (found.window.start, found.window.end)
    known = {"flow": found.flow or ""}
    figures = [
        (
            "started",
            f"{now.started:,}",
            f"{before.started:,} before",
            objects_url(asked.request, asked.tenant, **known, created_at=window),
        )
    ]
    for status in (v.DELIVERED, v.TX_FAILED, v.TX_FILTERED):
        count, earlier = now.ended.get(status, 0), before.ended.get(status, 0)
        if count or earlier or status == v.DELIVERED:
            url = objects_url(
                asked.request, asked.tenant, **known, status=status, updated_at=window
            )
            figures.append((status, f"{count:,}", f"{earlier:,} before", url))
    median, p95 = now.throughput.median_and_p95()
    then = before.throughput.median_and_p95()
    for said, value, earlier in (
        ("half within", median, then[0]),
        ("95 % within", p95, then[1]),
        ("mean time", now.throughput.mean, before.throughput.mean),
    ):
        figures.append((said, duration(value), f"{duration(earlier)} before", ""))
    whole, whole_before = now.busy_ms + now.idle_ms, before.busy_ms + before.idle_ms
    figures.append(
        (
            "of it worked on",
            percent(now.busy_ms, whole),
            f"{percent(before.busy_ms, whole_before)} before",
            "",
        )
    )
    return figures


def _item(found: Bottlenecks, block: Block, where: Callable[[Block, str], str]) -> Item:
    counts, sums = block.counts, block.sums
    facts = [
        ("arrived", f"{counts.arrived:,}", where(block, "arrived")),
        ("left", f"{block.left:,}", where(block, "block")),
        ("failed", f"{counts.failed:,}", where(block, "failed")),
        ("retries", f"{counts.retries:,}", where(block, "retries")),
    ]
    for name, spans in (("queue", sums.queue), ("work", sums.work)):
        if spans.n:
            median, p95 = spans.median_and_p95()
            facts.append((f"{name}, half within", duration(median), ""))
            facts.append((f"{name}, 95 % within", duration(p95), ""))
    rates = block.rates
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


def _spot(asked: Asked, found: Bottlenecks, spot: HotSpot) -> Spot:
    window = (found.window.start, found.window.end)
    narrowed = {"status": v.FAILED} if spot.counts.failed else {"retries": "1"}
    known = {"flow": found.flow or "", "block": spot.block, **narrowed}
    url = blocks_url(asked.request, asked.tenant, **known, updated_at=window)
    return Spot(spot.line, spot.often, url)


def _chart(asked: Asked, found: Bottlenecks) -> StepChart:
    """The blocks that take most, and all others together."""
    largest = sorted(found.blocks, key=lambda block: (-block.counts.elapsed_ms, block.name))
    stacked = [block for block in largest if block.counts.elapsed_ms][:_STACKED]
    series = [
        Series(block.name, tone, [step.elapsed_ms for step in block.steps])
        for block, tone in zip(stacked, _TONES, strict=False)
    ]
    rest = [
        whole.elapsed_ms - sum(each.values[place] for each in series)
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
        now=asked.moment,
        table=None,
        csv_url=asked.csv_url("steps"),
        note="Elapsed time of all objects, put down to the block it was spent in or waiting for.",
    )
