"""A log goes on under another name, after its database was put back to an older state.

What was signed beyond that state can never be signed again under the old name: it would be a
second history. So the log gets a new one, with keys of its own, and the list of keys says what
it began with and what the old one had come to (docs/integrity.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tracking.core.merkle import Frontier
from tracking.core.note import BadNote
from tracking.core.pins import Log, Succession, checked_reason
from tracking.errors import DftError
from tracking.ledger.highwater import LastSigned, LogBehind, check_mark, read_last
from tracking.ledger.log import frontier_of, grow, head, size_after
from tracking.ledger.signed import CHECKPOINT
from tracking.mongo.connection import collection
from tracking.signing import keyring, rotation


class NoNewLog(DftError):
    """There is no ground for a new log, or none to stand on; the text says which."""


@dataclass(frozen=True, slots=True)
class NewLog:
    """`lost`: leaves that were signed before and are not in the database."""

    log: Log
    lost: int


def signed_size() -> int:
    """The size of the largest checkpoint signed so far; only while the keyring is locked.

    The database is asked too: a mark that was put back from a backup is behind it.
    """
    last = read_last()
    row = collection(CHECKPOINT).find_one({}, {"_id": 1}, sort=[("_id", -1)])
    return max(last.size if last else 0, int(row["_id"]) if row else 0)


def open_new_log(*, reason: str, moment: datetime) -> NewLog:
    """Let the log as the database has it go on under a new name.

    Raises NoNewLog where sealing can go on without, and where what the database has is no log
    to go on with. Reads the whole log; nothing is signed meanwhile, records are accepted.
    """
    try:
        reason = checked_reason(reason)
    except ValueError as error:
        raise NoNewLog(str(error)) from None
    with keyring.locked():
        last = read_last()
        segment = head()
        size = size_after(segment)
        if last is None or _is_signed(last, size):
            raise NoNewLog(
                "The log is the one that was signed before: sealing goes on under its name."
                " To change keys there is `manage.py rotate_keys`."
            )
        since = _checked(size, frontier_of(segment)) + 1
        told = Succession(
            base_size=size,
            base_root=frontier_of(segment).root(),
            last_origin=last.origin,
            last_size=last.size,
            last_root=last.root,
            last_note=last.note,
            opened_at=moment,
            reason=reason,
            statement="",
        )
        log = rotation.open_log(since=since, told=told, moment=moment)
    return NewLog(log, max(0, last.size - size))


def _is_signed(last: LastSigned, size: int) -> bool:
    try:
        check_mark((last.size, last.root), size)
    except LogBehind:
        return False
    return True


def _checked(size: int, tree: Frontier) -> int:
    """Read the whole log again; returns the size of its newest checkpoint, which must hold."""
    row = collection(CHECKPOINT).find_one({}, sort=[("_id", -1)])
    read = Frontier()
    signed = 0
    if row is not None:
        signed = int(row["_id"])
        if signed > size:
            raise NoNewLog(
                f"The database has {size} leaves and a checkpoint of {signed}: its collections"
                " are not of one moment. Put them back from one backup."
            )
        try:
            checkpoint = keyring.pins().open_stored(row["note"], signed)
        except BadNote as error:
            raise NoNewLog(f"The newest checkpoint, of {signed} leaves, fails: {error}") from error
        grow(read, signed)
        if read.size != signed or read.root() != checkpoint.root:
            raise NoNewLog(f"The first {signed} leaves are not those of their checkpoint.")
    grow(read, size)
    if read.size != size or read.peaks != tree.peaks:
        raise NoNewLog("The peaks of the last segment are not of the log's leaves.")
    return signed
