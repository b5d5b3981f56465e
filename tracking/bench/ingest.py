"""Acknowledged records per second, against raw inserts, plain DRF and a view that does nothing."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from pymongo import MongoClient

from tracking.bench import endurance
from tracking.bench.load import Outcome, bodies, post_all
from tracking.bench.raw import insert_again
from tracking.bench.report import Report, percentile
from tracking.bench.stage import CACHE_GB, Stage

POST = "/api/v1/blocks"
_SINGLE_CONNECTIONS = 16
_SEALED_SECONDS = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=int, default=60_000, help="per round and side")
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--single", type=int, default=3_000, help="single-record posts per round")
    parser.add_argument("--plain", type=int, default=1_500, help="records to plain DRF per round")
    parser.add_argument("--workers", type=int, default=settings.DFT_WORKERS)
    parser.add_argument("--threads", type=int, default=settings.DFT_THREADS)
    parser.add_argument("--preload", type=int, default=0, help="journal records before the rounds")
    parser.add_argument("--no-sealer", action="store_true", help="without the sealer running")
    parser.add_argument(
        "--sealing", action="store_true", help="instead: batches with and without the sealer"
    )
    parser.add_argument("--follower", action="store_true", help="with the follower running")
    parser.add_argument(
        "--grow", type=int, default=0, help="instead: batches at 50,000 and at so many records"
    )
    parser.add_argument(
        "--memory", type=int, default=0, help="instead: web workers after 10,000 and so many"
    )


def run(options: dict[str, Any]) -> Report:
    report = Report("ingest")
    names = ("records", "batch", "connections", "workers", "threads", "preload")
    report.notes = {name: options[name] for name in names}
    with ExitStack() as stack:
        stage = _staged(stack, options)
        if options["preload"]:
            endurance.fill(stage, "preload", options["preload"], options["connections"])
        if options["grow"] or options["memory"]:
            small = _staged(stack, options) if options["grow"] else None
            endurance.measure(stage, small, report, options, batches=_batches)
        elif options["sealing"]:
            for round_ in range(options["rounds"]):
                _sealing(stage, report, options, round_)
            ours = "ours, batches"
            report.ratio("sealing on / off", f"{ours}, sealing on", f"{ours}, sealing off")
            report.aim("sealing on / off", least=0.85)
        else:
            for round_ in range(options["rounds"]):
                _batches(stage, report, options, f"b{round_}")
                _single(stage, report, options, f"s{round_}")
            _compare(report)
        journal = MongoClient[dict[str, Any]](stage.uri)["dft"]["journal"]
        report.notes["indexes of the journal"] = len(list(journal.list_indexes()))
        report.notes["journal records at the end"] = journal.estimated_document_count()
        report.notes["cache of MongoDB, GB"] = CACHE_GB
        stats = journal.database.command("dbStats", scale=1 << 20)
        report.notes["data and indexes on disk, MB"] = round(stats["totalSize"])
    return report


def _staged(stack: ExitStack, options: dict[str, Any]) -> Stage:
    stage = stack.enter_context(Stage(workers=options["workers"], threads=options["threads"]))
    if options["follower"]:
        stage.start_follower()
    elif not options["no_sealer"] and not options["sealing"]:
        stage.start_sealer()
    _warm_up(stage)
    return stage


def _warm_up(stage: Stage) -> None:
    """First requests import and connect; a sealer that starts takes a second of a core."""
    endurance.fill(stage, f"warm{time.monotonic_ns()}", 2_000, _SINGLE_CONNECTIONS)
    queue = MongoClient[dict[str, Any]](stage.uri)["dft"]["seal_queue"]
    until = time.monotonic() + _SEALED_SECONDS
    while stage.processes.keys() & {"sealer", "follower"} and queue.find_one() is not None:
        stage.refuse_if_ended()
        if time.monotonic() > until:
            raise TimeoutError("What was posted first was not sealed.")
        time.sleep(0.05)


def _compare(report: Report) -> None:
    report.ratio("ours / plain DRF", "ours, batches", "plain DRF")
    report.ratio("ours / view that does nothing", "ours, single", "view that does nothing")
    report.aim("ours / raw insert_many", least=0.45)
    report.aim("ours / plain DRF", least=20)
    report.aim("ours / view that does nothing", least=0.35)


def _batches(
    stage: Stage, report: Report, options: dict[str, Any], name: str, when: str = ""
) -> None:
    """Ours, then raw inserts of the very documents that were stored; `when` ends each name."""
    size, connections, count = options["batch"], options["connections"], options["records"]
    load = bodies(name, count // size, size)
    count = len(load) * size
    done, cpu = _posted(stage, stage.url, POST, load, connections)
    report.add(f"ours, batches{when}", count / done.seconds, "records/s")
    report.add(f"ours, batch p50{when}", 1000 * percentile(done.latencies, 0.5), "ms")
    report.add(f"ours, batch p99{when}", 1000 * percentile(done.latencies, 0.99), "ms")
    for part, seconds in cpu.items():
        report.add(f"ours, CPU of {part}{when}", 1e6 * seconds / count, "ms/1,000")
    ours_cpu = sum(cpu.values())
    report.add(f"ours, CPU of all{when}", 1e6 * ours_cpu / count, "ms/1,000")

    threads = insert_again(stage, name, count, size=size, processes=1, threads=connections)
    apart = insert_again(stage, name, count, size=size, processes=connections, threads=1)
    report.add(f"raw insert_many, threads{when}", threads.rate, "records/s")
    report.add(f"raw insert_many, processes{when}", apart.rate, "records/s")
    best = max(threads, apart, key=lambda raw: raw.rate)
    report.add(f"raw insert_many{when}", best.rate, "records/s")
    report.add(f"raw, CPU of load generator{when}", 1e6 * best.load_cpu, "ms/1,000")
    report.add(f"raw, CPU of MongoDB{when}", 1e6 * best.mongo_cpu, "ms/1,000")
    report.add(f"ours / raw insert_many{when}", count / done.seconds / best.rate, "×")
    raw_cpu = count * (best.load_cpu + best.mongo_cpu)
    report.add(f"CPU, raw / ours{when}", raw_cpu / ours_cpu, "×")


def _sealing(stage: Stage, report: Report, options: dict[str, Any], round_: int) -> None:
    """The same load with the sealer running and without, the one that goes first in turn."""
    size = options["batch"]
    for on in (True, False) if round_ % 2 else (False, True):
        when = f", sealing {'on' if on else 'off'}"
        if on:
            stage.start_sealer()
        # A sealer that starts, or has to catch up, would be measured with what it missed.
        _warm_up(stage)
        load = bodies(f"q{round_}{int(on)}", options["records"] // size, size)
        done, cpu = _posted(stage, stage.url, POST, load, options["connections"])
        count = len(load) * size
        report.add(f"ours, batches{when}", count / done.seconds, "records/s")
        report.add(f"ours, batch p99{when}", 1000 * percentile(done.latencies, 0.99), "ms")
        report.add(f"CPU of all{when}", 1e6 * sum(cpu.values()) / count, "ms/1,000")
        if on:
            stage.stop("sealer")


def _single(stage: Stage, report: Report, options: dict[str, Any], name: str) -> None:
    load = bodies(name, options["single"], 1)
    done, cpu = _posted(stage, stage.url, POST, load, _SINGLE_CONNECTIONS)
    report.add("ours, single", len(load) / done.seconds, "records/s")
    report.add("ours, single p50", 1000 * percentile(done.latencies, 0.5), "ms")
    report.add("ours, single p99", 1000 * percentile(done.latencies, 0.99), "ms")
    report.add("ours, single, CPU of all", 1e6 * sum(cpu.values()) / len(load), "ms/1,000")
    with stage.plain_web() as url:
        post_all(url, "/nothing", stage.ingest_key, load[:200], connections=_SINGLE_CONNECTIONS)
        done, cpu = _posted(stage, url, "/nothing", load, _SINGLE_CONNECTIONS, answer=204)
        report.add("view that does nothing", len(load) / done.seconds, "posts/s")
        report.add("nothing, CPU of all", 1e6 * sum(cpu.values()) / len(load), "ms/1,000")
        size = options["batch"]
        load = bodies(f"{name}p", max(1, options["plain"] // size), size)
        done, _cpu = _posted(stage, url, "/plain", load, options["connections"])
        report.add("plain DRF", len(load) * size / done.seconds, "records/s")


def _posted(
    stage: Stage, url: str, path: str, load: list[bytes], connections: int, answer: int = 201
) -> tuple[Outcome, dict[str, float]]:
    """Post all of it; also the CPU seconds that each part of the stage spent meanwhile."""
    before = stage.cpu()
    done = post_all(url, path, stage.ingest_key, load, connections=connections)
    after = stage.cpu()
    if done.statuses != {answer: len(load)}:
        raise AssertionError(f"Not every post was answered {answer}: {done.statuses}")
    return done, {name: after[name] - before[name] for name in after}
