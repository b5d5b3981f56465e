"""What support waits for: pages and answers on a small and a large journal, side by side."""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from rich.table import Table

from tracking.bench.histories import awkward, histories
from tracking.bench.load import post_all
from tracking.bench.report import Report, number, percentile
from tracking.bench.stage import Stage
from tracking.bench.visits import Page, Visitor, pages, sign_in

POST: Final = "/api/v1/blocks"
_BATCH: Final = 500
_PART: Final = 40  # posts that are in memory at once
_SIZES: Final = ("small", "large")

NOTHING: Final = Page("a signed-in view that does nothing", "/signed-in", "")
STOCK: Final = Page("stock change list of transactions", "/stock/tracking/transaction/", "page-")

# In the report's names, what follows the page's name.
_GROWTH: Final = "large / small"
_COLUMNS: Final = {
    "small p50": "ms",
    "small p95": "ms",
    "large p50": "ms",
    "large p95": "ms",
    "large, CPU": "ms",
    _GROWTH: "×",
    "/ nothing": "×",
    "/ stock": "×",
}
# One object's page costs the same whatever else is recorded, and a list counts to 10,000 at most.
_MOST_GROWTH: Final = 1.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--small", type=int, default=5_000, help="records of the small journal")
    parser.add_argument("--large", type=int, default=200_000, help="records of the large one")
    parser.add_argument(
        "--awkward", type=int, default=5_000, help="records of one transaction of 300 blocks"
    )
    parser.add_argument("--requests", type=int, default=20, help="per page, size and round")
    parser.add_argument("--workers", type=int, default=settings.DFT_WORKERS)
    parser.add_argument("--threads", type=int, default=settings.DFT_THREADS)


def run(options: dict[str, Any]) -> Report:
    report = PagesReport("pages")
    names = ("small", "large", "awkward", "requests", "rounds", "workers", "threads")
    report.notes = {name: options[name] for name in names}
    with ExitStack() as stack:
        sides = [_Side.made(stack, options[size], options) for size in _SIZES]
        all_pages = [NOTHING, STOCK, *pages()]
        for page, side in itertools.product(all_pages, sides):
            side.visitor_of(page).check(page)
        for _round, page in itertools.product(range(options["rounds"]), all_pages):
            _measure(report, page, sides, options["requests"])
    _compare(report, all_pages)
    return report


@dataclass
class _Side:
    """A DFT with so many records, its own web workers and the yardsticks'."""

    stage: Stage
    ours: Visitor
    plain: Visitor

    @classmethod
    def made(cls, stack: ExitStack, records: int, options: dict[str, Any]) -> _Side:
        stage = Stage(workers=options["workers"], threads=options["threads"])
        stack.enter_context(stage)
        stage.start_follower()
        post(stage, itertools.chain(awkward(options["awkward"]), histories(records)))
        stage.wait_until_derived(options["awkward"] + records)
        ours = Visitor(stage.url, stage.read_key, session := sign_in(stage.url, *stage.admin))
        stack.callback(ours.close)
        # the session is of the database, which the yardsticks share
        plain = Visitor(stack.enter_context(stage.plain_web()), stage.read_key, session)
        stack.callback(plain.close)
        return cls(stage, ours, plain)

    def visitor_of(self, page: Page) -> Visitor:
        return self.plain if page in (NOTHING, STOCK) else self.ours

    def cpu(self) -> float:
        used = self.stage.cpu()
        return used["web"] + used["plain web"] + used["MongoDB"]


def post(stage: Stage, told: Iterable[dict[str, Any]]) -> None:
    """All of it in order, in parts that fit in memory."""
    records = iter(told)
    while True:
        batches = (list(itertools.islice(records, _BATCH)) for _post in range(_PART))
        load = [json.dumps(batch).encode() for batch in batches if batch]
        if not load:
            return
        done = post_all(stage.url, POST, stage.ingest_key, load, connections=1)
        if done.statuses != {201: len(load)}:
            raise AssertionError(f"Not every post was stored: {done.statuses}")


def _measure(report: Report, page: Page, sides: list[_Side], requests: int) -> None:
    """Both sizes in turn, request by request: what disturbs the one disturbs the other."""
    seconds: list[list[float]] = [[] for _side in sides]
    cpu = 0.0
    for side in sides:
        side.visitor_of(page).visit(page)  # not timed: its connection may have to be made again
    for _request in range(requests):
        for side, seen in zip(sides, seconds, strict=True):
            visitor = side.visitor_of(page)
            before = side.cpu() if side is sides[-1] else 0.0
            begin = time.perf_counter()
            visitor.visit(page)
            seen.append(time.perf_counter() - begin)
            cpu += side.cpu() - before if side is sides[-1] else 0.0
    for size, seen in zip(_SIZES, seconds, strict=True):
        for share in (50, 95):
            report.add(f"{page.name}: {size} p{share}", 1e3 * percentile(seen, share / 100), "ms")
    report.add(f"{page.name}: large, CPU", 1e3 * cpu / requests, "ms")


def _compare(report: Report, all_pages: list[Page]) -> None:
    for page in all_pages:
        large = f"{page.name}: large p50"
        report.ratio(f"{page.name}: {_GROWTH}", large, f"{page.name}: small p50")
        report.ratio(f"{page.name}: / nothing", large, f"{NOTHING.name}: large p50")
        report.ratio(f"{page.name}: / stock", large, f"{STOCK.name}: large p50")
        if page not in (NOTHING, STOCK):
            report.aim(f"{page.name}: {_GROWTH}", most=_MOST_GROWTH)


@dataclass
class PagesReport(Report):
    """A row for each page instead of one for each figure; medians of the rounds."""

    def table(self) -> Table:
        table = Table(title="bench pages", title_justify="left")
        table.add_column("page", no_wrap=True)
        for column, unit in _COLUMNS.items():
            table.add_column(f"{column}\n{unit}", justify="right")
        for page in dict.fromkeys(name.partition(": ")[0] for name in self.figures):
            medians = (self.median(f"{page}: {column}") for column in _COLUMNS)
            table.add_row(page, *(number(value) for value in medians))
        return table
