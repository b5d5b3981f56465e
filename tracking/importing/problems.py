"""What can go wrong before a record reaches the door, each with the place it happened at."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from tracking.errors import DftError


class MappingError(DftError):
    """The mapping is wrong; `key` is the path of the key, such as `record[1].status.map`."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key


class SourceError(DftError):
    """The file cannot be read (any further); the message says where."""


class RowError(DftError):
    """One row or event cannot be mapped; the others still are."""


class Place(NamedTuple):
    """Where in the file something stands. `position` counts a case's events from 0."""

    line: int
    case: str | None = None
    position: int | None = None

    def __str__(self) -> str:
        text = f"line {self.line}"
        if self.case is not None:
            text += f", case {self.case!r}"
        if self.position is not None:
            text += f", event {self.position}"
        return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known words as the end of a sentence, the likely one first if there is one."""
    listed = sorted(known)
    close = difflib.get_close_matches(word, listed, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if not listed:
        return "there are none."
    shown = ", ".join(listed[:40])
    return f"known are {shown}{', …' if len(listed) > 40 else ''}."
