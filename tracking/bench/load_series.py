"""Series that the forecast is measured on: each by a recipe that fixes it, or out of a file.

A recipe is a pattern of the week times a level, and the counts that chance makes of it. They were
written down once and are not chosen by what comes out. Two of each kind know no pattern at all.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.random import Generator, default_rng

from tracking.insights.forecasts.grains import DAILY, HOURLY, Grain
from tracking.insights.forecasts.scales import Array

_SEED: Final = 2026
_HOURS: Final = 14 * 168
_DAYS: Final = 450
_LINES_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class LoadSeries:
    """`patterned`: whether there is anything to be found; None where nobody knows."""

    name: str
    grain: Grain
    counts: Array
    patterned: bool | None = None


def _week_of_hours(day: Callable[[Array], Array], weekend: float) -> Array:
    hours = np.arange(24.0)
    week = np.tile(day(hours), 7)
    week[5 * 24 :] *= weekend
    return week / week.mean()


def _bump(hours: Array, at: float, width: float) -> Array:
    """Around an hour of the day, which is a circle."""
    off = np.minimum(np.abs(hours - at), 24 - np.abs(hours - at))
    return np.exp(-0.5 * (off / width) ** 2)


def _office(hours: Array) -> Array:
    return 0.05 + _bump(hours, 10, 2) + 0.8 * _bump(hours, 15, 2)


def _shop(hours: Array) -> Array:
    return 0.2 + 0.6 * _bump(hours, 12, 2.5) + _bump(hours, 20, 2)


def _repeated(week: Array, steps: int) -> Array:
    return np.resize(week, steps)


def _counts(draw: Generator, mean: Array, scatter: float = 0.0) -> Array:
    """Poisson, or with a scatter on top of it (negative binomial)."""
    if scatter:
        mean = draw.gamma(1 / scatter, mean * scatter)
    return draw.poisson(mean).astype(float)


def _wandering(draw: Generator, steps: int, memory: float, spread: float) -> Array:
    """A level that wanders and comes back, around 1."""
    found = np.zeros(steps)
    for step in range(1, steps):
        found[step] = memory * found[step - 1] + draw.normal(0, spread * (1 - memory**2) ** 0.5)
    return np.exp(found)


def _office_hours(draw: Generator) -> Array:
    """Work days and office hours, hardly anything at night."""
    return _counts(draw, 60 * _repeated(_week_of_hours(_office, 0.1), _HOURS))


def _growing_shop(draw: Generator) -> Array:
    """Evenings and week-ends, and half as much again after 14 weeks."""
    level = 200 * (1 + 0.5 * np.arange(_HOURS) / _HOURS)
    return _counts(draw, level * _repeated(_week_of_hours(_shop, 1.4), _HOURS), 0.02)


def _night_batches(draw: Generator) -> Array:
    """Nothing but between 1 and 4 o'clock, Monday to Friday."""
    week = np.zeros(168)
    for day in range(5):
        week[24 * day + 1 : 24 * day + 4] = (1.0, 2.0, 0.5)
    return _counts(draw, 400 * _repeated(week, _HOURS), 0.05)


def _hourly_shift(draw: Generator) -> Array:
    """From the eleventh week on, 60 % more."""
    level = np.where(np.arange(_HOURS) < 10 * 168, 80.0, 128.0)
    level *= _wandering(draw, _HOURS, 0.98, 0.08)
    return _counts(draw, level * _repeated(_week_of_hours(_shop, 0.7), _HOURS), 0.01)


def _rare_by_the_hour(draw: Generator) -> Array:
    """Less than one an hour, by day more than at night."""
    return _counts(draw, 0.8 * _repeated(_week_of_hours(_office, 0.5), _HOURS))


def _incidents(draw: Generator) -> Array:
    """Hours with many times the usual, and outages."""
    counts = _counts(draw, 120 * _repeated(_week_of_hours(_shop, 0.9), _HOURS), 0.02)
    for hour in draw.choice(_HOURS, 20, replace=False):
        counts[hour] *= draw.uniform(3, 8)
    for hour in draw.choice(_HOURS - 8, 5, replace=False):
        counts[hour : hour + 6] = 0
    return np.round(counts)


_WORK_DAYS: Final = np.array([1.15, 1.1, 1.05, 1.0, 0.9, 0.5, 0.3])


def _closed_on_sundays(draw: Generator) -> Array:
    week = np.array([1.2, 1.1, 1.0, 1.1, 1.3, 0.6, 0.0])
    return _counts(draw, 90 * _wandering(draw, _DAYS, 0.8, 0.08) * _repeated(week, _DAYS))


