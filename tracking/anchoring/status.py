"""How old the last anchors are, and whether any is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from tracking.anchoring.anchor import CHECKPOINT, last_anchor, newest_size, targets
from tracking.anchoring.target import Target
from tracking.mongo.connection import collection

_INTERVALS_LATE: Final = 3
_LEAST_ALERT_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Standing:
    """A target at a moment. `size` and `anchored_at`: the last checkpoint published there;
    `age_seconds` since then. `waiting_seconds`: age of the oldest checkpoint that was not
    published there or covered by a later one, 0 when all are: how much could be rewritten
    without a trace. `late`: it has waited longer than `alert_seconds`."""

    kind: str
    target: str
    size: int
    anchored_at: datetime | None
    age_seconds: float | None
    waiting_seconds: float
    alert_seconds: int
    late: bool


def standings(moment: datetime) -> list[Standing]:
    """Of every target in the settings; a few reads by key for each."""
    newest = newest_size()
    return [_standing(target, newest, moment) for target in targets()]


def _standing(target: Target, newest: int, moment: datetime) -> Standing:
    last = last_anchor(newest, target.label)
    size = int(last["size"]) if last else 0
    at = last["anchored_at"] if last else None
    first = collection(CHECKPOINT).find_one(
        {"_id": {"$gt": size}}, {"signed_at": 1}, sort=[("_id", 1)]
    )
    waiting = _seconds(first["signed_at"], moment) if first else 0.0
    limit = alert_seconds(target)
    return Standing(
        kind=target.kind,
        target=target.label,
        size=size,
        anchored_at=at,
        age_seconds=_seconds(at, moment) if at else None,
        waiting_seconds=waiting,
        alert_seconds=limit,
        late=waiting > limit,
    )


def alert_seconds(target: Target) -> int:
    """How long a checkpoint may wait: never less than three intervals of the target."""
    wanted = settings.DFT_ANCHOR_ALERT_SECONDS or _LEAST_ALERT_SECONDS
    return max(wanted, _INTERVALS_LATE * target.seconds)


def _seconds(earlier: datetime, later: datetime) -> float:
    return max(0.0, (later - earlier).total_seconds())
