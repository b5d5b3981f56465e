"""Every hot query is served by an index, and reads no more documents than it must.

The queries are those of the views, caught on their way to the database, on enough documents
that the planner has a choice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pymongo.monitoring import CommandListener, CommandStartedEvent

from tests.api.http import get, make_key, post_values
from tests.mongo.plans import docs_examined, stages
from tests.tools import drain, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.access import keys
from tracking.mongo.connection import close_before_fork

pytestmark = pytest.mark.django_db(transaction=True)

TRANSACTIONS = 2_000
PAGE = 50
Command = dict[str, Any]


class Recorder(CommandListener):
    """The find and aggregate commands that the driver sends."""

    def __init__(self) -> None:
        self.commands: list[Command] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate"):
            self.commands.append(dict(event.command))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


@contextmanager
def recorder() -> Iterator[Recorder]:
    """Watches the driver; it is asked for when a client is made, so a new one is."""
    watching = Recorder()
    options = connection.settings_dict["OPTIONS"]
    close_before_fork()
    options["event_listeners"] = [watching]
    try:
        yield watching
    finally:
        close_before_fork()
        del options["event_listeners"]


def seed() -> str:
    """Two tenants' transactions."""
    key = make_key()
    make_key("globex")
    chosen = random.Random(1)
    for tenant in ("acme", "globex"):
        values = [wire for n in range(TRANSACTIONS) for wire in _history(n, chosen)]
        for start in range(0, len(values), 5_000):
            post(values[start : start + 5_000], tenant)
    drain()
    return key


def _history(n: int, chosen: random.Random) -> list[dict[str, Any]]:
    when = clock.now() - timedelta(minutes=chosen.randrange(500_000))
    common: dict[str, Any] = {
        "transaction": f"t{n:05}",
        "object": {"id": f"object-{n:05}", "type": "order"},
        "flow": f"flow-{n % 4}",
        "references": {"po": f"po-{n}", "lot": f"lot-{n % 10}"},
        "parents": [f"t{n // 10:05}"] if n >= 10 else [],
    }
    done = n % 5 != 0
    cause: dict[str, Any] = {} if done else {"exception": {"type": f"Error{n % 3}"}}
    return [
        record(id=f"r-{n}-1", **common, occurred_at=clock.iso(when)),
        record(
            id=f"r-{n}-2",
            **common,
            block="ship",
            stage="egress",
            **cause,
            status=v.SUCCEEDED if done else v.FAILED,
            occurred_at=clock.iso(when + timedelta(minutes=1)),
        ),
    ]


def explained(command: Command) -> Command:
    session = {
        "lsid",
        "txnNumber",
        "startTransaction",
        "autocommit",
        "$clusterTime",
        "$db",
        "maxTimeMS",
        "readConcern",
        "writeConcern",
    }
    plain = {name: value for name, value in command.items() if name not in session}
    return connection.database.command("explain", plain, verbosity="executionStats")


def assert_bound(commands: list[Command], name: str, most: int) -> None:
    """All commands on the collection use an index, sort by it, and read at most `most`."""
    own = [c for c in commands if name in (c.get("aggregate"), c.get("find"))]
    assert own, f"nothing was asked of {name}"
    for command in own:
        plan = explained(command)
        used = stages(plan)
        assert used & {"IXSCAN", "IDHACK", "COUNT_SCAN", "EXPRESS_IXSCAN"}, (used, command)
        assert "COLLSCAN" not in used, command
        assert "SORT" not in used, (used, command)
        assert docs_examined(plan) <= most, (docs_examined(plan), command)


