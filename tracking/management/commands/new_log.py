"""`manage.py new_log`: go on under a new name after the database was put back to an older state."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking import clock
from tracking.errors import DftError
from tracking.ledger.succession import open_new_log
from tracking.signing import keyring


class Command(BaseCommand):
    help = (
        "Open a new log where the database is behind what was signed and nothing newer can be"
        " put back: sealing then goes on under a new name. There is no way back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why; auditors will read it")
        parser.add_argument("--yes", action="store_true", help="yes, open a new log")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            raise CommandError(
                "What was signed beyond the state of the database stays lost to the log, and"
                " auditors will see that. If a newer backup can be had, put that back instead;"
                " if not, say --yes."
            )
        try:
            done = open_new_log(reason=options["reason"], moment=clock.now())
        except DftError as error:
            raise CommandError(f"{error}") from error
        told = done.log.succession
        if told is None:
            raise CommandError("The new log says nothing of the one before.")
        self.stdout.write(
            f"{done.log.origin} goes on from {told.base_size:,} leaves. {told.last_origin} had"
            f" been signed up to {told.last_size:,}: {done.lost:,} are missing."
        )
        self.stdout.write(
            f"Hand {keyring.directory() / keyring.LIST} to whoever checks, and back the key"
            " directory up. Producers find by their receipts what has to be posted again. An anchor"
            " file holds checkpoints of one log: move it away and keep it."
        )
