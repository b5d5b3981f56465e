"""How far this machine has signed, kept outside the database.

A database that is restored from an old backup would let the log grow a second time from an
earlier size: two signed histories. So before it signs, a sealer compares the log with the last
checkpoint it signed itself, and stops where the log is behind it or differs from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tracking.core.merkle import bagged
from tracking.errors import DftError
from tracking.ledger.log import peaks_at
from tracking.signing import keyring

_NAME: Final = "high-water.json"


class LogBehind(DftError):
    """The log is not the one that was signed before; nothing may be signed on top of it."""


def path() -> Path:
    return keyring.directory() / _NAME


def read_mark() -> tuple[int, bytes] | None:
    """Size and root of the last checkpoint signed here; None before the first."""
    try:
        known = json.loads(path().read_text(encoding="ascii"))
        return int(known["size"]), bytes.fromhex(known["root"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LogBehind(f"{path()} cannot be read, so nothing is signed: {error}") from error


def raise_mark(size: int, root: bytes) -> None:
    """On disk before the checkpoint is stored: a crash between the two is caught up with."""
    with keyring.locked():
        mark = read_mark()
        if mark is None or mark[0] < size:
            keyring.write_file(path(), json.dumps({"size": size, "root": root.hex()}), 0o600)


def check_mark(mark: tuple[int, bytes] | None, size: int) -> None:
    """Raise LogBehind unless the log of `size` leaves begins with what was signed here.

    `mark` must have been read before the log: a rival may sign more at any moment.
    """
    if mark is None:
        return
    signed, root = mark
    if signed > size:
        raise LogBehind(
            f"The log has {size} leaves, and {signed} were signed before: the database was"
            " restored from an older state or cut. Nothing more is signed."
        )
    peaks = peaks_at(signed)
    if peaks is None or bagged(peaks) != root:
        raise LogBehind(
            f"The first {signed} leaves of the log are not those that were signed before."
            " Nothing more is signed."
        )
