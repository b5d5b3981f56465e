"""What a question about a month or a year costs, on rollups of 1,000 records a second."""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.urls import reverse
from pymongo import MongoClient
from pymongo.collection import Collection
from rich.table import Table

from tracking import clock
from tracking.bench.histories import histories
from tracking.bench.pages import post
from tracking.bench.questions import QUESTIONS, Question, write_journal
from tracking.bench.report import Report, number, percentile
from tracking.bench.rollups import DAY, RESOURCES, TENANT, History, flow_of, write_history
from tracking.bench.stage import Stage
from tracking.bench.visits import Page, Visitor, sign_in
from tracking.insights.windows import HOUR, floor_day, floor_hour, floor_month, months_after

MONTH, YEAR = SPANS = ("30 days", "a year")
_LONG: Final = {MONTH: "30d", YEAR: "12mo"}
# What any page may take, 95 of 100 times.
_MOST_MS: Final = {MONTH: 500.0, YEAR: 1_000.0}
_SECONDS: Final = {MONTH: 30 * 86_400, YEAR: 365 * 86_400}

_POSTED: Final = 600

_COLUMNS: Final = tuple(
    f"{span} {what}" for span in SPANS for what in ("p50", "p95", "CPU", "size")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=int, default=1_000, help="records per second")
    parser.add_argument("--days", type=int, default=365, help="of history")
    parser.add_argument(
        "--hours-of", type=int, default=366, help="days whose hours are written too: most cells"
    )
    parser.add_argument("--flows", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=10, help="of each flow")
    parser.add_argument("--requests", type=int, default=5, help="per page, span and round")
    parser.add_argument(
        "--journal", type=int, default=1_000_000, help="records that the yardstick reads"
    )
    parser.add_argument("--workers", type=int, default=settings.DFT_WORKERS)
    parser.add_argument("--threads", type=int, default=settings.DFT_THREADS)


def run(options: dict[str, Any]) -> Report:
    report = InsightsReport("insights")
    names = (
        "rate",
        "days",
        "hours_of",
        "flows",
        "blocks",
        "requests",
        "journal",
        "rounds",
        "workers",
    )
    report.notes = {name: options[name] for name in names}
    with Stage(workers=options["workers"], threads=options["threads"]) as stage:
        database = MongoClient[dict[str, Any]](stage.uri)["dft"]
        moment = clock.now()
        history = History(
            end=floor_hour(moment) + HOUR,
            **{name: options[name] for name in ("days", "hours_of", "rate", "flows", "blocks")},
        )
        _live(stage)
        _price(stage, history)
        report.say(f"Writing the cells of {history.records:,} records.")
        write_history(database["rollup"], history)
        report.notes |= {"records": history.records, **_sizes(database["rollup"], history)}
        write_journal(database["like_journal"], options["journal"], options["flows"])
        visitor = Visitor(stage.url, stage.read_key, sign_in(stage.url, *stage.admin))
        asked = {span: pages(span, moment) for span in SPANS}
        for page in itertools.chain(*asked.values()):
            visitor.check(page)
        for _round in range(options["rounds"]):
            for question in QUESTIONS:
                _ask_journal(report, database["like_journal"], question, options)
            for span, each in asked.items():
                for page in each:
                    _measure(report, stage, visitor, span, page, options["requests"])
        visitor.close()
    for span, each in asked.items():
        for page in each:
            report.aim(f"{page.name}: {span} p95", most=_MOST_MS[span])
    return report


# --- What is asked -----------------------------------------------------------------------------


def pages(span: str, moment: datetime) -> list[Page]:
    """Each page and answer of insights, over so long a time until now: all of them stand here."""
    word = _LONG[span]
    flow = flow_of(0)
    start, end = floor_day(moment) - 29 * DAY, floor_day(moment) + DAY
    if span == YEAR:
        start, end = months_after(floor_month(end), -11), months_after(floor_month(end), 1)
    given = f"from={_iso(start)}&to={_iso(end)}"
    # as a client asks that counts back from now
    odd = f"from={_iso(moment - (end - start))}&to={_iso(moment)}"
    throughput, bottlenecks, costs = (
        f"{reverse(f'admin:{name}')}?span={word}" for name in ("throughput", "bottlenecks", "costs")
    )
    api = "/api/v1/insights"
    found = [
        Page("throughput", throughput, flow),
        Page("throughput of a flow", f"{throughput}&flow={flow}", "block-03"),
        Page("throughput, CSV", f"{throughput}&format=csv", "started"),
        Page("bottlenecks", f"{bottlenecks}&flow={flow}", "block-03"),
        Page("bottlenecks, CSV of steps", f"{bottlenecks}&format=csv&table=steps", "block-03"),
        Page("costs", costs, flow),
        Page("costs of a flow", f"{costs}&flow={flow}", "block-03"),
        Page("costs by resource", f"{costs}&by=resource", "tokens"),
        Page("API throughput", f"{api}/throughput?{given}", flow),
        Page("API throughput until this minute", f"{api}/throughput?{odd}", flow),
        Page("API bottlenecks", f"{api}/bottlenecks?{given}&flow={flow}", "block-03"),
        Page("API bottlenecks until this minute", f"{api}/bottlenecks?{odd}", "block-03"),
        Page("API costs", f"{api}/costs?{given}", flow),
        Page("API costs by block", f"{api}/costs?{given}&by=block", "block-03"),
        Page("API costs until this minute", f"{api}/costs?{odd}&step=1d", flow),
    ]
    if span == MONTH:
        found.insert(0, Page("home (24 hours)", reverse("admin:index"), "delivered"))
        # a document to keep, not an answer to wait for; of a month for the accounts
        found.append(Page("API costs, FOCUS", f"{api}/costs/export?{given}", "ServiceName"))
    return found


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}:00Z"


