"""`manage.py anchor`: publish the newest checkpoint at every target, now."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from tracking.anchoring.anchor import anchor_once, newest_checkpoint, targets
from tracking.anchoring.target import NotAnchored
from tracking.errors import DatabaseUnavailable
from tracking.mongo.connection import available
from tracking.signing.keyring import NoKeys


class Command(BaseCommand):
    help = (
        "Publish the newest checkpoint at every anchor target, now. Exit 0: all have it;"
        " 1: a target does not; 2: it could not be tried."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with available():
                failed = self._anchor()
        except (DatabaseUnavailable, NoKeys, NotAnchored) as error:
            self.stderr.write(f"Nothing was anchored: {error}")
            sys.exit(2)
        if failed:
            sys.exit(1)

    def _anchor(self) -> int:
        """How many targets failed."""
        chosen = targets()
        if not chosen:
            raise NotAnchored(
                "there is no target. Set DFT_ANCHOR_FILE, DFT_ANCHOR_WEBHOOK or"
                " DFT_ANCHOR_TSA_URL (docs/operations.md)."
            )
        newest = newest_checkpoint()
        if newest is None:
            self.stdout.write("Nothing to anchor: there is no checkpoint yet.")
            return 0
        failed = 0
        for target in chosen:
            try:
                size = anchor_once(target)
            except NotAnchored as error:
                failed += 1
                self.stderr.write(f"{target.label}: not anchored. {error}")
            else:
                said = f"anchored {size} leaves" if size else f"has {newest.size} leaves already"
                self.stdout.write(f"{target.label}: {said}.")
        return failed
