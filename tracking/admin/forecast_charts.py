"""The charts of a forecast: what is to come, and what came of what was told before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tracking.admin.axes import compact
from tracking.admin.charts import Band, Series, StepChart, by_steps
from tracking.admin.forecast_tables import MEASURE_WORDS, count_text
from tracking.admin.insights import Asked
from tracking.insights.forecasts.reading import Outlook, Seen, Step
from tracking.insights.forecasts.verdicts import method_words
from tracking.insights.tables import Table
from tracking.insights.windows import HOUR, Window, window

_TONE: Final = "c1"
# Before the forecast, so much of what was: in steps.
_BEFORE: Final = {"hour": 3 * 24, "day": 28}


def ahead_chart(asked: Asked, found: Outlook, table: Table) -> StepChart:
    before = found.seen[-_BEFORE[found.grain.name] :]
    gap: list[float | None] = [None] * len(before)
    bounds = {
        name: [*gap, *(step.bounds[name] for step in found.steps)] for name in found.steps[0].bounds
    }
    return by_steps(
        name="ahead",
        title=f"How many {MEASURE_WORDS[found.measure]} are to come?",
        window=chart_window([*before, *found.steps]),
        say=count_text,
        tick=compact,
        lines=[
            Series(
                "happened",
                "info",
                [*(step.actual for step in before), *(step.actual for step in found.steps)],
            ),
            Series("forecast", _TONE, [*gap, *(step.expected for step in found.steps)]),
        ],
        bands=[
            Band("95 % interval", _TONE, bounds["low95"], bounds["high95"]),
            Band("80 % interval", _TONE, bounds["low80"], bounds["high80"]),
        ],
        whole=False,
        now=asked.moment,
        table=table,
        csv_url=asked.csv_url("forecast"),
        note=f"By {method_words(found.document['method'])}: chosen among several by what each would"
        " have told in the past.",
    )


def seen_chart(asked: Asked, found: Outlook, table: Table) -> StepChart:
    told = [step.told for step in found.seen]
    is_told = any(value is not None for value in told)
    lines: list[Series] = [
        Series("happened", "info", [step.actual for step in found.seen]),
    ]
    bands = []
    if is_told:
        lines.append(Series("told before", _TONE, told, dashed=True))
        bands = [
            Band(
                "80 % interval",
                _TONE,
                [step.bounds["low80"] for step in found.seen],
                [step.bounds["high80"] for step in found.seen],
            )
        ]
    return by_steps(
        name="seen",
        title="What came of the last forecasts?" if is_told else "What happened of late?",
        window=chart_window(found.seen),
        say=count_text,
        tick=compact,
        lines=lines,
        bands=bands,
        whole=False,
        table=table,
        csv_url=asked.csv_url("seen"),
        note=_seen_note(found) if is_told else "",
    )


def _seen_note(found: Outlook) -> str:
    rest = (
        "what the method would have told, knowing only what was known then"
        if not found.kept
        else "what was told at the time, as far as there was a forecast; before, what the method"
        " would have told, knowing only what was known then"
    )
    return f"Told before: {rest}."


def chart_window(steps: Sequence[Step | Seen]) -> Window:
    start, end = steps[0].begin, steps[-1].end
    return window(start, end, "1h" if steps[0].end - start == HOUR else "1d")
