"""Forecasts as tables: what stands below their charts, and in their CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tracking.admin import display as show
from tracking.admin.axes import Number
from tracking.admin.insights import Asked
from tracking.insights.forecasts.grains import DAILY, Grain
from tracking.insights.forecasts.needs import BYTES, ESTIMATED, SPANS, Bounds, Need
from tracking.insights.forecasts.reading import BOUNDS, Line, Outlook
from tracking.insights.forecasts.series import RECORDS, STARTED
from tracking.insights.forecasts.verdicts import SHOWN
from tracking.insights.tables import Table, Value

MEASURE_WORDS: Final = {STARTED: "objects", RECORDS: "records"}
_BOUND_WORDS: Final = {
    "low80": "80 % from",
    "high80": "80 % to",
    "low95": "95 % from",
    "high95": "95 % to",
}
_STEP: Final = {"from": "from (UTC)", "to": "to (UTC)"}
_BYTES: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def count_text(value: Number | None) -> str:
    """A count that need not be whole: `12.5`, `1,250`."""
    if value is None:
        return show.NONE
    digits = 0 if value == int(value) or abs(value) >= 100 else 1 if abs(value) >= 1 else 2
    return f"{value:,.{digits}f}"


def ahead_table(found: Outlook) -> Table:
    return Table(
        "forecast",
        {**_STEP, "expected": "expected", **_BOUND_WORDS, "actual": "happened"},
        [
            (
                step.begin,
                step.end,
                step.expected,
                *(step.bounds[name] for name in BOUNDS),
                step.actual,
            )
            for step in found.steps
        ],
    )


def seen_table(found: Outlook) -> Table:
    return Table(
        "seen",
        {**_STEP, "actual": "happened", "expected": "told before", **_BOUND_WORDS},
        [
            (
                step.begin,
                step.end,
                step.actual,
                step.told,
                *(step.bounds[name] for name in BOUNDS),
            )
            for step in found.seen
        ],
    )


def overview_table(asked: Asked, lines: Sequence[Line], grain: Grain) -> Table:
    columns = {"flow": "flow", "forecast": "forecast", "mase": "MASE"}
    if grain is DAILY:
        columns["tomorrow"] = "tomorrow"
    rows: list[tuple[Value, ...]] = []
    for line in lines:
        mase = None if line.mase is None else Decimal(f"{line.mase:.2f}")
        row: list[Value] = [line.flow or "all flows", line.words, mase]
        if grain is DAILY:
            row.append(line.day if line.verdict == SHOWN else None)
        rows.append(tuple(row))
    links = [{"flow": asked.url(flow=line.flow)} for line in lines]
    return Table("flows", columns, rows, links)


@dataclass(frozen=True, slots=True)
class NeedRow:
    """A line of what is needed: of each span what is expected, and between what it lies 8 times of
    10; None where that is not told."""

    name: str
    unit: str
    lately: str
    cells: Sequence[tuple[str, str] | None]
    money: bool = False


def need_rows(found: Outlook) -> list[NeedRow]:
    rows = []
    for name, unit, lately, by_span, currency in _lines(found):

        def say(value: Decimal, unit: str = unit, currency: str = currency) -> str:
            return show.rounded(value, currency) if currency else amount_text(value, unit)

        cells = [
            (say(bounds.expected), f"{say(bounds.low80)} to {say(bounds.high80)}")
            if (bounds := by_span.get(span))
            else None
            for span in SPANS
        ]
        past = show.NONE if lately is None else say(lately)
        rows.append(NeedRow(name, unit, past, cells, money=bool(currency)))
    return rows


def needs_table(found: Outlook) -> Table:
    columns = {"what": "what", "unit": "unit", "currency": "currency", "lately": "last 4 weeks"}
    for span in SPANS:
        columns |= {f"{span}_{name}": f"{span}, {words}" for name, words in _AMOUNTS.items()}
    rows = [
        (
            name,
            unit,
            currency,
            lately,
            *(
                getattr(by_span[span], each) if span in by_span else None
                for span in SPANS
                for each in _AMOUNTS
            ),
        )
        for name, unit, lately, by_span, currency in _lines(found)
    ]
    return Table("needs", columns, rows)


_AMOUNTS: Final = {"expected": "expected", **_BOUND_WORDS}
_Line = tuple[str, str, Decimal | None, Mapping[str, Bounds], str]


def _lines(found: Outlook) -> Iterator[_Line]:
    """Name, unit, how much of late, by span, currency: needs first, then what they cost."""
    for need in found.needs:
        if need.what != "posted":
            yield _name(need), need.unit, need.lately, need.by_span, ""
    for need in found.needs:
        if need.what == "posted":
            yield "posted costs", "", need.lately, need.by_span, need.currency
        elif need.costs is not None:
            # at the prices of today, whatever it cost
            lately = ESTIMATED.multiply(need.lately, need.price or Decimal(0))
            yield f"cost of {_name(need)}", "", lately, need.costs, need.currency
    for currency, by_span in (found.costs or {}).items():
        yield f"all costs in {currency}", "", None, by_span, currency


def _name(need: Need) -> str:
    return f"{need.resource}, in {need.unit}" if need.what == "resource" else need.what


def amount_text(value: Decimal, unit: str) -> str:
    """A quantity of an estimate, which is not worth more than four digits."""
    if unit == BYTES:
        return bytes_text(value)
    whole = value == value.to_integral_value()
    if whole or value >= 1_000:
        return f"{value:,.0f}"
    digits = max(0, 3 - value.adjusted())
    return f"{value:,.{min(digits, 12)}f}"


def bytes_text(value: Decimal) -> str:
    for unit in _BYTES:
        if value < 1_000 or unit == _BYTES[-1]:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1_000
    return show.NONE
