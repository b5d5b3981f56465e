"""GET /api/v1/insights/costs: what a time cost; and its export under FOCUS 1.2 (docs/costs.md)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from django.http import StreamingHttpResponse
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tracking.access.scope import visible_to
from tracking.api import schema, shapes
from tracking.api.costs import charge_shape
from tracking.api.insight_shapes import window_shape
from tracking.api.insights import PARAMETERS, InsightView
from tracking.core.pricing import text
from tracking.errors import BadRequest
from tracking.insights import costs, focus
from tracking.insights.spending import Asked
from tracking.insights.tables import csv_lines
from tracking.insights.windows import Window, window
from tracking.models import Tenant

Shape = dict[str, Any]

GROUPS_MOST: Final = 200
# Groups times steps: what an answer holds at most of each currency, but never fewer groups than 10.
_CELLS_MOST: Final = 20_000
_GROUPS_LEAST: Final = 10
CHARGES_SHOWN: Final = 1_000
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "flow": ("flow",),
    "block": ("flow", "block"),
    "resource": ("resource_name", "consumed_unit"),
}


class Costs(InsightView):
    """What it cost, by flow, block or resource, and what failures cost."""

    parameters = (*PARAMETERS, "block", "resource", "by")

    @schema.insight_costs
    def get(self, request: Request) -> Response:
        about = Asked(
            tenant=self.the_tenant(),
            flow=self.the_flow(),
            block=self.the_name("block"),
            resource=self.the_name("resource"),
        )
        found = costs.costs_of(about, self.the_window(), by=self.the_grouping())
        named = {"flow": about.flow, "block": about.block, "resource": about.resource}
        return Response(
            {"tenant": about.tenant, **named, **costs_shape(found), "as_of": self.as_of()}
        )

    def the_window(self) -> Window:
        found = super().the_window()
        if "step" not in self.request.query_params:
            usual = costs.usual_cost_step(found.start, found.end)
            found = window(found.start, found.end, usual)
        return costs.by_the_hour(found)

    def the_grouping(self) -> str:
        by = self.request.query_params.get("by", "flow")
        if by not in costs.BY:
            raise BadRequest(
                "bad_parameter", f"by is one of {', '.join(costs.BY)}.", parameter="by"
            )
        return by


class Csv(BaseRenderer):
    """So that a client may ask for what it gets; the view streams it."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, media: Any = None, context: Any = None) -> bytes:
        raise NotImplementedError("An export is streamed, never rendered.")


class CostsExport(InsightView):
    """Each charge of a time, in charge periods."""

    renderer_classes = (Csv, JSONRenderer)

    @schema.insight_costs_export
    def get(self, request: Request) -> StreamingHttpResponse:
        tenant, flow = self.the_tenant(), self.the_flow()
        start, end = self.the_bounds()
        step = request.query_params.get("step", "1d")
        periods = focus.charge_periods(start, end, step)
        row = visible_to(request.user, Tenant).get(pk=tenant)
        rows = focus.focus_rows(focus.Account(tenant, row.name), periods, flow=flow)
        return StreamingHttpResponse(
            csv_lines(chain([focus.COLUMNS], rows)),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="focus-{tenant}-'
                f'{periods.start:%Y%m%dT%H}-{periods.end:%Y%m%dT%H}.csv"',
                "Cache-Control": "no-store",
            },
        )


# --- Shapes --------------------------------------------------------------------------------------


def costs_shape(found: costs.Costs) -> Shape:
    steps = len(found.window.begins)
    most = max(_GROUPS_LEAST, min(GROUPS_MOST, _CELLS_MOST // steps))
    return {
        **window_shape(found.window),
        "by": found.by,
        "currencies": [_currency(found, each, most) for each in found.currencies],
        "delivered": found.delivered_in_all,
        "charges": [charge_shape(charge) for charge in found.charges[:CHARGES_SHOWN]],
        "more_charges": len(found.charges) > CHARGES_SHOWN,
        "unpriced": [
            {
                "resource_name": each.resource,
                "consumed_quantity": text(each.quantity),
                "consumed_unit": each.unit,
                "first": shapes.time(each.first),
                "last": shapes.time(each.last),
            }
            for each in found.unpriced[:CHARGES_SHOWN]
        ],
    }


def _currency(found: costs.Costs, currency: costs.Currency, most: int) -> Shape:
    return {
        "billing_currency": currency.code,
        **_sums(currency.whole),
        "cost_per_delivered": _each(currency.whole.total, found.delivered_in_all),
        "steps": [_step(found, index, sums) for index, sums in enumerate(currency.steps)],
        "groups": [_group(found, group) for group in currency.groups[:most]],
        "more_groups": len(currency.groups) > most,
    }


def _group(found: costs.Costs, group: costs.Group) -> Shape:
    delivered = found.delivered.get(group.names[0], 0) if found.by == "flow" else None
    return {
        # of posted amounts, which are of no resource, these are null
        **{name: value or None for name, value in zip(_NAMES[found.by], group.names, strict=True)},
        **_sums(group.whole),
        "delivered": delivered,
        "cost_per_delivered": _each(group.whole.total, delivered or 0),
        "steps": [_step(found, index, group.steps[index]) for index in sorted(group.steps)],
    }


def _step(found: costs.Costs, index: int, sums: costs.Sums) -> Shape:
    return {
        "from": shapes.time(found.window.begins[index]),
        "to": shapes.time(found.window.ends[index]),
        **_sums(sums),
    }


def _sums(sums: costs.Sums) -> Shape:
    return {
        "billed_cost": text(sums.total),
        "posted_cost": text(sums.posted),
        "usage_cost": text(sums.usage),
        "lost_attempts": text(sums.lost),
        "without_arriving": text(sums.vain),
        "failures": text(sums.failures),
    }


def _each(total: Decimal, count: int) -> str | None:
    one = costs.each(total, count)
    return text(one) if one is not None else None
