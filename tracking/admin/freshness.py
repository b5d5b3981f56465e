"""How fresh the lists are, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracking.admin import display as show
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
