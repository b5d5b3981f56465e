"""Spans, moments and amounts as people read them, on pages and in an object's story."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from tracking import vocabulary as v

NONE: Final = "–"
# Wider than anything that is shown: Decimal's own would cut a large quantity short.
_WIDE: Final = Context(prec=120, rounding=ROUND_HALF_EVEN)
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
    """Grouped thousands; after the point the currency's digits, and all that were recorded."""
    number = Decimal(value)
    usual = v.MINOR_DIGITS.get(currency, v.MINOR_DIGITS_USUAL) or 0
    digits = max(usual, -int(number.normalize(_WIDE).as_tuple().exponent))
    return f"{number:,.{digits}f} {currency}"


def rounded(value: Decimal, currency: str) -> str:
    """Rounded, half to even, to the currency's smallest unit; what is less than that says so."""
    digits = digits_of(currency)
    if digits is None:
        return f"{quantity(value)} {currency}"
    return f"{rounded_to(value, digits)} {currency}"


def rounded_to(value: Decimal, digits: int) -> str:
    """The same to so many digits after the point."""
    shown = round_half_even(value, digits)
    if value and not shown:
        least = Decimal((0, (1,), -digits))
        return f"under {least:f}" if value > 0 else f"over -{least:f}"
    return f"{shown:,f}"


def round_half_even(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal((0, (1,), -digits)), context=_WIDE)


def digits_of(currency: str) -> int | None:
    """After the point of an amount; None: the currency has no smallest unit."""
    return v.MINOR_DIGITS.get(currency, v.MINOR_DIGITS_USUAL)


def quantity(value: Decimal | str) -> str:
    return f"{Decimal(value).normalize(_WIDE):,f}"
