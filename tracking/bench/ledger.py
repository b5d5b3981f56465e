"""From acknowledged to sealed, a proof in a long log, and the bytes that the log takes."""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import threading
import time
from typing import Any

from django.core.management.base import CommandError
from pymongo import MongoClient

from tracking.bench.load import Line, records
from tracking.bench.report import Report, percentile
from tracking.bench.stage import Stage

POST = "/api/v1/blocks"
PARTS = ("delay", "log")
_POSTS_PER_SECOND = 10
_LOOK = 0.005
_SEALED_SECONDS = 60.0
# What the long log is made of: batch size, batches that one round of the sealer finds waiting,
# records at most, and which part of the log.
_MADE_OF = {
    "a record alone in its segment": (1, 1, 500, 100),
    "batches of 1, 1,000 to a segment": (1, 1_000, 50_000, 2),
    "batches of 500": (500, 8, 10**9, 1),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=int, default=60, help="of the delay part, per round")
    parser.add_argument("--rate", type=int, default=3_000, help="records/s of the delay part")
    parser.add_argument("--leaves", type=int, default=1_000_000, help="of the log of the proofs")
    parser.add_argument("--proofs", type=int, default=500, help="of each kind and round")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")


def run(options: dict[str, Any]) -> Report:
    report = Report("ledger")
    names = ("seconds", "rate", "leaves", "proofs")
    report.notes = {name: options[name] for name in names}
    parts = options["only"] or PARTS
    if "delay" in parts:
        for round_ in range(options["rounds"]):
            _delay(report, f"d{round_}", options["rate"], options["seconds"])
        report.aim("delay p99", most=2.0)
    if "log" in parts and options["leaves"] < 100:
        raise CommandError("--leaves must be at least 100.")
    if "log" in parts:
        _long_log(report, options["leaves"], options["proofs"], options["rounds"])
        report.aim("inclusion proof p99", most=20)
        report.aim("consistency proof p99", most=20)
        report.must_be_none("proofs that do not hold")
    return report


# --- How long until a record is sealed -------------------------------------------------------


