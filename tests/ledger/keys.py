"""What the tests about keys share: keys of their own, a clock, and a death at any step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tracking import clock
from tracking.core.merkle import root_hash
from tracking.core.note import Checkpoint, open_note
from tracking.core.pins import Pins
from tracking.ledger import signed
from tracking.ledger.log import split_hashes
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


def checkpoints() -> list[dict[str, Any]]:
    return list(collection("log_checkpoint").find().sort("_id", 1))


def leaves() -> list[bytes]:
    segments = collection("log_segment").find().sort("_id", 1)
    return [leaf for segment in segments for leaf in split_hashes(segment["leaves"])]


def assert_all_signed(pins: Pins | None = None) -> None:
    """Everything in the log is covered, and every checkpoint opens with today's list."""
    pins = pins or keyring.pins()
    every = leaves()
    for row in checkpoints():
        found = pins.open_stored(row["note"], row["_id"])
        assert found.root == row["root"] == root_hash(every[: found.size])
    assert [row["_id"] for row in checkpoints()][-1:] == ([len(every)] if every else [])


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
