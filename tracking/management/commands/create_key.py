"""`manage.py create_key`: a key for a service; its secret is shown this once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from tracking import clock
from tracking import vocabulary as v
from tracking.access.keys import create_key
from tracking.audit.access import NotRecorded
from tracking.audit.doors import record_by_command
from tracking.models import Tenant

_DAYS_MAX = 36_500


class Command(BaseCommand):
    help = "Create an API key and print its secret, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant whose key it is")
        parser.add_argument("--name", required=True, help="which service will use it")
        parser.add_argument(
            "--scope",
            action="append",
            choices=v.SCOPES,
            required=True,
            help="may be repeated",
        )
        parser.add_argument("--days", type=int, help="expires after this many days")
        parser.add_argument(
            "--rate", type=int, help="records a second it may post; 0: no limit (default: as all)"
        )
        parser.add_argument(
            "--network",
            action="append",
            default=[],
            help="from where it may be used, such as 203.0.113.0/24; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = options["tenant"]
        if not Tenant.objects.filter(pk=tenant).exists():
            raise CommandError(f"There is no tenant {tenant!r}; create it in the admin.")
        days = options["days"]
        if days is not None and not 1 <= days <= _DAYS_MAX:
            raise CommandError(f"--days must lie between 1 and {_DAYS_MAX}.")
        try:
            with transaction.atomic():
                key, secret = create_key(
                    tenant=tenant,
                    name=options["name"],
                    scopes=sorted(set(options["scope"])),
                    expires_at=clock.now() + timedelta(days=days) if days else None,
                    records_per_second=options["rate"],
                    networks=options["network"],
                )
                what = f"made for {', '.join(key.scopes)}"
                record_by_command("create_key", tenant, f"API key {key}", what)
        except (ValueError, NotRecorded) as error:
            raise CommandError(f"{error}") from None
        self.stdout.write(secret)
