"""What the tests about keys share: rotations, who signed, and a death at any step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracking import clock
from tracking.core.note import Checkpoint, open_note
from tracking.ledger import signed
from tracking.ledger.succession import signed_size
from tracking.mongo.connection import collection
from tracking.signing import keyring, rotation


def rotate_log(*, days: float = 0, moment: datetime | None = None) -> rotation.Rotated:
    with keyring.locked():
        return rotation.rotate(
            keyring.LOG,
            signed=signed_size(),
            overlap=timedelta(days=days),
            moment=moment or clock.now(),
        )


def signers_of(row: dict[str, Any]) -> list[int]:
    """Which of the listed keys signed, by their place in the list."""
    keys = [each.key for each in keyring.pins().log_keys]
    text, signers = open_note(row["note"], keys)
    assert Checkpoint.parse(text).size == row["_id"]
    return sorted(keys.index(each) for each in signers)


def private_keys(use: str = "log") -> set[str]:
    return {path.name for path in keyring.directory().glob(f"{use}-*.pem")}


class Killed(BaseException):
    """As a process that is killed: nothing catches it."""


def die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Be killed at the `step`-th place where something is written or removed.

    Before and after each file, before each removal and before each insert into the log are
    places; the function returned tells how many were passed.
    """
    passed = 0

    def place() -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            raise Killed

    def around(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            place()
            result = real(*args, **named)
            place()
            return result

        return call

    class Dying:
        def __init__(self, name: str) -> None:
            self.real = collection(name)

        def __getattr__(self, verb: str) -> Any:
            found = getattr(self.real, verb)
            return around(found) if verb == "insert_one" else found

    monkeypatch.setattr(keyring, "write_file", around(keyring.write_file))
    monkeypatch.setattr(Path, "unlink", around(Path.unlink))
    monkeypatch.setattr(signed, "collection", Dying)
    return lambda: passed