BY_INDEX: list[tuple[dict[str, str], int]] = [
    ({}, PAGE + 1),
    ({"status": "failed"}, PAGE + 1),
    ({"status": "failed", "updated_before": "{half}"}, PAGE + 1),
    ({"flow": "flow-1"}, PAGE + 1),
    ({"flow": "flow-1", "status": "failed"}, PAGE + 1),
    ({"object_id": "object-00077"}, 1),
    ({"reference": "po-77"}, 1),
    ({"reference": "po:po-77"}, 1),
    ({"reference": "lot-7"}, PAGE + 1),
    ({"parent": "t00007"}, 10),
    ({"error_type": "Error1"}, PAGE + 1),
]
PAGED: list[dict[str, str]] = [{}, {"status": "failed"}, {"flow": "flow-1"}, {"reference": "lot-7"}]
ONE: list[tuple[str, dict[str, int]]] = [
    ("/api/v1/transactions/t00077", {"transaction": 1, "journal": 1}),
    ("/api/v1/transactions/t00077/lifetime", {"journal": 2}),
    ("/api/v1/transactions/t00077/blocks", {"journal": 2}),
    ("/api/v1/transactions/t00077/lineage", {"transaction": 10, "journal": 1}),
    # with the transaction's other record, which might correct it
    ("/api/v1/blocks/r-77-1", {"journal": 2, "transaction": 1}),
]
SEARCHED = ("object-00077", "t00077", "r-77-1", "po-77", "po:po-77", "object-0007")
LIST = "/api/v1/transactions"


def test_hot_queries_are_served_by_indexes(subtests: pytest.Subtests) -> None:
    key = seed()
    half = clock.iso(clock.now() - timedelta(minutes=250_000))
    with recorder() as watching:

        def caught(path: str, query: dict[str, str] | None = None) -> tuple[Any, list[Command]]:
            watching.commands.clear()
            response = get(path, key, query)
            assert response.status_code == 200
            return response.json(), list(watching.commands)

        for query, most in BY_INDEX:
            with subtests.test(f"a page of the list by {query}"):
                asked = {name: text.format(half=half) for name, text in query.items()}
                answer, commands = caught(LIST, asked)
                assert answer["results"]
                assert_bound([c for c in commands if not _counts(c)], "transaction", most)

        for query in PAGED:
            with subtests.test(f"the next page by {query}"):
                following = get(LIST, key, {**query, "page_size": "90"}).json()["next"]
                _answer, commands = caught(following)
                # the one more is the place where the page before ended
                assert_bound([c for c in commands if not _counts(c)], "transaction", 91 + 1)

        with subtests.test("a bounded count"):
            _answer, commands = caught(LIST, {"status": "failed"})
            [count] = [c for c in commands if _counts(c) and c["aggregate"] == "transaction"]
            assert {"$limit": 10_001} in count["pipeline"]
            assert_bound([count], "transaction", 0)

        with subtests.test("a list by flow, block and status"):
            asked = {"flow": "flow-1", "block": "ship", "block_status": "failed"}
            answer, commands = caught(LIST, asked)
            assert answer["results"]
            assert_bound(commands, "block_progress", TRANSACTIONS // 20)

        for path, most_of in ONE:
            with subtests.test(path):
                _answer, commands = caught(path)
                for name, most in most_of.items():
                    assert_bound(commands, name, most)

        for text in SEARCHED:
            with subtests.test(f"a search for {text}"):
                answer, commands = caught(LIST, {"q": text})
                assert 1 <= len(answer["results"]) <= 10
                looked_up = [c for c in commands if not _sorts_keys(c)]
                assert_bound(looked_up, "transaction", 10)

        with subtests.test("the duplicate check of a post"):
            chosen = random.Random(1)
            values = [wire for n in range(100) for wire in _history(n, chosen)]
            watching.commands.clear()
            assert post_values(values, key).json()["stored"] == 0
            assert_bound(list(watching.commands), "journal", len(values))

        with subtests.test("a key"):
            keys.forget_known_keys()
            watching.commands.clear()
            keys.authenticate(key, clock.now())
            assert_bound(list(watching.commands), "api_key", 1)


def _counts(command: Command) -> bool:
    return "$group" in str(command.get("pipeline"))


def _sorts_keys(command: Command) -> bool:
    """The page itself: the few keys that were found, in the list's order."""
    return command.get("aggregate") == "transaction" and "'$in'" in str(command["pipeline"][0])
