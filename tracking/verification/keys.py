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
        kept = self.pins.kept(checkpoint.origin)
        return checkpoint, kept is None or checkpoint.size <= kept

    def successors(self) -> Iterator[Log]:
        """The logs that follow another; CannotCheck where one of them has not signed how."""
        for log in self.pins.logs[1:]:
            try:
                self.pins.check_statement(log)
            except BadNote as error:
                raise CannotCheck(f"The list of keys cannot be trusted. {error}") from error
            yield log


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
