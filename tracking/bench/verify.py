"""Verified records per second, by one process and by two, against reading the journal plainly."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from pymongo import MongoClient

from tracking.bench import endurance
from tracking.bench.report import Report
from tracking.bench.stage import Stage

_CONNECTIONS: Final = 4
_SEALED_SECONDS: Final = 1_800.0
# The yardstick: every document of the journal as a dict, and nothing done with it.
_READ: Final = """
import sys, time
from pymongo import MongoClient
journal = MongoClient(sys.argv[1])["dft"].get_collection("journal")
started = time.perf_counter()
count = sum(1 for _ in journal.find({}, batch_size=1000))
print(count, time.perf_counter() - started)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=settings.DFT_WORKERS)


def run(options: dict[str, Any]) -> Report:
    report = Report("verify")
    report.notes = {name: options[name] for name in ("records", "workers")}
    with Stage(workers=options["workers"]) as stage:
        stage.start_sealer()
        endurance.fill(stage, "verified", options["records"], _CONNECTIONS)
        database = MongoClient[dict[str, Any]](stage.uri)["dft"]
        _wait_until_sealed(stage, database)
        for name in ("web", "sealer"):
            stage.stop(name)
        count = database["journal"].estimated_document_count()
        report.notes["segments"] = database["log_segment"].estimated_document_count()
        for _round in range(options["rounds"]):
            report.add("plain read", count / _read(stage), "records/s")
            for processes in (1, 2):
                told, peak = _verify(stage, processes)
                if told["outcome"] != "clean" or told["records"] != count:
                    raise AssertionError(f"The log is not clean: {told['findings'][:3]}")
                name = f"verify, {processes} process{'es' * (processes > 1)}"
                report.add(name, count / told["seconds"], "records/s")
                if processes == 1:
                    report.add("peak memory", peak / 1e6, "MB")
                    beyond = max(0.0, peak - 100e6)
                    report.add("memory beyond 100 MB", beyond / count, "bytes/record")
    report.ratio("verify / plain read", "verify, 1 process", "plain read")
    report.ratio("2 processes / 1", "verify, 2 processes", "verify, 1 process")
    report.aim("verify, 1 process", least=40_000)
    report.aim("memory beyond 100 MB", most=60)
    return report


def _wait_until_sealed(stage: Stage, database: Any) -> None:
    until = time.monotonic() + _SEALED_SECONDS
    while database["seal_queue"].find_one({}, {"_id": 1}) is not None:
        stage.refuse_if_ended()
        if time.monotonic() > until:
            raise TimeoutError("What was posted was not sealed.")
        time.sleep(0.05)


def _read(stage: Stage) -> float:
    process = stage.popen(sys.executable, "-c", _READ, stage.uri, stdout=subprocess.PIPE, text=True)
    output, _nothing = process.communicate()
    return float(output.split()[1])


def _verify(stage: Stage, processes: int) -> tuple[dict[str, Any], int]:
    """The report of a run of its own, and the bytes of memory it had at its peak."""
    path = stage.path / "report.json"
    manage = str(Path(settings.BASE_DIR) / "manage.py")
    options = ("--processes", str(processes), "--json", str(path))
    process = stage.popen(
        sys.executable,
        *(manage, "verify", *options),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return json.loads(path.read_text(encoding="utf-8")), used.ru_maxrss * 1024
