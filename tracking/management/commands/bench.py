"""`manage.py bench …`: measurements, side by side with their yardsticks."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

BENCHES = ("ingest", "follow", "pages", "client", "ledger", "verify", "insights", "forecast")


class Command(BaseCommand):
    help = "Measure on fresh data, the yardstick and ours in turn; prints a table and JSON."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parsers = parser.add_subparsers(dest="bench", required=True)
        for name in BENCHES:
            module = import_module(f"tracking.bench.{name}")
            sub = parsers.add_parser(name, help=(module.__doc__ or "").splitlines()[0])
            sub.add_argument("--rounds", type=int, default=3, help="rounds, at least 3 to quote")
            sub.add_argument("--json", type=Path, help="write the JSON here")
            module.add_arguments(sub)

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.DEBUG:
            raise CommandError("DFT_DEBUG is on: figures would mean nothing.")
        module = import_module(f"tracking.bench.{options['bench']}")
        report = module.run(options)
        report.show(options["json"])
        if report.wrong:
            raise CommandError(f"That must never be: {', '.join(report.wrong)}.")
