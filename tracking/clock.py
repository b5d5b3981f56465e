"""The only caller of the system clock. Times are UTC, whole milliseconds, from birth."""

from __future__ import annotations

import os
from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cut(moment: datetime) -> datetime:
    """The moment cut (not rounded) to the millisecond, as MongoDB keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def now() -> datetime:
    """The current time; read once per operation and passed down."""
    return cut(datetime.now(UTC))


def from_ms(ms: int) -> datetime:
    """A moment from milliseconds since 1970."""
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970 (integers only: a float loses milliseconds)."""
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def iso(moment: datetime) -> str:
    """RFC 3339 with milliseconds and a Z, the one spelling used in hashes and answers."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def uuid7(moment: datetime) -> str:
    """A UUIDv7 (RFC 9562) of the moment: ids of later milliseconds sort later."""
    value = (to_ms(moment) << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
