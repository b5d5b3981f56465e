"""`manage.py up`: all of DFT on one machine, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import socket
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand

from tracking import clock
from tracking.errors import DftError
from tracking.metering import clear_meters
from tracking.mongo.addresses import VARIABLES, given
from tracking.mongo.users import AUDITOR, FOLLOWER, MIGRATOR, WEB
from tracking.running.first_start import credentials_path, demo_path
from tracking.running.supervisor import StartError, Supervisor, gunicorn_command
from tracking.simulation import seed_demo

logger = logging.getLogger(__name__)

LEAST_FREE_BYTES = 1 << 30
READY_SECONDS = 90


class Command(BaseCommand):
    help = "Start MongoDB (unless DFT_MONGODB_URI is set) and all that runs beside it."
    # System checks would open a database connection before there is a database.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        supervisor: Supervisor | None = None
        try:
            lock = _claim_directory(settings.DFT_DATA_DIR)
            _check_port(settings.DFT_HOST, settings.DFT_PORT)
            supervisor = Supervisor(
                manage=Path(settings.BASE_DIR) / "manage.py",
                environment={**os.environ, "DFT_DATA_DIR": str(settings.DFT_DATA_DIR)},
            )
            supervisor.catch_signals()
            self._run(supervisor)
            lock.close()
        except DftError as error:
            self.stderr.write(f"{error}")
            sys.exit(1)
        finally:
            if supervisor is not None:
                supervisor.stop()
        self.stdout.write("Stopped.")

    def _run(self, supervisor: Supervisor) -> None:
        first = not credentials_path().exists()
        addresses = given()
        if addresses and WEB not in addresses:
            raise StartError(
                f"{VARIABLES[next(iter(addresses))]} is set, and DFT_MONGODB_URI is not:"
                " set that too, or none of them."
            )
        if not addresses:
            self.stdout.write("Starting MongoDB …")
            supervisor.start_mongo(Path(settings.DFT_DATA_DIR) / "mongodb")
        self.stdout.write("Preparing …")
        supervisor.run_once("prepare", roles=(WEB, MIGRATOR))
        if supervisor.stopping.is_set():
            return
        clear_meters()
        # the auditor's, which may read and no more, for checks that are begun from the admin
        supervisor.add("web workers", gunicorn_command(settings), roles=(WEB, AUDITOR))
        supervisor.add_command("follower", "follow", roles=(FOLLOWER,))
        supervisor.add_command("forecaster", "forecast", roles=(FOLLOWER,))
        if not _wait_until_ready(supervisor):
            return
        self._tell(first)
        if demo_path().exists():
            threading.Thread(target=_seed_demo, name="demo", daemon=True).start()
        supervisor.watch()
        self.stdout.write("Stopping …")

    def _tell(self, first: bool) -> None:
        url = settings.DFT_PUBLIC_URL
        path = credentials_path()
        self.stdout.write(f"\nData Flow Tracking runs at {url}/  (Ctrl-C stops it)")
        if path.exists():
            self.stdout.write(f"Sign-in and keys: {path}")
            key = json.loads(path.read_text(encoding="utf-8"))["ingest_key"]
            self.stdout.write(f"Post a {'first ' if first else ''}record:\n\n{curl(url, key)}\n")
        self.stdout.flush()


def curl(url: str, key: str) -> str:
    """A command line that posts a record."""
    moment = clock.now()
    record = {
        # of its own at each start: a known id with another time would be a conflict
        "id": clock.uuid7(moment),
        "object": {"id": "order-1001", "type": "order"},
        "flow": "orders",
        "block": "receive",
        "stage": "ingress",
        "status": "succeeded",
        "occurred_at": clock.iso(moment),
    }
    return (
        f"  curl -X POST {url}/api/v1/blocks \\\n"
        f"    -H 'Authorization: Bearer {key}' \\\n"
        "    -H 'Content-Type: application/json' \\\n"
        f"    -d '{json.dumps(record)}'"
    )


def _claim_directory(directory: Path) -> TextIO:
    """Hold the data directory for this process alone."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "up.lock").open("w", encoding="ascii")
    except OSError as error:
        raise StartError(
            f"The data directory {directory} cannot be written ({error.strerror}):"
            " make it writable, or name another with DFT_DATA_DIR."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise StartError(
            f"DFT already runs on {directory}: stop it, or name another with DFT_DATA_DIR."
        ) from None
    free = shutil.disk_usage(directory).free
    if free < LEAST_FREE_BYTES:
        raise StartError(
            f"Only {free >> 20} MiB are free in {directory}: free at least"
            f" {LEAST_FREE_BYTES >> 20} MiB, or name another directory with DFT_DATA_DIR."
        )
    return lock


def _check_port(host: str, port: int) -> None:
    try:
        family, _kind, _proto, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise StartError(
            f"Port {port} of {host} cannot be used ({error.strerror}): stop what runs there, or"
            " choose another with DFT_PORT, such as `DFT_PORT=8001 make run`."
        ) from None


def _wait_until_ready(supervisor: Supervisor) -> bool:
    """True once /readyz answers 200; False when told to stop before."""
    host = "127.0.0.1" if settings.DFT_HOST in ("", "0.0.0.0", "::") else settings.DFT_HOST  # noqa: S104
    request = urllib.request.Request(
        f"http://{host}:{settings.DFT_PORT}/readyz",
        headers={"Host": "localhost", "X-Forwarded-Proto": "https"},
    )
    for _attempt in range(READY_SECONDS * 5):
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            pass
        for child in supervisor.children:
            if child.ended():
                child.restart()
        if supervisor.stopping.wait(0.2):
            return False
    raise StartError(f"The web workers were not ready within {READY_SECONDS} seconds; see above.")


def _seed_demo() -> None:
    """Fill the demo tenant once; without it the product works all the same."""
    path = demo_path()
    try:
        key = json.loads(path.read_text(encoding="utf-8"))["ingest_key"]
        host = "127.0.0.1" if settings.DFT_HOST in ("", "0.0.0.0", "::") else settings.DFT_HOST  # noqa: S104
        seed_demo(f"http://{host}:{settings.DFT_PORT}", key, now=clock.now())
    except Exception:
        logger.exception("the demo tenant could not be filled; the next start tries again")
    else:
        path.unlink(missing_ok=True)
