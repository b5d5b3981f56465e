"""Making forecasts: one series after the other, whichever is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import numpy as np

from tracking.insights.forecasts.assess import Assessment, assess
from tracking.insights.forecasts.due import Series
from tracking.insights.forecasts.grains import DAILY
from tracking.insights.forecasts.intervals import LEVELS
from tracking.insights.forecasts.needs import use_of
from tracking.insights.forecasts.series import RECORDS, History, history_of
from tracking.insights.forecasts.store import NOW, Document, keep, key_of, past
from tracking.insights.forecasts.track import bound_names, number, percent, record_of, seen_of
from tracking.insights.forecasts.verdicts import SHOWN

logger = logging.getLogger(__name__)

# Of a series about so long: where fitting takes more, it is tested at fewer moments.
SECONDS: Final = 60.0


def forecast(series: Series, moment: datetime, *, seconds: float = SECONDS) -> Document:
    """Forecast a series as of now, and keep it."""
    grain = series.grain
    names = (series.tenant, grain.name, series.measure, series.flow)
    history = history_of(
        series.tenant, series.flow, series.measure, grain, moment, steps=grain.longest
    )
    found = assess(np.array(history.counts, dtype=float), grain, seconds=seconds)
    document = document_of(series, found, history, past(*names), moment)
    if grain is DAILY and series.measure == RECORDS:
        document["use"] = use_of(series.tenant, series.flow, moment)
    keep(document)
    return document


def document_of(
    series: Series,
    found: Assessment,
    history: History,
    kept: list[Document],
    moment: datetime,
) -> Document:
    grain = found.grain
    document: dict[str, Any] = {
        "_id": key_of(series.tenant, grain.name, series.measure, series.flow),
        "kind": NOW,
        "tenant": series.tenant,
        "grain": grain.name,
        "measure": series.measure,
        "flow": series.flow,
        "made_at": moment,
        "start": history.end,
        "verdict": found.verdict,
        "facts": _facts(found),
        "method": found.method,
        "mase": number(found.mase),
        "scale": number(found.scale),
        "coverage": {percent(level): number(share) for level, share in found.coverage.items()},
        "origins": found.origins,
        "fit_seconds": number(found.fit_seconds),
        "track": record_of(kept, history),
    }
    # what is withheld is kept nowhere, so that nothing can show it
    if found.verdict == SHOWN and found.ahead is not None and found.fan is not None:
        reach = slice(0, found.reach)
        document["ahead"] = [number(value) for value in found.ahead[reach]]
        document["bounds"] = {
            name: [number(value) for value in side[level][reach]]
            for name, (side, level) in zip(
                bound_names(),
                [(s, level) for level in LEVELS for s in (found.fan.low, found.fan.high)],
                strict=True,
            )
        }
        document["totals"] = list(_totals(found, history))
        document["seen"] = seen_of(found, kept, history)
    return document


def _facts(found: Assessment) -> dict[str, Any]:
    return {
        "steps": found.steps,
        "needed": found.grain.shortest,
        "day": found.grain.day,
        "beyond": number(found.beyond),
        "yards": [
            {
                "name": each.name,
                "ratio": number(each.ratio),
                "chance": number(each.chance),
                "squared_ratio": number(each.squared_ratio),
                "squared_chance": number(each.squared_chance),
            }
            for each in found.yards
        ],
    }


def _totals(found: Assessment, history: History) -> Iterator[dict[str, Any]]:
    for each in found.totals:
        if each.leads.stop > found.reach:
            return
        yield {
            "span": each.span,
            "from": history.end + each.leads.start * found.grain.step,
            "to": history.end + each.leads.stop * found.grain.step,
            "expected": number(each.expected),
            **{
                f"{side}{percent(level)}": number(bound)
                for level, bounds in each.bounds.items()
                for side, bound in zip(("low", "high"), bounds, strict=True)
            },
        }


def forecast_all(due: list[Series], now: Callable[[], datetime], go_on: Callable[[], bool]) -> int:
    """Forecast what is due; one that fails is logged and holds up no other. Returns how many."""
    made = 0
    for series in due:
        if not go_on():
            break
        try:
            document = forecast(series, now())
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            logger.exception("forecasting %s failed", series)
            continue
        made += 1
        logger.info("forecast %s: %s", series, document["verdict"])
    return made
