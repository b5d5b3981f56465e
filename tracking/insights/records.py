"""Records by status: by the steps of a window, and by block."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracking import vocabulary as v
from tracking.insights.cells import (
    Cell,
    by_minute,
    cover,
    edges_of,
    of_minutes,
    parts_of,
    read,
)
from tracking.insights.sums import Numbers, sums
from tracking.insights.windows import Window, ceil_hour, floor_hour
from tracking.models.rollups import BLOCK

RECORDS: Final[Numbers] = {each: f"records.{each}" for each in v.STATUSES}
_VISITS: Final[Numbers] = {f"visits_{each}": f"visits.{each}" for each in v.STATUSES}
_NAMES: Final = ("flow", "stage", "block")
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
    """Records to the minute; visits and retries of full hours, and none in steps of minutes."""
    found = _none(window)
    hourly = not by_minute(window)
    runs, hours = parts_of(window)
    numbers = {**RECORDS, "retries": "retries"}
    for (at,), added in sums(tenant, BLOCK, runs, by=("at",), numbers=numbers, flow=flow).items():
        index = bisect_right(window.begins, at) - 1
        found.retries[index] += added["retries"]
        _add(found.steps[index], added)
    first, last = ceil_hour(window.start), floor_hour(window.end)
    whole = cover(first, last) if first < last else []
    blocks = sums(tenant, BLOCK, whole, by=_NAMES, numbers=_OF_BLOCK, flow=flow)
    for index, cell in of_minutes(tenant, BLOCK, window, hours, flow=flow, minutes=v.STATUSES):
        _add(found.steps[index], cell)
        if not first <= cell["at"] < last:
            _add(_block(blocks, cell), cell)
    if hourly and hours:
        for cell in read(tenant, BLOCK, edges_of(window), flow=flow, fields=("visits", "retries")):
            index = bisect_right(window.begins, max(cell["at"], window.start)) - 1
            found.retries[index] += cell.get("retries", 0)
            _add_visits(_block(blocks, cell), cell)
    found.blocks = _sorted(
        BlockPart(
            flow,
            stage,
            block,
            records={status: added[status] for status in v.STATUSES},
            visits={status: added[f"visits_{status}"] for status in v.STATUSES} if hourly else None,
            retries=added["retries"] if hourly else None,
        )
        for (flow, stage, block), added in blocks.items()
    )
    return found


def _block(blocks: dict[tuple[Any, ...], dict[str, int]], cell: Cell) -> dict[str, int]:
    names = tuple(cell[name] for name in _NAMES)
    return blocks.setdefault(names, dict.fromkeys(_OF_BLOCK, 0))


def _add_visits(found: dict[str, int], cell: Cell) -> None:
    found["retries"] += cell.get("retries", 0)
    for status, count in cell.get("visits", {}).items():
        found[f"visits_{status}"] += count


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
