"""`manage.py follow`: seal and derive until told to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from tracking.ledger.sealer import seal_until
from tracking.projection.follower import follow_until, owner_here


class Command(BaseCommand):
    help = "Seal recorded batches into the log and derive where every object is."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        sealer = threading.Thread(target=seal_until, args=(stop,), name="sealer")
        sealer.start()
        try:
            follow_until(stop, owner_here())
        finally:
            stop.set()
            sealer.join(30)
