"""From cells to kept forecasts, and from these to a track record."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.insights.histories import SHORT, WEEK
from tests.insights.world import at, put
from tracking.insights.forecasts import due, work
from tracking.insights.forecasts.due import Series
from tracking.insights.forecasts.grains import GRAINS
from tracking.insights.forecasts.reading import outlook, overview
from tracking.insights.forecasts.store import past, present
from tracking.insights.windows import DAY, HOUR

pytestmark = pytest.mark.django_db(transaction=True)

NOW = at("2026-03-10T09:00")
DAYS = 120


@pytest.fixture(autouse=True)
def few_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GRAINS, "day", SHORT)
    monkeypatch.setattr(work, "DAILY", SHORT)
    monkeypatch.setattr(due, "DAILY", SHORT)


def fill(days: int = DAYS, *, until: Any = NOW, patterned: bool = True) -> None:
    draw = np.random.default_rng(7)
    for place in range(days):
        moment = until - (days - place) * DAY
        mean = 100 * WEEK[moment.weekday()] if patterned else 100
        count = int(draw.poisson(mean))
        put("flow", moment, {"started": count})
        put("block", moment, {"records.succeeded": 3 * count}, stage="ingress", block="in")


def series(measure: str = "started", grain: str = "day") -> Series:
    return Series("acme", "orders", measure, GRAINS[grain])


def test_a_flow_is_forecast_and_kept() -> None:
    fill()
    work.forecast(series(), NOW)
    found = outlook("acme", "orders", "started", SHORT, NOW)
    assert found.verdict == "shown", found.document["facts"]
    assert found.steps[0].begin == at("2026-03-10T00:00"), "the day that is not over"
    means = {step.begin.weekday(): step.expected for step in found.steps[:7]}
    assert all(abs(means[day] - 100 * WEEK[day]) < 25 for day in range(7))
    week = next(each for each in found.document["totals"] if each["span"] == "week")
    assert (week["from"], week["to"]) == (at("2026-03-11T00:00"), at("2026-03-18T00:00"))
    assert week["expected"] == pytest.approx(100 * WEEK.sum(), rel=0.1)
    assert week["low95"] <= week["low80"] <= week["expected"] <= week["high80"] <= week["high95"]
    assert found.kept == 0, "none was told before"
    told = [step.told for step in found.seen]
    assert all(value is not None for value in told[-21:]), "by the back-test"
    (line,) = overview("acme", "started", SHORT)
    assert (line.flow, line.verdict, line.words) == ("orders", "shown", "shown")


def test_what_was_told_is_held_against_what_came() -> None:
    fill()
    work.forecast(series(), NOW)
    work.forecast(series(), NOW + HOUR)
    (first,) = past("acme", "day", "started", "orders")
    assert first["made_at"] == NOW, "of a day the first stays"
    days = [at("2026-03-10T10:00") + place * DAY for place in range(9)]
    came = [round(100 * WEEK[day.weekday()]) + 3 * place for place, day in enumerate(days)]
    for day, count in zip(days, came, strict=True):
        put("flow", day, {"started": count})
    later = NOW + 9 * DAY
    work.forecast(series(), later)
    found = present("acme", "day", "started", "orders")
    assert found is not None
    track = found["track"]
    # of the first forecast its week is judged; the second has no step that is over
    off = [abs(told - count) for told, count in zip(first["ahead"], came[:7], strict=False)]
    assert (track["forecasts"], track["steps"]) == (1, 7)
    assert track["mase"] == pytest.approx(np.mean(off) / first["scale"], rel=1e-3)
    bounds = first["bounds"]
    held = [
        bounds["low80"][place] <= count <= bounds["high80"][place]
        for place, count in enumerate(came[:7])
    ]
    assert track["coverage"]["80"] == pytest.approx(np.mean(held), rel=1e-3)
    seen = outlook("acme", "orders", "started", SHORT, later)
    assert seen.kept >= 9
    assert [step.told for step in seen.seen[-9:]] == first["ahead"][:9]
    assert [step.actual for step in seen.seen[-9:]] == came


def test_what_is_withheld_is_kept_nowhere() -> None:
    fill(patterned=False)
    document = work.forecast(series("records"), NOW)
    assert document["verdict"] in ("no_pattern", "not_better", "unclear")
    assert not {"ahead", "bounds", "totals", "seen"} & document.keys()
    assert past("acme", "day", "records", "orders") == []
    assert document["use"]["records"] > 0, "what was used is told all the same"
    found = outlook("acme", "orders", "records", SHORT, NOW)
    assert (found.steps, found.spans) == ([], {})
    assert found.needs_words.startswith("Withheld:")


def test_a_series_that_fails_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(30)
    tried = [series(), series("records"), series(grain="hour")]
    real = work.assess

    def fails(history: Any, grain: Any, **options: Any) -> Any:
        if grain is SHORT and history.max() > 200:
            raise np.linalg.LinAlgError("singular")
        return real(history, grain, **options)

    monkeypatch.setattr(work, "assess", fails)
    assert work.forecast_all(tried, lambda: NOW, lambda: True) == 2
    assert present("acme", "day", "records", "orders") is None
    for grain in ("day", "hour"):
        found = present("acme", grain, "started", "orders")
        assert found is not None
        assert found["verdict"] in ("short", "silent")


def test_it_stops_when_another_has_taken_over() -> None:
    fill(30)
    assert work.forecast_all([series(), series("records")], lambda: NOW, lambda: False) == 0
