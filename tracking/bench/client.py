"""What recording costs the program that records, and whether every record arrives once."""

from __future__ import annotations

import argparse
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from tracking.bench.report import Report, percentile
from tracking.bench.stage import Stage
from tracking.client import Client

_BURST: Final = 10
_DRAIN_SECONDS: Final = 300.0

# The program that is killed: it records, says how many, and waits for its end.
_HOST: Final = """
import sys, time
from tracking.client import Client
url, key, spool, count = sys.argv[1:]
client = Client(url, key, spool_dir=spool)
for number in range(int(count)):
    client.record(
        object_id=f"o-{number}", object_type="order", flow="killed",
        block="check", stage="processing", status="succeeded",
    )
    if number % 100 == 0:
        time.sleep(0.01)
while client.stats()["queued"]:
    time.sleep(0.01)
print("spooled", flush=True)
time.sleep(600)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, default=3_000, help="per round and side")
    parser.add_argument("--rate", type=int, default=500, help="calls per second")
    parser.add_argument("--away", type=float, default=60.0, help="seconds without a server")
    parser.add_argument("--killed", type=int, default=5_000, help="records before the kill")


def run(options: dict[str, Any]) -> Report:
    report = Report("client")
    report.notes = {name: options[name] for name in ("calls", "rate", "away", "killed")}
    with Stage() as stage:
        for _ in range(options["rounds"]):
            _cost(stage, report, options["calls"], options["rate"])
        report.ratio("record / log line to a file", "record, p50", "log line to a file, p50")
        report.ratio("record / log line to a queue", "record, p50", "log line to a queue, p50")
        _away(stage, report, options["away"], options["rate"])
        _killed(stage, report, options["killed"])
    return report


# --- What it costs ---------------------------------------------------------------------------


def _cost(stage: Stage, report: Report, calls: int, rate: int) -> None:
    """The yardsticks and ours in turn, at one pace, with their background work running."""
    line = "order %s of flow %s: block %s in %s %s, %s lines of %s"
    values = ("o-4711", "orders", "check", "processing", "succeeded", 3, "c-17")
    plain: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with (
        _file_logger(stage.path) as to_file,
        _queue_logger(stage.path) as to_queue,
        Client(stage.url, stage.ingest_key, spool_dir=stage.path / "spool") as client,
    ):
        sides: list[tuple[str, Callable[[], object]]] = [
            ("put into a queue", lambda: plain.put((line, values))),
            ("log line to a file", lambda: to_file.info(line, *values)),
            ("log line to a queue", lambda: to_queue.info(line, *values)),
            ("record", lambda: _record(client)),
            ("block (two records)", lambda: _block(client)),
        ]
        for name, call in sides:
            times = _timed(call, calls, rate)
            for share in (0.5, 0.99):
                figure = f"{name}, p{share * 100:.0f}"
                report.add(figure, 1e6 * percentile(times, share), "µs")
        if not client.flush(60) or client.stats()["delivered"] != 3 * calls:
            raise RuntimeError(f"not everything arrived: {client.stats()}")


def _timed(call: Callable[[], object], calls: int, rate: int) -> list[float]:
    """Seconds of each call; in bursts, as a program handles its work."""
    times = []
    call()
    due = time.perf_counter()
    for number in range(calls - 1):
        if number % _BURST == 0:
            due += _BURST / rate
            time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times


def _record(client: Client) -> None:
    client.record(
        object_id="o-4711",
        object_type="order",
        flow="orders",
        block="check",
        stage="processing",
        status="succeeded",
        attributes={"lines": 3},
        references={"customer": "c-17"},
    )


def _block(client: Client) -> None:
    with (
        client.track("o-4711", "order", "orders") as order,
        order.block("check", stage="processing") as check,
    ):
        check.attribute("lines", 3)
        check.reference("customer", "c-17")


@contextmanager
def _file_logger(path: Path) -> Iterator[logging.Logger]:
    handler = logging.FileHandler(path / "yardstick.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    with _logger("to-file", handler) as logger:
        yield logger
    handler.close()


@contextmanager
def _queue_logger(path: Path) -> Iterator[logging.Logger]:
    target = logging.FileHandler(path / "yardstick-queue.log")
    waiting: queue.Queue[Any] = queue.Queue()
    listener = QueueListener(waiting, target)
    listener.start()
    with _logger("to-queue", QueueHandler(waiting)) as logger:
        yield logger
    listener.stop()
    target.close()


@contextmanager
def _logger(name: str, handler: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.getLogger(f"yardstick.{name}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


# --- Whether it arrives ------------------------------------------------------------------------


def _away(stage: Stage, report: Report, seconds: float, rate: int) -> None:
    """Under load the web workers end, stay away, and come back."""
    objects: list[str] = []
    times: list[float] = []
    stop = threading.Event()
    with Client(stage.url, stage.ingest_key, spool_dir=stage.path / "spool") as client:

        def load() -> None:
            while not stop.wait(_BURST / rate):
                for _ in range(_BURST):
                    began = time.perf_counter()
                    client.record(
                        object_id=f"o-{len(objects)}",
                        object_type="order",
                        flow="away",
                        block="check",
                        stage="processing",
                        status="succeeded",
                    )
                    times.append(time.perf_counter() - began)
                    objects.append(f"o-{len(objects)}")

        loader = threading.Thread(target=load)
        loader.start()
        time.sleep(2)
        stage.stop("web")
        held = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            held = max(held, int(client.stats()["queued"]))
            time.sleep(0.1)
        spooled = client.stats()["spooled_bytes"]
        stage.start_web()
        time.sleep(2)
        stop.set()
        loader.join()
        began = time.monotonic()
        if not client.flush(_DRAIN_SECONDS):
            raise RuntimeError(f"not everything arrived: {client.stats()}")
        report.add("away: drained after the load ended", time.monotonic() - began, "s")
        stats = client.stats()
    stored = _stored(stage, "away")
    report.add("away: recorded", len(objects), "records")
    report.add("away: stored", len(stored), "records")
    report.add("away: lost", len(set(objects) - set(stored)), "records")
    report.add("away: stored twice", len(stored) - len(set(stored)), "records")
    report.add("away: posted again", stats["duplicates"], "records")
    report.add("away: record, p50", 1e6 * percentile(times, 0.5), "µs")
    report.add("away: record, p99", 1e6 * percentile(times, 0.99), "µs")
    report.add("away: in memory at most", held, "records")
    report.add("away: spooled", spooled / 1e6, "MB")
    if sorted(stored) != sorted(objects):
        raise RuntimeError("what is stored is not what was recorded, each once")


def _killed(stage: Stage, report: Report, count: int) -> None:
    """A program is killed with its records on disk; the next one to start delivers them."""
    spool = stage.path / "killed"
    stage.stop("web")
    command = [sys.executable, "-c", _HOST, stage.url, stage.ingest_key, str(spool), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:  # noqa: S603
        said = host.stdout.readline().strip() if host.stdout else ""
        host.kill()
    if said != "spooled":
        raise RuntimeError("the program that was to be killed did not spool its records")
    stage.start_web()
    began = time.monotonic()
    with Client(stage.url, stage.ingest_key, spool_dir=spool) as client:
        while client.stats()["spooled_bytes"] or client.stats()["delivered"] < count:
            if time.monotonic() - began > _DRAIN_SECONDS:
                raise RuntimeError(f"not everything arrived: {client.stats()}")
            time.sleep(0.05)
    stored = _stored(stage, "killed")
    report.add("killed: recorded", count, "records")
    report.add("killed: stored", len(stored), "records")
    report.add("killed: delivered within", time.monotonic() - began, "s")
    if sorted(stored) != sorted(f"o-{number}" for number in range(count)):
        raise RuntimeError("what is stored is not what was recorded, each once")


def _stored(stage: Stage, flow: str) -> list[str]:
    """By object, of which each has one record: a record that came twice with two ids shows."""
    journal = MongoClient[dict[str, Any]](stage.uri)["dft"]["journal"]
    return [document["object_id"] for document in journal.find({"flow": flow}, {"object_id": 1})]
