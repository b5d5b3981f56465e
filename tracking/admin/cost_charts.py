"""Costs as charts: each currency by itself, because currencies are never added together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tracking.admin import display as show
from tracking.admin.axes import Number, compact
from tracking.admin.charts import (
    TONES,
    BarChart,
    Key,
    Row,
    Series,
    StepChart,
    bars,
    by_steps,
)
from tracking.admin.cost_links import CostLinks
from tracking.admin.cost_tables import (
    failures_table,
    group_name,
    groups_table,
    share,
    shown_steps,
    steps_table,
)
from tracking.admin.insights import Asked
from tracking.admin.sheets import percent
from tracking.core.pricing import NOTHING, WIDE
from tracking.insights.costs import Costs, Currency, Group, each
from tracking.insights.tables import Table

GROUPS_DRAWN: Final = 7
BARS_DRAWN: Final = 20
REST: Final = "all others"


@dataclass(frozen=True, slots=True)
class CurrencyCharts:
    """The charts of one currency, and all tables behind them by name."""

    steps: StepChart
    failures: StepChart
    groups: BarChart
    tables: dict[str, Table]


def charts_of(
    asked: Asked, found: Costs, currency: Currency, links: CostLinks, *, one_flow: bool
) -> CurrencyCharts:
    by_step, failures = steps_table(found, currency), failures_table(found, currency, links)
    groups = groups_table(found, currency, links)
    series = _series(found, currency, one_flow=one_flow)
    urls = [
        links.step(begin, end)
        for begin, end in zip(found.window.begins, found.window.ends, strict=True)
    ]
    say = saying(currency.code)
    return CurrencyCharts(
        steps=by_steps(
            name=f"steps-{currency.code}",
            title=f"What did it cost over time, by {found.by}?",
            window=found.window,
            say=say,
            tick=compact,
            whole=False,
            bars=series,
            urls=urls,
            now=asked.moment,
            table=shown_steps(found, currency, {s.name: s.values for s in series}, links),
            csv_url=asked.csv_url(by_step.name),
        ),
        failures=by_steps(
            name=f"failures-{currency.code}",
            title="What did failures cost?",
            window=found.window,
            say=say,
            tick=compact,
            whole=False,
            bars=[
                Series(
                    "lost attempts of objects that went on",
                    "warn",
                    [WIDE.subtract(step.failures, step.vain) for step in currency.steps],
                ),
                Series("spent without arriving", "bad", [step.vain for step in currency.steps]),
            ],
            urls=urls,
            now=asked.moment,
            table=failures,
            csv_url=asked.csv_url(failures.name),
            note="A lost attempt failed, or a later one took its place. What was spent on it for an"
            " object that never arrived is told as spent without arriving, and once.",
        ),
        groups=_groups(asked, found, currency, links, groups, one_flow=one_flow),
        tables={table.name: table for table in (by_step, failures, groups)},
    )


def saying(code: str) -> Callable[[Number], str]:
    return lambda value: show.rounded(Decimal(value), code)


def _series(found: Costs, currency: Currency, *, one_flow: bool) -> list[Series]:
    """The dearest groups, and one of the rest."""

    def values(groups: Sequence[Group]) -> list[Decimal]:
        sums = []
        for index in range(len(found.window.begins)):
            total = NOTHING
            for group in groups:
                if index in group.steps:
                    total = WIDE.add(total, group.steps[index].total)
            sums.append(total)
        return sums

    # one more than is drawn needs no rest
    drawn = GROUPS_DRAWN + (len(currency.groups) == GROUPS_DRAWN + 1)
    first, rest = currency.groups[:drawn], currency.groups[drawn:]
    series = [
        Series(group_name(found.by, group.names, one_flow=one_flow), tone, values([group]))
        for group, tone in zip(first, TONES, strict=False)
    ]
    if rest:
        series.append(Series(f"{REST} ({len(rest)})", "mute", values(rest)))
    return series


def _groups(
    asked: Asked,
    found: Costs,
    currency: Currency,
    links: CostLinks,
    table: Table,
    *,
    one_flow: bool,
) -> BarChart:
    say = saying(currency.code)
    rows = []
    for group in currency.groups[:BARS_DRAWN]:
        whole = group.whole
        rows.append(
            Row(
                group_name(found.by, group.names, one_flow=one_flow),
                [(WIDE.subtract(whole.total, whole.failures), "info"), (whole.failures, "bad")],
                say(whole.total),
                _note(found, currency, group),
                links.group(group.names) or links.spent(*_span(found), group.names),
            )
        )
    more = len(currency.groups) - len(rows)
    return bars(
        name=f"groups-{currency.code}",
        title=f"Which {found.by} cost most, and how much of it was failures?",
        rows=rows,
        legend=[Key("all else", "info"), Key("failures", "bad")],
        table=table,
        csv_url=asked.csv_url(table.name),
        note=f"{more:,} more are in the table." if more > 0 else "",
    )


def _span(found: Costs) -> tuple:
    return found.window.start, found.window.end


def _note(found: Costs, currency: Currency, group: Group) -> str:
    told = []
    part = share(group.whole.total, currency.whole.total)
    if part is not None:
        told.append(f"{percent(part)} of all")
    if found.by == "flow":
        one = each(group.whole.total, found.delivered.get(group.names[0], 0))
        if one is not None:
            told.append(f"{show.rounded(one, currency.code)} per delivered")
    return ", ".join(told)
