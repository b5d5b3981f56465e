"""The table behind a chart, as a page shows it: so that it can be read without seeing the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString

from tracking.admin.display import NONE, duration, quantity
from tracking.core.spelling import rounded_to
from tracking.insights.tables import Table, Value

ROWS_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    numeric: bool
    url: str


@dataclass(frozen=True, slots=True)
class Head:
    title: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """`more`: rows that only the CSV has."""

    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    more: int

    @property
    def body(self) -> SafeString:
        """Its rows as HTML, escaped: not by a template, as a page has thousands of cells."""
        return SafeString("".join([f"<tr>{''.join(map(_html, row))}</tr>" for row in self.rows]))


def _html(cell: Cell) -> str:
    text = escape(cell.text)
    told = f'<a href="{escape(cell.url)}">{text}</a>' if cell.url else f"<bdi>{text}</bdi>"
    return f'<td class="dft-num">{told}</td>' if cell.numeric else f"<td>{told}</td>"


def sheet_of(table: Table) -> Sheet:
    names = list(table.columns)
    shown = []
    numeric = [False] * len(names)
    for place, row in enumerate(table.rows[:ROWS_SHOWN]):
        links = table.links[place] if place < len(table.links) else {}
        cells = []
        for column, (name, value) in enumerate(zip(names, row, strict=True)):
            is_number = isinstance(value, int | float | Decimal)
            numeric[column] |= is_number
            text = cell_text(name, value, digits=table.digits)
            cells.append((text, links.get(name, "")))
        shown.append(cells)
    rows = [
        [Cell(text, numeric[column], url) for column, (text, url) in enumerate(cells)]
        for cells in shown
    ]
    heads = [Head(title, numeric[column]) for column, title in enumerate(table.columns.values())]
    return Sheet(heads, rows, max(0, len(table.rows) - ROWS_SHOWN))


def cell_text(name: str, value: Value, *, digits: int | None = None) -> str:
    """A value as its column's name says it is meant (insights/tables.py)."""
    if value is None:
        return NONE
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%-d %b %Y %H:%M")
    if isinstance(value, str):
        return value
    if name.endswith("_ms"):
        return duration(round(value))
    if name.endswith("_share"):
        return percent(float(value))
    if isinstance(value, Decimal):
        return quantity(value) if digits is None else rounded_to(value, digits)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def percent(share: float) -> str:
    """0.0123 → `1.2 %`; what is neither nothing nor all never reads so."""
    if 0 < share < 0.0005:
        return "under 0.1 %"
    if 0.9995 < share < 1:
        return "over 99.9 %"
    return f"{100 * share:,.1f}".removesuffix(".0") + " %"
