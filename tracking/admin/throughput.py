"""The page that tells how many objects pass."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from tracking import vocabulary as v
from tracking.admin.axes import compact
from tracking.admin.charts import Series, StepChart, by_steps
from tracking.admin.insights import Asked, answer, asked_of, insight
from tracking.insights.tables import Table
from tracking.insights.throughput import Counts, counts_by_step
from tracking.insights.windows import Window

_TONES = {v.DELIVERED: "good", v.TX_FAILED: "bad", v.TX_FILTERED: "mute"}


@insight
def throughput(request: HttpRequest) -> HttpResponse:
    asked = asked_of(request)
    charts: list[StepChart] = []
    tables = {}
    if asked.window is not None:
        counts = counts_by_step(asked.tenant, asked.window, flow=asked.flow or None)
        table = _objects(asked.window, counts)
        tables = {table.name: lambda: table}
        charts = [_ended(asked, asked.window, counts, table)]
    return answer(
        asked,
        "tracking/throughput.html",
        title="Throughput",
        question="How many objects pass, and is it more or less than before?",
        tables=tables,
        charts=charts,
    )


def _objects(window: Window, counts: list[Counts]) -> Table:
    return Table(
        "objects",
        {"from": "from (UTC)", "to": "to (UTC)", "started": "started", **{s: s for s in _TONES}},
        [
            (begin, end, each.started, *(each.ended[status] for status in _TONES))
            for begin, end, each in zip(window.begins, window.ends, counts, strict=True)
        ],
    )


def _ended(asked: Asked, window: Window, counts: list[Counts], table: Table) -> StepChart:
    return by_steps(
        name="objects",
        title="How many objects ended, and how?",
        window=window,
        say=lambda value: f"{value:,}",
        tick=compact,
        bars=[
            Series(status, tone, [each.ended[status] for each in counts])
            for status, tone in _TONES.items()
        ],
        lines=[Series("started", "info", [each.started for each in counts])],
        now=asked.moment,
        table=table,
        csv_url=asked.csv_url(table.name),
    )
