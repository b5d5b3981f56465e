"""GET /metrics: what a Prometheus scrapes (docs/operations.md lists it).

Of the log, the lists and the anchors it tells what the database says at this moment, whichever
worker answers; of requests what all workers of this machine have counted.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import resource
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pymongo
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from pymongo.errors import PyMongoError

from tracking import clock
from tracking.anchoring.status import standings
from tracking.api.problems import explained, method_not_allowed
from tracking.errors import Forbidden, Unauthorized
from tracking.ledger.proofs import latest_checkpoint
from tracking.metering import DIRECTORY
from tracking.projection.status import lag

_METHODS: Final = ["GET", "HEAD"]
_PATIENCE_SECONDS: Final = 2.0
_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
# Whoever has these has come through a proxy, however near the proxy is.
_FORWARDED: Final = tuple(
    f"HTTP_{name}"
    for name in (
        *("FORWARDED", "VIA", "X_FORWARDED_FOR", "X_FORWARDED_PROTO", "X_FORWARDED_HOST"),
        *("X_REAL_IP", "X_FORWARDED_PORT"),
    )
)
_PAGE_BYTES: Final = resource.getpagesize()

Families = Iterator[GaugeMetricFamily | CounterMetricFamily]


@explained
def metrics(request: HttpRequest) -> HttpResponse:
    if request.method not in _METHODS:
        return method_not_allowed(request, _METHODS)
    _check_reader(request)
    registry = CollectorRegistry()
    for collect in (_database, _workers):
        registry.register(_Collector(collect))
    directory = os.environ.get(DIRECTORY, "")
    if Path(directory).is_dir():
        MultiProcessCollector(registry, directory)
    response = HttpResponse(generate_latest(registry), content_type=_CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    return response


def _check_reader(request: HttpRequest) -> None:
    """With a token, whoever sends it; without, this machine alone, and no proxy on it."""
    token = settings.DFT_METRICS_TOKEN
    if not token:
        if _is_here(request):
            return
        raise Forbidden(
            "metrics_closed",
            "Metrics are open to this machine alone. Set DFT_METRICS_TOKEN, and send it as"
            " `Authorization: Bearer …`.",
        )
    scheme, _, given = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise Unauthorized("key_missing", "Send the token as `Authorization: Bearer …`.")
    if not hmac.compare_digest(given.strip().encode(), token.encode()):
        raise Unauthorized("key_unknown", "This is not the token in DFT_METRICS_TOKEN.")


def _is_here(request: HttpRequest) -> bool:
    if any(name in request.META for name in _FORWARDED):
        return False
    try:
        peer = ip_address(request.META.get("REMOTE_ADDR", ""))
        return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback
    except ValueError:
        return False


class _Collector:
    """A function that yields metrics, as the registry wants it."""

    def __init__(self, collect: Any) -> None:
        self.collect = collect


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dft_{name}", what, value=value)


def _database() -> Families:
    """What the database says; a database that is away costs these lines alone."""
    try:
        with pymongo.timeout(_PATIENCE_SECONDS):
            found = [*_log(), *_anchors()]
    except (PyMongoError, DatabaseError):
        yield _gauge("database_up", "Whether the database answers.", 0)
        return
    yield _gauge("database_up", "Whether the database answers.", 1)
    yield from found


def _log() -> Families:
    moment = clock.now()
    state = lag(moment)
    newest = latest_checkpoint()
    yield _gauge("log_leaves", "Records that have their place in the log.", state.log_size)
    yield _gauge("seal_queue_batches", "Batches that wait to be sealed, up to 1,000.", state.queued)
    yield _gauge("seal_lag_seconds", "Age of the oldest of these.", state.queue_seconds)
    yield _gauge(
        "follower_lag_leaves",
        "Records in the log that lists do not show.",
        state.log_size - state.leaf,
    )
    yield _gauge(
        "follower_lag_seconds",
        "Age of the oldest record that lists do not show.",
        state.behind_seconds,
    )
    if newest is not None:
        age = max(0.0, (moment - newest.signed_at).total_seconds())
        yield _gauge("checkpoint_leaves", "Records under the newest checkpoint.", newest.size)
        yield _gauge("checkpoint_age_seconds", "Age of the newest checkpoint.", age)


def _anchors() -> Families:
    labels = ("kind", "target")
    leaves = GaugeMetricFamily("dft_anchor_leaves", "Records under the last anchor.", labels=labels)
    age = GaugeMetricFamily("dft_anchor_age_seconds", "Age of the last anchor.", labels=labels)
    waiting = GaugeMetricFamily(
        "dft_anchor_waiting_seconds",
        "Age of the oldest checkpoint that no anchor covers; 0 where all are covered.",
        labels=labels,
    )
    late = GaugeMetricFamily("dft_anchor_late", "Whether that is too old.", labels=labels)
    for each in standings(clock.now()):
        its = (each.kind, each.target)
        leaves.add_metric(its, each.size)
        if each.age_seconds is not None:
            age.add_metric(its, each.age_seconds)
        waiting.add_metric(its, each.waiting_seconds)
        late.add_metric(its, int(each.late))
    yield from (leaves, age, waiting, late)


def _workers() -> Families:
    """Of each web worker of this machine that has answered a request and still runs."""
    labels = ("worker",)
    cpu = CounterMetricFamily("dft_worker_cpu_seconds", "CPU time of a worker.", labels=labels)
    memory = GaugeMetricFamily("dft_worker_resident_bytes", "Memory of a worker.", labels=labels)
    files = GaugeMetricFamily("dft_worker_open_files", "Open files of a worker.", labels=labels)
    directory = Path(os.environ.get(DIRECTORY, ""))
    for path in sorted(directory.glob("histogram_*.db")):
        pid = path.stem.partition("_")[2]
        process = Path("/proc") / pid
        with contextlib.suppress(OSError, ValueError, IndexError):
            # the name, which may hold anything, ends with the last parenthesis
            numbers = (process / "stat").read_text().rpartition(")")[2].split()
            ticks = int(numbers[11]) + int(numbers[12])
            cpu.add_metric((pid,), ticks / os.sysconf("SC_CLK_TCK"))
            memory.add_metric((pid,), int(numbers[21]) * _PAGE_BYTES)
            files.add_metric((pid,), sum(1 for _ in (process / "fd").iterdir()))
    yield from (cpu, memory, files)
