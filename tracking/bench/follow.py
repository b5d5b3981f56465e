"""Derived records per second, the lag of lists under load, and what a follower costs ingest."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from tracking.bench.load import Line, post_all, records
from tracking.bench.report import Report, percentile
from tracking.bench.stage import Stage
from tracking.core.record import default_transaction

POST = "/api/v1/blocks"
_SIZE = 500
_OF_EACH = 6  # records of an object (load.py)
_STEP = 333  # transactions of a step of the follower
_POSTS_PER_SECOND = 10
_LOOK = 0.02

PARTS = ("alone", "interleaved", "cost", "lag")

Records = Iterator[dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=int, default=60_000, help="per round, at least 2,500")
    parser.add_argument(
        "--open", type=int, default=2_000, help="transactions open at once where interleaved"
    )
    parser.add_argument("--rate", type=int, default=3_000, help="records/s of the lag parts")
    parser.add_argument("--seconds", type=int, default=300, help="of the lag part")
    parser.add_argument(
        "--interleaved-seconds", type=int, default=60, help="of the lag part with interleaved load"
    )
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")


def run(options: dict[str, Any]) -> Report:
    report = Report("follow")
    names = ("records", "open", "rate", "seconds", "interleaved_seconds")
    report.notes = {name: options[name] for name in names}
    count, opened, rate = options["records"], options["open"], options["rate"]
    parts = options["only"] or PARTS
    for round_ in range(options["rounds"]):
        if "alone" in parts:
            _alone(report, "alone", records(f"r{round_}", count))
        if "interleaved" in parts:
            _alone(report, "interleaved", interleaved(f"i{round_}", count, opened))
    for round_ in range(options["rounds"] if "cost" in parts else 0):
        _cost(report, count, f"c{round_}")
    if "lag" in parts:
        seconds = options["seconds"]
        _lag(report, "lag", records("lag", rate * seconds), rate, seconds)
        seconds = options["interleaved_seconds"]
        source = interleaved("mix", rate * seconds, opened)
        _lag(report, "interleaved lag", source, rate, seconds)
    _aims(report)
    return report


def _aims(report: Report) -> None:
    if "alone" in report.figures:
        report.ratio("alone / $merge, by steps", "alone", "$merge, by steps")
        report.ratio("alone / $merge, at once", "alone", "$merge, at once")
    if "ingest with" in report.figures:
        report.ratio("ingest with / without follower", "ingest with", "ingest without")
    for figure, least in (
        ("alone", 10_000),
        ("interleaved", 3_000),
        ("ingest with / without follower", 0.75),
    ):
        if figure in report.figures:
            report.aim(figure, least=least)
    for figure in ("lag p99", "interleaved lag p99"):
        if figure in report.figures:
            report.aim(figure, most=2.0)


def interleaved(prefix: str, count: int, opened: int) -> Records:
    """The same records, each of a random one of the `opened` objects that are on their way."""
    chance = random.Random(3)  # noqa: S311
    source = records(prefix, count)
    under_way: list[list[dict[str, Any]]] = []
    while True:
        while len(under_way) < opened and (thing := list(itertools.islice(source, _OF_EACH))):
            under_way.append(thing[::-1])
        if not under_way:
            return
        at = chance.randrange(len(under_way))
        yield under_way[at].pop()
        if not under_way[at]:
            under_way[at] = under_way[-1]
            under_way.pop()


def _bodies(source: Records) -> list[bytes]:
    return [
        json.dumps(batch).encode()
        for batch in iter(lambda: list(itertools.islice(source, _SIZE)), [])
    ]


def _alone(report: Report, name: str, source: Records) -> None:
    """The follower by itself on a sealed log, and a pipeline that recomputes the same."""
    load = _bodies(source)
    with Stage() as stage:
        database = MongoClient[dict[str, Any]](stage.uri)["dft"]
        stage.start_sealer()
        post_all(stage.url, POST, stage.ingest_key, load, connections=4)
        count = database["journal"].count_documents({})
        _wait(lambda: _log_size(database) >= count)
        stage.stop("sealer")
        stage.stop("web")
        if name == "alone":
            report.add("$merge, by steps", count / _merge(database, _STEP), "records/s")
            report.add("$merge, at once", count / _merge(database, 0), "records/s")
        stage.start_follower()
        _wait(lambda: _leaf(database) > 0)
        begin, before, used = time.perf_counter(), _leaf(database), stage.cpu()
        _wait(lambda: _leaf(database) >= count)
        derived = count - before
        report.add(name, derived / (time.perf_counter() - begin), "records/s")
        _add_cpu(report, name, stage, used, derived)


def _merge(database: Any, step: int) -> float:
    """Recompute transactions in the server: counts, first and last, per block its state.

    Returns the seconds. Nothing of it is done in Python; a transaction becomes one document
    without indexes. `step`: so many touched transactions at a time, as durable as the follower's
    steps are; 0: all in one pipeline.
    """
    names = sorted(database["journal"].distinct("transaction"))
    target = database["journal"].with_options(write_concern=WriteConcern("majority", j=True))
    begin = time.perf_counter()
    for at in range(0, len(names), step or len(names)):
        chosen = {"transaction": {"$in": names[at : at + step]}} if step else {}
        target.aggregate(
            [
                {"$match": {"tenant": "default", **chosen}},
                {"$sort": {"tenant": 1, "transaction": 1, "occurred_at": 1}},
                {
                    "$group": {
                        "_id": "$transaction",
                        "object_id": {"$first": "$object_id"},
                        "flow": {"$first": "$flow"},
                        "first_at": {"$min": "$occurred_at"},
                        "last_at": {"$max": "$occurred_at"},
                        "records": {"$sum": 1},
                        "status": {"$last": "$status"},
                        "blocks": {"$push": {"b": "$block", "s": "$status", "at": "$occurred_at"}},
                    }
                },
                {"$merge": {"into": "merged"}},
            ],
            allowDiskUse=True,
        )
    seconds = time.perf_counter() - begin
    database["merged"].drop()
    return seconds


def _cost(report: Report, count: int, name: str) -> None:
    """The rate of ingest without a follower, then with one; where that one is, and when there."""
    with Stage() as stage:
        database = MongoClient[dict[str, Any]](stage.uri)["dft"]
        stage.start_sealer()
        load = _bodies(records(f"{name}a", count))
        posted = len(load) * _SIZE
        done = post_all(stage.url, POST, stage.ingest_key, load, connections=4)
        report.add("ingest without", posted / done.seconds, "records/s")
        stage.stop("sealer")
        stage.start_follower()
        before = database["journal"].count_documents({})
        _wait(lambda: _leaf(database) >= before)
        load = _bodies(records(f"{name}b", count))
        done = post_all(stage.url, POST, stage.ingest_key, load, connections=4)
        ended = time.perf_counter()
        report.add("ingest with", posted / done.seconds, "records/s")
        everything = database["journal"].count_documents({})
        report.add("records behind at the end", everything - _leaf(database), "records")
        _wait(lambda: _leaf(database) >= everything)
        report.add("time to catch up", time.perf_counter() - ended, "s")


def _lag(report: Report, name: str, source: Records, rate: int, seconds: int) -> None:
    """Post at a steady rate; from each acknowledgement, how long until the list shows it?"""
    with Stage() as stage:
        database = MongoClient[dict[str, Any]](stage.uri)["dft"]
        stage.start_follower()
        line = Line(stage.url)
        headers = {
            "Authorization": f"Bearer {stage.ingest_key}",
            "Content-Type": "application/json",
            "Prefer": "return=minimal",
        }
        head = line.head("POST", POST, headers)
        lags: list[float] = []
        watchers: list[threading.Thread] = []

        def watch(key: str, records_at_least: int, since: float) -> None:
            wanted = {"_id": key, "records": {"$gte": records_at_least}}
            while database["transaction"].find_one(wanted, {"_id": 1}) is None:
                time.sleep(_LOOK)
            lags.append(time.perf_counter() - since)

        per_post = max(1, rate // _POSTS_PER_SECOND)
        posted: dict[str, int] = {}
        used, begin = stage.cpu(), time.perf_counter()
        for post in range(seconds * _POSTS_PER_SECOND):
            batch = list(itertools.islice(source, per_post))
            keys = [_key(each) for each in batch]
            for key in keys:
                posted[key] = posted.get(key, 0) + 1
            wait = begin + post / _POSTS_PER_SECOND - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            status, _answer = line.ask(head, json.dumps(batch).encode())
            if status != 201:
                raise AssertionError(f"a post was answered {status}")
            if post % 5 == 0:
                watched = (keys[-1], posted[keys[-1]], time.perf_counter())
                watcher = threading.Thread(target=watch, args=watched)
                watcher.start()
                watchers.append(watcher)
        taken = time.perf_counter() - begin
        for watcher in watchers:
            watcher.join(60)
        count = seconds * _POSTS_PER_SECOND * per_post
        report.add(f"{name}: posted meanwhile", count / taken, "records/s")
        _add_cpu(report, name, stage, used, count)
        for share in (0.5, 0.99):
            report.add(f"{name} p{share * 100:.0f}", percentile(lags, share), "s")
        report.add(f"{name} max", max(lags), "s")


def _key(record: dict[str, Any]) -> str:
    thing = record["object"]
    return f"default/{default_transaction(record['flow'], thing['type'], thing['id'])}"


def _add_cpu(report: Report, name: str, stage: Stage, before: dict[str, float], count: int) -> None:
    """CPU seconds per 1,000 records since `before`; MongoDB's with all it did meanwhile."""
    after = stage.cpu()
    for process in ("follower", "MongoDB"):
        used = (after[process] - before[process]) * 1_000 / max(1, count)
        report.add(f"{name}: CPU of {process} per 1,000", used, "s")


def _leaf(database: Any) -> int:
    cursor = database["cursor"].find_one({"_id": "transactions"})
    return int(cursor["leaf"]) if cursor else 0


def _log_size(database: Any) -> int:
    last = database["log_segment"].find_one({}, {"count": 1}, sort=[("_id", -1)])
    return int(last["_id"] + last["count"]) if last else 0


def _wait(done: Any, seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("The bench waited too long.")
        time.sleep(_LOOK)
