"""Values as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tracking import vocabulary as v
from tracking.admin import display as show

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (1_500, "1.5 s"),
        (59_999, "59.9 s"),
        (60_000, "1 min"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h"),
        (90_061_000, "1 d 1 h"),
        (86_400_000 + 60_000, "1 d"),
        (-1_500, "−1.5 s"),
    ],
)
def test_durations_take_two_units_at_most(ms: int | None, text: str) -> None:
    assert show.duration(ms) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (0.9, "now"), (30, "30 s ago"), (-30, "in 30 s"), (7_300, "2 h ago")],
)
def test_how_long_ago(seconds: float, text: str) -> None:
    assert show.ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1234567.5", "1,234,567.50 EUR"),
        ("0.000000001", "0.000000001 EUR"),
        ("100", "100.00 EUR"),
        ("1E+3", "1,000.00 EUR"),
        ("0", "0.00 EUR"),
    ],
)
def test_money_keeps_every_digit(amount: str, text: str) -> None:
    assert show.amount(amount, "EUR") == text


def test_every_state_has_a_look_and_every_warning_a_sentence() -> None:
    states = {
        *v.STATUSES,
        *v.TRANSACTION_STATUSES,
        *v.PROGRESS_STATES,
        v.STALLED,
        v.OVERDUE,
    }
    assert states <= show.LOOKS.keys()
    assert set(v.WARNINGS) == show.WARNING_SENTENCES.keys()


def test_a_state_is_told_by_word_and_icon_not_by_colour_alone() -> None:
    for state in show.LOOKS:
        assert show.word(state) in show.label(state)
        assert "material-symbols-outlined" in show.label(state)
