"""The page that tells how much is to come, how far that can be relied on, and what it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminSelectWidget

from tracking.admin import display as show
from tracking.admin.forecast_charts import ahead_chart, chart_window, seen_chart
from tracking.admin.forecast_tables import (
    MEASURE_WORDS,
    ahead_table,
    count_text,
    need_rows,
    needs_table,
    overview_table,
    seen_table,
)
from tracking.admin.insights import Asked, answer, asked_of, insight
from tracking.admin.sheets import Sheet, percent, sheet_of
from tracking.insights.forecasts.grains import DAILY, GRAINS
from tracking.insights.forecasts.needs import SPANS
from tracking.insights.forecasts.reading import Outlook, outlook, overview
from tracking.insights.forecasts.series import STARTED
from tracking.insights.forecasts.verdicts import yard_words
from tracking.insights.tables import Table
from tracking.insights.windows import DAY

_GRAIN_WORDS: Final = {"day": "days", "hour": "hours"}
_AHEAD: Final = {"hour": "day", "day": "week"}
_SPAN_WORDS: Final = {
    "day": "tomorrow",
    "week": "in the next 7 days",
    "month": "in the next 30 days",
}


@dataclass(frozen=True, slots=True)
class Figure:
    word: str
    text: str
    tone: str
    icon: str
    hint: str


@insight
def forecast_page(request: HttpRequest) -> HttpResponse:
    asked = asked_of(request, timeless=True, more=_fields(request))
    tables: dict[str, Table] = {}
    shown: dict[str, Any] = {}
    if asked.window is not None:
        given = asked.form.cleaned_data
        measure, grain = given["measure"], GRAINS[given["grain"]]
        found = outlook(asked.tenant, asked.flow, measure, grain, asked.moment)
        if steps := [*found.seen, *found.steps]:
            asked = replace(asked, window=chart_window(steps))
        listed = overview_table(asked, overview(asked.tenant, measure, grain), grain)
        tables = {
            "forecast": ahead_table(found),
            "seen": seen_table(found),
            "needs": needs_table(found),
            "flows": listed,
        }
        shown = {
            "found": found,
            "figures": _figures(found),
            "ahead": ahead_chart(asked, found, tables["forecast"]) if found.shown else None,
            "seen": seen_chart(asked, found, tables["seen"]) if found.seen else None,
            "expected": _expected(found),
            "needs": need_rows(found),
            "needs_url": asked.csv_url("needs"),
            "spans": [_span(found, span) for span in SPANS],
            "flows": _sheet(asked, listed) if listed.rows else None,
            "made": show.ago(found.document["made_at"], asked.moment) if found.document else "",
        }
    return answer(
        asked,
        "tracking/forecast.html",
        title="Forecast",
        question="How much is to come, how sure is that, and what will it need?",
        tables=tables,
        **shown,
    )


def _fields(request: HttpRequest) -> dict[str, forms.Field]:
    """Always bound, so what is not given is set here."""
    found: dict[str, forms.Field] = {}
    for name, label, words, usual in (
        ("measure", "Of what", MEASURE_WORDS, STARTED),
        ("grain", "In steps of", _GRAIN_WORDS, DAILY.name),
    ):
        found[name] = _Usual(
            usual,
            choices=list(words.items()),
            label=label,
            required=False,
            widget=UnfoldAdminSelectWidget(),
        )
    return found


class _Usual(forms.ChoiceField):
    def __init__(self, usual: str, **options: Any) -> None:
        super().__init__(**options)
        self.usual = usual

    def clean(self, value: Any) -> str:
        return str(super().clean(value) or self.usual)


def _sheet(asked: Asked, table: Table) -> tuple[Sheet, str]:
    return sheet_of(table), asked.csv_url(table.name)


def _span(found: Outlook, span: str) -> tuple[str, str]:
    """Its words, and its days."""
    days = (found.spans or {}).get(span)
    if days is None:
        return _SPAN_WORDS[span], ""
    first, last = days[0], days[1] - DAY
    until = "" if first == last else f" – {last:%-d %b}"
    return _SPAN_WORDS[span], f"{first:%-d %b}{until}"


def _expected(found: Outlook) -> list[Figure]:
    """The sums that most ask for, of a series by the day."""
    rows = []
    for each in found.document.get("totals") or ():
        low, high = count_text(each["low80"]), count_text(each["high80"])
        rows.append(
            Figure(
                f"{MEASURE_WORDS[found.measure]} {_SPAN_WORDS[each['span']]}",
                count_text(each["expected"]),
                "info",
                "trending_up",
                f"80 % interval: {low} to {high}",
            )
        )
    return rows


def _figures(found: Outlook) -> list[Figure]:
    """What the forecast is worth, by its back-test and by what became of earlier ones."""
    kept = found.document
    if not kept.get("origins"):
        return []
    mase = kept["mase"]
    told = [
        Figure(
            f"MASE of the {_AHEAD[found.grain.name]} ahead",
            number_text(mase),
            "good" if found.shown and mase is not None and mase < 1 else "mute",
            "straighten",
            f"errors, in those of repeating a season in the history before; tested at"
            f" {kept['origins']} moments",
        )
    ]
    ratios = [each for each in kept["facts"]["yards"] if each["ratio"] is not None]
    if ratios:
        closest = max(ratios, key=lambda each: each["ratio"])
        told.append(
            Figure(
                "against the best yardstick",
                f"{percent(closest['ratio'])} of its errors",
                "mute",
                "compare_arrows",
                f"the yardstick: {yard_words(closest['name'])}",
            )
        )
    coverage = kept["coverage"]
    told.append(
        Figure(
            "held by its intervals",
            share_text(coverage["80"]),
            "mute",
            "align_vertical_center",
            f"of the 80 % interval; {share_text(coverage['95'])} of the 95 % one",
        )
    )
    told.append(Figure("track record", *_track(kept.get("track"))))
    return told


def _track(kept: dict[str, Any] | None) -> tuple[str, str, str, str]:
    if not kept:
        return show.NONE, "mute", "history", "no forecast that was shown is over yet"
    forecasts = kept["forecasts"]
    return (
        f"MASE {number_text(kept['mase'])}",
        "mute",
        "history",
        f"of {forecasts} forecast{'s' * (forecasts != 1)} made before; their 80 % intervals held"
        f" {share_text(kept['coverage']['80'])}",
    )


def number_text(value: float | None) -> str:
    return show.NONE if value is None else f"{value:.2f}"


def share_text(value: float | None) -> str:
    return show.NONE if value is None else percent(value)
