"""The auditor's list of public keys, and which of them signs for which size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracking.core.note import BadNote, Checkpoint, PublicKey, open_note
from tracking.core.pins import Pinned
from tracking.signing import keyring
from tracking.signing.keyring import NoKeys
from tracking.verification.report import CannotCheck


@dataclass(frozen=True, slots=True)
class Keys:
    """Trust: the name of the log, and its keys with the sizes that each signs for."""

    origin: str
    pinned: list[Pinned]

    def opened(self, note: str) -> tuple[Checkpoint, int]:
        """The checkpoint of a note, and how many keys signed it; raises BadNote."""
        size = _size_of(note)
        keys = [
            each.key
            for each in self.pinned
            if each.since <= size and (each.until is None or size <= each.until)
        ]
        text, signed = open_note(note, keys)
        checkpoint = Checkpoint.parse(text)
        if checkpoint.origin != self.origin:
            raise BadNote(f"The checkpoint is of another log, {checkpoint.origin}.")
        return checkpoint, len(signed)


def installed_keys() -> Keys:
    """Those of this installation's key directory."""
    try:
        return Keys(keyring.origin(), keyring.public_keys(keyring.LOG))
    except NoKeys as error:
        raise CannotCheck(str(error)) from error


def keys_from(path: Path) -> Keys:
    """Those of a file like the installation's public.json."""
    try:
        listed: Any = json.loads(path.read_text(encoding="utf-8"))
        pinned = [
            Pinned(PublicKey.parse(each["key"]), int(each["since"]), each["until"])
            for each in listed[keyring.LOG]
        ]
        origin = str(listed["origin"])
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, BadNote) as error:
        raise CannotCheck(f"{path} is no list of public keys like public.json.") from error
    if not pinned:
        raise CannotCheck(f"{path} lists no key that signs checkpoints.")
    return Keys(origin, pinned)


def _size_of(note: str) -> int:
    """The size that the second line states, before anything about it is believed."""
    lines = note.split("\n", 2)
    text = lines[1] if len(lines) > 1 else ""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise BadNote("The size of a checkpoint is a plain decimal number.")
    return int(text)
