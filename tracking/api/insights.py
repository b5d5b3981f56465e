"""GET /api/v1/insights/…: what somebody asks for, alike for all of them; and throughput."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from tracking import vocabulary as v
from tracking.access.roles import COUNT
from tracking.access.scope import tenants_of
from tracking.api import schema
from tracking.api.base import ReadView
from tracking.api.insight_shapes import throughput_shape
from tracking.core.checks import CONTROL_LINE, Checks
from tracking.errors import BadRequest, NotFound
from tracking.insights.spans import USUAL_SPAN, lately
from tracking.insights.throughput import throughput
from tracking.insights.windows import DAY, Window, usual_step, window

PARAMETERS: Final = ("tenant", "flow", "from", "to", "step")


@dataclass(frozen=True, slots=True)
class Asked:
    """`flow` None: all of them."""

    tenant: str
    flow: str | None
    window: Window


class InsightView(ReadView):
    """Numbers of one tenant in one window; for whoever may see how many there are."""

    permission = COUNT
    parameters = PARAMETERS

    def asked(self) -> Asked:
        """Raises `BadRequest` for what cannot be asked, `NotFound` for a tenant that the asker
        has not."""
        tenant = self.the_tenant()
        return Asked(tenant, self.the_flow(), self.the_window())

    def the_tenant(self) -> str:
        """The one named, or the only one."""
        named = self.request.query_params.get("tenant")
        found = [each for each in tenants_of(self.request.user) if named in (None, each)]
        if not found:
            raise NotFound(f"tenant {named}")
        if len(found) > 1:
            raise BadRequest(
                "ambiguous_tenant",
                "Numbers are of one tenant; say which of yours: tenant=….",
                parameter="tenant",
            )
        return found[0]

    def the_flow(self) -> str | None:
        return self.the_name("flow")

    def the_name(self, name: str) -> str | None:
        """A parameter that is a name as records have it; None where it is absent."""
        text = self.request.query_params.get(name)
        if text is None:
            return None
        if len(text) > v.NAME_MAX:
            raise BadRequest(
                "bad_parameter",
                f"{name} has at most {v.NAME_MAX} characters.",
                parameter=name,
                limit=v.NAME_MAX,
            )
        if CONTROL_LINE.search(text):
            raise BadRequest("bad_parameter", f"{name} holds a control character.", parameter=name)
        return text

    def the_window(self) -> Window:
        """By default the last 24 hours."""
        step = self.request.query_params.get("step", "")
        if not {"from", "to"} & self.request.query_params.keys():
            return lately(USUAL_SPAN, self.request.moment, step)
        start, end = self.the_bounds()
        return window(start, end, step or usual_step(start, end))

    def the_bounds(self) -> tuple[datetime, datetime]:
        """Without `to` until now, without `from` a day."""
        end = self.the_time("to") or self.request.moment
        return self.the_time("from") or max(v.TIME_MIN, end - DAY), end

    def the_time(self, name: str) -> datetime | None:
        text = self.request.query_params.get(name)
        if text is None:
            return None
        checks = Checks(v.TIME_END)
        moment = checks.time("", text)
        if moment is None:
            raise BadRequest(
                "bad_parameter",
                f"{name}: {checks.problems[0].message} In an address, + is written %2B.",
                parameter=name,
            )
        return moment


class Throughput(InsightView):
    """How many objects pass, and how fast."""

    @schema.insight_throughput
    def get(self, request: Request) -> Response:
        asked = self.asked()
        found = throughput(asked.tenant, asked.window, flow=asked.flow, moment=request.moment)
        shape = throughput_shape(found)
        return Response(
            {"tenant": asked.tenant, "flow": asked.flow, **shape, "as_of": self.as_of()}
        )
