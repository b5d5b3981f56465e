"""Objects of all fates that use things and cost money, over weeks, and prices that change.

Everything follows from a seed. What is said of the world is said to the door and to the price
list alone; what it costs is found out elsewhere (costs_naive.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

TENANT: Final = "costly"
HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)
WEEKS: Final = 5
SPAN: Final = timedelta(weeks=WEEKS)
# Of an object, on average.
RECORDS_EACH: Final = 6.2
FLOWS: Final = {
    "orders": (
        *(("receive", "ingress"), ("check", "processing"), ("render", "processing")),
        ("ship", "egress"),
    ),
    "returns": (("receive", "ingress"), ("inspect", "processing"), ("refund", "egress")),
    "invoices": (
        *(("scan", "ingress"), ("ocr", "processing"), ("check", "processing")),
        *(("book", "processing"), ("pay", "egress")),
    ),
}
CURRENCIES: Final = ("EUR", "USD", "JPY", "KWD")
RESOURCES: Final = (
    *(("cpu", "s"), ("cpu", "h"), ("gpu", "s"), ("disk", "GiB-h"), ("api", "call")),
    *(("mail", "piece"), ("nobody knows", "of what")),
)
# Named again at the end, for the past: until then nobody knows what it costs.
UNPRICED: Final = ("mail", "piece")
FATES: Final = (
    *("delivered",) * 12,
    *("failed", "failed", "filtered", "in transit", "went on", "undone", "cleared", "final"),
)


@dataclass(frozen=True, slots=True)
class Price:
    resource: str
    unit: str
    price: Decimal
    currency: str
    valid_from: datetime
    valid_to: datetime | None


def prices(seed: int, start: datetime) -> list[Price]:
    """Several of each but the last two: without gaps, with gaps, in one currency and in two."""
    chance = Random(f"prices {seed}")
    found = []
    for place, (resource, unit) in enumerate(RESOURCES[:-2]):
        edges = sorted(chance.sample(range(-48, WEEKS * 7 * 24), 4 + 2 * place))
        for index, begin in enumerate(edges):
            last = edges[index + 1] if index + 1 < len(edges) else None
            gap = chance.random() < 0.25
            end = chance.randint(begin + 1, last or begin + 500) if gap else last
            scaled = 0 if chance.random() < 0.1 else chance.randrange(10 ** (3 + 3 * place))
            found.append(
                Price(
                    resource,
                    unit,
                    Decimal(scaled).scaleb(-min(12, 2 + 3 * place)),
                    chance.choice(CURRENCIES[: 1 + place % 3]),
                    start + begin * HOUR,
                    None if end is None else start + end * HOUR,
                )
            )
    return found


def late_price(start: datetime) -> Price:
    return Price(*UNPRICED, Decimal("0.015625"), "EUR", start, None)


@dataclass
class Story:
    """One object's records as they are posted; `late`: those that come long after the rest."""

    now: list[dict[str, Any]] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)


