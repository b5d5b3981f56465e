"""Ids of records: UUIDs of version 7 (RFC 9562), their random parts drawn many at a time."""

from __future__ import annotations

import os
import time
from typing import Final

_AT_ONCE: Final = 32
_AT_HAND: Final = 500
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

# Random parts for ids to come. `pop` gives one to one thread alone: that needs no lock.
_drawn: list[str] = []
# Neighbours mostly fall in the same millisecond; one tuple, so that threads cannot mix two.
_stamp: tuple[int, str] = (-1, "")


def new_id(moment: float | None = None) -> str:
    """The id of a record of this moment (seconds since 1970), or of now."""
    global _stamp
    millisecond = int((time.time() if moment is None else moment) * 1000)
    stamp = _stamp
    if stamp[0] != millisecond:
        text = f"{millisecond:012x}"
        _stamp = stamp = (millisecond, f"{text[:8]}-{text[8:]}-")
    try:
        return stamp[1] + _drawn.pop()
    except IndexError:
        return stamp[1] + _draw()


def stock() -> None:
    """Have enough at hand, so that the program's threads seldom draw: for the background."""
    while len(_drawn) < _AT_HAND:
        _drawn.append(_draw())


def _draw() -> str:
    """One of many: drawing one alone costs a system call, and is dear beside a record."""
    drawn = _drawn  # that of this process, should a signal handler fork meanwhile
    digits = os.urandom(10 * _AT_ONCE).hex()
    parts = [digits[start : start + 20] for start in range(0, len(digits), 20)]
    made = [f"7{part[:3]}-{_VARIANT[part[3]]}{part[4:7]}-{part[7:19]}" for part in parts]
    own = made.pop()
    drawn.extend(made)
    return own


def _forget() -> None:
    global _drawn
    _drawn = []


# A child that went on with its parent's would give the same ids.
os.register_at_fork(after_in_child=_forget)
