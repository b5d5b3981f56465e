"""Random histories of one transaction, made so that records collide.

Few blocks, few moments, few attempts: most of what can contradict something else does. The
documents have the form of the journal's; a `random.Random` decides everything.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tracking.core.lifetime import Definition, Step

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATUSES = ("queued", "started", "succeeded", "failed", "skipped", "filtered")
STAGES = ("ingress", "processing", "egress")
BLOCKS = ("receive", "check", "enrich", "convert", "load", "notify")
HOME = {"receive": "ingress", "check": "ingress", "load": "egress", "notify": "egress"}


def history(random: Random) -> tuple[list[dict[str, Any]], list[Definition]]:
    """Between 3 and 40 records of one transaction, and up to two definitions of its flow."""
    count = random.choice((3, 4, 5, 6, 8, 12, 20, 40))
    blocks = BLOCKS[: random.choice((1, 2, 3, 6, 6))]
    moments = random.choice((2, 5, 60))  # few: equal times everywhere
    calm = random.random() < 0.5  # half of the histories go mostly well
    records = [_record(random, f"r{i}", blocks, moments, calm) for i in range(count)]
    if random.random() < 0.4:
        _correct(random, records)
    versions = random.choice((0, 1, 1, 2))
    return records, [_definition(random, f"{n + 1}", moments) for n in range(versions)]


def _moment(random: Random, moments: int) -> datetime:
    return START + random.randrange(moments) * timedelta(milliseconds=random.choice((1, 700)))


def _record(
    random: Random, name: str, blocks: tuple[str, ...], moments: int, calm: bool
) -> dict[str, Any]:
    block = random.choice(blocks)
    occurred = _moment(random, moments)
    likely = (0.15, 0.2, 0.5, 0.05, 0.05, 0.05) if calm else (1,) * 6
    record: dict[str, Any] = {
        "_id": f"acme/{name}",
        "v": 1,
        "tenant": "acme",
        "transaction": "tx-1",
        "object_id": "o-1",
        "object_type": "order",
        "flow": "orders",
        "block": block,
        "stage": HOME.get(block, "processing"),
        "status": random.choices(STATUSES, likely)[0],
        "attempt": random.choice((1, 1, 1, 1, 2, 2, 3, 7)),
        "occurred_at": occurred,
        "recorded_at": occurred + timedelta(milliseconds=random.choice((0, 5, 90_000))),
    }
    chance = random.random
    if chance() < 0.05:
        record["stage"] = random.choice(STAGES)
    if chance() < 0.03:
        record["object_id"] = "o-2"
    if chance() < 0.03:
        record["object_type"] = "invoice"
    if chance() < 0.05:
        record["object_id"], record["object_type"] = "tx-1", "trace"
    if chance() < 0.03:
        record["flow"] = random.choice(("returns", "a-flow"))
    if chance() < 0.1:
        record["flow_version"] = random.choice(("1", "2", "9"))
    if chance() < 0.06:
        record["final"] = True
    if chance() < 0.1:  # the producer's clock runs ahead of ours
        record["recorded_at"] = occurred - timedelta(milliseconds=random.choice((1, 9_000)))
    for field in ("queued_at", "started_at", "ended_at"):
        if chance() < 0.25:
            record[field] = occurred + timedelta(milliseconds=random.randrange(-3_000, 3_000))
    if chance() < 0.1:
        record["parents"] = [f"parent-{random.randrange(9)}" for _ in range(random.randrange(1, 4))]
    part = _part(random, record["status"])
    if part:
        record["part"] = part
    return record


def _part(random: Random, status: str) -> dict[str, Any]:
    chance = random.random
    part: dict[str, Any] = {}
    if status in ("failed", "filtered") or chance() < 0.1:
        part["reason"] = f"because {random.randrange(5)}"
    if (status == "failed" and chance() < 0.7) or chance() < 0.05:
        fields = ("type", "message", "code", "location")
        chosen = random.sample(fields, random.randrange(1, 5))
        part["exception"] = {name: f"{name} {random.randrange(3)}" for name in chosen}
        if chance() < 0.1:
            part["exception"]["message"] = "é" * random.choice((500, 501, 4_000))
    if chance() < 0.1:
        part["references"] = [
            {"name": name, "values": [f"v{random.randrange(6)}" for _ in range(2)]}
            for name in random.sample(("order", "invoice", "customer"), random.randrange(1, 3))
        ]
    if chance() < 0.2:
        part["usage"] = [
            {"resource": random.choice(("cpu", "gpu")), "unit": unit, "quantity": quantity}
            for unit in random.sample(("s", "h"), random.randrange(1, 3))
            for quantity in random.choices(_QUANTITIES, k=random.randrange(1, 3))
        ]
    if chance() < 0.2:
        part["cost"] = {
            "amount": random.choice(_AMOUNTS),
            "currency": random.choice(("EUR", "USD")),
        }
    return part


# The widest that are allowed: their sums need more digits than Decimal keeps by default.
_QUANTITIES = ("0", "1", "1.50", "0.1", "999999999999999.999999999999999999", f"0.{'0' * 17}1")
_AMOUNTS = ("0", "-0", "-12.5", "12.50", "0.000000001", "999999999999999.999999999", "-1")


def _correct(random: Random, records: list[dict[str, Any]]) -> None:
    """Corrections: of one another, in chains and cycles, of what is not here."""
    names = [record["_id"].partition("/")[2] for record in records]
    for record in random.sample(records, random.randrange(1, min(6, len(records)) + 1)):
        own = record["_id"].partition("/")[2]
        others = [name for name in names if name != own]
        record["corrects"] = random.choice((*others, "elsewhere"))
    if random.random() < 0.3:
        ring = random.sample(records, random.choice((2, 3)))
        for record, target in zip(ring, [*ring[1:], ring[0]], strict=True):
            record["corrects"] = target["_id"].partition("/")[2]


def _definition(random: Random, version: str, moments: int) -> Definition:
    chosen = random.sample(BLOCKS, random.randrange(1, len(BLOCKS) + 1))
    if random.random() < 0.6:
        chosen.sort(key=BLOCKS.index)
    steps = tuple(
        Step(
            block=block,
            stage=HOME.get(block, "processing") if random.random() < 0.9 else random.choice(STAGES),
            optional=random.random() < 0.3,
            due=random.choice((None, timedelta(minutes=5))),
        )
        for block in chosen
    )
    valid_from = None if random.random() < 0.5 else _moment(random, moments)
    return Definition(
        version=version,
        steps=steps,
        valid_from=valid_from,
        patience=random.choice((timedelta(hours=1), timedelta(days=2))),
        deadline=random.choice((None, timedelta(hours=5))),
    )


def shuffled(random: Random, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same documents in another order, some of them twice."""
    again = [*records, *random.sample(records, random.randrange(len(records)))]
    random.shuffle(again)
    return again
