"""How many objects pass, and how fast: the numbers behind page, CSV and API (docs/insights.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tracking import vocabulary as v
from tracking.insights.cells import of_steps
from tracking.insights.windows import Window
from tracking.models.rollups import FLOW

ENDINGS: Final = (v.DELIVERED, v.TX_FAILED, v.TX_FILTERED)


@dataclass(slots=True)
class Counts:
    """Objects: how many started, and how many ended by status."""

    started: int = 0
    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENDINGS, 0))


def counts_by_step(tenant: str, window: Window, *, flow: str | None = None) -> list[Counts]:
    found = [Counts() for _ in window.begins]
    rows = of_steps(
        tenant, FLOW, window, flow=flow, fields=("started", "ended"), minutes=("started", *ENDINGS)
    )
    for index, cell in rows:
        counts = found[index]
        counts.started += cell.get("started", 0)
        ended = cell.get("ended", cell)
        for status in ENDINGS:
            counts.ended[status] += ended.get(status, 0)
    return found
