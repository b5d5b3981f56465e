"""The auditor's list: which key signs which stretch of which log (docs/integrity.md).

Pure: `Pins` is what `public.json` says, and the one place that knows which key must have
signed a checkpoint or a receipt. Whoever checks something builds it from the copy that they
trust, not from what lies beside the database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tracking import clock
from tracking.core.note import BadNote, Checkpoint, PublicKey, open_note

_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{2,99}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_REASON: Final = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]{1,500}")
_RECEIPT: Final = "receipt"


@dataclass(frozen=True, slots=True)
class Pinned:
    """A public key and what it signs for.

    A key of a log: the checkpoints of tree sizes `since` to `until`, both included; `ends_at`
    is when it will be closed, while it is still open. A key of receipts: those of records that
    were recorded from `begins_at` to `ends_at`. None: no bound.
    """

    key: PublicKey
    since: int = 0
    until: int | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None

    def covers(self, size: int) -> bool:
        return self.since <= size and (self.until is None or size <= self.until)

    def covers_time(self, moment: datetime) -> bool:
        return (self.begins_at is None or self.begins_at <= moment) and (
            self.ends_at is None or moment <= self.ends_at
        )


@dataclass(frozen=True, slots=True)
class Succession:
    """Why and from where a log goes on under a new name: what it began with and what it left.

    `base_size` and `base_root`: the tree as the database had it. `last_*`: the last checkpoint
    known of the log before. `statement`: all of it as a note, signed by the new key and, where
    it was at hand, by the old one.
    """

    base_size: int
    base_root: bytes
    last_origin: str
    last_size: int
    last_root: bytes
    last_note: str | None
    opened_at: datetime
    reason: str
    statement: str


@dataclass(frozen=True, slots=True)
class Log:
    """A name under which the log was signed. Of the checkpoints that are kept with the log,
    those of `since` leaves and more are its own, until the next log's `since`."""

    origin: str
    since: int = 0
    succession: Succession | None = None


