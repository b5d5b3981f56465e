"""The page that tells what it cost: by what, over time, and what failures cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget

from tracking import vocabulary as v
from tracking.admin.cost_charts import CurrencyCharts, charts_of
from tracking.admin.cost_figures import Figure, figures
from tracking.admin.cost_links import CostLinks
from tracking.admin.cost_tables import shown_unpriced, shown_usage, unpriced_table, usage_table
from tracking.admin.insights import OWN_SPAN, Asked, answer, asked_of, insight
from tracking.admin.sheets import Sheet, sheet_of
from tracking.errors import BadRequest
from tracking.insights.costs import (
    BY,
    Costs,
    Currency,
    Sums,
    by_the_hour,
    costs_of,
    usual_cost_step,
)
from tracking.insights.spans import SPANS, lately
from tracking.insights.spending import Asked as Spending
from tracking.insights.tables import Table
from tracking.insights.windows import Window, ceil_hour, window

# More currencies show their figures alone; the charts of one are drawn when it is chosen.
CURRENCIES_DRAWN: Final = 3
UNPRICED_NAMED: Final = 3
_NARROWING: Final = ("block", "resource", "currency")


@dataclass(frozen=True, slots=True)
class Section:
    """One currency. `charts` is None where it must be chosen first, by `url`."""

    code: str
    figures: list[Figure]
    charts: CurrencyCharts | None
    url: str


@insight
def costs_page(request: HttpRequest) -> HttpResponse:
    asked = hourly(asked_of(request, more=_fields(request)))
    tables: dict[str, Table] = {}
    shown: dict[str, Any] = {}
    if asked.window is not None:
        given = asked.form.cleaned_data
        block, resource = given.get("block", ""), given.get("resource", "")
        about = Spending(asked.tenant, asked.flow or None, block or None, resource or None)
        by = given["by"] or _usual_grouping(asked.flow, block, resource)
        found = costs_of(about, asked.window, by=by)
        links = CostLinks(asked, by=by, block=block, resource=resource)
        before, compared = _before(about, asked.window, asked.moment)
        sections = _sections(asked, found, before, links)
        drawn = [section.charts for section in sections if section.charts]
        usage, unpriced = usage_table(found), unpriced_table(found)
        tables = {name: table for charts in drawn for name, table in charts.tables.items()}
        tables |= {table.name: table for table in (usage, unpriced)}
        shown = {
            "sections": sections,
            "compared": compared,
            "usage": _shown(asked, shown_usage(found)),
            "unpriced": _shown(asked, shown_unpriced(found)),
            "unpriced_names": [
                f"{each.resource} per {each.unit}" for each in found.unpriced[:UNPRICED_NAMED]
            ],
            "unpriced_more": max(0, len(found.unpriced) - UNPRICED_NAMED),
            "nothing": not (found.currencies or found.charges),
            "prices_url": _prices_url(request),
            "focus_url": _focus_url(asked, asked.window),
        }
    return answer(
        asked,
        "tracking/costs.html",
        title="Costs",
        question="What did it cost, by what, and how much of it was spent on failures?",
        tables=tables,
        **shown,
    )


def hourly(asked: Asked) -> Asked:
    """With the window as costs are known, and steps as they suit them; else the form says why."""
    if asked.window is None:
        return asked
    given = asked.form.cleaned_data
    found = asked.window
    try:
        if not given["step"]:
            found = _usual_window(given, found, asked.moment)
        return replace(asked, window=by_the_hour(found))
    except BadRequest as error:
        asked.form.add_error("step", error.message)
        return replace(asked, window=None)


def _usual_window(given: Mapping[str, Any], found: Window, moment: datetime) -> Window:
    if given["span"] == OWN_SPAN:
        return window(found.start, found.end, usual_cost_step(found.start, found.end))
    length = SPANS[given["span"]][1]
    return lately(given["span"], moment, usual_cost_step(moment - length, moment))


def _fields(request: HttpRequest) -> dict[str, forms.Field]:
    """What links narrow the page to is shown, so that it can be taken back."""
    found = {
        "by": forms.ChoiceField(
            choices=[("", "as fits"), *((by, by) for by in BY)],
            label="Grouped by",
            required=False,
            widget=UnfoldAdminSelectWidget(),
        )
    }
    for name, plural in zip(_NARROWING, ("blocks", "resources", "currencies"), strict=True):
        if value := request.GET.get(name, "").strip()[: v.NAME_MAX]:
            found[name] = forms.ChoiceField(
                choices=[("", f"all {plural}"), (value, value)],
                required=False,
                widget=UnfoldAdminSelectWidget(),
            )
    return found


def _usual_grouping(flow: str, block: str, resource: str) -> str:
    if block and not resource:
        return "resource"
    return "block" if flow or resource else "flow"


def _before(
    about: Spending, asked: Window, moment: datetime
) -> tuple[dict[str, Sums], tuple[datetime, datetime]]:
    """By currency, the sums of the time before; of a time that is not over, as much of it."""
    previous = asked.previous()
    elapsed = min(asked.end, max(ceil_hour(moment), asked.start)) - asked.start
    end = previous.start + elapsed if elapsed else previous.end
    single = Window(previous.start, end, asked.step, (previous.start,))
    found = costs_of(about, single, by="resource")
    return {each.code: each.whole for each in found.currencies}, (single.start, single.end)


def _sections(
    asked: Asked, found: Costs, before: Mapping[str, Sums], links: CostLinks
) -> list[Section]:
    chosen = asked.form.cleaned_data.get("currency", "")
    listed: list[Currency] = [e for e in found.currencies if chosen in ("", e.code)]
    one_flow = bool(asked.flow)
    return [
        Section(
            code=currency.code,
            figures=figures(found, currency, before.get(currency.code), links),
            charts=charts_of(asked, found, currency, links, one_flow=one_flow)
            if place < CURRENCIES_DRAWN
            else None,
            url=links.currency(currency.code),
        )
        for place, currency in enumerate(listed)
    ]


def _shown(asked: Asked, table: Table) -> tuple[Sheet, str] | None:
    return (sheet_of(table), asked.csv_url(table.name)) if table.rows else None


def _prices_url(request: HttpRequest) -> str:
    may = request.user.has_perm("tracking.view_resourcerate")
    return reverse("admin:tracking_resourcerate_changelist") if may else ""


def _focus_url(asked: Asked, shown: Window) -> str:
    query = {
        "tenant": asked.tenant,
        "from": f"{shown.start:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{shown.end:%Y-%m-%dT%H:%M:%SZ}",
        **({"flow": asked.flow} if asked.flow else {}),
    }
    return f"{reverse('api:costs-export')}?{urlencode(query)}"
