"""Time stamps as logs spell them → UTC milliseconds.

A local time that exists twice (the clock went back) is taken as the earlier of the two, one
that never existed (the clock went forward) as much later as the clock was moved; a mapping
may ask for the other reading or for a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo

from tracking import clock

AMBIGUOUS: Final = ("earlier", "later", "refuse")
MISSING: Final = ("shift", "refuse")
_EPOCH_UNITS: Final = {
    "epoch": Decimal(1000),
    "epoch_ms": Decimal(1),
    "epoch_us": Decimal("0.001"),
    "epoch_ns": Decimal("0.000001"),
}
NAMED_FORMATS: Final = ("iso", *_EPOCH_UNITS)
# A time of day without a date is no event time; month names depend on nothing but English.
_DATE_PARTS: Final = (
    ("%Y", "%y", "%G", "%c", "%x"),
    ("%m", "%b", "%B", "%j", "%V", "%W", "%U", "%c", "%x"),
)
_DURATION: Final = re.compile(r"(-?\d+)\s*(ms|s|m|h|d)")
_UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """A span such as 1ms, 90s, 15m, 24h or 30d; raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; write a number and ms, s, m, h or d.")
    try:
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise ValueError(f"{text!r} is too long.") from None


def check_format(text: str, zone: ZoneInfo | None) -> None:
    """Raise ValueError for a format that could never give a moment."""
    if text in NAMED_FORMATS:
        return
    if "%" not in text:
        raise ValueError(
            f"{text!r} is no format; write iso, epoch, epoch_ms, epoch_us, epoch_ns or a"
            " pattern such as %Y-%m-%d %H:%M:%S."
        )
    if not all(any(part in text for part in parts) for parts in _DATE_PARTS):
        raise ValueError(f"{text!r} has no full date.")
    try:
        sample = datetime(2024, 2, 1, 13, 14, 15, tzinfo=UTC).strftime(text)
        datetime.strptime(sample, text)  # noqa: DTZ007  (only tried)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be read: {error}.") from None
    if "%z" not in text and zone is None:
        raise ValueError(
            f"{text!r} has no offset (%z), so a time zone is needed, such as"
            ' zone = "Europe/Berlin" or zone = "UTC".'
        )


class TimeReader:
    """Reads the values of one time field, trying its formats in order."""

    def __init__(
        self,
        formats: Sequence[str],
        zone: ZoneInfo | None,
        ambiguous: str = "earlier",
        missing: str = "shift",
        plus: timedelta | None = None,
    ) -> None:
        self.zone = zone
        self.ambiguous = ambiguous
        self.missing = missing
        self.plus = plus
        self.formats = tuple(formats)
        self._parsers = [_parser(text) for text in formats]

    def read(self, value: object) -> datetime:
        """The moment in UTC, cut to the millisecond; raises ValueError with a sentence."""
        moment = value if isinstance(value, datetime) else self._parse(value)
        if moment.tzinfo is None:
            moment = self._place(moment)
        try:
            moment = moment.astimezone(UTC)
            if self.plus is not None:
                moment += self.plus
        except OverflowError:
            raise ValueError(f"{value!r} lies outside of every calendar.") from None
        return clock.cut(moment)

    def _parse(self, value: object) -> datetime:
        text = str(value).strip()
        for parse in self._parsers:
            try:
                return parse(text)
            except (ValueError, OverflowError, OSError):
                continue
        wanted = " or ".join(self.formats)
        raise ValueError(f"{text[:60]!r} is no time of the format {wanted}.")

    def _place(self, local: datetime) -> datetime:
        if self.zone is None:
            raise ValueError(
                f"{local.isoformat(' ')} has no offset; declare the zone of the file, such as"
                ' [time] zone = "Europe/Berlin".'
            )
        first = local.replace(tzinfo=self.zone, fold=0)
        second = local.replace(tzinfo=self.zone, fold=1)
        before, after = first.utcoffset(), second.utcoffset()
        if before is None or after is None or before == after:
            return first
        if before > after:
            if self.ambiguous == "refuse":
                raise ValueError(f"{local.isoformat(' ')} exists twice in {self.zone.key}.")
            return second if self.ambiguous == "later" else first
        if self.missing == "refuse":
            raise ValueError(f"{local.isoformat(' ')} does not exist in {self.zone.key}.")
        # Read with the offset from before the change, it lies as much later as that moved.
        return first


def _parser(text: str) -> Callable[[str], datetime]:
    if text == "iso":
        return datetime.fromisoformat
    if unit := _EPOCH_UNITS.get(text):
        return lambda value: _from_epoch(value, unit)
    return lambda value: datetime.strptime(value, text)  # noqa: DTZ007  (placed by the zone)


def _from_epoch(text: str, unit: Decimal) -> datetime:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite() or number.adjusted() > 24:
        raise ValueError(text)
    return clock.EPOCH + timedelta(
        milliseconds=int((number * unit).to_integral_value("ROUND_FLOOR"))
    )