@dataclass(frozen=True, slots=True)
class Pins:
    """The auditor's list. `logs` and keys stand in the order in which they came."""

    logs: tuple[Log, ...]
    log_keys: tuple[Pinned, ...]
    receipt_keys: tuple[Pinned, ...]

    @property
    def origin(self) -> str:
        """The name under which is signed now."""
        return self.logs[-1].origin

    # --- The rules ---------------------------------------------------------------------------

    def signer_at(self, origin: str, size: int) -> PublicKey | None:
        """The key that must have signed the checkpoint of `size` leaves of the log `origin`:
        of those whose stretch has that size the one that came last."""
        found = self.signers_at(origin, size)
        return found[-1].key if found else None

    def signers_at(self, origin: str, size: int) -> list[Pinned]:
        """Those that sign that checkpoint; all but the last for whoever has an older list."""
        named = [each for each in self.log_keys if each.key.name == origin and each.covers(size)]
        return sorted(named, key=lambda each: each.since)

    def log_at(self, size: int) -> Log:
        """The log to which a checkpoint of `size` leaves belongs that is kept with the log."""
        return [log for log in self.logs if log.since <= size][-1]

    def kept(self, origin: str) -> int | None:
        """How far the checkpoints of `origin` are of the log as it is today; None: all.

        What was signed beyond was lost with the database; the list says so (`Succession`).
        """
        names = [log.origin for log in self.logs]
        later = self.logs[names.index(origin) + 1 :]
        return max(0, min(log.since for log in later) - 1) if later else None

    def open_checkpoint(self, note: str) -> Checkpoint:
        """The checkpoint that a note states; BadNote unless the key of its size has signed it.

        Further signatures do no harm, but one that a listed key did not make does.
        """
        text, signed = open_note(note, [each.key for each in self.log_keys])
        checkpoint = Checkpoint.parse(text)
        key = self.signer_at(checkpoint.origin, checkpoint.size)
        if key is None:
            raise BadNote(f"No key is listed for {checkpoint.size} leaves of {checkpoint.origin}.")
        if key not in signed:
            raise BadNote(
                f"{checkpoint.size} leaves of {checkpoint.origin} must be signed by the key"
                f" {key.id.hex()}, and are by {', '.join(each.id.hex() for each in signed)}."
            )
        return checkpoint

    def open_stored(self, note: str, size: int) -> Checkpoint:
        """The same of the checkpoint that the log keeps for `size` leaves."""
        checkpoint = self.open_checkpoint(note)
        if checkpoint.size != size:
            raise BadNote(f"The checkpoint kept for {size} leaves is of {checkpoint.size}.")
        if checkpoint.origin != self.log_at(size).origin:
            raise BadNote(
                f"The checkpoint of {size} leaves is of {checkpoint.origin}, and the log was"
                f" called {self.log_at(size).origin} there."
            )
        return checkpoint

    def receipt_signers(self, origin: str, recorded_at: datetime) -> list[PublicKey]:
        """The keys of which one must have signed a receipt that names `origin` and this time."""
        name = receipt_name(origin)
        return [
            each.key
            for each in self.receipt_keys
            if each.key.name == name and each.covers_time(recorded_at)
        ]

    def check_statement(self, log: Log) -> list[PublicKey]:
        """Who has signed that `log` follows the one before; BadNote if the statement does not
        say what the list says, or the new log's own key has not signed it."""
        told = log.succession
        if told is None:
            return []
        text, signed = open_note(told.statement, [each.key for each in self.log_keys])
        first = next((each.key for each in self.log_keys if each.key.name == log.origin), None)
        if first is None or first not in signed:
            raise BadNote(f"The key of {log.origin} has not signed how it began.")
        if text != statement_text(log.origin, log.since, first, told):
            raise BadNote(f"The list says otherwise than the statement how {log.origin} began.")
        return signed

    # --- The text ----------------------------------------------------------------------------

    @classmethod
    def parse(cls, listed: Any) -> Pins:
        """From what `public.json` holds; raises BadNote where it is no such list."""
        try:
            # Without "logs" there was only ever one.
            logs = [_log(each) for each in listed.get("logs", [{"origin": listed["origin"]}])]
            found = cls(
                tuple(logs),
                tuple(_pinned(each) for each in listed["log"]),
                tuple(_pinned(each) for each in listed["receipt"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadNote(f"That is no list of public keys: {error!r}") from None
        names = [log.origin for log in logs]
        if not logs or logs[0].since or listed["origin"] != names[-1]:
            raise BadNote("The list does not name its logs from the first to the present one.")
        if len(set(names)) < len(names) or any(log.succession is None for log in logs[1:]):
            raise BadNote("The list does not say how each log follows the one before.")
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "logs": [_log_json(each) for each in self.logs],
            "log": [_pinned_json(each, sizes=True) for each in self.log_keys],
            "receipt": [_pinned_json(each, sizes=False) for each in self.receipt_keys],
        }


def receipt_name(origin: str) -> str:
    """The name under which a log's receipts are signed."""
    return f"{origin}/{_RECEIPT}"


def statement_text(origin: str, since: int, key: PublicKey, told: Succession) -> str:
    """What is signed when a log goes on under a new name."""
    lines: Sequence[object] = (
        *("dft-new-log/v1", origin, since, told.base_size, told.base_root.hex()),
        *(told.last_origin, told.last_size, told.last_root.hex()),
        *(clock.iso(told.opened_at), key, told.reason),
    )
    return "".join(f"{line}\n" for line in lines)


def checked_reason(text: str) -> str:
    """A reason that fits on one line of a statement; ValueError says what is wrong."""
    text = text.strip()
    if not _REASON.fullmatch(text):
        raise ValueError("A reason is one line of 1 to 500 characters.")
    return text


def _size(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no size of a log")
    return value


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    if not _TIME.fullmatch(value):
        raise ValueError(f"{value!r} is no time")
    return datetime.fromisoformat(value)


def _root(value: Any) -> bytes:
    if not _HEX.fullmatch(value):
        raise ValueError(f"{value!r} is no hash")
    return bytes.fromhex(value)


def _name(value: Any) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a log")
    return str(value)


def _pinned(each: Any) -> Pinned:
    until = each.get("until")
    return Pinned(
        PublicKey.parse(each["key"]),
        _size(each.get("since", 0)),
        None if until is None else _size(until),
        _moment(each.get("begins_at")),
        _moment(each.get("ends_at")),
    )


def _pinned_json(each: Pinned, *, sizes: bool) -> dict[str, Any]:
    times = {"begins_at": each.begins_at, "ends_at": each.ends_at}
    return {
        "key": str(each.key),
        **({"since": each.since, "until": each.until} if sizes else {}),
        **{name: clock.iso(time) if time else None for name, time in times.items()},
    }


def _log(each: Any) -> Log:
    if "follows" not in each:
        return Log(_name(each["origin"]), _size(each.get("since", 0)))
    base, last = each["base"], each["follows"]
    opened = _moment(each["opened_at"])
    if opened is None:
        raise ValueError("a log was opened at some time")
    told = Succession(
        _size(base["size"]),
        _root(base["root"]),
        _name(last["origin"]),
        _size(last["size"]),
        _root(last["root"]),
        None if last["note"] is None else str(last["note"]),
        opened,
        checked_reason(each["reason"]),
        str(each["statement"]),
    )
    return Log(_name(each["origin"]), _size(each["since"]), told)


def _log_json(each: Log) -> dict[str, Any]:
    told = each.succession
    if told is None:
        return {"origin": each.origin, "since": each.since}
    return {
        "origin": each.origin,
        "since": each.since,
        "opened_at": clock.iso(told.opened_at),
        "reason": told.reason,
        "base": {"size": told.base_size, "root": told.base_root.hex()},
        "follows": {
            "origin": told.last_origin,
            "size": told.last_size,
            "root": told.last_root.hex(),
            "note": told.last_note,
        },
        "statement": told.statement,
    }
