"""How fresh the lists are, and how old the last anchors, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracking.admin import display as show
from tracking.anchoring.status import Standing
from tracking.projection.status import Lag

# Sealing and following take a second or two in normal running.
_BEHIND_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Freshness:
    fresh: bool
    text: str
    hint: str


def freshness_of(state: Lag) -> Freshness:
    """Without counts: the log is that of all tenants, and how much others post is theirs."""
    if state.behind_seconds <= _BEHIND_SECONDS:
        return Freshness(True, "Lists are up to date", "")
    behind = show.duration(int(state.behind_seconds) * 1000)
    return Freshness(False, f"Lists are {behind} behind", "An object's own page is always current.")


@dataclass(frozen=True, slots=True)
class Anchors:
    """`good`: nothing needs doing. `warning`: what does, in a sentence."""

    good: bool
    text: str
    hint: str
    warning: str


_NONE: Final = (
    "Nothing outside the database vouches for the log: whoever can write to the database could"
    " cut its end off unseen. Set DFT_ANCHOR_FILE, DFT_ANCHOR_WEBHOOK or DFT_ANCHOR_TSA_URL."
)


def anchors_of(found: list[Standing], moment: datetime) -> Anchors:
    if not found:
        return Anchors(False, "Not anchored", "", _NONE)
    late = [each for each in found if each.late]
    hint = "; ".join(f"at {each.target} {_last(each, moment)}" for each in found)
    if len(found) == 1:
        hint = f"at {found[0].target}"
    last = max((each.anchored_at for each in found if each.anchored_at), default=None)
    text = f"Last anchor {show.ago(last, moment)}" if last else "No anchor yet"
    warning = " ".join(_late(each) for each in late)
    return Anchors(not late and last is not None, text, hint, warning)


def _last(each: Standing, moment: datetime) -> str:
    if each.anchored_at is None:
        return "not yet"
    return show.ago(each.anchored_at, moment)


def _late(each: Standing) -> str:
    waits = show.duration(int(each.waiting_seconds) * 1000)
    allowed = show.duration(each.alert_seconds * 1000)
    return (
        f"Anchors at {each.target} are late: a checkpoint has waited {waits}, {allowed} are"
        " allowed. See the log of manage.py follow for the reason."
    )
