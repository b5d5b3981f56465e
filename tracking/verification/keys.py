"""Whose signature is trusted: the auditor's list of logs and keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracking.core.note import BadNote, Checkpoint, open_note
from tracking.core.pins import Log, Pins
from tracking.signing import keyring
from tracking.signing.keyring import NoKeys
from tracking.verification.report import CannotCheck


@dataclass(frozen=True, slots=True)
class Keys:
    """`pins`: the list. `complete`: it is the installation's own, so that nobody else signs; a
    list that was handed out earlier does not know the key that was added since."""

    pins: Pins
    complete: bool

    def stored(self, note: str) -> Checkpoint:
        """The checkpoint of a note that the log keeps; raises BadNote."""
        checkpoint = self.pins.open_checkpoint(note)
        if checkpoint.origin != self.pins.log_at(checkpoint.size).origin:
            raise BadNote(f"The checkpoint is of another log, {checkpoint.origin}.")
        if self.complete:
            _text, signed = open_note(note, [each.key for each in self.pins.log_keys])
            lines = note.split("\n")[-1 - len(signed) : -1]
            if note != f"{checkpoint.text()}\n" + "".join(f"{line}\n" for line in lines):
                raise BadNote("The note has lines that no sealer writes.")
        return checkpoint

    def outside(self, note: str) -> tuple[Checkpoint, bool]:
        """The checkpoint of a note that was kept elsewhere; raises BadNote.

        True: the log as it is today must lead from it. False: the list says that the database
        was put back to a state before it, and under which name the log went on from there.
        """
        checkpoint = self.pins.open_checkpoint(note)
        if not self._lists(checkpoint.origin):
            raise BadNote(f"The checkpoint is of another log, {checkpoint.origin}.")
        return checkpoint, self.leads_here(checkpoint.origin, checkpoint.size)

    def leads_here(self, origin: str, size: int) -> bool:
        """Whether the log as it is today goes on from `size` leaves of `origin`: it does unless
        the list says that they were lost with the database."""
        kept = self.pins.kept(origin) if self._lists(origin) else None
        return kept is None or size <= kept

    def _lists(self, origin: str) -> bool:
        return any(log.origin == origin for log in self.pins.logs)

    def successors(self) -> Iterator[Log]:
        """The logs that follow another; CannotCheck where one has not signed how, or the last
        checkpoint of the one before is not the one that it names."""
        for log in self.pins.logs[1:]:
            try:
                self.pins.check_statement(log)
                self._check_last(log)
            except BadNote as error:
                raise CannotCheck(f"The list of keys cannot be trusted. {error}") from error
            yield log

    def _check_last(self, log: Log) -> None:
        """The statement names the last checkpoint of the log before; its note stands beside it."""
        told = log.succession
        if told is None or told.last_note is None:
            return
        named = [each.key for each in self.pins.log_keys if each.key.name == told.last_origin]
        text, _signed = open_note(told.last_note, named)
        if text != Checkpoint(told.last_origin, told.last_size, told.last_root).text():
            raise BadNote(f"The last checkpoint of {told.last_origin} is not the one listed.")


def installed_keys() -> Keys:
    """Those of this installation's key directory."""
    try:
        return Keys(keyring.pins(), True)
    except NoKeys as error:
        raise CannotCheck(str(error)) from error


def keys_from(path: Path) -> Keys:
    """Those of a file like the installation's public.json."""
    try:
        pins = Pins.parse(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, BadNote) as error:
        raise CannotCheck(f"{path} is no list of public keys like public.json.") from error
    if not pins.log_keys:
        raise CannotCheck(f"{path} lists no key that signs checkpoints.")
    return Keys(pins, False)
