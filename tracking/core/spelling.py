"""Spans, moments and amounts as people read them, on pages and in an object's story."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

NONE: Final = "–"
_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))


def duration(ms: int | None) -> str:
    """The two largest units: `3 d 4 h`, `850 ms`."""
    if ms is None:
        return NONE
    if ms < 0:
        return f"−{duration(-ms)}"
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms // 1000}.{ms % 1000 // 100}".removesuffix(".0") + " s"  # cut, not rounded
    parts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        count, ms = divmod(ms, size)
        if count or parts:
            parts.append((count, unit))
        if len(parts) == 2:
            break
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def stamp(moment: datetime | None) -> str:
    """UTC to the millisecond, as in the record."""
    if moment is None:
        return NONE
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def amount(value: Decimal | str, currency: str) -> str:
    """Grouped thousands; at least two digits after the point, and all that were recorded."""
    number = Decimal(value)
    digits = max(2, -int(number.normalize().as_tuple().exponent or 0))
    return f"{number:,.{digits}f} {currency}"


def quantity(value: Decimal | str) -> str:
    return f"{Decimal(value).normalize():,f}"
