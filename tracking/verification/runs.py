"""Runs: one at a time on a machine, how far the present one is, and what the ended ones found."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from tracking import clock
from tracking.errors import DftError
from tracking.mongo.connection import collection
from tracking.verification.report import Report

RUN: Final = "verification_run"
# Findings that a run keeps in the database; the JSON report has more.
_KEPT: Final = 500
# Until a process that was started has loaded and says itself that it runs.
_START_SECONDS: Final = 30


class AlreadyRunning(DftError):
    """One run at a time: two would only slow each other."""


def directory() -> Path:
    return Path(settings.DFT_DATA_DIR) / "verification"


@contextlib.contextmanager
def claimed() -> Iterator[None]:
    """Be the one run of this machine; whoever is killed gives it back by dying."""
    where = directory()
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(where / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(
                "A verification is running on this machine: wait until it has ended."
            ) from None
        (where / "progress.json").unlink(missing_ok=True)
        (where / "starting").unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def is_running() -> bool:
    """Whether some process of this machine verifies right now, or is about to."""
    try:
        if clock.now().timestamp() - (directory() / "starting").stat().st_mtime < _START_SECONDS:
            return True
    except OSError:
        pass
    try:
        descriptor = os.open(directory() / ".lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def tell(who: str, scope: str, started_at: datetime, what: str, done: int, total: int) -> None:
    """Say how far the present run is."""
    path = directory() / "progress.json"
    temporary = path.with_suffix(".new")
    content = {
        "who": who,
        "scope": scope,
        "started_at": clock.iso(started_at),
        "what": what,
        "done": done,
        "total": total,
    }
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)


def progress() -> dict[str, Any] | None:
    """How far the present run is; None where none is running."""
    if not is_running():
        return None
    try:
        told: dict[str, Any] = json.loads(
            (directory() / "progress.json").read_text(encoding="utf-8")
        )
    except (OSError, ValueError):
        return {"who": "", "scope": "", "what": "starting", "done": 0, "total": 0}
    return told


def start(who: str) -> None:
    """Start a full run of its own process, which outlives whoever asked for it.

    Raises AlreadyRunning; should two ask at once, the second process ends by itself.
    """
    if is_running():
        raise AlreadyRunning("A verification is running already; wait until it has ended.")
    where = directory()
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    (where / "progress.json").unlink(missing_ok=True)
    (where / "starting").touch()
    command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "verify"]
    with (where / "last.log").open("wb") as log:
        # Twice removed, so that no worker has a child to wait for.
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", _DETACH, *command, "--started-by", who, "--nice", "10"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=settings.BASE_DIR,
            start_new_session=True,
            close_fds=True,
            check=True,
            timeout=10,
        )


_DETACH: Final = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"


def keep(report: Report, who: str) -> str:
    """Insert an ended run; returns its key."""
    shown = report.as_dict()
    key = clock.uuid7(report.started_at)
    collection(RUN).insert_one(
        {
            "_id": key,
            "scope": report.scope,
            "target": report.target or None,
            "started_by": who,
            "started_at": report.started_at,
            "ended_at": report.ended_at or report.started_at,
            "seconds": report.seconds,
            "outcome": report.outcome,
            "records": report.records + report.later,
            "size": report.size,
            "root": report.root.hex(),
            "segments": report.segments,
            "checkpoints": report.checkpoints,
            "outside": report.outside,
            "finding_count": report.findings.total,
            "findings": [_short(each) for each in shown["findings"][:_KEPT]],
            "kinds": shown["findings_by_kind"],
            "notes": report.notes,
            "failure": report.failure or None,
        }
    )
    return key


def _short(finding: dict[str, Any]) -> dict[str, Any]:
    """What was tampered with may be of any length and hold what a database does not take."""
    return {
        name: value[:2_000].encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in finding.items()
    }