def _delay(report: Report, name: str, rate: int, seconds: int) -> None:
    """Post at a steady rate with the follower running, which seals; every post is watched."""
    with Stage() as stage:
        stage.start_follower()
        line = Line(stage.url)
        headers = {
            "Authorization": f"Bearer {stage.ingest_key}",
            "Content-Type": "application/json",
            "Prefer": "return=minimal",
        }
        head = line.head("POST", POST, headers)
        per_post = max(1, rate // _POSTS_PER_SECOND)
        source = records(name, rate * seconds)
        # The first posts find a sealer that is still starting.
        line.ask(head, json.dumps(list(records(f"{name}w", 10))).encode())
        watcher = _Watcher(stage)
        watcher.wait_for_checkpoint()
        watcher.start()
        acknowledged: dict[str, float] = {}
        begin = time.perf_counter()
        for post in range(seconds * _POSTS_PER_SECOND):
            body = json.dumps(list(itertools.islice(source, per_post))).encode()
            wait = begin + post / _POSTS_PER_SECOND - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            status, answer = line.ask(head, body)
            moment = time.perf_counter()
            if status != 201:
                raise AssertionError(f"a post was answered {status}")
            for batch in json.loads(answer)["batches"]:
                acknowledged[batch["id"]] = moment
        taken = time.perf_counter() - begin
        sealed = watcher.finish(set(acknowledged))
    # A batch may be sealed before its answer has come back.
    delays = [max(0.0, sealed[batch] - moment) for batch, moment in acknowledged.items()]
    count = seconds * _POSTS_PER_SECOND * per_post
    report.add("delay: posted meanwhile", count / taken, "records/s")
    for share in (0.5, 0.99):
        report.add(f"delay p{share * 100:.0f}", percentile(delays, share), "s")
    report.add("delay max", max(delays), "s")


class _Watcher(threading.Thread):
    """Notes of each batch when a checkpoint first covered it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="watcher")
        self._stage = stage
        self._log = MongoClient[dict[str, Any]](stage.uri)["dft"]
        self._ended = threading.Event()
        self._seen = 0
        self.sealed: dict[str, float] = {}

    def _size(self) -> int:
        last = self._log["log_checkpoint"].find_one({}, {"_id": 1}, sort=[("_id", -1)])
        return int(last["_id"]) if last else 0

    def wait_for_checkpoint(self) -> None:
        until = time.monotonic() + _SEALED_SECONDS
        while not (size := self._size()):
            self._stage.refuse_if_ended()
            if time.monotonic() > until:
                raise TimeoutError("What was posted first was not sealed.")
            time.sleep(_LOOK)
        self._seen = size

    def run(self) -> None:
        while not self._ended.is_set():
            size, moment = self._size(), time.perf_counter()
            if size > self._seen:
                keys = {"$gte": self._seen, "$lt": size}
                for segment in self._log["log_segment"].find({"_id": keys}, {"batches.batch": 1}):
                    for each in segment["batches"]:
                        self.sealed[each["batch"]] = moment
                self._seen = size
            time.sleep(_LOOK)

    def finish(self, batches: set[str]) -> dict[str, float]:
        """Wait until all of `batches` are sealed; when each was."""
        until = time.monotonic() + _SEALED_SECONDS
        while not batches <= self.sealed.keys():
            self._stage.refuse_if_ended()
            if time.monotonic() > until:
                break
            time.sleep(_LOOK)
        self._ended.set()
        self.join()
        if left := batches - self.sealed.keys():
            raise TimeoutError(f"{len(left)} batches were not sealed.")
        return self.sealed


# --- A long log ------------------------------------------------------------------------------


def _long_log(report: Report, leaves: int, proofs: int, rounds: int) -> None:
    """Its bytes while it grows, and proofs out of it when it stands."""
    with Stage(web=False) as stage:
        stage.environment["DJANGO_SETTINGS_MODULE"] = "dft_project.settings"
        before, total = {"data": 0, "on disk": 0}, 0
        for name, (size, waiting, most, part) in _MADE_OF.items():
            (built,) = _asked(stage, "build", min(leaves // part, most), size, waiting)
            after = _bytes(stage)
            for kind in after:
                each = (after[kind] - before[kind]) / built["leaves"]
                report.add(f"{name}: {kind}", each, "B/record")
            before, total = after, total + built["leaves"]
        report.add("sealing alone", built["leaves"] / built["seconds"], "leaves/s")
        report.notes["leaves of the log"] = total
        told = _asked(stage, "prove", proofs, rounds)
    for each in told:
        for kind in ("read by key", "inclusion proof", "consistency proof"):
            for share in (0.5, 0.99):
                figure = f"{kind} p{share * 100:.0f}"
                report.add(figure, 1000 * percentile(each[kind], share), "ms")
        report.add("hashes of an inclusion proof", each["hashes"], "hashes")
        report.add("proofs that do not hold", each["wrong"], "proofs")
    report.ratio("inclusion proof / read by key", "inclusion proof p50", "read by key p50")


def _asked(stage: Stage, *arguments: object) -> list[dict[str, Any]]:
    """What `tracking.bench.long_log` answers."""
    command = (sys.executable, "-m", "tracking.bench.long_log", *map(str, arguments))
    with stage.popen(*command, stdout=subprocess.PIPE, text=True) as process:
        told, _nothing = process.communicate()
    if process.returncode:
        raise RuntimeError("The long log could not be made; the lines above say why.")
    return [json.loads(line) for line in told.splitlines()]


def _bytes(stage: Stage) -> dict[str, int]:
    """What segments and checkpoints take: their documents, and their files with the indexes."""
    # Files lag a minute behind; MongoDB writes all of it when it ends.
    stage.mongo.stop()
    stage.uri = stage.environment["DFT_MONGODB_URI"] = stage.mongo.start()
    found = {"data": 0, "on disk": 0}
    for name in ("log_segment", "log_checkpoint"):
        stats = MongoClient[dict[str, Any]](stage.uri)["dft"].command("collStats", name)
        found["data"] += stats["size"]
        found["on disk"] += stats["storageSize"] + stats["totalIndexSize"]
    return found
