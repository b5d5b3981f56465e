"""Tables as CSV: what a program and a spreadsheet make of it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.insights.world import at
from tracking.insights.tables import Table, csv_of

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_values_are_written_as_programs_read_them() -> None:
    moment = at("2026-03-01T14:00")
    there = moment.astimezone(timezone(timedelta(hours=2)))
    table = Table(
        "t",
        {"a": "A", "b": "B", "c": "C"},
        [
            (1_234_567, Decimal("1E+3"), moment),
            (None, 0.25, there),
            (-5, Decimal("-0.10"), 'a "b"'),
        ],
    )
    assert rows(csv_of(table)) == [
        ["a", "b", "c"],
        ["1234567", "1000", "2026-03-01T14:00:00Z"],
        ["", "0.25", "2026-03-01T14:00:00Z"],
        ["-5", "-0.1", 'a "b"'],
    ]
    assert csv_of(table).endswith("\r\n")


@given(TEXTS, TEXTS)
def test_no_text_is_a_formula_and_none_is_lost(one: str, other: str) -> None:
    text = csv_of(Table("t", {"a": "A", "b": "B"}, [(one, other)]))
    (_head, found) = rows(text)
    for given_text, cell in zip((one, other), found, strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell.removeprefix("'") == given_text or cell == given_text


def test_formulas_are_marked_as_texts() -> None:
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|' /C calc'!A0"]
    text = csv_of(Table("t", {"a": "A"}, [(each,) for each in evil]))
    assert [row[0] for row in rows(text)[1:]] == [f"'{each}" for each in evil]
