"""Random histories through the one door, and all that is derived from them, as bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import bson

from tests.core import oracle
from tests.core.histories import START, history
from tests.core.test_lifetime_properties import comparable
from tracking import clock
from tracking.core.lifetime import Definition
from tracking.core.tally import numbers_in
from tracking.ingest.accept import Answer, Producer, accept
from tracking.models import FlowDefinition, FlowStep, Transaction, TransactionBlockProgress
from tracking.mongo.connection import collection
from tracking.projection.definitions import definitions_of
from tracking.projection.rollups import ROLLUP
from tracking.projection.store import DERIVED


def wire(document: dict[str, Any], transaction: str) -> dict[str, Any]:
    """The posted record that becomes this journal document, as one of `transaction`."""
    same = ("flow", "flow_version", "block", "stage", "status", "attempt", "parents", "final")
    posted = {name: document[name] for name in same if name in document}
    posted["id"] = f"{transaction}.{document['_id'].partition('/')[2]}"
    posted["transaction"] = transaction
    posted["object"] = {"id": document["object_id"], "type": document["object_type"]}
    posted["occurred_at"] = clock.iso(document["occurred_at"])
    if "corrects" in document:
        posted["corrects"] = f"{transaction}.{document['corrects']}"
    times = [name for name in ("queued_at", "started_at", "ended_at") if name in document]
    # a posted record keeps their order
    for name, moment in zip(times, sorted(document[name] for name in times), strict=True):
        posted[name] = clock.iso(moment)
    part = dict(document.get("part", {}))
    if "references" in part:
        part["references"] = {line["name"]: line["values"] for line in part["references"]}
    return {**posted, **part}


def histories(random: Random, count: int) -> tuple[list[dict[str, Any]], list[Definition]]:
    """The records of `count` transactions, shuffled, and definitions of their flow."""
    records: list[dict[str, Any]] = []
    definitions: list[Definition] = []
    for number in range(count):
        documents, found = history(random)
        definitions = definitions or found
        records += [wire(document, f"tx-{number}") for document in documents]
    random.shuffle(records)
    return records, definitions


def define(tenant: str, flow: str, definition: Definition) -> FlowDefinition:
    """Keep a definition as the admin would."""

    def minutes(span: timedelta | None) -> int | None:
        return None if span is None else int(span.total_seconds() // 60)

    row = FlowDefinition.objects.create(
        tenant_id=tenant,
        flow=flow,
        version=definition.version,
        valid_from=definition.valid_from,
        patience_minutes=minutes(definition.patience) or 1,
        deadline_minutes=minutes(definition.deadline),
    )
    for position, step in enumerate(definition.steps):
        FlowStep.objects.create(
            definition=row,
            position=position,
            block=step.block,
            stage=step.stage,
            optional=step.optional,
            due_minutes=minutes(step.due),
        )
    return row


def post_at(
    values: list[dict[str, Any]], tenant: str = "acme", moment: datetime | None = None
) -> Answer:
    """Record `values`, which must all be accepted."""
    producer = Producer(tenant, "test")
    answer = accept(producer=producer, values=values, moment=moment or START + timedelta(hours=1))
    assert not answer.count("invalid"), [r.errors for r in answer.results if r.errors]
    assert not answer.count("conflict")
    return answer


def cut(random: Random, records: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The records in batches of random sizes."""
    batches, rest = [], list(records)
    while rest:
        size = random.choice((1, 2, 5, 17, 60))
        batches.append(rest[:size])
        rest = rest[size:]
    return batches


def derived() -> dict[str, dict[str, Any]]:
    """Every derived document by collection and key: as bytes; of rollups, the numbers in them."""
    found: dict[str, dict[str, Any]] = {
        name: {bson.decode(row.raw)["_id"]: row.raw for row in collection(name, raw=True).find()}
        for name in DERIVED
        if name != ROLLUP
    }
    found[ROLLUP] = {row["_id"]: numbers_in(row) for row in collection(ROLLUP).find()}
    return found


def assert_derived_equals_oracle(tenant: str = "acme") -> int:
    """Compare all that is derived with the oracle's reading of the journal; how many there are."""
    by_transaction: dict[str, list[dict[str, Any]]] = {}
    for document in collection("journal").find({"tenant": tenant}):
        by_transaction.setdefault(document["transaction"], []).append(document)
    definitions = definitions_of(tenant)
    for name, documents in by_transaction.items():
        wanted, wanted_blocks = oracle.derive(documents, definitions)
        key = f"{tenant}/{name}"
        transaction = collection("transaction").find_one({"_id": key})
        assert transaction is not None, key
        assert comparable(transaction, Transaction) == wanted
        blocks = collection("block_progress").find({"transaction": key}).sort("block", 1)
        assert [comparable(block, TransactionBlockProgress) for block in blocks] == wanted_blocks
    count = collection("transaction").count_documents({"tenant": tenant})
    assert count == len(by_transaction), "a transaction that the journal does not know"
    return count


def free_lead() -> None:
    """Let whoever asks next lead, as when the lease has run out."""
    collection("cursor").update_one({}, {"$set": {"leased_until": clock.EPOCH}})
