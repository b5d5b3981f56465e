"""`manage.py rotate_key`: a new key in place of an old one; its secret is shown this once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from tracking import clock
from tracking.access.keys import OVERLAP_DAYS, OVERLAP_DAYS_MAX, rotate
from tracking.audit.access import NotRecorded
from tracking.audit.doors import record_by_command


class Command(BaseCommand):
    help = "Make a key in place of an old one, which goes on to work for some days; print it, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="of the old key: what stands after dft_")
        parser.add_argument(
            "--overlap-days",
            type=int,
            default=OVERLAP_DAYS,
            help=f"how long both work, 0 to {OVERLAP_DAYS_MAX} (default {OVERLAP_DAYS})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["overlap_days"]
        if not 0 <= days <= OVERLAP_DAYS_MAX:
            raise CommandError(f"--overlap-days must lie between 0 and {OVERLAP_DAYS_MAX}.")
        try:
            with transaction.atomic():
                key, secret = rotate(
                    options["prefix"], overlap=timedelta(days=days), moment=clock.now()
                )
                what = f"made in place of dft_{options['prefix']}_…"
                record_by_command("rotate_key", key.tenant_id, f"API key {key}", what)
        except (ValueError, NotRecorded) as error:
            raise CommandError(f"{error}") from None
        self.stdout.write(secret)
