"""Forecasts put there by hand, as `manage.py forecast` keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tracking.insights.forecasts.grains import GRAINS
from tracking.insights.forecasts.store import keep, key_of
from tracking.insights.windows import DAY

YARDS = [
    {
        "name": name,
        "ratio": ratio,
        "chance": 0.001,
        "squared_ratio": 0.5,
        "squared_chance": 0.001,
    }
    for name, ratio in (("seasonal naive 7", 0.75), ("mean", 0.5))
]


def tell(
    start: datetime,
    *,
    tenant: str = "acme",
    flow: str = "",
    measure: str = "started",
    grain: str = "day",
    verdict: str = "shown",
    steps: int = 31,
    **changed: Any,
) -> dict[str, Any]:
    """A present forecast that begins at `start`: 100 of each step, between 90 and 120."""
    step = GRAINS[grain].step
    document: dict[str, Any] = {
        "_id": key_of(tenant, grain, measure, flow),
        "kind": "now",
        "tenant": tenant,
        "grain": grain,
        "measure": measure,
        "flow": flow,
        "made_at": start,
        "start": start,
        "verdict": verdict,
        "facts": {
            "steps": 300,
            "needed": GRAINS[grain].shortest,
            "day": GRAINS[grain].day,
            "beyond": 0.8,
            "yards": YARDS,
        },
        "method": "theta √",
        "mase": 0.7321,
        "scale": 10.0,
        "coverage": {"80": 0.81, "95": 0.94},
        "origins": 40,
        "fit_seconds": 0.1,
        "track": None,
    }
    if verdict == "shown":
        bounds = {"low80": 90.0, "high80": 120.0, "low95": 80.0, "high95": 140.0}
        document["ahead"] = [100.0] * steps
        document["bounds"] = {name: [bound] * steps for name, bound in bounds.items()}
        document["seen"] = {
            "start": start - 7 * step,
            "kept": 2,
            "told": [None, *[95.0] * 6],
            **{name: [None, *[bound] * 6] for name, bound in bounds.items()},
        }
        document["totals"] = [
            {
                "span": "week",
                "from": start + DAY,
                "to": start + 8 * DAY,
                "expected": 705.5,
                **{name: 7 * bound for name, bound in bounds.items()},
            }
        ]
    document |= changed
    keep(document)
    return document