def _growing_by_the_day(draw: Generator) -> Array:
    """In proportion: twice as much after 450 days, with a scatter that grows along."""
    level = 300 * np.exp(np.log(2) * np.arange(_DAYS) / _DAYS)
    return _counts(draw, level * _repeated(_WORK_DAYS, _DAYS), 0.02)


def _daily_shift(draw: Generator) -> Array:
    """After 280 days 40 % less."""
    level = np.where(np.arange(_DAYS) < 280, 500.0, 300.0) * _wandering(draw, _DAYS, 0.7, 0.05)
    return _counts(draw, level * _repeated(_WORK_DAYS, _DAYS), 0.01)


def _holidays(draw: Generator) -> Array:
    """Twelve days on which hardly anything happens."""
    counts = _counts(draw, 800 * _repeated(_WORK_DAYS, _DAYS), 0.01)
    for day in draw.choice(_DAYS, 12, replace=False):
        counts[day] = np.round(counts[day] * 0.15)
    return counts


def _rare_by_the_day(draw: Generator) -> Array:
    """Three a day, fewer at week-ends, and on many days none."""
    return _counts(draw, 3 * _repeated(_WORK_DAYS, _DAYS))


def _yearly_swing(draw: Generator) -> Array:
    """More in winter, on top of the week."""
    level = 1_000 * (1 + 0.3 * np.cos(2 * np.pi * np.arange(_DAYS) / 365))
    return _counts(draw, level * _wandering(draw, _DAYS, 0.8, 0.06) * _repeated(_WORK_DAYS, _DAYS))


def _random_walk(steps: int) -> Callable[[Generator], Array]:
    return lambda draw: np.maximum(1_000 + np.cumsum(draw.normal(0, 10, steps)), 0.0)


def _white_noise(steps: int) -> Callable[[Generator], Array]:
    return lambda draw: draw.normal(100, 15, steps)


PATTERNED: Final[dict[str, tuple[Grain, Callable[[Generator], Array]]]] = {
    "office hours": (HOURLY, _office_hours),
    "growing shop": (HOURLY, _growing_shop),
    "night batches": (HOURLY, _night_batches),
    "level shift, hours": (HOURLY, _hourly_shift),
    "rare, hours": (HOURLY, _rare_by_the_hour),
    "incidents": (HOURLY, _incidents),
    "closed on Sundays": (DAILY, _closed_on_sundays),
    "growing in proportion": (DAILY, _growing_by_the_day),
    "level shift, days": (DAILY, _daily_shift),
    "holidays": (DAILY, _holidays),
    "rare, days": (DAILY, _rare_by_the_day),
    "yearly swing": (DAILY, _yearly_swing),
}
PATTERNLESS: Final[dict[str, tuple[Grain, Callable[[Generator], Array]]]] = {
    "random walk, hours": (HOURLY, _random_walk(_HOURS)),
    "white noise, hours": (HOURLY, _white_noise(_HOURS)),
    "random walk, days": (DAILY, _random_walk(_DAYS)),
    "white noise, days": (DAILY, _white_noise(_DAYS)),
}


def published() -> Iterator[LoadSeries]:
    """Each from a generator of its own, so that none changes with those before it."""
    recipes = {**PATTERNED, **PATTERNLESS}
    for place, (name, (grain, recipe)) in enumerate(recipes.items()):
        counts = recipe(default_rng([_SEED, place]))
        yield LoadSeries(name, grain, counts, name in PATTERNED)


def from_file(path: Path) -> LoadSeries:
    """CSV: a time in RFC 3339 and a count per line, hours or days apart; further columns and a
    head line are passed over. Steps that are missing count 0; raises ValueError."""
    seen: dict[datetime, float] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file)):
            if number > _LINES_MAX:
                raise ValueError(f"{path.name} has more than {_LINES_MAX:,} lines.")
            if not row or (number == 0 and not row[0][:1].isdigit()):
                continue
            try:
                at, count = datetime.fromisoformat(row[0].strip()), float(row[1])
            except (ValueError, IndexError):
                raise ValueError(f"{path.name}, line {number + 1}: a time and a count.") from None
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
            seen[at] = seen.get(at, 0.0) + count
    if not seen:
        raise ValueError(f"{path.name} holds no count.")
    hourly = any(DAILY.floor(at) != at for at in seen)
    grain = HOURLY if hourly else DAILY
    first, last = min(seen), max(seen)
    steps = (last - first) // grain.step + 1
    if any(grain.floor(at) != at for at in seen) or steps > _LINES_MAX:
        raise ValueError(f"{path.name}: times are full hours or days, {_LINES_MAX:,} at most.")
    counts = [seen.get(first + place * grain.step, 0.0) for place in range(steps)]
    return LoadSeries(path.stem, grain, np.array(counts))
