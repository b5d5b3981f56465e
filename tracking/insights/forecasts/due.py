"""Which series are to be forecast, and which of them are due."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracking.insights.forecasts.grains import DAILY, GRAINS, Grain
from tracking.insights.forecasts.series import MEASURES, flows_by_volume, settled
from tracking.insights.forecasts.store import summaries

# Of more flows the busiest are forecast.
FLOWS_MAX: Final = 200
# A forecast by the hour is renewed after so many hours, one by the day each day.
RENEWED_HOURS: Final = 6


@dataclass(frozen=True, slots=True)
class Series:
    tenant: str
    flow: str
    measure: str
    grain: Grain

    def __str__(self) -> str:
        flow = self.flow or "all flows"
        return f"{self.measure} by the {self.grain.name} of {flow} ({self.tenant})"


def series_of(tenant: str, moment: datetime) -> list[Series]:
    """Of all flows together and of each: the busiest first. None where nothing is recorded."""
    flows = flows_by_volume(tenant, moment)
    if not flows:
        return []
    return [
        Series(tenant, flow, measure, grain)
        for flow in ("", *flows[:FLOWS_MAX])
        for grain in GRAINS.values()
        for measure in MEASURES
    ]


def due_of(tenants: Iterable[str], moment: datetime) -> list[Series]:
    """What is due now; what was never forecast comes first, then what is oldest."""
    found: list[tuple[datetime | None, Series]] = []
    for tenant in tenants:
        made = {
            (row["flow"], row["measure"], row["grain"]): row
            for row in summaries(tenant, fields=("start", "made_at"))
        }
        for series in series_of(tenant, moment):
            row = made.get((series.flow, series.measure, series.grain.name))
            if row is None:
                found.append((None, series))
            elif _is_old(series.grain, row["start"], moment):
                found.append((row["made_at"], series))
    found.sort(key=lambda each: (each[0] is not None, each[0] or moment))
    return [series for _made_at, series in found]


def _is_old(grain: Grain, start: datetime, moment: datetime) -> bool:
    steps = (settled(grain, moment) - start) // grain.step
    return steps >= (1 if grain is DAILY else RENEWED_HOURS)
