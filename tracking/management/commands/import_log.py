"""`manage.py import_log`: an event log (XES, CSV) becomes records (docs/import.md)."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tracking import clock
from tracking import vocabulary as v
from tracking.errors import DatabaseUnavailable
from tracking.importing.definitions import create_missing
from tracking.importing.mapper import Mapper
from tracking.importing.mapping import Mapping, compile_mapping, read_mapping, shipped
from tracking.importing.opening import Source, fingerprint, guess_format, open_source
from tracking.importing.problems import MappingError, SourceError
from tracking.importing.run import Options, Result, Summary, run
from tracking.importing.shuffle import shuffled
from tracking.importing.state import ImportState
from tracking.ingest.accept import Producer, accept
from tracking.models import Tenant
from tracking.mongo.connection import available
from tracking.projection.refold import request_flow

OK, REFUSED, FAILED, INTERRUPTED = 0, 1, 2, 130
PRODUCER = "import_log"


class Command(BaseCommand):
    help = "Import an event log (XES or CSV, also .gz) with a mapping; see docs/import.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--mapping",
            required=True,
            help=f"a mapping file (.toml, .json), or one of: {', '.join(shipped())}",
        )
        parser.add_argument("--tenant", required=True, help="whose records they become")
        parser.add_argument("--shuffle", type=int, metavar="SEED", help="post in a random order")
        parser.add_argument("--limit", type=_positive, metavar="N", help="only the first N records")
        parser.add_argument(
            "--batch",
            type=_batch,
            default=v.BATCH_RECORDS_MAX,
            metavar="N",
            help="records per post (1000)",
        )
        parser.add_argument(
            "--from-start", action="store_true", help="post again what was settled before"
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=300.0,
            metavar="SECONDS",
            help="how long to wait for a database that cannot be reached (300)",
        )
        parser.add_argument(
            "--problems", type=int, default=20, metavar="N", help="list the first N problems (20)"
        )
        parser.add_argument("--json", action="store_true", help="print the totals as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with _interruptible():
                code = _Import(self, options).run()
        except (MappingError, SourceError) as error:
            self.stderr.write(f"{_kind(error)}: {error}")
            code = FAILED
        if code:
            sys.exit(code)


class _Import:
    """One run of the command; everything but the printing lives in tracking.importing."""

    def __init__(self, command: BaseCommand, options: dict[str, Any]) -> None:
        self.command = command
        self.options = options
        self.path: Path = options["file"]
        self.tenant: str = options["tenant"]
        self.summary = Summary()
        self.mapper: Mapper | None = None
        self.created: list[str] = []

    def run(self) -> int:
        if not self.path.is_file():
            raise SourceError(f"There is no file {self.path}.")
        raw, content = read_mapping(self.options["mapping"])
        mapping = compile_mapping(raw, _format(self.path, raw))
        try:
            with available():
                self.prepare(mapping)
        except DatabaseUnavailable:
            raise SourceError("MongoDB cannot be reached; nothing was imported.") from None
        state = self.state(content)
        code = OK
        try:
            with open_source(self.path) as source:
                self.post_all(mapping, source, state)
        except KeyboardInterrupt:
            code = INTERRUPTED
            self.say(f"Interrupted after {state.done:,} records; the same command goes on there.")
        except DatabaseUnavailable:
            code = FAILED
            self.say(
                f"MongoDB cannot be reached; {state.done:,} records are settled and the same"
                " command goes on there."
            )
        except SourceError as error:
            code = FAILED
            self.say(str(error))
        self.print_totals()
        if code == OK and self.summary.refused:
            code = REFUSED
        return code

    def prepare(self, mapping: Mapping) -> None:
        if not Tenant.objects.filter(slug=self.tenant).exists():
            known = ", ".join(Tenant.objects.values_list("slug", flat=True)[:20]) or "none yet"
            raise SourceError(f"There is no tenant {self.tenant!r}; there are: {known}.")
        for definition in create_missing(self.tenant, mapping.definitions):
            request_flow(self.tenant, definition.flow)
            self.created.append(f"{definition.flow} {definition.version}")

    def state(self, mapping: bytes) -> ImportState:
        state = ImportState(
            Path(settings.DFT_DATA_DIR) / "imports",
            file=fingerprint(self.path),
            mapping=hashlib.sha256(mapping).hexdigest(),
            tenant=self.tenant,
            shuffle=self.options["shuffle"],
            limit=self.options["limit"],
        )
        if not self.options["from_start"]:
            state.load()
        return state

    def post_all(self, mapping: Mapping, source: Source, state: ImportState) -> None:
        self.mapper = Mapper(mapping, source)
        items = self.mapper.items()
        if self.options["limit"] is not None:
            items = islice(items, self.options["limit"])
        if self.options["shuffle"] is not None:
            items = shuffled(items, self.options["shuffle"])
        if state.done:
            self.say(f"Going on after {state.done:,} records of an earlier run.")
        settings_ = Options(
            self.options["batch"], self.options["problems"], self.options["patience"]
        )
        with self.progress(source) as report:
            self.summary = run(items, self.post, state, settings_, report)

    def post(self, wires: list[dict[str, Any]]) -> Sequence[Result]:
        producer = Producer(self.tenant, PRODUCER)
        return accept(producer=producer, values=wires, moment=clock.now()).results

    def progress(self, source: Source) -> AbstractContextManager[Callable[[Summary], None]]:
        console = Console(stderr=True)
        if self.options["json"] or not console.is_terminal:
            return nullcontext(self.keep)
        return _Bar(console, source, self.keep)

    def keep(self, summary: Summary) -> None:
        self.summary = summary

    def say(self, text: str) -> None:
        self.command.stderr.write(text)

    def print_totals(self) -> None:
        summary, mapper = self.summary, self.mapper
        unseen = sorted(mapper.unseen) if mapper and summary.complete else []
        if self.options["json"]:
            self.command.stdout.write(
                json.dumps(
                    {
                        "file": str(self.path),
                        "mapping": self.options["mapping"],
                        "tenant": self.tenant,
                        "complete": summary.complete,
                        "resumed_from": summary.resumed_from,
                        "rows": mapper.rows if mapper else 0,
                        "left_out": mapper.left_out if mapper else 0,
                        "records": summary.settled,
                        "stored": summary.stored,
                        "duplicates": summary.duplicates,
                        "conflicts": summary.conflicts,
                        "invalid": summary.invalid,
                        "seconds": round(summary.seconds, 3),
                        "records_per_second": round(summary.rate, 1),
                        "definitions_created": self.created,
                        "columns_never_seen": unseen,
                        "problems": [asdict(problem) for problem in summary.problems],
                    }
                )
            )
            return
        write = self.command.stdout.write
        for name in self.created:
            write(f"Created the flow definition {name}.")
        write(
            f"{summary.stored:,} stored, {summary.duplicates:,} duplicates,"
            f" {summary.conflicts:,} conflicts, {summary.invalid:,} invalid"
            f" in {summary.seconds:.1f} s ({summary.rate:,.0f} records/s)."
        )
        for problem in summary.problems:
            id_ = f" ({problem.id})" if problem.id else ""
            write(f"  {problem.outcome}: {problem.place}{id_}: {problem.message}")
        if (more := summary.refused - len(summary.problems)) > 0:
            write(f"  … and {more:,} more.")
        for column in unseen:
            write(f"No event has {column!r}, which the mapping reads.")


class _Bar:
    """The progress on a terminal: how much of the file is read, at which rate."""

    def __init__(self, console: Console, source: Source, keep: Callable[[Summary], None]) -> None:
        self.source, self.keep = source, keep
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=console,
        )
        self.task = self.bar.add_task("reading", total=source.size)

    def __enter__(self) -> Callable[[Summary], None]:
        self.bar.start()
        return self.report

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def report(self, summary: Summary) -> None:
        self.keep(summary)
        self.bar.update(
            self.task,
            completed=self.source.done,
            description=f"{summary.settled:,} records, {summary.rate:,.0f}/s",
        )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make Ctrl-C and SIGTERM end the import between two records, also in the background."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (SIGINT, SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _format(path: Path, raw: dict[str, Any]) -> str | None:
    source = raw.get("source")
    declared = isinstance(source, dict) and "format" in source
    return None if declared else guess_format(path)


def _kind(error: Exception) -> str:
    return "Mapping" if isinstance(error, MappingError) else "Error"


def _positive(text: str) -> int:
    return _between(text, 1, 2**53)


def _batch(text: str) -> int:
    return _between(text, 1, v.POST_RECORDS_MAX)


def _between(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ArgumentTypeError(f"must be an integer from {least} to {most}, not {text!r}")
    return int(text)