def stories(seed: int, start: datetime, edges: list[datetime], records: int) -> Iterator[Story]:
    """About so many records' worth spread over the weeks, about in order; and more at their end.
    `edges`: moments that some records lie on, or a millisecond before."""
    for number in itertools.count():
        chance = Random(f"{seed} {number}")
        share = min(1.0, number * RECORDS_EACH / records)
        begin = start + SPAN * share + chance.randrange(6 * HOUR // MS) * MS
        yield _Teller(chance, f"o-{number}", begin, edges).story()


class _Teller:
    def __init__(self, chance: Random, thing: str, start: datetime, edges: list[datetime]) -> None:
        self.chance = chance
        self.thing = thing
        self.edges = edges
        self.flow = chance.choice(list(FLOWS))
        self.at = start
        self.story_ = Story()
        self.count = 0

    def story(self) -> Story:
        fate = self.chance.choice(FATES)
        path = FLOWS[self.flow]
        last = len(path) - 1
        turn = self.chance.randint(0, last)
        attempts: dict[str, int] = {}
        for place, (block, stage) in enumerate(path):
            attempt = 1
            while self.chance.random() < 0.12:
                self.visit(block, stage, attempt, self.chance.choice(["failed", "started"]))
                attempt += 1
            attempts[block] = attempt
            if place != turn:
                self.visit(block, stage, attempt, "succeeded")
                continue
            if fate == "in transit":
                self.visit(block, stage, attempt, "started")
                break
            if fate in ("failed", "filtered"):
                self.visit(block, stage, attempt, fate)
                break
            if fate == "final":
                status = self.chance.choice(["failed", "filtered", "succeeded", "skipped"])
                self.visit(block, stage, attempt, status, final=True)
                if self.chance.random() < 0.5:
                    break
                continue
            if fate == "went on":
                self.visit(block, stage, attempt, "failed")
            elif fate == "cleared":
                self.visit(block, stage, attempt, "filtered")
                self.visit(block, stage, attempt + 1, "succeeded")
            else:
                self.visit(block, stage, attempt, "succeeded")
        if fate == "undone":
            block, stage = path[turn]
            status = self.chance.choice(["failed", "filtered"])
            self.visit(block, stage, attempts[block] + 1, status)
        while self.chance.random() < 0.15:
            self.correct()
        return self.story_

    def visit(
        self, block: str, stage: str, attempt: int, status: str, *, final: bool = False
    ) -> None:
        said = {"block": block, "stage": stage, "attempt": attempt}
        if status == "started" or self.chance.random() < 0.4:
            self.say(**said, status="started")
        if status != "started":
            self.say(**said, status=status, **({"final": True} if final else {}))

    def say(self, **fields: Any) -> dict[str, Any]:
        # minutes, and some hours, so that objects pass over hours and days
        longest = 8 * 3_600_000 if self.chance.random() < 0.05 else 1_200_000
        self.at += self.chance.randrange(1, longest) * MS
        later = [edge for edge in self.edges if self.at < edge < self.at + 6 * HOUR]
        if later and self.chance.random() < 0.2:
            self.at = later[0] - self.chance.choice([0, 1]) * MS
        wire = self.wire(**fields)
        self.story_.now.append(wire)
        return wire

    def wire(self, **fields: Any) -> dict[str, Any]:
        self.count += 1
        chance = self.chance
        found: dict[str, Any] = {
            "id": f"{self.thing}.{self.count}",
            "object": {"id": self.thing, "type": "thing"},
            "flow": self.flow,
            "occurred_at": self.at.isoformat(timespec="milliseconds"),
            **fields,
        }
        if found["status"] in ("failed", "filtered"):
            found["reason"] = "as it goes"
        if chance.random() < 0.15:
            found["flow_version"] = chance.choice(["1", "2"])
        if lines := chance.choices([0, 1, 2, 4], [20, 60, 15, 5])[0]:
            found["usage"] = [self.used() for _ in range(lines)]
        if chance.random() < 0.3:
            scaled = Decimal(chance.randrange(10 ** chance.randint(1, 15)))
            amount = scaled.scaleb(-chance.randint(0, 9)) * chance.choice([1, 1, 1, 1, -1])
            found["cost"] = {"amount": f"{amount:f}", "currency": chance.choice(CURRENCIES)}
        return found

    def used(self) -> dict[str, str]:
        resource, unit = self.chance.choice(RESOURCES)
        digits = self.chance.choice([2, 6, 18, 30])
        scaled = Decimal(self.chance.randrange(10**digits))
        places = self.chance.randint(max(0, digits - 15), 18)
        return {"resource": resource, "unit": unit, "quantity": f"{scaled.scaleb(-places):f}"}

    def correct(self) -> None:
        """A record that corrects another, a chain, a circle, or what never came."""
        told = self.story_.now
        target = self.chance.choice(told)
        kind = self.chance.choice(["replace", "withdraw", "chain", "circle", "nothing"])
        said = {name: target[name] for name in ("block", "stage", "attempt", "status")}
        self.at = datetime.fromisoformat(target["occurred_at"])
        out = self.story_.late if self.chance.random() < 0.5 else told
        if kind == "replace" and self.chance.random() < 0.3:
            said["status"] = self.chance.choice(["failed", "succeeded"])
        if kind == "withdraw":
            said["status"] = "skipped"
        corrects = "never-came" if kind == "nothing" else target["id"]
        first = self.wire(**said, corrects=corrects)
        out.append(first)
        if kind in ("chain", "circle"):
            second = self.wire(**said, corrects=first["id"])
            if kind == "circle":
                first["corrects"] = second["id"]
            out.append(second)
