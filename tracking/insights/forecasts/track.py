"""The track record: what was told before, against what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tracking.insights.forecasts.assess import Assessment
from tracking.insights.forecasts.intervals import LEVELS
from tracking.insights.forecasts.measures import coverage, mase
from tracking.insights.forecasts.scales import Array
from tracking.insights.forecasts.series import History
from tracking.insights.forecasts.store import Document

# The last forecasts are shown against what happened for so many weeks.
WEEKS_SHOWN: Final = {"hour": 2, "day": 13}


def record_of(kept: Sequence[Document], history: History) -> Document | None:
    """MASE and coverage of forecasts that were really told, over their weeks ahead; None where
    nothing of these is over yet."""
    grain = history.grain
    told, actual, scales = [], [], []
    bounds: dict[str, list[Array]] = {}
    for each in kept:
        start = each["start"]
        there = history.between(start, start + grain.week * grain.step)
        came = np.array([np.nan if count is None else count for count in there], dtype=float)
        if not np.isfinite(came).any():
            continue
        actual.append(came)
        told.append(_padded(each["ahead"], grain.week))
        scales.append(each["scale"])
        for name, values in each["bounds"].items():
            bounds.setdefault(name, []).append(_padded(values, grain.week))
    if not told:
        return None
    came = np.stack(actual)
    stacked = {name: np.stack(rows) for name, rows in bounds.items()}
    return {
        "forecasts": len(told),
        "steps": int(np.isfinite(came).sum()),
        "mase": number(mase(np.stack(told), came, np.array(scales))),
        "coverage": {
            percent(level): number(
                coverage(stacked[f"low{percent(level)}"], stacked[f"high{percent(level)}"], came)
            )
            for level in LEVELS
        },
    }


def seen_of(found: Assessment, kept: Sequence[Document], history: History) -> Document | None:
    """Step by step, what was last told of the past before it: by forecasts that were kept, and
    where there are none by the back-test, which told it by what was known then."""
    tested, chosen, grain = found.tested, found.chosen, found.grain
    if tested is None or chosen is None:
        return None
    steps = min(WEEKS_SHOWN[grain.name] * grain.week, len(tested.history))
    start = history.end - steps * grain.step
    first = len(tested.history) - steps
    rows: dict[str, list[float | None]] = {
        name: [None] * steps for name in ("told", *bound_names())
    }
    real = [False] * steps
    for row, origin in enumerate(tested.origins[:-1]):
        fan = found.fans[row]
        for lead in range(tested.stride):
            place = int(origin) + lead - first
            if 0 <= place < steps:
                rows["told"][place] = number(chosen.ahead[row, lead])
                for level in LEVELS:
                    rows[f"low{percent(level)}"][place] = number(fan.low[level][lead])
                    rows[f"high{percent(level)}"][place] = number(fan.high[level][lead])
    for each in kept:  # the first one first, so that the last one made before a step counts
        begin = (each["start"] - start) // grain.step
        for lead, value in enumerate(each["ahead"]):
            place = begin + lead
            if 0 <= place < steps:
                real[place] = True
                rows["told"][place] = value
                for name in bound_names():
                    rows[name][place] = each["bounds"][name][lead]
    return {"start": start, "kept": sum(real), **rows}


def percent(level: float) -> str:
    return f"{100 * level:.0f}"


def bound_names() -> list[str]:
    return [f"{side}{percent(level)}" for level in LEVELS for side in ("low", "high")]


def number(value: float) -> float | None:
    """As it is kept: five significant digits, and None for what is not known."""
    return float(f"{float(value):.5g}") if np.isfinite(value) else None


def _padded(values: Sequence[float | None], length: int) -> Array:
    known = [np.nan if value is None else value for value in values[:length]]
    return np.array(known + [np.nan] * (length - len(known)), dtype=float)
