"""`manage.py follow`: seal and derive until told to stop."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from tracking.anchoring.threads import start_anchoring
from tracking.ledger.sealer import seal_until
from tracking.mongo.connection import database
from tracking.mongo.grants import warn_if_exposed
from tracking.mongo.users import FOLLOWER
from tracking.projection.follower import follow_until
from tracking.projection.owner import owner_here
from tracking.signing.keyring import ensure_keys


class Command(BaseCommand):
    help = "Seal recorded batches into the log, anchor it, and derive where every object is."

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_keys()
        warn_if_exposed(database(), FOLLOWER)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # Whoever posts goes first; the lists follow.
        os.nice(settings.DFT_FOLLOWER_NICE)
        # A step makes and drops tens of thousands of objects without a cycle among them; looking
        # for one among all of them, many times a step, took a sixth of the time.
        gc.freeze()
        gc.set_threshold(1_000_000, 20, 20)
        # While one thread derives, another hands what is derived to MongoDB. By default it waits
        # 5 ms for its turn at each answer, and MongoDB with it.
        sys.setswitchinterval(0.0005)
        sealer = threading.Thread(target=seal_until, args=(stop,), name="sealer")
        sealer.start()
        anchors = start_anchoring(stop)
        try:
            follow_until(
                stop, owner_here(), memory_bytes=settings.DFT_FOLLOWER_MEMORY_MB * 1024 * 1024
            )
        finally:
            stop.set()
            sealer.join(30)
            for thread in anchors:
                thread.join(5)
