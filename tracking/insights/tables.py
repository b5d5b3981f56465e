"""The numbers behind a chart as a table, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from tracking.core.pricing import text

Value = str | int | float | Decimal | datetime | None

# What makes a spreadsheet take a text for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """`name`: as its file is called; `columns`: a name for programs (the CSV's header) → one for
    people. Every row has as many values as there are columns.

    `_ms` at the end of a name says that a column holds spans, `_share` that it holds shares of
    one (0.5 is 50 %). `links`: by row, the name of a column → where the objects behind its value
    are listed. `digits`: of decimals, after the point, where people read them; the CSV has all.
    """

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Value]]
    links: Sequence[Mapping[str, str]] = ()
    digits: int | None = None


def csv_of(table: Table) -> str:
    """RFC 4180, UTC times as in the API. A text that a spreadsheet would run is marked as one."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow([_cell(name) for name in table.columns])
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return written.getvalue()


def csv_lines(rows: Iterable[Sequence[Value]], *, of: int = 500) -> Iterator[str]:
    """The same of any number of rows, some at a time as they are asked for."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(value) for value in row])
        if not number % of:
            yield written.getvalue()
            written.seek(0)
            written.truncate()
    yield written.getvalue()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return text(value) if isinstance(value, Decimal) else str(value)
