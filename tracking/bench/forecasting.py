"""The measurements of `bench forecast`, apart from its arguments: what they load takes seconds."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from django.core.management.base import CommandError
from rich.table import Table

from tracking.bench.load_series import LoadSeries, from_file, published
from tracking.bench.report import Report
from tracking.insights.forecasts.assess import Assessment, assess
from tracking.insights.forecasts.intervals import LEVELS
from tracking.insights.forecasts.measures import coverage, ratio
from tracking.insights.forecasts.verdicts import SHORTLY, SHOWN

_SECONDS: Final = 600.0
MASE_MOST: Final = 1.0
MEAN_MOST: Final = 0.8
HELD: Final = (0.7, 0.9)
_COLUMNS: Final = (
    "MASE",
    "in seasonal naive's",
    "80 % held",
    "95 % held",
    "to the horizon: errors",
    "80 % held",
    "s per fit",
)


@dataclass(frozen=True, slots=True)
class Measured:
    series: LoadSeries
    found: Assessment
    # in the errors of seasonal naive, of the lead that is judged and of all that is told
    relative: float
    relative_far: float
    held: dict[float, float]
    held_far: float


def measure(report: Report, files: Iterable[Path], told: Path | None) -> None:
    """The series of files or, without any, the published ones."""
    try:
        given = [from_file(path) for path in files] or published()
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from None
    measured = []
    for series in given:
        found = assess(series.counts, series.grain, seconds=_SECONDS)
        report.say(f"{series.name}: {SHORTLY[found.verdict]}")
        measured.append(_measured(series, found))
    report.say(_table(measured))
    _add(report, [each for each in measured if each.found.origins])
    if told:
        _write(told, measured)


def _measured(series: LoadSeries, found: Assessment) -> Measured:
    if found.tested is None:
        nothing = float("nan")
        return Measured(series, found, nothing, nothing, {}, nothing)
    return Measured(
        series,
        found,
        relative=_relative(found, slice(0, series.grain.lead)),
        relative_far=_relative(found, slice(0, series.grain.horizon)),
        held=dict(found.coverage),
        held_far=_held(found, LEVELS[0]),
    )


def _relative(found: Assessment, leads: slice) -> float:
    """In the errors of the seasonal naive that does best."""
    tested, chosen = found.tested, found.chosen
    if tested is None or chosen is None:
        return float("nan")
    ours = np.abs(chosen.ahead - tested.actual)[:, leads]
    return max(
        ratio(ours, np.abs(tested.told[each.name] - tested.actual)[:, leads])
        for each in found.yards
        if each.seasonal
    )


def _held(found: Assessment, level: float) -> float:
    if found.tested is None:
        return float("nan")
    low = np.stack([fan.low[level] for fan in found.fans])
    high = np.stack([fan.high[level] for fan in found.fans])
    return coverage(low, high, found.tested.actual)


def _table(measured: Sequence[Measured]) -> Table:
    table = Table(title="bench forecast, by series", title_justify="left")
    table.add_column("series")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    table.add_column("method now")
    table.add_column("verdict")
    for each in measured:
        found = each.found
        numbers = (
            found.mase,
            each.relative,
            *(each.held.get(level, float("nan")) for level in LEVELS),
            each.relative_far,
            each.held_far,
            found.fit_seconds,
        )
        table.add_row(
            each.series.name,
            *(f"{number:.2f}" for number in numbers),
            found.method,
            SHORTLY[found.verdict],
        )
    return table


def _add(report: Report, measured: Sequence[Measured]) -> None:
    for each in measured:
        report.add("seconds per fit", each.found.fit_seconds, "s")
    found = [each for each in measured if each.series.patterned is not False]
    for each in found:
        held, scaled = f"80 % held: {each.series.name}", f"MASE: {each.series.name}"
        report.add(scaled, each.found.mase, "")
        report.aim(scaled, most=MASE_MOST)
        report.add(held, each.held[LEVELS[0]], "")
        report.aim(held, least=HELD[0])
        report.aim(held, most=HELD[1])
    if found:
        mean, naive = "MASE, geometric mean", "errors in those of seasonal naive, geometric mean"
        report.add(mean, statistics.geometric_mean(each.found.mase for each in found), "")
        report.aim(mean, most=MEAN_MOST)
        report.add(naive, statistics.geometric_mean(each.relative for each in found), "")
    for name, patterned, wrong in (
        ("patterned, and withheld", True, lambda verdict: verdict != SHOWN),
        ("patternless, and shown", False, lambda verdict: verdict == SHOWN),
    ):
        those = [each.found.verdict for each in measured if each.series.patterned is patterned]
        if those:
            report.add(name, sum(map(wrong, those)), "series")
            report.aim(name, most=0)


def _write(path: Path, measured: Sequence[Measured]) -> None:
    """A line for each step that is known of each origin: enough to compute all measures anew."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        yards = sorted({each.name for found in measured for each in found.found.yards})
        bounds = [f"{side}{100 * level:.0f}" for level in LEVELS for side in ("low", "high")]
        writer.writerow(
            ["series", "origin", "lead", "actual", "expected", *bounds, "method", *yards]
        )
        for each in measured:
            tested, chosen = each.found.tested, each.found.chosen
            if tested is None or chosen is None:
                continue
            skipped = len(each.series.counts) - len(tested.history)
            for row, origin in enumerate(tested.origins[:-1]):
                fan = each.found.fans[row]
                for lead in np.flatnonzero(np.isfinite(tested.actual[row])):
                    sides = [side[level][lead] for level in LEVELS for side in (fan.low, fan.high)]
                    writer.writerow(
                        [
                            each.series.name,
                            skipped + int(origin),
                            int(lead) + 1,
                            tested.actual[row, lead],
                            chosen.ahead[row, lead],
                            *("" if np.isnan(side) else side for side in sides),
                            chosen.names[row],
                            *(
                                tested.told[name][row, lead] if name in tested.told else ""
                                for name in yards
                            ),
                        ]
                    )
