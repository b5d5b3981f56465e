"""Acknowledged records per second, against raw inserts, plain DRF and a view that does nothing."""

from __future__ import annotations

import argparse
import itertools
import threading
import time
from typing import Any

from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from tracking import clock
from tracking.bench.load import bodies, post_all, records
from tracking.bench.report import Report, percentile
from tracking.bench.stage import Stage
from tracking.core.record import Record, read_record
from tracking.ingest.writer import journal_document

POST = "/api/v1/blocks"
_MAJORITY = WriteConcern("majority", j=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=int, default=60_000, help="per round and side")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--single", type=int, default=3_000, help="single-record posts per round")
    parser.add_argument("--plain", type=int, default=1_500, help="records to plain DRF per round")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--preload", type=int, default=0, help="journal records before the rounds")
    parser.add_argument("--no-sealer", action="store_true", help="without the sealer running")
    parser.add_argument("--follower", action="store_true", help="with the follower running")


def run(options: dict[str, Any]) -> Report:
    report = Report("ingest")
    names = ("records", "batch", "connections", "workers", "threads", "preload")
    report.notes = {name: options[name] for name in names}
    with Stage(workers=options["workers"], threads=options["threads"]) as stage:
        if options["follower"]:
            stage.start_follower()
        elif not options["no_sealer"]:
            stage.start_sealer()
        database = MongoClient(stage.uri)["dft"]
        indexes = list(database["journal"].list_indexes())
        if options["preload"]:
            _preload(stage, options)
        for round_ in range(options["rounds"]):
            _round(stage, database, indexes, report, options, f"r{round_}")
        report.notes["indexes of the journal"] = len(indexes)
        report.notes["journal records at the end"] = database["journal"].estimated_document_count()
    report.ratio("ours / raw insert_many", "ours, batches", "raw insert_many")
    report.ratio("ours / plain DRF", "ours, batches", "plain DRF")
    report.ratio("ours / view that does nothing", "ours, single", "view that does nothing")
    return report


def _round(
    stage: Stage, database: Any, indexes: Any, report: Report, options: dict[str, Any], name: str
) -> None:
    size, connections, count = options["batch"], options["connections"], options["records"]

    rate = _raw(database, indexes, name, count, size, connections)
    report.add("raw insert_many", rate, "records/s")

    load = bodies(f"{name}b", count // size, size)
    done = post_all(stage.url, POST, stage.ingest_key, load, connections=connections)
    _all_stored(done.statuses)
    report.add("ours, batches", len(load) * size / done.seconds, "records/s")
    report.add("ours, batch p50", 1000 * percentile(done.latencies, 0.5), "ms")
    report.add("ours, batch p99", 1000 * percentile(done.latencies, 0.99), "ms")

    load = bodies(f"{name}s", options["single"], 1)
    done = post_all(stage.url, POST, stage.ingest_key, load, connections=16)
    _all_stored(done.statuses)
    report.add("ours, single", len(load) / done.seconds, "records/s")
    report.add("ours, single p50", 1000 * percentile(done.latencies, 0.5), "ms")
    report.add("ours, single p99", 1000 * percentile(done.latencies, 0.99), "ms")

    with stage.plain_web() as url:
        done = post_all(url, "/nothing", stage.ingest_key, load, connections=16)
        report.add("view that does nothing", len(load) / done.seconds, "records/s")
        load = bodies(f"{name}p", max(1, options["plain"] // size), size)
        done = post_all(url, "/plain", stage.ingest_key, load, connections=connections)
        _all_stored(done.statuses)
        report.add("plain DRF", len(load) * size / done.seconds, "records/s")


def _raw(database: Any, indexes: Any, name: str, count: int, size: int, connections: int) -> float:
    """Concurrent insert_many of the same documents into a collection with the same indexes."""
    raw = database.get_collection(f"raw_{name}", write_concern=_MAJORITY)
    for index in indexes:
        if index["name"] != "_id_":
            raw.create_index(list(index["key"].items()), name=index["name"])
    moment = clock.now()
    documents = []
    for place, wire in enumerate(records(f"{name}raw", count)):
        read = read_record(wire, now=moment)
        if not isinstance(read, Record):
            raise AssertionError(read)
        batch = clock.uuid7(moment) if place % size == 0 else documents[-1]["batch"]
        documents.append(journal_document(read, "default", "bench", batch, place % size, moment))
    batches = iter([documents[i : i + size] for i in range(0, count, size)])
    lock = threading.Lock()

    def insert() -> None:
        while True:
            with lock:
                batch = next(batches, None)
            if batch is None:
                return
            raw.insert_many(batch, ordered=False)

    threads = [threading.Thread(target=insert) for _connection in range(connections)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    raw.drop()
    return count / seconds


def _preload(stage: Stage, options: dict[str, Any]) -> None:
    """Fill the journal through the door, in parts that fit in memory."""
    left = options["preload"]
    for part in itertools.count():
        if left <= 0:
            return
        posts = min(left, 50_000) // 500
        load = bodies(f"pre{part}", posts, 500)
        _all_stored(post_all(stage.url, POST, stage.ingest_key, load, connections=4).statuses)
        left -= posts * 500


def _all_stored(statuses: dict[int, int]) -> None:
    if set(statuses) != {201}:
        raise AssertionError(f"Not every post was stored: {statuses}")
