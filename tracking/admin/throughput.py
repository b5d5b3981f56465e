"""The page that tells how many objects pass, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse

from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.admin.figures import Change, Figure, change_of, number_text, share_text, span_text
from tracking.admin.insights import Asked, answer, asked_of, insight
from tracking.admin.throughput_charts import charts_of
from tracking.admin.throughput_tables import (
    blocks_table,
    objects_table,
    parts_table,
    records_table,
    summary_table,
)
from tracking.admin.transaction_links import Links
from tracking.insights.tables import Table
from tracking.insights.throughput import PREVIOUS, SAME_WEEKDAY, Throughput, throughput

_THAN: Final = {PREVIOUS: "time before", SAME_WEEKDAY: "same weekday"}


@insight
def throughput_page(request: HttpRequest) -> HttpResponse:
    asked = asked_of(request)
    tables: dict[str, Table] = {}
    shown: dict[str, Any] = {}
    if asked.window is not None:
        found = throughput(asked.tenant, asked.window, flow=asked.flow or None, moment=asked.moment)
        links = Links(asked)
        tables = {
            "objects": objects_table(found, links),
            "summary": summary_table(found),
            "records": records_table(found, links),
            "parts": parts_table(found, links),
            "blocks": blocks_table(found, links),
        }
        shown = {
            "figures": figures(found, links),
            "compared": [
                (_THAN[name], each.start, each.end) for name, each in found.comparisons.items()
            ],
            "summary_url": asked.csv_url("summary"),
            "charts": charts_of(asked, found, links, tables),
        }
    return _answer(asked, tables, shown)


def _answer(asked: Asked, tables: Mapping[str, Table], shown: dict[str, Any]) -> HttpResponse:
    return answer(
        asked,
        "tracking/throughput.html",
        title="Throughput",
        question="How many objects pass, and is it more or less than before?",
        tables=tables,
        **shown,
    )


def figures(found: Throughput, links: Links) -> list[Figure]:
    counts, start, end = found.counts, found.window.start, found.window.end
    others = found.comparisons

    def changes(
        now: float | None, before: Mapping[str, float | None], say: Any, more_is: str = "none"
    ) -> list[Change]:
        return [change_of(now, before[name], than, say, more_is) for name, than in _THAN.items()]

    def counted(name: str, tone: str, icon: str, url: str, hint: str, more_is: str) -> Figure:
        now = getattr(counts, name)
        before = {each: getattr(other.counts, name) for each, other in others.items()}
        told = changes(now, before, number_text, more_is)
        return Figure(show.word(name), number_text(now), tone, icon, url if now else "", hint, told)

    def ended(status: str, hint: str, more_is: str) -> Figure:
        tone, icon = show.LOOKS[status]
        return counted(status, tone, icon, links.ended(status, start, end), hint, more_is)

    shares = {name: other.counts.failed_share for name, other in others.items()}
    told = [
        counted("started", "info", "play_circle", links.started(start, end), "first event", "none"),
        ended(v.DELIVERED, "arrived", "good"),
        ended(v.TX_FAILED, "a block failed, nothing got beyond it", "bad"),
        ended(v.TX_FILTERED, "a filter ended them", "none"),
        Figure(
            "in transit",
            number_text(found.in_transit),
            *show.LOOKS[v.IN_TRANSIT],
            links.in_transit(end) if found.in_transit else "",
            "at the end of this time" if found.until == end else "now",
            [],
        ),
        Figure(
            "failure rate",
            share_text(counts.failed_share),
            "bad",
            "percent",
            "",
            "failed, of what ended",
            changes(counts.failed_share, shares, share_text, "bad"),
        ),
    ]
    if found.spans is not None:
        spans = found.spans[v.DELIVERED]
        medians = {
            name: other.spans.median if other.spans else None for name, other in others.items()
        }
        told.append(
            Figure(
                "throughput time",
                span_text(spans.median),
                "mute",
                "timer",
                "",
                "median"
                if spans.p95 is None
                else f"median; 95 of 100 within {span_text(spans.p95)}",
                changes(spans.median, medians, span_text, "bad"),
            )
        )
    before = {name: other.counts.recorded for name, other in others.items()}
    told.append(
        Figure(
            "records",
            number_text(counts.recorded),
            "mute",
            "receipt_long",
            "",
            "of all statuses",
            changes(counts.recorded, before, number_text),
        )
    )
    return told
