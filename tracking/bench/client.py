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
# As many as still leave most of them on disk when the program that delivers is killed.
_DELIVERED: Final = 100
_MOST_US: Final = 20.0
# Before the server goes away and after it has come back.
_LOADED_SECONDS: Final = 2.0

# The program that is killed: it records, says so, delivers what it can and waits for its end.
_HOST: Final = """
import sys, time
from tracking.client import Client
url, key, spool, count = sys.argv[1:]
client = Client(url, key, spool_dir=spool, batch_size=100)
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
        report.aim("record, p50", most=_MOST_US)
        report.aim("block (two records), p50", most=_MOST_US)
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
        Client(stage.url, stage.ingest_key, spool_dir=stage.path / "cost") as client,
    ):
        sides: list[tuple[str, Callable[[], object]]] = [
            ("put into a queue", lambda: plain.put((line, values))),
            ("log line to a file", lambda: to_file.info(line, *values)),
            ("log line to a queue", lambda: to_queue.info(line, *values)),
            ("record", lambda: _record(client)),
            ("block (two records)", lambda: _block(client)),
        ]
        for name, call in sides:
            times, cpu = _timed(call, calls, rate)
            report.add(f"{name}, CPU of its thread", 1e6 * cpu / len(times), "µs")
            for share in (0.5, 0.99):
                figure = f"{name}, p{share * 100:.0f}"
                report.add(figure, 1e6 * percentile(times, share), "µs")
        if not client.flush(_DRAIN_SECONDS) or client.stats()["delivered"] != 3 * calls:
            raise RuntimeError(f"not everything arrived: {client.stats()}")


def _timed(call: Callable[[], object], calls: int, rate: int) -> tuple[list[float], float]:
    """Seconds of each call, and of CPU all together; in bursts, as a program handles its work."""
    times: list[float] = []
    cpu = 0.0
    due = time.perf_counter()
    while len(times) < calls:
        due += _BURST / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        before = time.thread_time()
        for _call in range(min(_BURST, calls - len(times))):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
        cpu += time.thread_time() - before
    return times, cpu


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
    with Client(stage.url, stage.ingest_key, spool_dir=stage.path / "away") as client:

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
        time.sleep(_LOADED_SECONDS)
        stage.stop("web")
        held = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            held = max(held, int(client.stats()["queued"]))
            time.sleep(0.1)
        spooled = client.stats()["spooled_bytes"]
        stage.start_web()
        time.sleep(_LOADED_SECONDS)
        stop.set()
        loader.join()
        began = time.monotonic()
        if not client.flush(_DRAIN_SECONDS):
            raise RuntimeError(f"not everything arrived: {client.stats()}")
        report.add("away: drained after the load ended", time.monotonic() - began, "s")
        stats = client.stats()
    _tell(stage, report, "away", objects)
    report.add("away: posted again", stats["duplicates"], "records")
    report.add("away: record, p50", 1e6 * percentile(times, 0.5), "µs")
    report.add("away: record, p99", 1e6 * percentile(times, 0.99), "µs")
    report.add("away: in memory at most", held, "records")
    report.add("away: spooled", spooled / 1e6, "MB")


def _killed(stage: Stage, report: Report, count: int) -> None:
    """A program is killed with its records on disk, the next one while it delivers them; the
    third delivers the rest."""
    spool = stage.path / "killed"
    journal = MongoClient[dict[str, Any]](stage.uri)["dft"]["journal"]
    stage.stop("web")
    with _program(stage, spool, count):
        pass
    if journal.find_one({"flow": "killed"}) is not None:
        raise RuntimeError("something was stored while no server ran")
    stage.start_web()
    with _program(stage, spool, 0):
        _wait_until(lambda: journal.count_documents({"flow": "killed"}) >= min(_DELIVERED, count))
    before = journal.count_documents({"flow": "killed"})
    began = time.monotonic()
    with Client(stage.url, stage.ingest_key, spool_dir=spool) as client:
        _wait_until(
            lambda: (
                not client.stats()["spooled_bytes"]
                and journal.count_documents({"flow": "killed"}) >= count
            )
        )
        seconds = time.monotonic() - began
        again = client.stats()["duplicates"]
    report.add("killed: stored when it was killed again", before, "records")
    report.add("killed: posted again", again, "records")
    report.add("killed: delivered within", seconds, "s")
    _tell(stage, report, "killed", [f"o-{number}" for number in range(count)])


@contextmanager
def _program(stage: Stage, spool: Path, count: int) -> Iterator[None]:
    """A program that records so many and is killed at the end of the block."""
    arguments = (stage.url, stage.ingest_key, str(spool), str(count))
    program = stage.popen(
        sys.executable, "-c", _HOST, *arguments, stdout=subprocess.PIPE, text=True
    )
    with program:
        # one that never says it is killed too: then its line is empty
        watch = threading.Timer(_DRAIN_SECONDS, program.kill)
        watch.start()
        try:
            if program.stdout.readline().strip() != "spooled":
                raise RuntimeError("the program that was to be killed did not spool its records")
            yield
        finally:
            watch.cancel()
            program.kill()


def _wait_until(done: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > _DRAIN_SECONDS:
            raise RuntimeError(f"not everything arrived within {_DRAIN_SECONDS:.0f} seconds")
        time.sleep(0.002)


def _tell(stage: Stage, report: Report, flow: str, recorded: list[str]) -> None:
    """By object, of which each has one record: a record that came twice with two ids shows."""
    journal = MongoClient[dict[str, Any]](stage.uri)["dft"]["journal"]
    stored = [found["object_id"] for found in journal.find({"flow": flow}, {"object_id": 1})]
    report.add(f"{flow}: recorded", len(recorded), "records")
    report.add(f"{flow}: stored", len(stored), "records")
    report.add(f"{flow}: lost", len(set(recorded) - set(stored)), "records")
    report.add(f"{flow}: stored twice", len(stored) - len(set(stored)), "records")
    for wrong in ("lost", "stored twice"):
        report.must_be_none(f"{flow}: {wrong}")
