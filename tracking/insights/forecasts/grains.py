"""By the hour or by the day: how far is looked ahead, and what is asked of a history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tracking.insights.windows import DAY, HOUR, floor_day, floor_hour


@dataclass(frozen=True, slots=True)
class Grain:
    """Numbers are of steps. `seasons`: after how many the pattern may repeat; the last is a week.

    `horizon` is forecast, the first `lead` of it is what a forecast is judged by: so far ahead as
    seasonal naive, its yardstick, looks back at least. `fitted`: no method sees more than so much
    history; `least`: none sees less. `origins`: from at most and at least so many moments of the
    past the back-test forecasts, at most `stride` apart.
    """

    name: str
    step: timedelta
    seasons: tuple[int, ...]
    lead: int
    horizon: int
    fitted: int
    least: int
    origins_max: int
    origins_min: int
    stride: int

    @property
    def week(self) -> int:
        return self.seasons[-1]

    @property
    def day(self) -> int:
        return DAY // self.step

    @property
    def shortest(self) -> int:
        """A history that can be judged at all."""
        return self.least + self.origins_min * (self.stride if self.stride > 7 else 1)

    @property
    def longest(self) -> int:
        """Of a longer history the last part is read."""
        return self.fitted + self.origins_max * self.stride

    def floor(self, moment: datetime) -> datetime:
        return floor_hour(moment) if self.step == HOUR else floor_day(moment)


HOURLY: Final = Grain(
    name="hour",
    step=HOUR,
    seasons=(24, 168),
    lead=24,
    horizon=168,
    fitted=8 * 168,
    least=3 * 168,
    origins_max=42,
    origins_min=14,
    stride=24,
)
DAILY: Final = Grain(
    name="day",
    step=DAY,
    seasons=(7,),
    lead=7,
    horizon=31,
    fitted=26 * 7,
    least=5 * 7,
    origins_max=40,
    origins_min=21,
    stride=7,
)
GRAINS: Final = {grain.name: grain for grain in (HOURLY, DAILY)}
