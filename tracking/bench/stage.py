"""What a measurement runs on: a fresh MongoDB, web workers and a follower of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

from django.conf import settings
from pymongo import MongoClient

from tracking.bench.meter import children, cpu_seconds, rss_kb
from tracking.mongo.embedded import EmbeddedMongo
from tracking.mongo.mongod import die_with_parent
from tracking.running.supervisor import gunicorn_command

READY_SECONDS = 60.0
# Of a machine with 8 GiB that MongoDB shares with the rest: what lies beyond it is read from disk.
CACHE_GB = 2.0


class Stage:
    """A whole DFT on fresh data; `with Stage() as stage:` leaves no process and no file behind.

    `uri`: MongoDB's, `url`: the web workers', `ingest_key` and `read_key`: of tenant `default`,
    `admin`: an administrator's name and password.
    """

    def __init__(
        self,
        *,
        web: bool = True,
        workers: int = settings.DFT_WORKERS,
        threads: int = settings.DFT_THREADS,
    ) -> None:
        self.web = web
        self.workers = workers
        self.threads = threads
        self._directory = tempfile.TemporaryDirectory(prefix="dft-bench-")
        self.path = Path(self._directory.name)
        self.mongo = EmbeddedMongo(self.path / "mongodb", for_tests=True, cache_gb=CACHE_GB)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment: dict[str, str] = {}
        self.url = self.uri = self.ingest_key = self.read_key = ""
        self.admin = ("", "")

    def __enter__(self) -> Stage:
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def _begin(self) -> None:
        port = free_port()
        self.uri = self.mongo.start()
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **{k: val for k, val in os.environ.items() if not k.startswith("DFT_")},
            "DFT_DATA_DIR": str(self.path),
            "DFT_MONGODB_URI": self.uri,
            "DFT_PORT": str(port),
            "DFT_WORKERS": str(self.workers),
            "DFT_THREADS": str(self.threads),
            "DFT_DEMO": "0",
            # One key posts all of the load.
            "DFT_RATE_RECORDS": "1000000",
            "DFT_MANIFEST": "0",
            "DFT_LOG_LEVEL": "ERROR",
        }
        self.manage("prepare")
        known = json.loads((self.path / "credentials.json").read_text(encoding="utf-8"))
        self.ingest_key, self.read_key = known["ingest_key"], known["read_key"]
        self.admin = (known["admin_user"], known["admin_password"])
        if self.web:
            self.start_web()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        for name in list(self.processes):
            self.stop(name)
        self.mongo.stop()
        self._directory.cleanup()

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *arguments]
        subprocess.run(command, env=self.environment, check=True)  # noqa: S603

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process of the stage, ended with it."""
        self.processes[name] = self.popen(*command)
        return self.processes[name]

    def popen(self, *command: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a process in the stage's environment, from the directory of the project."""
        return subprocess.Popen(  # noqa: S603
            command,
            env=self.environment,
            cwd=settings.BASE_DIR,
            preexec_fn=die_with_parent(),
            **options,
        )

    def start_follower(self) -> subprocess.Popen[bytes]:
        manage = str(Path(settings.BASE_DIR) / "manage.py")
        return self.start("follower", sys.executable, manage, "follow")

    def start_sealer(self) -> subprocess.Popen[bytes]:
        """The sealer without the follower."""
        code = (
            "import django, threading; django.setup();"
            "from tracking.ledger.sealer import seal_until; seal_until(threading.Event())"
        )
        self.environment["DJANGO_SETTINGS_MODULE"] = "dft_project.settings"
        return self.start("sealer", sys.executable, "-c", code)

    def wait_until_derived(self, leaves: int, seconds: float = 1_800) -> None:
        """Until the follower has come to this leaf of the log."""
        cursors = MongoClient[dict[str, Any]](self.uri)["dft"]["cursor"]
        deadline = time.monotonic() + seconds
        while (cursors.find_one({"_id": "transactions"}) or {"leaf": 0})["leaf"] < leaves:
            self.refuse_if_ended()
            if time.monotonic() > deadline:
                raise TimeoutError(f"The follower did not reach leaf {leaves:,}.")
            time.sleep(0.05)

    def refuse_if_ended(self) -> None:
        """Waiting for a process that has ended would be waiting for ever."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"The {name} ended; the lines above say why.")

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far: of each process of the stage with its children, of MongoDB, and of
        this process, which makes the load."""
        used = {name: cpu_seconds(process.pid) for name, process in self.processes.items()}
        used["MongoDB"] = cpu_seconds(self.mongo.process.pid) if self.mongo.process else 0.0
        used["load generator"] = time.process_time()
        return used

    def memory_kb(self) -> dict[str, list[int]]:
        """Resident memory of each web worker and of MongoDB."""
        web = self.processes["web"].pid
        mongo = self.mongo.process.pid if self.mongo.process else 0
        return {
            "web workers": [rss_kb(pid) for pid in sorted(children(web))],
            "MongoDB": [rss_kb(mongo)],
        }

    @contextmanager
    def plain_web(self) -> Iterator[str]:
        """The yardsticks' web workers, as many as ours; yields their address."""
        mine, environment = self.url, self.environment
        self.url = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            **environment,
            "DJANGO_SETTINGS_MODULE": "tracking.bench.plain.settings",
        }
        try:
            self.manage("migrate", "plain", "--run-syncdb", "-v0")
            self.start_web("plain web")
            yield self.url
        finally:
            if "plain web" in self.processes:
                self.stop("plain web")
            self.url, self.environment = mine, environment

    def start_web(self, name: str = "web") -> None:
        """Start gunicorn as `up` does, and wait until it answers."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        given = SimpleNamespace(
            DFT_HOST=host, DFT_PORT=port, DFT_WORKERS=self.workers, DFT_THREADS=self.threads
        )
        process = self.start(name, *gunicorn_command(given))
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2):  # noqa: S310
                    return
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError("The web workers ended; the lines above say why.") from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
