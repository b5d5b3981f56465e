"""The story of one object, told in the order in which it happened.

A story knows what its transaction is after each of its records, by construction and without
the reducer: a test compares the two.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.core.record import default_transaction
from tracking.simulation.flows import PARCELS, FlowShape, StepShape
from tracking.simulation.plan import Plan

ATTEMPTS_MAX: Final = 4
_SPREAD: Final = 0.8  # of the log-normal times: one in ten takes three times the median
_REGIONS: Final = ("eu-north", "eu-west", "us-east")


@dataclass(slots=True)
class Told:
    """One record: when it happened, what it says, and what the transaction is after it."""

    at: datetime
    wire: dict[str, Any]
    after: str


class Story:
    """The records of one transaction. `parts` are the stories of what it was split into."""

    def __init__(
        self,
        plan: Plan,
        flow: FlowShape,
        object_id: str,
        begin: datetime,
        rng: random.Random,
        parent: Story | None = None,
    ) -> None:
        self.plan, self.flow, self.object_id, self.rng = plan, flow, object_id, rng
        self.parent = parent
        self.transaction = default_transaction(flow.name, flow.object_type, object_id)
        self.now = begin
        self.told: list[Told] = []
        self.parts: list[Story] = []
        self.skew = self._skew()
        self.customer: str = parent.customer if parent else f"C-{rng.randrange(10_000, 99_999)}"
        self._tell()

    @property
    def status(self) -> str:
        return self.told[-1].after if self.told else v.IN_TRANSIT

    def all_parts(self) -> list[Story]:
        return [self, *self.parts]

    def _skew(self) -> timedelta:
        """One clock tells all of an object, so that being off changes no order."""
        if self.parent is not None:
            return self.parent.skew
        if self.rng.random() >= self.plan.skew:
            return timedelta()
        return timedelta(seconds=self.rng.choice((-90, -20, 45, 400)))

    # --- the course of events --------------------------------------------------------------

    def _tell(self) -> None:
        may_end = [index for index, step in enumerate(self.flow.steps) if step.filters]
        ends_at = None
        if may_end and self.rng.random() < self.plan.filtered:
            ends_at = self.rng.choice(may_end)
        for index, step in enumerate(self.flow.steps):
            if step.skip and self.rng.random() < step.skip[0]:
                self._wait(1)
                self._add(step, v.SKIPPED, 1, reason=step.skip[1])
                continue
            if self.parts and step.stage == v.EGRESS:
                self._deliver_parts(step)
                return
            if not self._pass(step, filtered=index == ends_at):
                return
            if step.splits and self.rng.random() < self.plan.splits:
                self._split()

    def _pass(self, step: StepShape, *, filtered: bool) -> bool:
        """All attempts of a step; whether the object goes on after it."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            times = self._begin(step, attempt)
            fault = None
            if step.faults and self.rng.random() < self.plan.faults:
                fault = self.rng.choice(step.faults)
            if fault is None:
                if filtered:
                    reason = self.rng.choice(step.filters)
                    self._add(step, v.FILTERED, attempt, times, reason=reason)
                    return False
                self._add(step, v.SUCCEEDED, attempt, times)
                return True
            self._add(step, v.FAILED, attempt, times, exception=fault.exception(self.rng))
            if attempt == ATTEMPTS_MAX or fault.hopeless or self.rng.random() >= self.plan.retries:
                return False
            self._wait(30 * 4 ** (attempt - 1))
        return False

    def _begin(self, step: StepShape, attempt: int) -> dict[str, datetime]:
        """Queue and work of an attempt: told as they happen, or kept for the end."""
        times: dict[str, datetime] = {}
        if step.queue:
            times["queued_at"] = self.now
            self._note(step, v.QUEUED, attempt)
            self._wait(step.queue)
        times["started_at"] = self.now
        if step.queue:
            self._note(step, v.STARTED, attempt)
        self._wait(step.work)
        times["ended_at"] = self.now
        return times

    def _note(self, step: StepShape, status: str, attempt: int) -> None:
        if not self.flow.told_once:
            self._add(step, status, attempt)

    def _split(self) -> None:
        for number in range(1, self.rng.choice((2, 2, 2, 3)) + 1):
            name = f"{PARCELS.prefix}{self.object_id.removeprefix(self.flow.prefix)}-{number}"
            rng = random.Random(self.rng.getrandbits(64))  # noqa: S311  (a story, not a secret)
            self.parts.append(Story(self.plan, PARCELS, name, self.now, rng, self))

    def _deliver_parts(self, step: StepShape) -> None:
        """An order in several parcels is delivered when the last of them is."""
        self._begin(step, 1)
        if all(part.status == v.DELIVERED for part in self.parts):
            self.now = max(self.now, *(part.now for part in self.parts))
            self._wait(1)
            self._add(step, v.SUCCEEDED, 1)

    def _wait(self, median: float) -> None:
        seconds = median * self.rng.lognormvariate(0, _SPREAD) / self.plan.pace
        # At least a millisecond: records of one object never share a moment.
        self.now = clock.cut(self.now + timedelta(seconds=seconds)) + timedelta(milliseconds=1)

    # --- the records -------------------------------------------------------------------------

    def _add(
        self,
        step: StepShape,
        status: str,
        attempt: int,
        times: dict[str, datetime] | None = None,
        **more: Any,
    ) -> None:
        wire: dict[str, Any] = {
            "id": f"{self.object_id}.{step.block}.{attempt}.{status}",
            "object": {"id": self.object_id, "type": self.flow.object_type},
            "flow": self.flow.name,
            "block": step.block,
            "stage": step.stage,
            "status": status,
            "occurred_at": clock.iso(self.now + self.skew),
            **more,
        }
        if attempt > 1:
            wire["attempt"] = attempt
        if times and self.flow.told_once:
            wire |= {name: clock.iso(moment + self.skew) for name, moment in times.items()}
        if self.parent is not None:
            wire["parents"] = [self.parent.transaction]
        if not self.told:
            wire |= self._opening()
        if times:
            wire |= _consumed(step, times, status)
        self.told.append(Told(self.now, wire, self._after(step, status)))

    def _opening(self) -> dict[str, Any]:
        """What the first record says of the object as a whole."""
        references = {"customer": self.customer}
        if self.parent is not None:
            references["order"] = self.parent.object_id
        return {
            "references": references,
            "attributes": {
                "amount": self.rng.randrange(500, 30_000) / 100,
                "lines": self.rng.randrange(1, 7),
                "region": self.rng.choice(_REGIONS),
                "express": self.rng.random() < 0.2,
            },
            "subject": self.customer,
        }

    def _after(self, step: StepShape, status: str) -> str:
        if status == v.FAILED:
            return v.TX_FAILED
        if status == v.FILTERED:
            return v.TX_FILTERED
        if status == v.SUCCEEDED and step is self.flow.steps[-1]:
            return v.DELIVERED
        return v.IN_TRANSIT


def _consumed(step: StepShape, times: dict[str, datetime], status: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    work = Decimal((times["ended_at"] - times["started_at"]) // timedelta(milliseconds=1)) / 1000
    if step.usage:
        found["usage"] = [
            {"resource": name, "quantity": format(work * Decimal(str(share)), ".3f"), "unit": unit}
            for name, unit, share in step.usage
        ]
    if step.cost and status == v.SUCCEEDED:
        found["cost"] = {"amount": step.cost, "currency": "EUR"}
    return found
