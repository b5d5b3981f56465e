"""`manage.py rebuild`: derive everything again, or `--check` that it would change nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from tracking.projection.owner import owner_here
from tracking.projection.rebuild import compare, rebuild

_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Drop everything derived and derive it again from the journal. With --check only"
        " compare; exit 0 when equal, 1 when not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns) as bar:
            task = bar.add_task("comparing" if options["check"] else "deriving", total=None)

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=max(done, total))

            if not options["check"]:
                leaves = rebuild(owner_here(), show)
                self.stdout.write(f"Derived again from {leaves} records.")
                return
            found = compare(show)
        for kind, keys in (
            ("differs", found.differing),
            ("has no records", found.orphans),
            ("learned path differs", found.learned),
            ("rollup differs", found.rollups),
        ):
            for key in keys[:_SHOWN]:
                self.stdout.write(f"{kind}: {key}")
            if len(keys) > _SHOWN:
                self.stdout.write(f"{kind}: … and {len(keys) - _SHOWN} more")
        word = "equal to" if found.equal else "NOT equal to"
        self.stdout.write(f"{found.transactions} transactions, {word} what the journal says.")
        if not found.equal:
            raise SystemExit(1)
