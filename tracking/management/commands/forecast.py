"""`manage.py forecast`: forecast the load to come, until told to stop, or once."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from pymongo.errors import PyMongoError

from tracking import clock
from tracking.errors import DatabaseUnavailable
from tracking.insights.forecasts.due import Series, due_of, series_of
from tracking.insights.forecasts.series import tenants
from tracking.insights.forecasts.store import claim, claimed_by, give_back
from tracking.mongo.connection import available
from tracking.mongo.mongod import die_with_parent
from tracking.projection.owner import is_gone, owner_here

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 300.0
# Longer than one series takes; renewed before each.
LEASE: Final = timedelta(minutes=30)
NICE: Final = 15
# Several threads for small matrices only wait for one another.
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Command(BaseCommand):
    help = "Forecast the load to come: every few minutes whatever is due, or --once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="forecast what is due, and end")
        parser.add_argument("--flow", help="of this flow alone, due or not; '' is all")
        parser.add_argument("--tenant", help="of this tenant alone")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"] or options["flow"] is not None:
            try:
                with available():
                    self._once(options["tenant"], options["flow"])
            except DatabaseUnavailable:
                raise CommandError("MongoDB did not answer: the next run goes on.") from None
        else:
            self._watch(options["tenant"])

    def _watch(self, tenant: str | None) -> None:
        """What forecasts is loaded only while there is something to forecast, in a process of its
        own: it takes more memory than all the rest."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        once = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "forecast", "--once"]
        if tenant is not None:
            once += ["--tenant", tenant]
        while not stop.is_set():
            if _is_due([tenant] if tenant is not None else None):
                child = subprocess.Popen(once, preexec_fn=die_with_parent())  # noqa: S603
                while child.poll() is None and not stop.wait(1.0):
                    pass
                if child.poll() is None:
                    child.terminate()
                    child.wait()
            stop.wait(PAUSE_SECONDS)

    def _once(self, tenant: str | None, flow: str | None) -> None:
        os.nice(NICE)
        for name in _THREADS:
            os.environ.setdefault(name, "1")
        asked = _tenants(tenant)
        owner = owner_here()
        with _claimed(owner):
            # only now: it takes seconds to load
            from tracking.insights.forecasts.work import forecast_all

            moment = clock.now()
            due = due_of(asked, moment) if flow is None else _of_flow(asked, flow)
            made = forecast_all(due, clock.now, lambda: claim(owner, clock.now(), LEASE))
        self.stdout.write(f"{made} of {len(due)} series were forecast.")


def _is_due(asked: list[str] | None) -> bool:
    try:
        with available():
            return bool(due_of(asked or tenants(), clock.now()))
    except (DatabaseUnavailable, PyMongoError) as error:
        # whatever it is, nothing else may stop for it
        logger.warning("what is due is not known: %s", type(error).__name__)
        return False


def _tenants(named: str | None) -> list[str]:
    known = tenants()
    if named is not None and named not in known:
        raise CommandError(f"Nothing was recorded of a tenant {named}.")
    return known if named is None else [named]


def _of_flow(asked: list[str], flow: str) -> list[Series]:
    moment = clock.now()
    found = [each for tenant in asked for each in series_of(tenant, moment) if each.flow == flow]
    if not found:
        raise CommandError(f"Nothing was recorded of a flow {flow!r} of late.")
    return found


@contextmanager
def _claimed(owner: str) -> Iterator[None]:
    """Be the one who forecasts."""
    before = claimed_by()
    if not claim(owner, clock.now(), LEASE, gone=bool(before) and is_gone(before)):
        raise CommandError(f"Forecasting is under way already ({before}).")
    try:
        yield
    finally:
        give_back(owner, clock.now())
