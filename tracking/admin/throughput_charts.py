"""The charts of throughput: each answers a question, and leads to what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.admin.axes import Number, compact
from tracking.admin.charts import BarChart, Key, Row, Series, StepChart, bars, by_steps
from tracking.admin.insights import Asked
from tracking.admin.sheets import percent
from tracking.admin.transaction_links import Links
from tracking.insights.counts import ENDINGS
from tracking.insights.tables import Table
from tracking.insights.throughput import SAME_WEEKDAY, Throughput

BARS_SHOWN: Final = 15
TONES: Final = {v.DELIVERED: "good", v.TX_FAILED: "bad", v.TX_FILTERED: "mute"}
_RECORD_TONES: Final = {
    v.QUEUED: "wait",
    v.STARTED: "info",
    v.SUCCEEDED: "good",
    v.FAILED: "bad",
    v.SKIPPED: "none",
    v.FILTERED: "mute",
}


def charts_of(
    asked: Asked, found: Throughput, links: Links, tables: Mapping[str, Table]
) -> dict[str, StepChart | BarChart]:
    """By name; times, failures and retries are left out where they are not known."""
    made = _Maker(asked, found, links, tables)
    charts: dict[str, StepChart | BarChart] = {
        "objects": made.objects(),
        "in_transit": made.in_transit(),
        "failed": made.failed(),
        "records": made.records(),
        "parts": made.parts(),
        "blocks": made.blocks(),
    }
    if found.retries is not None:
        charts |= {"times": made.times(), "retries": made.retries()}
    return charts


class _Maker:
    def __init__(
        self, asked: Asked, found: Throughput, links: Links, tables: Mapping[str, Table]
    ) -> None:
        self._asked, self._found, self._links, self._tables = asked, found, links, tables

    def _steps(self, name: str, title: str, csv: str, say: Any, **more: Any) -> StepChart:
        return by_steps(
            name=name,
            title=title,
            window=self._found.window,
            say=say,
            now=self._asked.moment,
            csv_url=self._asked.csv_url(csv),
            **more,
        )

    def objects(self) -> StepChart:
        steps = self._found.steps
        weekday = self._found.comparisons[SAME_WEEKDAY].steps
        return self._steps(
            "objects",
            "How many objects ended, and how many began?",
            "objects",
            _count,
            tick=compact,
            bars=[
                Series(status, tone, [getattr(step.counts, status) for step in steps])
                for status, tone in TONES.items()
            ],
            lines=[
                Series("started", "info", [step.counts.started for step in steps]),
                Series(
                    "started, same weekday before",
                    "mute",
                    [counts.started for counts in weekday],
                    dashed=True,
                ),
            ],
            urls=[
                self._links.started(step.begin, step.end) if step.counts.started else ""
                for step in steps
            ],
            table=self._tables["objects"],
            note="A bar leads to the objects that began in its time; the table to each number's.",
        )

    def in_transit(self) -> StepChart:
        steps = self._found.steps
        return self._steps(
            "in-transit",
            "How many objects were in transit?",
            "objects",
            _count,
            tick=compact,
            lines=[Series("in transit", "info", [step.in_transit for step in steps])],
            at_end=True,
            urls=[self._links.in_transit(step.end) if step.in_transit else "" for step in steps],
        )

    def times(self) -> StepChart:
        spans = [step.spans for step in self._found.steps]
        return self._steps(
            "times",
            "How long did delivered objects take?",
            "objects",
            _span,
            spans=True,
            lines=[
                Series("95 of 100 within", "warn", [each.p95 if each else None for each in spans]),
                Series("mean", "mute", [each.mean if each else None for each in spans]),
                Series("median", "info", [each.median if each else None for each in spans]),
            ],
            urls=[
                self._links.ended(v.DELIVERED, step.begin, step.end)
                if step.counts.delivered
                else ""
                for step in self._found.steps
            ],
        )

    def failed(self) -> StepChart:
        steps = self._found.steps
        return self._steps(
            "failed",
            "Which share of what ended had failed?",
            "objects",
            _share,
            whole=False,
            summed=False,
            lines=[Series("failed", "bad", [step.counts.failed_share for step in steps])],
            urls=[
                self._links.ended(v.TX_FAILED, step.begin, step.end) if step.counts.failed else ""
                for step in steps
            ],
        )

    def retries(self) -> StepChart:
        steps = self._found.steps
        return self._steps(
            "retries",
            "How often was a block tried again?",
            "objects",
            _count,
            tick=compact,
            bars=[Series("retries", "warn", [step.retries for step in steps])],
            urls=[
                self._links.retried(step.begin, step.end) if step.retries else "" for step in steps
            ],
        )

    def records(self) -> StepChart:
        steps = self._found.steps
        return self._steps(
            "records",
            "How many records came of it, and of which status?",
            "records",
            _count,
            tick=compact,
            bars=[
                Series(show.word(status), tone, [step.counts.records[status] for step in steps])
                for status, tone in _RECORD_TONES.items()
            ],
            table=self._tables["records"],
        )

    def parts(self) -> BarChart:
        found = self._found
        shown = found.parts[:BARS_SHOWN]
        return bars(
            name="parts",
            title="Which flows are they of?" if found.by_flow else "Which versions are they of?",
            rows=[
                Row(
                    part.name or "without a version",
                    [(getattr(part.counts, each), TONES[each]) for each in ENDINGS],
                    f"{part.counts.ended:,} ended",
                    f"{part.counts.started:,} started",
                    self._asked.url(flow=part.name) if found.by_flow else "",
                )
                for part in shown
            ],
            legend=[Key(status, tone) for status, tone in TONES.items()],
            table=self._tables["parts"],
            csv_url=self._asked.csv_url("parts"),
            note=_more(len(found.parts) - len(shown)),
        )

    def blocks(self) -> BarChart:
        found = self._found
        shown = found.blocks[:BARS_SHOWN]
        several = len({part.flow for part in found.blocks}) > 1
        return bars(
            name="blocks",
            title="Which blocks do the records come from?",
            rows=[
                Row(
                    f"{part.block} ({part.flow})" if several else part.block,
                    [(part.records[each], tone) for each, tone in _RECORD_TONES.items()],
                    f"{sum(part.records.values()):,}",
                    "" if part.failed_share is None else f"{percent(part.failed_share)} failed",
                    self._asked.elsewhere("admin:bottlenecks", flow=part.flow),
                )
                for part in shown
            ],
            legend=[Key(show.word(status), tone) for status, tone in _RECORD_TONES.items()],
            table=self._tables["blocks"],
            csv_url=self._asked.csv_url("blocks"),
            note=_more(len(found.blocks) - len(shown) + found.more_blocks),
        )


def _more(count: int) -> str:
    return f"And {count:,} more." if count > 0 else ""


def _count(value: Number) -> str:
    return f"{value:,}"


def _share(value: Number) -> str:
    return percent(float(value))


def _span(value: Number) -> str:
    return show.duration(round(value))
