"""Queries per page, as a file: a page that costs more shows as a change of it in review."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymongo.monitoring
import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.urls import reverse
from pymongo.monitoring import CommandStartedEvent

from tests.admin.world import lifetime_url, signed_in
from tests.tools import drain, post, record
from tracking import clock
from tracking.admin import display as show
from tracking.mongo.connection import collection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

BUDGETS = Path(__file__).parent.parent / "rules" / "page_budgets.json"
_READS = frozenset(("find", "aggregate", "distinct", "count", "getMore"))


class Counter(pymongo.monitoring.CommandListener):
    """Every read of a client it was given to."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in _READS:
            self.names.append(event.command_name)

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...


@contextmanager
def counting() -> Iterator[Counter]:
    """Counts reads of the ORM and of PyMongo alike, by a client of its own."""
    counter = Counter()
    connection = connections["default"]
    options = connection.settings_dict["OPTIONS"]
    connection.close_pool()
    connection.settings_dict["OPTIONS"] = {**options, "event_listeners": [counter]}
    try:
        yield counter
    finally:
        connection.close_pool()
        connection.settings_dict["OPTIONS"] = options


def pages() -> dict[str, str]:
    found = {
        name: reverse(f"admin:tracking_{name}_changelist")
        for name in (
            "transaction",
            "transactionprogress",
            "transactionblockprogress",
            "transactionblock",
            "flowdefinition",
            "flowblock",
            "resourcerate",
            "logcheckpoint",
            "logsegment",
            "sealqueueentry",
            "verificationrun",
            "tenant",
            "user",
            "membership",
            "apikey",
            "accessrecord",
        )
    }
    found["home"] = reverse("admin:index")
    found["throughput"] = reverse("admin:throughput")
    found["throughput, 30 days"] = reverse("admin:throughput") + "?span=30d"
    found["bottlenecks"] = reverse("admin:bottlenecks") + "?tenant=acme&flow=orders"
    found["lifetime, failed"] = lifetime_url("tx-bad")
    found["lifetime, delivered"] = lifetime_url("tx-good")
    found["record"] = show.record_url("acme/bad-price-1")
    found["search, one hit"] = reverse("admin:find") + "?q=order-bad"
    found["search, several hits"] = reverse("admin:find") + "?q=order-"
    return found


def cost(client: Client, url: str) -> int:
    cache.clear()
    with counting() as counter:
        assert client.get(url).status_code in (200, 302)
    return len(counter.names)


def test_no_page_asks_more_often_than_its_budget() -> None:
    drain()
    newest = collection("log_checkpoint").find_one({}, sort=[("_id", -1)])
    anchor = {"kind": "file", "target": "x", "anchored_at": clock.now(), "root": newest["root"]}
    collection("log_anchor").insert_one({"_id": "x", "size": newest["_id"], **anchor})
    client = signed_in("root")
    costs = {name: cost(client, url) for name, url in pages().items()}
    assert costs == json.loads(BUDGETS.read_text())


def test_no_page_asks_more_often_for_having_more_rows() -> None:
    drain()
    client = signed_in("root")
    names = ("transaction", "transactionblockprogress", "transactionblock", "home")
    before = {name: cost(client, pages()[name]) for name in names}
    post([record(block=f"b-{n}", status="failed", reason="no") for n in range(60)])
    drain()
    after = {name: cost(client, pages()[name]) for name in names}
    # choices of blocks are read per flow: the same flow, whatever the number of its blocks
    assert {name for name in names if after[name] > before[name]} == set()
