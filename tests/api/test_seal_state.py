"""Every answer about a record or a transaction says how far it has come."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.admin.test_page_budgets import counting
from tests.anchoring.servers import Authority, server, stamping
from tests.api.http import get, make_key, post_values
from tests.api.test_schema import assert_conforms
from tests.tools import drain, record
from tracking.anchoring.anchor import anchor_once, targets
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def anchor_file(settings: Settings, tmp_path: Path) -> None:
    settings.DFT_ANCHOR_FILE = tmp_path / "checkpoints.txt"
    settings.DFT_ANCHOR_WEBHOOK = settings.DFT_ANCHOR_TSA_URL = ""


def anchor_all() -> None:
    for target in targets():
        anchor_once(target)


def ask(path: str, key: str) -> Any:
    answer = get(path, key)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def everywhere(key: str) -> set[str]:
    """What each page says of the one record of the one transaction."""
    proof = ask("/api/v1/blocks/r-1/proof", key)
    single = ask("/api/v1/blocks/r-1", key)
    times = [(each["sealed_at"], each["anchored_at"]) for each in (proof, single)]
    assert times[0] == times[1]
    said = {"recorded": (False, False), "sealed": (True, False), "anchored": (True, True)}
    assert tuple(map(bool, times[0])) == said[single["state"]]
    assert [bool(each) for each in proof["anchors"]] == [True] * (single["state"] == "anchored")
    found = {proof["state"], single["state"]}
    found.update(row["state"] for row in ask("/api/v1/transactions/t/blocks", key)["results"])
    found.update(row["seal_state"] for row in ask("/api/v1/transactions", key)["results"])
    for page in ("", "/lifetime"):
        found.add(ask(f"/api/v1/transactions/t{page}", key)["seal_state"])
    return found


def test_recorded_then_sealed_then_anchored_on_every_page() -> None:
    key = make_key()
    post_values([record(id="r-1", transaction="t")], key)
    assert everywhere(key) == {"recorded"}
    drain()
    assert everywhere(key) == {"sealed"}
    anchor_all()
    assert everywhere(key) == {"anchored"}


def test_a_record_changed_past_us_is_told_apart() -> None:
    key = make_key()
    post_values([record(id="r-1", transaction="t")], key)
    drain()
    anchor_all()
    collection("journal").update_one({}, {"$set": {"block": "another"}})
    for path in ("/api/v1/blocks/r-1", "/api/v1/blocks/r-1/proof"):
        found = ask(path, key)
        assert (found["state"], found["altered"]) == ("recorded", True)
        assert (found["sealed_at"], found["anchored_at"]) == (None, None)


def test_checkpoints_tell_where_they_are_anchored(settings: Settings, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    settings.DFT_ANCHOR_TSA_CA = str(authority.ca)
    key = make_key()
    for number in range(3):
        post_values([record(transaction=f"t-{number}")], key)
        seal_once()
        if number == 1:
            with server(stamping(authority)) as inbox:
                settings.DFT_ANCHOR_TSA_URL = inbox.url
                anchor_all()
    page = ask("/api/v1/checkpoints", key)
    assert_conforms(page, "CheckpointPage")
    third, second, first = page["results"]
    assert [(c["size"], c["anchored"]) for c in (first, second, third)] == [
        (1, True),
        (2, True),
        (3, False),
    ]
    assert (first["anchors"], third["anchors"]) == ([], [])
    assert [each["kind"] for each in second["anchors"]] == ["file", "timestamp"]
    token = base64.b64decode(second["anchors"][1]["token"])
    assert authority.vouches(token, second["note"].encode())
    assert ask("/api/v1/checkpoints/latest", key) == third
    between = ask("/api/v1/checkpoints/consistency?from=2&to=3", key)
    assert (between["from"], between["to"]) == (second, third)


@pytest.mark.parametrize("page", ["/api/v1/transactions", "/api/v1/transactions/t/blocks"])
def test_a_page_costs_the_same_however_many_rows_it_has(page: str) -> None:
    key = make_key()
    counts = []
    for number in range(3):
        post_values([record(transaction="t") for _ in range(4)], key)
        post_values([record() for _ in range(4)], key)
        drain()
        anchor_all()
        with counting() as counter:
            ask(page, key)
        if number:  # the first page of a process reads what the others remember
            counts.append(len(counter.names))
    assert counts[0] == counts[1]
