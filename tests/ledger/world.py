"""What the tests of the log share: batches, the log as it stands, and a database put back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.projection.world import post_at
from tests.tools import make_tenant, record
from tests.verification.world import assert_verified
from tracking.core.canonical import leaf_hash
from tracking.core.merkle import root_hash
from tracking.core.pins import Pins
from tracking.ledger.log import split_hashes
from tracking.ledger.sealer import Sealer
from tracking.mongo.connection import collection
from tracking.projection.log import log_size
from tracking.signing import keyring

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DUMPED = ("journal", "seal_queue", "log_segment", "log_checkpoint")
Dump = dict[str, list[dict[str, Any]]]


def post(count: int = 1, *, seconds: float = 0, tenant: str = "acme") -> str:
    """Record a batch; returns its id."""
    make_tenant(tenant)
    moment = NOON + timedelta(seconds=seconds)
    answer = post_at([record() for _ in range(count)], tenant, moment)
    return answer.batches[0].id


def seal(*counts: int, sealer: Sealer | None = None) -> None:
    """Record a batch of each count, and seal it."""
    for count in counts:
        post(count)
        while (sealer or Sealer()).seal_once():
            pass


def dump() -> Dump:
    return {name: list(collection(name).find()) for name in DUMPED}


def put_back(dumped: Dump) -> None:
    for name, documents in dumped.items():
        collection(name).delete_many({})
        if documents:
            collection(name).insert_many(documents)


# --- The log as it stands -----------------------------------------------------------------------


def segments() -> list[dict[str, Any]]:
    return list(collection("log_segment").find().sort("_id", 1))


def checkpoints() -> list[dict[str, Any]]:
    return list(collection("log_checkpoint").find().sort("_id", 1))


def leaves() -> list[bytes]:
    return [leaf for segment in segments() for leaf in split_hashes(segment["leaves"])]


def sealed_batches() -> list[str]:
    return [batch["batch"] for segment in segments() for batch in segment["batches"]]


def assert_log_is_whole() -> None:
    """Segments tile [0, size); each batch of the journal stands in the log or the queue, once."""
    at = 0
    for segment in segments():
        assert segment["_id"] == at, "a gap or an overlap"
        assert segment["count"] == sum(batch["count"] for batch in segment["batches"])
        assert len(segment["leaves"]) == 32 * segment["count"]
        at += segment["count"]
    assert at == log_size()
    sealed = sealed_batches()
    assert len(sealed) == len(set(sealed))
    queued = {entry["_id"] for entry in collection("seal_queue").find()}
    recorded = set(collection("journal").distinct("batch"))
    assert set(sealed) | queued == recorded
    places: dict[bytes, int] = {}
    for segment in segments():
        for place in range(segment["count"]):
            leaf = segment["leaves"][32 * place : 32 * place + 32]
            places[leaf] = places.get(leaf, 0) + 1
    for document in collection("journal").find({"batch": {"$in": sealed}}):
        assert places.pop(leaf_hash(document)) == 1
    assert not places, "a leaf that no record has"
    assert_verified()


def assert_all_signed(pins: Pins | None = None) -> None:
    """Everything in the log is covered, and every checkpoint opens with today's list."""
    pins = pins or keyring.pins()
    every = leaves()
    for row in checkpoints():
        found = pins.open_stored(row["note"], row["_id"])
        assert found.root == row["root"] == root_hash(every[: found.size])
    assert [row["_id"] for row in checkpoints()][-1:] == ([len(every)] if every else [])
