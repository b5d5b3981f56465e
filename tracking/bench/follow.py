"""Derived records per second, the lag of lists under load, and what a follower costs ingest."""

from __future__ import annotations

import argparse
import json
import threading
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient

from tracking.bench.load import bodies, post_all, records
from tracking.bench.report import Report, percentile
from tracking.bench.stage import Stage
from tracking.core.record import default_transaction

POST = "/api/v1/blocks"
_SIZE = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=int, default=60_000, help="per round")
    parser.add_argument("--rate", type=int, default=3_000, help="records/s of the lag part")
    parser.add_argument("--seconds", type=int, default=300, help="of the lag part; 0 leaves it out")


def run(options: dict[str, Any]) -> Report:
    report = Report("follow")
    report.notes = {name: options[name] for name in ("records", "rate", "seconds")}
    for round_ in range(options["rounds"]):
        _alone(report, options["records"], f"r{round_}")
    for round_ in range(options["rounds"]):
        _cost(report, options["records"], f"c{round_}")
    if options["seconds"]:
        _lag(report, options["rate"], options["seconds"])
    report.ratio("follower / $merge", "follower", "$group and $merge")
    report.ratio("ingest with / without follower", "ingest with", "ingest without")
    return report


def _alone(report: Report, count: int, name: str) -> None:
    """The follower by itself on a sealed log, and a pipeline that recomputes the same."""
    with Stage() as stage:
        database = MongoClient(stage.uri)["dft"]
        stage.start_sealer()
        load = bodies(name, count // _SIZE, _SIZE)
        post_all(stage.url, POST, stage.ingest_key, load, connections=4)
        _wait(lambda: _log_size(database) >= len(load) * _SIZE)
        stage.stop("sealer")
        stage.stop("web")
        report.add("$group and $merge", count / _merge(database), "records/s")
        stage.start_follower()
        _wait(lambda: _leaf(database) > 0)
        begin, before = time.perf_counter(), _leaf(database)
        _wait(lambda: _leaf(database) >= len(load) * _SIZE)
        report.add(
            "follower", (_leaf(database) - before) / (time.perf_counter() - begin), "records/s"
        )


def _merge(database: Any) -> float:
    """Recompute every transaction in the server: counts, first and last, per block its state."""
    begin = time.perf_counter()
    transactions = database["journal"].distinct("transaction")
    for at in range(0, len(transactions), 500):
        chosen = transactions[at : at + 500]
        database["journal"].aggregate(
            [
                {"$match": {"tenant": "default", "transaction": {"$in": chosen}}},
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
            ]
        )
    seconds = time.perf_counter() - begin
    database["merged"].drop()
    return seconds


def _cost(report: Report, count: int, name: str) -> None:
    """The rate of ingest without a follower, then with one that keeps up."""
    with Stage() as stage:
        database = MongoClient(stage.uri)["dft"]
        stage.start_sealer()
        load = bodies(f"{name}a", count // _SIZE, _SIZE)
        done = post_all(stage.url, POST, stage.ingest_key, load, connections=4)
        report.add("ingest without", len(load) * _SIZE / done.seconds, "records/s")
        stage.stop("sealer")
        stage.start_follower()
        _wait(lambda: _leaf(database) >= len(load) * _SIZE)
        load = bodies(f"{name}b", count // _SIZE, _SIZE)
        done = post_all(stage.url, POST, stage.ingest_key, load, connections=4)
        rate = len(load) * _SIZE / done.seconds
        report.add("ingest with", rate, "records/s")
        behind = _log_size(database) - _leaf(database)
        report.add("records behind at the end", behind, "records")


def _lag(report: Report, rate: int, seconds: int) -> None:
    """Post at a steady rate; from each acknowledgement, how long until the list shows it?"""
    with Stage() as stage:
        database = MongoClient(stage.uri)["dft"]
        stage.start_follower()
        place = urlsplit(stage.url)
        headers = {
            "Authorization": f"Bearer {stage.ingest_key}",
            "Content-Type": "application/json",
            "Prefer": "return=minimal",
        }
        lags: list[float] = []
        watchers: list[threading.Thread] = []

        def watch(key: str, since: float) -> None:
            transactions = database["transaction"]
            while transactions.find_one({"_id": key}, {"_id": 1}) is None:
                time.sleep(0.02)
            lags.append(time.perf_counter() - since)

        source = records("lag", rate * seconds)
        line = HTTPConnection(place.hostname or "", place.port, timeout=60)
        per_post = max(1, rate // 10)
        begin = time.perf_counter()
        for post in range(seconds * 10):
            batch = [next(source) for _record in range(per_post)]
            wait = begin + post / 10 - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            line.request("POST", POST, json.dumps(batch).encode(), headers)
            answer = line.getresponse()
            answer.read()
            if answer.status != 201:
                raise AssertionError(f"a post was answered {answer.status}")
            if post % 5 == 0:
                thing = batch[-1]["object"]
                name = default_transaction(batch[-1]["flow"], thing["type"], thing["id"])
                watcher = threading.Thread(
                    target=watch, args=(f"default/{name}", time.perf_counter())
                )
                watcher.start()
                watchers.append(watcher)
        posted = time.perf_counter() - begin
        for watcher in watchers:
            watcher.join(60)
        report.add("posted while lag was measured", seconds * 10 * per_post / posted, "records/s")
        report.add("lag p50", percentile(lags, 0.5), "s")
        report.add("lag p99", percentile(lags, 0.99), "s")
        report.add("lag max", max(lags), "s")


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
        time.sleep(0.02)
