"""Whatever happens to keys and logs, in whatever order: what was signed stays verifiable."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracking.core.note import BadNote, Checkpoint, Signer, sign_note
from tracking.core.pins import Pins, Succession
from tracking.ledger.signed import _note
from tracking.signing import keyring, rotation

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def root(size: int) -> bytes:
    return hashlib.sha256(b"%d" % size).digest()


class Histories(RuleBasedStateMachine):
    """A log that is only sizes; its keys, list and rotations are the real ones."""

    def __init__(self) -> None:
        super().__init__()
        self._kept, settings.DFT_KEY_DIR = settings.DFT_KEY_DIR, tempfile.mkdtemp() + "/keys"
        keyring.ensure_keys()
        self.now = START
        self.signed = 0  # the mark
        self.stored: dict[int, str] = {}  # what the database keeps, by size
        self.ever: list[str] = []
        self.stolen: dict[str, Signer] = {}

    def teardown(self) -> None:
        shutil.rmtree(Path(settings.DFT_KEY_DIR).parent)
        settings.DFT_KEY_DIR = self._kept

    @rule(more=st.integers(1, 5))
    def seal(self, more: int) -> None:
        size = max(self.stored, default=0) + more
        if size <= self.signed:
            return  # behind its mark: the sealer refuses
        with keyring.locked():
            listed = rotation.close_due(signed=self.signed, moment=self.now)
            note = _note(listed, Checkpoint(listed.origin, size, root(size)))
            self.signed = size
            self.stored[size] = note
            self.ever.append(note)
            rotation.tidy(stored=size)

    @rule(days=st.sampled_from((0, 1, 7)))
    def rotate(self, days: int) -> None:
        current = keyring.signer(keyring.LOG)
        self.stolen[str(current.public)] = current
        with keyring.locked():
            rotation.rotate(
                keyring.LOG, signed=self.signed, overlap=timedelta(days=days), moment=self.now
            )

    @rule(days=st.sampled_from((0.5, 3, 8)))
    def wait(self, days: float) -> None:
        self.now += timedelta(days=days)

    @precondition(lambda self: len(self.stored) > 1)
    @rule(data=st.data())
    def restore_and_go_on(self, data: st.DataObject) -> None:
        left = data.draw(st.sampled_from([0, *sorted(self.stored)[:-1]]))
        self.stored = {size: note for size, note in self.stored.items() if size <= left}
        told = Succession(
            left, root(left), keyring.origin(), self.signed, root(self.signed), None, self.now,
            "The disk was lost.", "",
        )  # fmt: skip
        with keyring.locked():
            rotation.open_log(since=left + 1, told=told, moment=self.now)
        self.signed = left

    @invariant()
    def everything_ever_signed_opens(self) -> None:
        pins = keyring.pins()
        assert Pins.parse(pins.as_json()) == pins
        for note in self.ever:
            pins.open_checkpoint(note)
        for size, note in self.stored.items():
            assert pins.open_stored(note, size).size == size
        for log in pins.logs:
            pins.check_statement(log)

    @invariant()
    def a_key_that_was_replaced_signs_nothing_new(self) -> None:
        pins = keyring.pins()
        last = str(pins.log_keys[-1].key)
        for name, signer in self.stolen.items():
            checkpoint = Checkpoint(signer.public.name, self.signed + 1_000, root(0))
            if name != last:
                with pytest.raises(BadNote):
                    pins.open_checkpoint(sign_note(checkpoint.text(), [signer]))

    @invariant()
    def who_signs_next_is_there(self) -> None:
        pins = keyring.pins()
        key = pins.signer_at(pins.origin, self.signed + 1)
        assert key == pins.log_keys[-1].key
        assert keyring.private(keyring.LOG, key).public == key


TestHistories = Histories.TestCase
TestHistories.settings = hypothesis(
    max_examples=20,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
