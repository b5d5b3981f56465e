"""Single numbers, and how they changed, as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tracking.admin import display as show
from tracking.admin.axes import Number
from tracking.admin.sheets import percent
from tracking.insights.throughput import change


@dataclass(frozen=True, slots=True)
class Change:
    """`tone`: good, bad, or none where more is neither."""

    text: str
    than: str
    hint: str
    tone: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the whole time, and how it changed; `url` is empty where there is no list."""

    word: str
    text: str
    tone: str
    icon: str
    url: str
    hint: str
    changes: list[Change]


def change_of(now: float | None, before: float | None, than: str, say: Any, more_is: str) -> Change:
    share = change(now, before)
    hint = f"{than}: {say(before)}"
    if now is None or before is None:
        return Change(show.NONE, than, hint, "none")
    if share is None:
        # from nothing there is no percentage
        return Change("same" if now == before else "new", than, hint, "none")
    if not share:
        return Change("same", than, hint, "none")
    grew = share > 0
    arrow, sign = ("▲", "+") if grew else ("▼", "−")
    tone = "none" if more_is == "none" else more_is if grew else _OPPOSITE[more_is]
    return Change(f"{arrow} {sign}{percent(abs(share))}", than, hint, tone)


_OPPOSITE: Final = {"good": "bad", "bad": "good"}


def number_text(value: Number | None) -> str:
    return show.NONE if value is None else f"{value:,}"


def share_text(value: float | None) -> str:
    return show.NONE if value is None else percent(value)


def span_text(value: float | None) -> str:
    return show.NONE if value is None else show.duration(round(value))
