"""Records by status: by the steps of a window, and by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tracking import vocabulary as v
from tracking.insights.cells import Run, cover, grain_of, of_steps
from tracking.insights.sums import Numbers, sums
from tracking.insights.windows import Window
from tracking.models.rollups import BLOCK

RECORDS: Final[Numbers] = {each: f"records.{each}" for each in v.STATUSES}
_VISITS: Final[Numbers] = {f"visits_{each}": f"visits.{each}" for each in v.STATUSES}
_OF_BLOCK: Final[Numbers] = {**RECORDS, **_VISITS, "retries": "retries"}


@dataclass(frozen=True, slots=True)
class BlockPart:
    """`visits` by status and `retries` are None where only minutes were asked for."""

    flow: str
    stage: str
    block: str
    records: dict[str, int]
    visits: dict[str, int] | None
    retries: int | None

    @property
    def failed_share(self) -> float | None:
        decided = sum(self.visits.values()) if self.visits else 0
        return self.visits[v.FAILED] / decided if self.visits and decided else None


@dataclass(slots=True)
class Records:
    """`blocks`: the busiest first."""

    steps: list[dict[str, int]]
    retries: list[int]
    blocks: list[BlockPart]


def records_of(tenant: str, window: Window, flow: str | None) -> Records:
    found = _none(window)
    cells = [Run(grain_of(window), window.start, window.end)]
    numbers = {**RECORDS, "retries": "retries"}
    for (at,), added in sums(tenant, BLOCK, cells, by=("at",), numbers=numbers, flow=flow).items():
        index = window.index(at)
        if index is not None:
            found.retries[index] += added["retries"]
            _add(found.steps[index], added)
    by = ("flow", "stage", "block")
    cells = cover(window.start, window.end)
    rows = sums(tenant, BLOCK, cells, by=by, numbers=_OF_BLOCK, flow=flow)
    found.blocks = _sorted(
        BlockPart(
            flow,
            stage,
            block,
            records={status: added[status] for status in v.STATUSES},
            visits={status: added[f"visits_{status}"] for status in v.STATUSES},
            retries=added["retries"],
        )
        for (flow, stage, block), added in rows.items()
    )
    return found


def records_by_the_minute(tenant: str, window: Window, flow: str | None) -> Records:
    found = _none(window)
    blocks: dict[tuple[str, str, str], dict[str, int]] = {}
    for index, cell in of_steps(tenant, BLOCK, window, flow=flow, minutes=v.STATUSES):
        _add(found.steps[index], cell)
        names = (cell["flow"], cell["stage"], cell["block"])
        _add(blocks.setdefault(names, dict.fromkeys(v.STATUSES, 0)), cell)
    found.blocks = _sorted(
        BlockPart(flow, stage, block, records=records, visits=None, retries=None)
        for (flow, stage, block), records in blocks.items()
    )
    return found


def _none(window: Window) -> Records:
    steps = [dict.fromkeys(v.STATUSES, 0) for _ in window.begins]
    return Records(steps, [0] * len(window.begins), [])


def _add(found: dict[str, int], added: Mapping[str, int]) -> None:
    for status in v.STATUSES:
        found[status] += added[status]


def _sorted(parts: Iterable[BlockPart]) -> list[BlockPart]:
    """The most busy first; blocks of which nothing was recorded in this time are left out."""
    busy = (part for part in parts if any(part.records.values()) or part.retries)
    return sorted(busy, key=lambda part: (-sum(part.records.values()), part.flow, part.block))
