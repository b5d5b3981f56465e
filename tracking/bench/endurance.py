"""Whether ingest slows, and its web workers grow, as the journal does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from pymongo import MongoClient

from tracking.bench.load import bodies, post_all, stamped
from tracking.bench.report import Report
from tracking.bench.stage import Stage

POST: Final = "/api/v1/blocks"
_SIZE: Final = 500
_PART: Final = 100  # posts that are in memory at once
_STEP: Final = 500_000
_BASE: Final = 50_000
_WARM: Final = 10_000
_WARM_CONNECTIONS: Final = 16
_SETTLE_SECONDS: Final = 3

Batches = Callable[[Stage, Report, dict[str, Any], str, str], None]


def measure(
    stage: Stage, small: Stage | None, report: Report, options: dict[str, Any], *, batches: Batches
) -> None:
    """Fill the journal through the door and measure on the way.

    Of `--memory`, the web workers after 10,000 records and after so many. Of `--grow`, rounds of
    `batches` on that many records and, in turn, on the 50,000 of `small`: the hours of a shared
    machine differ by more than the journals do.
    """
    grow, memory, connections = options["grow"], options["memory"], options["connections"]
    most = max(grow, memory)
    # a trial with few records keeps the proportions
    warm, base, step = min(_WARM, most // 10), min(_BASE, most // 5), min(_STEP, most // 4)

    def up_to(records: int, connections: int) -> None:
        while (have := _size(stage)) < records:
            part = min(step, records - have)
            rate = fill(stage, f"f{have}x", part, connections)
            used = stage.memory_kb()
            report.add("filling", rate, "records/s")
            report.add("MongoDB while filling", used["MongoDB"][0] / 1024, "MB")
            workers = ", ".join(f"{kb / 1024:,.0f}" for kb in used["web workers"])
            report.say(
                f"{_size(stage):,} records: {rate:,.0f} records/s, web workers {workers} MB,"
                f" MongoDB {used['MongoDB'][0] / 1024:,.0f} MB"
            )

    # kept-alive connections stay with a worker: enough of them that each has its share of work
    up_to(warm, _WARM_CONNECTIONS)
    first = _memory(stage, report, "first")
    if memory:
        up_to(memory, connections)
        later = _memory(stage, report, "later")
        grown = max(then - now for now, then in zip(first, later, strict=True))
        report.add("the most a web worker grew", grown / 1024, "MB")
        report.aim("the most a web worker grew", most=20)
    if small is not None:
        up_to(grow, connections)
        fill(small, "base", base, connections)
        for round_ in range(options["rounds"]):
            batches(small, report, options, f"r{round_}", f", at {base:,}")
            batches(stage, report, options, f"r{round_}", f", at {grow:,}")
        for name in ("ours, batches", "ours, CPU of all", "raw insert_many"):
            sides = (f"{name}, at {records:,}" for records in (grow, base))
            report.ratio(f"grown / small, {name}", *sides)
        report.aim("grown / small, ours, batches", least=0.85)


def fill(stage: Stage, name: str, count: int, connections: int) -> float:
    """Post about `count` records in parts that fit in memory; returns records/s while posting."""
    posts = -(-count // _SIZE)
    made = f"{name}-0000-"
    load = bodies(made, min(posts, _PART), _SIZE)
    seconds = 0.0
    for part, begun in enumerate(range(0, posts, _PART)):
        own = load[: posts - begun]
        # made before the clock starts
        batch = list(stamped(own, made, f"{name}-{part:04d}-"))
        done = post_all(stage.url, POST, stage.ingest_key, batch, connections=connections)
        if done.statuses != {201: len(batch)}:
            raise AssertionError(f"Not every post was stored: {done.statuses}")
        seconds += done.seconds
    return posts * _SIZE / seconds


def _size(stage: Stage) -> int:
    journal = MongoClient[dict[str, Any]](stage.uri)["dft"]["journal"]
    return journal.estimated_document_count()


def _memory(stage: Stage, report: Report, when: str) -> list[int]:
    """In KiB, of each web worker, once it has had a moment to give back what it does not need."""
    time.sleep(_SETTLE_SECONDS)
    found = stage.memory_kb()["web workers"]
    for number, kb in enumerate(found, 1):
        report.add(f"web worker {number}, {when}", kb, "KB")
    return found
