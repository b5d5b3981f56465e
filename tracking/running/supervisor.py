"""One supervisor for MongoDB, the web workers and the follower."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracking.errors import DftError
from tracking.mongo.addresses import VARIABLES, environment_for, uri_file, write_secret
from tracking.mongo.embedded import EmbeddedMongo
from tracking.mongo.mongod import die_with_parent

logger = logging.getLogger(__name__)

STOP_SECONDS = 25.0
RESTARTS = 5
RESTART_WINDOW = 60.0
_LOOK = 0.2


class StartError(DftError):
    """Something keeps DFT from running; the text is one sentence that says what to do."""


@dataclass
class Child:
    """A process that is started again when it ends by itself."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    starts: deque[float] = field(default_factory=deque)

    def start(self) -> None:
        self.starts.append(time.monotonic())
        self.process = subprocess.Popen(  # noqa: S603
            self.command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            # A session of its own: Ctrl-C reaches the supervisor alone, which then stops the
            # processes in their order.
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def restart(self) -> None:
        """Start again, unless it ended too often of late: then raise StartError."""
        now = time.monotonic()
        while self.starts and now - self.starts[0] > RESTART_WINDOW:
            self.starts.popleft()
        code = self.process.returncode if self.process else None
        if len(self.starts) >= RESTARTS:
            raise StartError(
                f"The {self.name} ended {len(self.starts)} times within a minute (exit {code});"
                " see its messages above."
            )
        logger.warning("the %s ended (exit %s); starting it again", self.name, code)
        self.start()

    def stop(self) -> None:
        """Ask it to end; kill its whole session if it does not."""
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                logger.warning("the %s did not end by itself", self.name)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.process = None


class Supervisor:
    """Starts the processes in order, keeps them running, stops them in reverse order."""

    def __init__(self, *, manage: Path, environment: dict[str, str]) -> None:
        self.manage = manage
        self.environment = environment
        self.mongo: EmbeddedMongo | None = None
        self.children: list[Child] = []
        self.stopping = threading.Event()

    def catch_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())

    def start_mongo(self, directory: Path) -> None:
        """The embedded MongoDB; its URIs go to the children and to commands run beside."""
        self.mongo = EmbeddedMongo(directory)
        self.mongo.start()
        for role, uri in self.mongo.uris.items():
            self.environment[VARIABLES[role]] = uri
            write_secret(uri_file(directory, role), uri.encode())

    def run_once(self, *arguments: str, roles: Sequence[str]) -> None:
        """Run a management command to its end."""
        environment = environment_for(self.environment, *roles)
        child = Child(" ".join(arguments), self._manage(*arguments), environment)
        child.start()
        process = child.process
        if process is None:
            return
        while process.poll() is None:
            if self.stopping.wait(0.05):
                child.stop()
                return
        if process.returncode:
            raise StartError(
                f"`manage.py {child.name}` failed (exit {process.returncode}); see above."
            )

    def add(self, name: str, command: list[str], *, roles: Sequence[str]) -> None:
        """Start a process that knows the database addresses of these roles alone."""
        child = Child(name, command, environment_for(self.environment, *roles))
        self.children.append(child)
        child.start()

    def add_command(self, name: str, *arguments: str, roles: Sequence[str]) -> None:
        self.add(name, self._manage(*arguments), roles=roles)

    def watch(self) -> None:
        """Keep everything running until told to stop."""
        while not self.stopping.wait(_LOOK):
            mongo = self.mongo
            if mongo is not None and mongo.process is not None and mongo.process.poll() is not None:
                logger.warning("the embedded MongoDB ended; starting it again")
                mongo.start()
            for child in self.children:
                if child.ended():
                    child.restart()

    def stop(self) -> None:
        """Stop everything; the web workers first, so that nothing new is promised."""
        for child in self.children:
            child.stop()
        if self.mongo is not None:
            self.mongo.stop()

    def _manage(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.manage), *arguments]


def gunicorn_command(settings: Any) -> list[str]:
    """The web workers: threads, because a request mostly waits for MongoDB; see `door`."""
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "dft_project.wsgi:application",
        f"--bind={settings.DFT_HOST}:{settings.DFT_PORT}",
        f"--workers={settings.DFT_WORKERS}",
        "--worker-class=tracking.running.door.Door",
        f"--threads={settings.DFT_THREADS}",
        "--timeout=60",
        "--graceful-timeout=15",
        "--keep-alive=30",
        "--limit-request-line=8190",
        "--log-level=warning",
        "--no-control-socket",
    ]
