"""`manage.py verify`: are log and journal what was signed? Exit 0 clean, 1 not, 2 unknown."""

from __future__ import annotations

import gc
import getpass
import json
import os
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tracking import clock
from tracking.anchoring.file import whole_notes
from tracking.errors import DftError
from tracking.mongo.connection import is_unavailable
from tracking.projection.rebuild import compare
from tracking.running.memory import Memory
from tracking.verification import runs
from tracking.verification.keys import installed_keys, keys_from
from tracking.verification.outside import signed_here
from tracking.verification.report import (
    CLEAN,
    FAILED,
    FULL,
    SINCE,
    TRANSACTION,
    CannotCheck,
    Report,
)
from tracking.verification.run import SAMPLE, verify
from tracking.verification.single import verify_transaction
from tracking.verification.state import State

_SHOWN: Final = 20
_TELL_SECONDS: Final = 1.0


def _anchored_here() -> list[tuple[str, str]]:
    """The installation's own anchor file, if there is one."""
    path = settings.DFT_ANCHOR_FILE
    text = whole_notes(path) if path is not None else ""
    return [(path.name, text)] if text else []


class Command(BaseCommand):
    help = (
        "Check that nobody changed, removed, back-dated or slipped in a record. Exit 0: clean,"
        " 1: findings, 2: could not check."
    )

    _away = False  # MongoDB: nothing can be kept there

    # They load every page; what they look for has nothing to do with what is verified.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--full", action="store_true", help="everything (the default)")
        scope.add_argument(
            "--since-last",
            action="store_true",
            help="the log, the records since the last clean run, and older ones at random",
        )
        scope.add_argument(
            "--transaction", type=_transaction, metavar="TENANT/TX", help="one object's records"
        )
        parser.add_argument(
            "--checkpoint",
            action="append",
            type=Path,
            default=[],
            metavar="FILE",
            help="signed checkpoints that were kept outside the database; may be repeated",
        )
        parser.add_argument(
            "--keys", type=Path, metavar="FILE", help="your own public.json, not the installation's"
        )
        parser.add_argument("--sample", type=_count, default=SAMPLE, help="with --since-last")
        parser.add_argument("--processes", type=_processes, default=1, metavar="N")
        parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
        parser.add_argument("--derived", action="store_true", help="also all that is derived")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
        parser.add_argument("--nice", type=_count, default=0, help="let others go first")
        parser.add_argument("--started-by", default="", metavar="WHO")

    def handle(self, *args: Any, **options: Any) -> None:
        os.nice(options["nice"])
        Memory()  # large buffers that come and go would each leave their room behind
        # Documents come and go by the thousand, without a cycle among them to look for.
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        now = clock.now()
        chosen = SINCE if options["since_last"] else FULL
        report = Report(TRANSACTION if options["transaction"] else chosen, now)
        who = options["started_by"] or _whoever()
        try:
            with runs.claimed():
                runs.tell(who, report.scope, now, "starting", 0, 0)
                report = self._failing(report, who, options)
                if report.ended_at is None:
                    report.ended_at = clock.now()
                if not self._away:
                    self._keep(report, who)
        except (runs.AlreadyRunning, OSError) as error:
            raise CommandError(str(error), returncode=2) from error
        self._show(report, options["json"])
        if report.outcome != CLEAN:
            raise SystemExit(2 if report.outcome == FAILED else 1)

    def _failing(self, report: Report, who: str, options: dict[str, Any]) -> Report:
        """The report of a run; where it failed, one that says why."""
        try:
            return self._run(report, who, options)
        except (PyMongoError, DatabaseError) as error:
            # the driver's own text may be long, and says it last
            self._away = is_unavailable(error)
            report.failure = f"MongoDB could not be read: {str(error).split(',')[0][:300]}"
        except DftError as error:
            report.failure = str(error)
        return report

    def _run(self, report: Report, who: str, options: dict[str, Any]) -> Report:
        now, console = report.started_at, Console(stderr=True)
        own = options["keys"] is None
        keys = installed_keys() if own else keys_from(options["keys"])
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            tasks: dict[str, Any] = {}
            told = now

            def show(what: str, done: int, total: int) -> None:
                nonlocal told
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=total)
                bar.update(tasks[what], completed=done, total=total)
                if (moment := clock.now()).timestamp() - told.timestamp() >= _TELL_SECONDS:
                    told = moment
                    runs.tell(who, report.scope, now, what, done, total)

            if options["transaction"]:
                tenant, transaction = options["transaction"]
                if options["checkpoint"]:
                    raise CannotCheck("A single transaction is not checked against --checkpoint.")
                return verify_transaction(tenant, transaction, now=now, keys=keys, progress=show)
            state = State(runs.directory())
            since = state.last_clean(keys) if report.scope == SINCE else None
            found = verify(
                now=now,
                keys=keys,
                files=options["checkpoint"],
                # whoever brings keys of their own brings their own evidence
                outside=signed_here() if own else (),
                kept=_anchored_here() if own else (),
                processes=options["processes"],
                state=state,
                resume=options["resume"],
                since=since,
                sample=options["sample"],
                progress=show,
            )
            if report.scope == SINCE and since is None:
                found.notes.append("No clean run is known here, so everything was checked.")
            if options["derived"]:
                _check_derived(found, show)
            if found.clean:
                state.remember_clean(found.size, found.root, keys)
            return found

    def _keep(self, report: Report, who: str) -> None:
        try:
            runs.keep(report, who)
        except (PyMongoError, DatabaseError):
            # an auditor may have a user that only reads; the report stands by itself
            report.notes.append("The run could not be kept in the database.")

    def _show(self, report: Report, path: Path | None) -> None:
        for finding in report.findings.kept[:_SHOWN]:
            self.stdout.write(f"{finding.kind}: {finding.text}")
            if finding.expected is not None:
                self.stdout.write(f"    expected {finding.expected[:200]}")
                self.stdout.write(f"    found    {(finding.found or '')[:200]}")
        if report.findings.total > _SHOWN:
            self.stdout.write(f"… and {report.findings.total - _SHOWN:,} more findings")
        for note in report.notes:
            self.stdout.write(note)
        if path is not None:
            try:
                path.write_text(json.dumps(report.as_dict(), indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                raise CommandError(f"{path} cannot be written: {error}", returncode=2) from error
        if report.failure:
            self.stderr.write(f"Could not check: {report.failure}")
            return
        later = f", {report.later:,} newer ones not yet under a checkpoint" if report.later else ""
        self.stdout.write(
            f"{report.records:,} records{later}; log of {report.size:,} leaves in"
            f" {report.segments:,} segments, {report.checkpoints:,} checkpoints,"
            f" {len(report.outside)} sources outside: {report.findings.total:,} findings"
            f" in {report.seconds:.1f} s."
        )


def _check_derived(report: Report, show: Any) -> None:
    found = compare(lambda done, total: show("derived", done, total))
    for what, keys in (
        ("is not what its records say", found.differing),
        ("has no records", found.orphans),
        ("is not what was learned", found.learned),
        ("is not what its transactions add up to", found.rollups),
    ):
        for key in keys:
            report.findings.add(
                "derived",
                f"{key} {what}; `manage.py rebuild` derives it again.",
                tenant=key.partition("/")[0],
                record=key,
            )
    report.ended_at = clock.now()


def _transaction(text: str) -> tuple[str, str]:
    tenant, slash, transaction = text.partition("/")
    if not (tenant and slash and transaction):
        raise ArgumentTypeError("it reads TENANT/TRANSACTION")
    return tenant, transaction


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ArgumentTypeError("it is a number")
    return int(text)


def _processes(text: str) -> int:
    if not 1 <= (count := _count(text)) <= 64:
        raise ArgumentTypeError("it is a number from 1 to 64")
    return count


def _whoever() -> str:
    try:
        return f"{getpass.getuser()}, command line"
    except (KeyError, OSError):
        return "command line"
