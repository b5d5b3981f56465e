"""GET /api/v1/insights/forecast: the load to come, and what the forecast is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from tracking.api import schema, shapes
from tracking.api.insights import InsightView
from tracking.core.pricing import text
from tracking.errors import BadRequest
from tracking.insights.forecasts.grains import GRAINS
from tracking.insights.forecasts.needs import Bounds, Need
from tracking.insights.forecasts.reading import BOUNDS, Outlook, Step, outlook
from tracking.insights.forecasts.series import MEASURES, STARTED

Shape = dict[str, Any]


class Forecast(InsightView):
    """How much is to come, by the hour or by the day, and what it needs."""

    parameters = ("tenant", "flow", "measure", "step")

    @schema.insight_forecast
    def get(self, request: Request) -> Response:
        tenant, flow = self.the_tenant(), self.the_flow()
        grain = GRAINS[self.the_word("step", {"1h": "hour", "1d": "day"}, "1d")]
        measure = self.the_word("measure", {name: name for name in MEASURES}, STARTED)
        found = outlook(tenant, flow or "", measure, grain, request.moment)
        return Response(
            {"tenant": tenant, "flow": flow, **outlook_shape(found), "as_of": self.as_of()}
        )

    def the_word(self, name: str, known: Mapping[str, str], usual: str) -> str:
        given = self.request.query_params.get(name, usual)
        if given not in known:
            raise BadRequest("bad_parameter", f"{name} is {' or '.join(known)}.", parameter=name)
        return known[given]


def outlook_shape(found: Outlook) -> Shape:
    kept = found.document
    return {
        "measure": found.measure,
        "step": "1h" if found.grain.name == "hour" else "1d",
        "verdict": found.verdict,
        "reason": found.words,
        "made_at": shapes.time(kept.get("made_at")),
        "method": kept.get("method") or None,
        "mase": kept.get("mase"),
        "coverage": _coverage(kept.get("coverage") or {}),
        "origins": kept.get("origins", 0),
        "fit_seconds": kept.get("fit_seconds"),
        "yardsticks": [
            {"name": each["name"], "ratio": each["ratio"], "chance": each["chance"]}
            for each in kept.get("facts", {}).get("yards", ())
        ],
        "track_record": _track(kept.get("track")),
        "steps": [_step(step) for step in found.steps],
        "seen": [
            {
                "from": shapes.time(step.begin),
                "to": shapes.time(step.end),
                "actual": step.actual,
                "expected": step.told,
                **step.bounds,
            }
            for step in found.seen
        ],
        "needs_reason": found.needs_words,
        "needs": [_need(need, found) for need in found.needs],
        "costs": [
            {
                "billing_currency": currency,
                "by_span": [_span(span, bounds, found) for span, bounds in by_span.items()],
            }
            for currency, by_span in (found.costs or {}).items()
        ],
    }


def _coverage(kept: Mapping[str, float | None]) -> Shape:
    return {"80": kept.get("80"), "95": kept.get("95")}


def _track(kept: Mapping[str, Any] | None) -> Shape | None:
    if not kept:
        return None
    return {
        "forecasts": kept["forecasts"],
        "steps": kept["steps"],
        "mase": kept["mase"],
        "coverage": _coverage(kept["coverage"]),
    }


def _step(step: Step) -> Shape:
    return {
        "from": shapes.time(step.begin),
        "to": shapes.time(step.end),
        "expected": step.expected,
        **{name: step.bounds[name] for name in BOUNDS},
        "actual": step.actual,
    }


def _need(need: Need, found: Outlook) -> Shape:
    return {
        "what": need.what,
        "resource_name": need.resource or None,
        "consumed_unit": need.unit or None,
        "billing_currency": need.currency or None,
        "list_unit_price": None if need.price is None else text(need.price),
        "lately": text(need.lately),
        "by_span": [
            {
                **_span(span, bounds, found),
                "billed_cost": _amounts(need.costs[span]) if need.costs else None,
            }
            for span, bounds in need.by_span.items()
        ],
    }


def _span(span: str, bounds: Bounds, found: Outlook) -> Shape:
    start, end = (found.spans or {})[span]
    return {
        "span": span,
        "from": shapes.time(start),
        "to": shapes.time(end),
        **_amounts(bounds),
    }


def _amounts(bounds: Bounds) -> Shape:
    return {
        "expected": text(bounds.expected),
        **{name: text(getattr(bounds, name)) for name in BOUNDS},
    }
