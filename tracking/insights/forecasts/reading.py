"""Forecasts as they are shown, alike for the page, its CSV and the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tracking.insights.forecasts.grains import DAILY, Grain
from tracking.insights.forecasts.needs import Bounds, Need, cost_of, needs_of
from tracking.insights.forecasts.series import RECORDS, history_of
from tracking.insights.forecasts.store import Document, present, summaries
from tracking.insights.forecasts.verdicts import SHORTLY, SHOWN, verdict_words
from tracking.models.price_list import prices_of

BOUNDS: Final = ("low80", "high80", "low95", "high95")
# Without one: nobody has forecast the series yet.
WAITING: Final = "waiting"
_WAITING_WORDS: Final = (
    "Not forecast yet: `manage.py forecast`, which `manage.py up` runs, takes each series in turn."
)
_PAST_STEPS: Final = {"hour": 7 * 24, "day": 8 * 7}


@dataclass(frozen=True, slots=True)
class Step:
    """What is told of a step. A step that is over by now has an `actual` too."""

    begin: datetime
    end: datetime
    expected: float
    bounds: Mapping[str, float | None]
    actual: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A step of the past, what came, and what was last told before it. `told` and bounds are
    None where nothing was."""

    begin: datetime
    end: datetime
    actual: int | None
    told: float | None
    bounds: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Outlook:
    """One series. `steps` is empty where the forecast is withheld; `words` says why.

    `kept`: so many of `seen` were told by forecasts that were made at the time, the others by the
    back-test. `needs` are of records, by the day.
    """

    tenant: str
    flow: str
    measure: str
    grain: Grain
    verdict: str
    words: str
    document: Document
    steps: Sequence[Step] = ()
    seen: Sequence[Seen] = ()
    kept: int = 0
    needs: Sequence[Need] = ()
    needs_words: str = ""
    costs: Mapping[str, Mapping[str, Bounds]] | None = None
    spans: Mapping[str, tuple[datetime, datetime]] | None = None

    @property
    def shown(self) -> bool:
        return self.verdict == SHOWN


@dataclass(frozen=True, slots=True)
class Line:
    """A series in the overview; `day`: what is expected tomorrow, by the day alone."""

    flow: str
    verdict: str
    words: str
    mase: float | None
    day: float | None
    made_at: datetime


def outlook(tenant: str, flow: str, measure: str, grain: Grain, moment: datetime) -> Outlook:
    """The caller has made sure that `tenant` may be seen (access/scope.py)."""
    document = present(tenant, grain.name, measure, flow)
    if document is None:
        return Outlook(tenant, flow, measure, grain, WAITING, _WAITING_WORDS, {})
    needs = (
        document if (measure, grain) == (RECORDS, DAILY) else present(tenant, "day", RECORDS, flow)
    )
    past = _PAST_STEPS[grain.name]
    history = history_of(
        tenant, flow, measure, grain, moment, steps=past + _since(document, grain, moment)
    )
    verdict = document["verdict"]
    steps, seen = [], []
    if verdict == SHOWN:
        start, ahead = document["start"], document["ahead"]
        actual = history.between(start, start + len(ahead) * grain.step)
        for place, expected in enumerate(ahead):
            begin = start + place * grain.step
            bounds = {name: document["bounds"][name][place] for name in BOUNDS}
            steps.append(Step(begin, begin + grain.step, expected, bounds, actual[place]))
    told = document.get("seen")
    begin = document["start"] - past * grain.step
    offset = (begin - told["start"]) // grain.step if told else 0
    came = history.between(begin, document["start"])
    for place, count in enumerate(came):
        at = begin + place * grain.step
        there = {
            name: told[name][offset + place] if told and offset + place >= 0 else None
            for name in ("told", *BOUNDS)
        }
        seen.append(Seen(at, at + grain.step, count, there.pop("told"), there))
    found: list[Need] = []
    spans = {}
    if needs is not None and "use" in needs:
        found = needs_of(needs["use"], needs.get("totals", ()), prices_of(tenant), moment)
        spans = {each["span"]: (each["from"], each["to"]) for each in needs.get("totals", ())}
    return Outlook(
        tenant=tenant,
        flow=flow,
        measure=measure,
        grain=grain,
        verdict=verdict,
        words=verdict_words(verdict, document["facts"]),
        document=document,
        steps=steps,
        seen=seen,
        kept=told["kept"] if told else 0,
        needs=found,
        needs_words=verdict_words(needs["verdict"], needs["facts"]) if needs else _WAITING_WORDS,
        costs=cost_of(found),
        spans=spans,
    )


def _since(document: Document, grain: Grain, moment: datetime) -> int:
    """Steps that were over since, of those ahead at most."""
    return max(0, min((moment - document["start"]) // grain.step + 1, grain.horizon))


_OF_LINE: Final = ("verdict", "facts", "mase", "totals", "made_at")


def overview(tenant: str, measure: str, grain: Grain) -> list[Line]:
    """All flows together first, then flows by name."""
    rows = [
        row
        for row in summaries(tenant, fields=_OF_LINE)
        if (row["measure"], row["grain"]) == (measure, grain.name)
    ]
    return [
        Line(
            flow=row["flow"],
            verdict=row["verdict"],
            words=SHORTLY[row["verdict"]],
            mase=row["mase"],
            day=_of_tomorrow(row),
            made_at=row["made_at"],
        )
        for row in sorted(rows, key=lambda row: row["flow"])
    ]


def _of_tomorrow(row: Mapping[str, Any]) -> float | None:
    return next(
        (each["expected"] for each in row.get("totals") or () if each["span"] == "day"), None
    )
