"""What to simulate: a seed and how things go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from tracking import clock
from tracking.errors import DftError
from tracking.simulation.flows import FLOWS

LIVE_SPEED = 300.0


class PlanError(DftError):
    """The plan cannot be carried out; the message names the option."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Equal plans give equal records, ids included.

    Without `rate` it is history: `objects` began within the `hours` before `start` and what
    had happened to them until then is posted at once. With a `rate` (objects per second) it
    is live: objects begin from `start` on and are posted as it happens, for `seconds` or until
    `objects` of them are through. `speed` says how many times faster than in life they move.

    The others are probabilities: `faults` of an attempt to fail, `retries` of a failed attempt
    to be followed by another, `filtered` of an object to end in a filter, `splits` of an order
    to go out in several parcels, `late` of a record to be posted after others, `duplicates` of
    one to be posted again, `skew` of an object to be told by a clock that is off.
    """

    start: datetime
    seed: int = 1
    objects: int | None = 200
    hours: float = 24.0
    rate: float | None = None
    seconds: float | None = None
    speed: float | None = None
    flows: tuple[str, ...] = tuple(FLOWS)
    faults: float = 0.05
    retries: float = 0.7
    filtered: float = 0.08
    splits: float = 0.15
    late: float = 0.03
    duplicates: float = 0.02
    skew: float = 0.02

    def __post_init__(self) -> None:
        for name in ("faults", "retries", "filtered", "splits", "late", "duplicates", "skew"):
            if not 0 <= getattr(self, name) <= 1:
                raise PlanError(f"--{name} is a probability, from 0 to 1.")
        for name in ("objects", "hours", "rate", "seconds", "speed"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise PlanError(f"--{name} must be more than 0.")
        unknown = [name for name in self.flows if name not in FLOWS]
        if unknown or not self.flows:
            raise PlanError(f"--flows takes some of {', '.join(FLOWS)}.")
        if self.seconds is not None and self.rate is None:
            raise PlanError("--seconds needs a --rate.")
        if self.objects is None and (self.rate is None or self.seconds is None):
            raise PlanError("--objects is needed, or --rate and --seconds.")
        if self.start.tzinfo is None:
            raise PlanError("--start-time needs an offset, such as Z.")

    @property
    def live(self) -> bool:
        return self.rate is not None

    @property
    def pace(self) -> float:
        return self.speed or (LIVE_SPEED if self.live else 1.0)

    @property
    def begin(self) -> datetime:
        """When the first object may begin."""
        return self.start if self.live else self.start - timedelta(hours=self.hours)

    @property
    def end(self) -> datetime | None:
        """What happens after this is not told."""
        if not self.live:
            return self.start
        return None if self.seconds is None else self.start + timedelta(seconds=self.seconds)

    @property
    def tag(self) -> str:
        """Part of every object id, so that two different plans never use the same."""
        told = [
            clock.iso(value) if isinstance(value, datetime) else repr(value)
            for value in (getattr(self, each.name) for each in fields(self))
        ]
        return hashlib.sha256("|".join(told).encode()).hexdigest()[:6]
