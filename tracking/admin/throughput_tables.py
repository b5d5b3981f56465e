"""Throughput as tables: what stands below its charts, and in its CSV."""

from __future__ import annotations

from typing import Final

from tracking import vocabulary as v
from tracking.admin.display import word
from tracking.admin.transaction_links import Links
from tracking.insights.counts import ENDINGS, Counts, Spans
from tracking.insights.tables import Table, Value
from tracking.insights.throughput import (
    PREVIOUS,
    SAME_WEEKDAY,
    Step,
    Throughput,
    change,
)

_OBJECTS: Final = {
    "started": "started",
    "delivered": "delivered",
    "failed": "failed",
    "filtered": "filtered",
    "failed_share": "failed, of what ended",
}
_STEP: Final = {"from": "from (UTC)", "to": "to (UTC)"}
_SPANS: Final = {"mean_ms": "mean", "median_ms": "median", "p95_ms": "95 of 100 within"}


def summary_table(found: Throughput) -> Table:
    """The whole time beside what it is compared with."""
    others = (found.comparisons[PREVIOUS], found.comparisons[SAME_WEEKDAY])
    rows: list[list[Value]] = []
    for name, now, *before in (
        *(
            (name, getattr(found.counts, name), *(getattr(each.counts, name) for each in others))
            for name in ("started", *ENDINGS)
        ),
        *(
            (
                f"{status} records",
                found.counts.records[status],
                *(each.counts.records[status] for each in others),
            )
            for status in v.STATUSES
        ),
    ):
        told: list[Value] = [name, now]
        for then in before:
            told += [then, change(now, then)]
        rows.append(told)
    columns = {
        "number": "number",
        "now": "this time",
        "previous": "the time before",
        "previous_change_share": "change",
        "same_weekday": "same weekday before",
        "same_weekday_change_share": "change",
    }
    return Table("throughput-summary", columns, rows)


def objects_table(found: Throughput, links: Links) -> Table:
    weekday = found.comparisons[SAME_WEEKDAY].steps
    return Table(
        "throughput-objects",
        {
            **_STEP,
            **_OBJECTS,
            "in_transit": "in transit at the end",
            "retries": "retries",
            **_SPANS,
            "started_same_weekday": "started, same weekday before",
        },
        [
            (
                step.begin,
                step.end,
                *_objects(step.counts),
                step.in_transit,
                step.retries,
                *_spans(step.spans),
                before.started,
            )
            for step, before in zip(found.steps, weekday, strict=True)
        ],
        [_links(step, links) for step in found.steps],
    )


def _links(step: Step, links: Links) -> dict[str, str]:
    counts, begin, end = step.counts, step.begin, step.end
    numbers = {each: getattr(counts, each) for each in ENDINGS}
    found = {
        status: links.ended(status, begin, end) for status, number in numbers.items() if number
    }
    if counts.started:
        found["started"] = links.started(begin, end)
    if step.in_transit:
        found["in_transit"] = links.in_transit(end)
    if step.retries:
        found["retries"] = links.retried(begin, end)
    return found


def records_table(found: Throughput, links: Links) -> Table:
    return Table(
        "throughput-records",
        {**_STEP, **{status: word(status) for status in v.STATUSES}, "records": "all"},
        [
            (step.begin, step.end, *step.counts.records.values(), step.counts.recorded)
            for step in found.steps
        ],
        [
            {
                status: links.records(status, step.begin, step.end)
                for status, number in step.counts.records.items()
                if number
            }
            for step in found.steps
        ],
    )


def parts_table(found: Throughput, links: Links) -> Table:
    by = "flow" if found.by_flow else "version"
    start, end = found.window.start, found.window.end
    of_flow = [
        {
            "started": links.started(start, end, flow=part.name),
            **{each: links.ended(each, start, end, flow=part.name) for each in ENDINGS},
        }
        for part in found.parts
    ]
    return Table(
        f"throughput-{by}s",
        {by: by, **_OBJECTS, **_SPANS},
        [(part.name, *_objects(part.counts), *_spans(part.spans)) for part in found.parts],
        of_flow if found.by_flow else (),
    )


def blocks_table(found: Throughput, links: Links) -> Table:
    start, end = found.window.start, found.window.end
    return Table(
        "throughput-blocks",
        {
            "flow": "flow",
            "stage": "stage",
            "block": "block",
            **{status: word(status) for status in v.STATUSES},
            "visits": "visits",
            "failed_share": "failed, of visits",
            "retries": "retries",
        },
        [
            (
                part.flow,
                part.stage,
                part.block,
                *part.records.values(),
                None if part.visits is None else sum(part.visits.values()),
                part.failed_share,
                part.retries,
            )
            for part in found.blocks
        ],
        [
            {
                status: links.records(
                    status, start, end, flow=part.flow, stage=part.stage, block=part.block
                )
                for status, number in part.records.items()
                if number
            }
            for part in found.blocks
        ],
    )


def _objects(counts: Counts) -> tuple[Value, ...]:
    return (
        counts.started,
        counts.delivered,
        counts.failed,
        counts.filtered,
        counts.failed_share,
    )


def _spans(spans: Spans | None) -> tuple[Value, ...]:
    """Whole milliseconds, as in the API."""
    if spans is None:
        return (None, None, None)
    values = (spans.mean, spans.median, spans.p95)
    return tuple(None if value is None else round(value) for value in values)
