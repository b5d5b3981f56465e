"""How far this machine has signed, kept outside the database.

A database that is restored from an old backup would let the log grow a second time from an
earlier size: two signed histories. So before it signs, a sealer compares the log with the last
checkpoint it signed itself, and stops where the log is behind it or differs from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracking.core.merkle import bagged
from tracking.errors import DftError
from tracking.ledger.log import peaks_at
from tracking.signing import keyring

_NAME: Final = "high-water.json"
_GO_ON: Final = (
    "Nothing more is signed. If the database was put back on purpose and nothing newer can be"
    " had, open a new log: `manage.py new_log`."
)


class LogBehind(DftError):
    """The log is not the one that was signed before; nothing may be signed on top of it."""


@dataclass(frozen=True, slots=True)
class LastSigned:
    """A checkpoint as it was signed; `note` is None where only its root is known."""

    origin: str
    size: int
    root: bytes
    note: str | None


def path() -> Path:
    return keyring.directory() / _NAME


def read_mark() -> tuple[int, bytes] | None:
    """Size and root of the last checkpoint signed here; None before the first."""
    last = read_last()
    return (last.size, last.root) if last else None


def read_last() -> LastSigned | None:
    """The last checkpoint signed here. Where the log has just got another name, what it then
    had counts as signed."""
    listed = keyring.pins()
    try:
        known = json.loads(path().read_text(encoding="ascii"))
        note = known.get("note")
        last = LastSigned(
            # Without a name it is of the time when there was only one.
            str(known.get("origin", listed.logs[0].origin)),
            int(known["size"]),
            bytes.fromhex(known["root"]),
            None if note is None else str(note),
        )
    except FileNotFoundError:
        last = None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogBehind(
            f"{path()} cannot be read, so nothing is signed ({error}): put it back from the"
            " latest backup of the key directory."
        ) from error
    if last is not None and last.origin == listed.origin:
        return last
    told = listed.logs[-1].succession
    if told is not None:
        return LastSigned(listed.origin, told.base_size, told.base_root, None)
    if last is not None:
        raise LogBehind(
            f"{path()} is of the log {last.origin}, and the keys are of {listed.origin}: put"
            " the whole key directory back from one backup."
        )
    return None


def raise_mark(size: int, root: bytes, note: str, origin: str) -> None:
    """On disk before the checkpoint is stored: a crash between the two is caught up with.

    Only while the keyring is locked, and for a larger size than the mark's, or its note.
    """
    known = {"origin": origin, "size": size, "root": root.hex(), "note": note}
    text = json.dumps(known, ensure_ascii=True)
    keyring.write_file(path(), text, 0o600)


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
            f" restored from an older state or cut. {_GO_ON}"
        )
    peaks = peaks_at(signed)
    if peaks is None or bagged(peaks) != root:
        raise LogBehind(
            f"The first {signed} leaves of the log are not those that were signed before. {_GO_ON}"
        )
