"""`manage.py rotate_keys`: another key signs from now on; what runs notices by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking import clock
from tracking.errors import DftError
from tracking.ledger.succession import signed_size
from tracking.signing import keyring, rotation

_DAYS_MAX = 365


class Command(BaseCommand):
    help = (
        "Let a new key sign checkpoints, receipts or both. For the overlap the old key of the"
        " log signs too; then it is closed and its private part removed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--use", choices=keyring.USES, help="only the key for this")
        parser.add_argument(
            "--overlap-days",
            type=int,
            default=7,
            help="how long the old key goes on beside the new one; 0: not at all (a stolen key)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["overlap_days"]
        if not 0 <= days <= _DAYS_MAX:
            raise CommandError(f"--overlap-days must lie between 0 and {_DAYS_MAX}.")
        overlap, moment = timedelta(days=days), clock.now()
        try:
            keyring.ensure_keys()
            for use in [options["use"]] if options["use"] else keyring.USES:
                with keyring.locked():
                    signed = signed_size() if use == keyring.LOG else 0
                    done = rotation.rotate(use, signed=signed, overlap=overlap, moment=moment)
                self._tell(use, done)
        except DftError as error:
            raise CommandError(f"{error}") from error
        self.stdout.write(
            f"Hand {keyring.directory() / keyring.LIST} to whoever checks, and back the key"
            " directory up."
        )

    def _tell(self, use: str, done: rotation.Rotated) -> None:
        self.stdout.write(f"{use}: {done.key}")
        if use == keyring.LOG:
            self.stdout.write(f"  signs checkpoints of {done.since:,} leaves and more")
            verb = "sign too until" if done.ends_at else "sign no more"
        else:
            verb = "are accepted for records until"
        until = f" {clock.iso(done.ends_at)}" if done.ends_at else ""
        self.stdout.write(f"  the keys before it {verb}{until}")
