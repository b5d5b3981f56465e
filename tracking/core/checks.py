"""Checks of single values in a posted record; each names what is wrong and where."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from tracking import vocabulary as v
from tracking.clock import cut


class Problem(NamedTuple):
    """One thing wrong with a record: RFC 6901 pointer into it, stable code, sentence."""

    pointer: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BadNumber:
    """Stands in a decoded body for a number literal that no double or int64 can hold."""

    code: str  # non_finite, int_range


# Tab and line breaks are part of texts; every other control character breaks a terminal,
# an XML export or a spreadsheet further on.
CONTROL_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
CONTROL_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TIME: Final = re.compile(
    r"(\d{4})-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)


class Checks:
    """Collects every problem rather than stopping at the first.

    A check takes the pointer and the value; it returns the stored form, or None after a
    problem. `now` bounds future times.
    """

    __slots__ = ("now", "problems")

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.problems: list[Problem] = []

    @staticmethod
    def put(target: dict[str, Any], name: str, value: object) -> None:
        if value is not None:
            target[name] = value

    def bad(self, pointer: str, code: str, message: str) -> None:
        self.problems.append(Problem(pointer, code, message))

    def string(self, pointer: str, value: object) -> str | None:
        if not isinstance(value, str):
            self.bad_type(pointer, value, "a string")
            return None
        if not value.isascii() and SURROGATE.search(value):
            self.bad(pointer, "bad_unicode", "The text holds half of a surrogate pair.")
            return None
        return value

    def bad_type(self, pointer: str, value: object, wanted: str) -> None:
        if isinstance(value, BadNumber):
            self.bad(pointer, value.code, NUMBER_SENTENCES[value.code])
        else:
            self.bad(pointer, "bad_type", f"Must be {wanted}, not {kind_of(value)}.")

    def _text(
        self,
        pointer: str,
        value: object,
        least: int,
        most: int,
        control: re.Pattern[str],
    ) -> str | None:
        text = self.string(pointer, value)
        if text is None:
            return None
        if len(text) > most:
            self.bad(
                pointer,
                "too_long",
                f"Has {len(text)} characters; at most {most} are allowed.",
            )
            return None
        if len(text) < least:
            self.bad(pointer, "too_short", f"Must have at least {least} character.")
            return None
        if found := control.search(text):
            self.bad(
                pointer,
                "control_char",
                f"Holds the control character U+{ord(found[0]):04X} at position {found.start()}.",
            )
            return None
        return text

    def line(self, most: int, least: int = 0) -> Callable[[str, Any], str | None]:
        return lambda pointer, value: self._text(pointer, value, least, most, CONTROL_LINE)

    def text(self, most: int) -> Callable[[str, Any], str | None]:
        return lambda pointer, value: self._text(pointer, value, 0, most, CONTROL_TEXT)

    def name(self, pointer: str, value: object) -> str | None:
        return self._text(pointer, value, 1, v.NAME_MAX, CONTROL_LINE)

    def identifier(self, pointer: str, value: object) -> str | None:
        text = self._text(pointer, value, 1, v.ID_MAX, CONTROL_LINE)
        if text is not None and not v.ID_PATTERN.fullmatch(text):
            self.bad(pointer, "bad_id", "Allowed are 1 to 128 of A-Z a-z 0-9 . _ : ~ and -.")
            return None
        return text

    def one_of(self, words: tuple[str, ...]) -> Callable[[str, Any], str | None]:
        def check(pointer: str, value: object) -> str | None:
            text = self.string(pointer, value)
            if text is not None and text not in words:
                self.bad(pointer, "bad_value", f"Must be one of {', '.join(words)}.")
                return None
            return text

        return check

    def integer(self, least: int, most: int) -> Callable[[str, Any], int | None]:
        def check(pointer: str, value: object) -> int | None:
            if isinstance(value, bool) or not isinstance(value, int):
                self.bad_type(pointer, value, "an integer")
                return None
            if not least <= value <= most:
                self.bad(pointer, "int_range", f"Must lie between {least} and {most}.")
                return None
            return value

        return check

    def boolean(self, pointer: str, value: object) -> bool | None:
        if not isinstance(value, bool):
            self.bad_type(pointer, value, "true or false")
            return None
        return value

    def mapping(
        self, known: set[str], required: tuple[str, ...] = ()
    ) -> Callable[[str, Any], dict[str, Any] | None]:
        def check(pointer: str, value: object) -> dict[str, Any] | None:
            if not isinstance(value, dict):
                self.bad_type(pointer, value, "an object")
                return None
            for name in sorted(value.keys() - known)[: v.PROBLEMS_MAX]:
                self.bad(
                    f"{pointer}{pointer_to(name)}",
                    "unknown_field",
                    f"{shown(name)} is not known here.",
                )
            for name in required:
                if name not in value:
                    self.bad(f"{pointer}/{name}", "required", f"{name} is required.")
            return value

        return check

    def items(self, pointer: str, value: object, most: int) -> list[Any] | None:
        if not isinstance(value, list):
            self.bad_type(pointer, value, "a list")
            return None
        if len(value) > most:
            self.bad(
                pointer,
                "too_many",
                f"Has {len(value)} items; at most {most} are allowed.",
            )
            return None
        return value

    def time(self, pointer: str, value: object) -> datetime | None:
        text = self.string(pointer, value)
        if text is None:
            return None
        match = _TIME.fullmatch(text)
        if match is None:
            self.bad(
                pointer,
                "bad_time",
                "Must be RFC 3339, such as 2026-01-31T23:59:59.123Z.",
            )
            return None
        if match[3] is None:
            self.bad(pointer, "tz_required", "The time needs an offset, such as Z or +01:00.")
            return None
        if not v.YEAR_MIN - 1 <= int(match[1]) <= v.YEAR_MAX + 1:
            self.bad_year(pointer)
            return None
        fraction = match[2]
        if fraction and len(fraction) > 6:
            text = text.replace("." + fraction, "." + fraction[:6], 1)
        try:
            moment = cut(datetime.fromisoformat(text.upper()).astimezone(UTC))
        except (ValueError, OverflowError):
            self.bad(pointer, "bad_time", "There is no such date, time or offset.")
            return None
        if not v.TIME_MIN <= moment < v.TIME_END:
            self.bad_year(pointer)
            return None
        if moment - self.now > v.AHEAD_MAX:
            self.bad(
                pointer,
                "future",
                "Lies more than 24 hours ahead of the server's clock.",
            )
            return None
        return moment

    def bad_year(self, pointer: str) -> None:
        self.bad(pointer, "date_range", f"The year must lie in {v.YEAR_MIN}..{v.YEAR_MAX}.")


NUMBER_SENTENCES: Final = {
    "non_finite": "The number is not finite.",
    "int_range": f"Integers lie within ±{v.INT_MAX}.",
}


_KINDS: Final[dict[type, str]] = {str: "a string", list: "a list", dict: "an object"}


def is_too_deep(value: object) -> bool:
    """Whether lists and objects stand within each other deeper than DEPTH_MAX levels."""
    level = [value]
    for _ in range(v.DEPTH_MAX):
        nested: list[object] = []
        for item in level:
            if isinstance(item, dict):
                nested.extend(item.values())
            elif isinstance(item, list):
                nested.extend(item)
        if not nested:
            return False
        level = nested
    return any(isinstance(item, dict | list) for item in level)


def kind_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float | BadNumber):
        return "a number"
    return _KINDS.get(type(value), "this")


def pointer_to(name: str) -> str:
    safe = SURROGATE.sub("\ufffd", name[:200])
    return "/" + safe.replace("~", "~0").replace("/", "~1")


def shown(name: str) -> str:
    return repr(SURROGATE.sub("\ufffd", name[:60]))
