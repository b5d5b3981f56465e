"""What this process counts of the requests it answers, in files that all workers share.

prometheus_client keeps the numbers of each process in files of one directory, so that whichever
worker answers /metrics tells of all of them. Numbers of workers that have ended stay in them.
A directory that cannot be used costs the numbers, never a request.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.http import HttpRequest, HttpResponse

from tracking import vocabulary as v

logger = logging.getLogger(__name__)

DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
POSTS: Final = ("/api/v1/blocks", "/api/v1/otlp/v1/traces")
# Probes and scrapes would only hide what matters.
_NOT_TIMED: Final = ("/healthz", "/readyz", "/metrics")
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Meters:
    records: Any
    posts: Any
    seconds: Any


@functools.cache
def meters() -> Meters | None:
    """Made when the first request is counted: commands, which answer none, leave no files."""
    try:
        Path(os.environ[DIRECTORY]).mkdir(parents=True, exist_ok=True)
        # Imported now: it looks for the directory when it is.
        from prometheus_client import CollectorRegistry, Counter, Histogram

        mine = CollectorRegistry()
        return Meters(
            records=Counter(
                "dft_records", "Records posted, by outcome.", ["outcome"], registry=mine
            ),
            posts=Counter(
                "dft_posts", "Posts answered, by HTTP status.", ["status"], registry=mine
            ),
            seconds=Histogram(
                "dft_request_seconds",
                "Seconds from a whole request to its answer.",
                ["area"],
                buckets=_BUCKETS,
                registry=mine,
            ),
        )
    except (OSError, KeyError) as error:
        logger.warning("requests are not counted for /metrics: %s", error)
        return None


def count_records(count: Callable[[str], int]) -> None:
    """Once for each post, not for each record; `count` gives how many had an outcome."""
    found = meters()
    if found is not None:
        for outcome in v.OUTCOMES:
            if number := count(outcome):
                found.records.labels(outcome).inc(number)


class Metering:
    """Middleware: times every request, and counts posts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begin = time.perf_counter()
        response = self.get_response(request)
        if request.path not in _NOT_TIMED and (found := meters()) is not None:
            area = _area(request)
            found.seconds.labels(area).observe(time.perf_counter() - begin)
            if area == "post":
                found.posts.labels(str(response.status_code)).inc()
        return response


def _area(request: HttpRequest) -> str:
    if request.path in POSTS and request.method == "POST":
        return "post"
    return "api" if request.path.startswith("/api/") else "admin"


def clear_meters() -> None:
    """Begin anew: what is there was left by processes that no longer run."""
    for path in Path(os.environ[DIRECTORY]).glob("*_[0-9]*.db"):
        path.unlink(missing_ok=True)