def _live(stage: Stage) -> None:
    """Some records that were posted: of a journal without any the home page tells nothing."""
    stage.start_follower()
    post(stage, histories(_POSTED))
    stage.wait_until_derived(_POSTED)
    stage.stop("follower")


def _price(stage: Stage, history: History) -> None:
    """Prices that change three times on the way, at ten in the morning."""
    changes = [history.begin + place * history.days // 4 * DAY + 10 * HOUR for place in range(4)]
    changes[0] = history.begin
    lines = [
        "from datetime import datetime",
        "from decimal import Decimal",
        "from tracking.models import ResourceRate",
    ]
    for resource, unit in RESOURCES:
        for place, (begin, end) in enumerate(
            itertools.zip_longest(changes, changes[1:], fillvalue=None)
        ):
            until = f"datetime.fromisoformat('{_iso(end)}')" if end else None
            lines.append(
                f"ResourceRate(tenant_id={TENANT!r}, resource={resource!r}, unit={unit!r},"
                f" price=Decimal('0.00{place + 1}7'), currency='EUR',"
                f" valid_from=datetime.fromisoformat('{_iso(begin)}'), valid_to={until}).save()"
            )
    stage.manage("shell", "--no-imports", "-c", "\n".join(lines))


# --- What it costs -----------------------------------------------------------------------------


def _measure(
    report: Report, stage: Stage, visitor: Visitor, span: str, page: Page, requests: int
) -> None:
    visitor.visit(page)  # not timed: its connection may have to be made again
    seconds = []
    before = stage.cpu()
    size = 0
    for _request in range(requests):
        begin = time.perf_counter()
        size = len(visitor.visit(page))
        seconds.append(time.perf_counter() - begin)
    used = stage.cpu()
    name = f"{page.name}: {span}"
    for share in (50, 95):
        report.add(f"{name} p{share}", 1e3 * percentile(seconds, share / 100), "ms")
    cpu = sum(used[part] - before[part] for part in ("web", "MongoDB"))
    report.add(f"{name} CPU", 1e3 * cpu / requests, "ms")
    report.add(f"{name} size", size / 1e3, "kB")


def _ask_journal(
    report: Report, journal: Collection[Any], question: Question, options: dict[str, Any]
) -> None:
    """The same asked of records, and what that comes to for as many as the span has."""
    begin = time.perf_counter()
    rows = sum(1 for _row in journal.aggregate(question.stages, allowDiskUse=True))
    seconds = time.perf_counter() - begin
    if not rows:
        raise AssertionError(f"{question.name}: nothing was found in the journal")
    for span in SPANS:
        records = options["rate"] * _SECONDS[span]
        name = f"records: {question.name}: {span} p50"
        report.add(name, 1e3 * seconds / options["journal"] * records, "ms")


def _sizes(rollup: Collection[Any], history: History) -> dict[str, Any]:
    """How many cells and bytes there are, and are a year."""
    told = rollup.database.command("collStats", rollup.name)
    years = (history.end - history.begin) / (365 * DAY)
    return {
        "cells": told["count"],
        "cells a year": round(told["count"] / years),
        "MB a year, as BSON": round(told["size"] / years / 1e6),
        "MB a year, on disk": round(told["storageSize"] / years / 1e6),
        "MB a year, indexes": round(told["totalIndexSize"] / years / 1e6),
    }


@dataclass
class InsightsReport(Report):
    """A row for each page instead of one for each figure; medians of the rounds."""

    def table(self) -> Table:
        table = Table(title="bench insights", title_justify="left")
        table.add_column("page", no_wrap=True)
        for column in _COLUMNS:
            unit = "kB" if column.endswith("size") else "ms"
            table.add_column(f"{column}\n{unit}", justify="right")
        for page in dict.fromkeys(name.rpartition(": ")[0] for name in self.figures):
            cells = (f"{page}: {column}" for column in _COLUMNS)
            told = (number(self.median(each)) if each in self.figures else "" for each in cells)
            table.add_row(page, *told)
        return table
