"""Which key must have signed what: the one rule, over every size, list and forgery."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tracking.core.note import BadNote, Checkpoint, Signer, sign_note
from tracking.core.pins import Log, Pinned, Pins, Succession, receipt_name, statement_text

LOG1, LOG2, LOG3 = "example/log1", "example/log2", "example/log3"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def signer(number: int, name: str = LOG1) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


A, B, C = signer(1), signer(2), signer(3)
D = signer(4, LOG2)


def note(size: int, *signers: Signer, origin: str = LOG1) -> str:
    return sign_note(Checkpoint(origin, size, b"r" * 32).text(), signers)


def rotated() -> Pins:
    """A signs to 10, B from 6 to 20, C from 16 on: each overlaps the one before."""
    keys = (Pinned(A.public, 0, 10), Pinned(B.public, 6, 20), Pinned(C.public, 16))
    return Pins((Log(LOG1),), keys, (Pinned(signer(5, receipt_name(LOG1)).public),))


def followed() -> Pins:
    """log1 signed to 20 and was put back to 13, the last checkpoint there being of 12."""
    told = Succession(13, b"b" * 32, LOG1, 20, b"l" * 32, note(20, C), NOON, "Disk lost", "")
    text = statement_text(LOG2, 13, D.public, told)
    log = Log(LOG2, 13, replace(told, statement=sign_note(text, [D, C])))
    keys = (*rotated().log_keys[:2], Pinned(C.public, 16, 20), Pinned(D.public, 13))
    return replace(rotated(), logs=(Log(LOG1), log), log_keys=keys)


def expected(size: int) -> Signer:
    return A if size < 6 else B if size < 16 else C


@pytest.mark.parametrize("size", range(25))
def test_the_key_of_a_size_must_have_signed_and_no_other_will_do(size: int) -> None:
    pins = rotated()
    for signers in ([A], [B], [C], [A, B], [B, C], [A, C], [A, B, C]):
        if expected(size) in signers:
            assert pins.open_checkpoint(note(size, *signers)).size == size
        else:
            with pytest.raises(BadNote, match="must be signed by the key"):
                pins.open_checkpoint(note(size, *signers))


def test_during_an_overlap_both_sign_so_that_an_older_list_does() -> None:
    now = rotated()
    before = replace(now, log_keys=(Pinned(A.public, 0),))
    for size in range(25):
        signers = {A: size <= 10, B: 6 <= size <= 20, C: size >= 16}
        due = [each for each, signs in signers.items() if signs]
        assert [each.key for each in now.signers_at(LOG1, size)] == [each.public for each in due]
        text = note(size, *due)
        assert now.open_checkpoint(text)
        if size <= 10:
            assert before.open_checkpoint(text)
        else:
            with pytest.raises(BadNote, match="None of the known keys"):
                before.open_checkpoint(text)


def test_a_wrong_signature_of_a_listed_key_is_not_passed_over() -> None:
    good, bad = note(17, C), note(18, B)
    forged = good + bad[bad.index("\n\n") + 2 :]
    with pytest.raises(BadNote, match="wrong"):
        rotated().open_checkpoint(forged)


def test_a_stranger_beside_the_key_does_no_harm_and_alone_no_good() -> None:
    stranger = signer(9)
    assert rotated().open_checkpoint(note(17, stranger, C))
    with pytest.raises(BadNote, match="None of the known keys"):
        rotated().open_checkpoint(note(17, stranger))


def test_a_key_signs_only_the_log_that_it_is_named_after() -> None:
    with pytest.raises(BadNote, match="No key is listed"):
        rotated().open_checkpoint(note(17, C, origin=LOG2))
    pins = followed()
    with pytest.raises(BadNote, match="must be signed"):
        pins.open_checkpoint(note(17, C, origin=LOG2))
    assert pins.open_checkpoint(note(17, C, D, origin=LOG2)).origin == LOG2


@pytest.mark.parametrize("size", range(1, 30))
def test_what_is_kept_with_the_log_bears_the_name_of_its_stretch(size: int) -> None:
    pins = followed()
    right = LOG1 if size <= 12 else LOG2
    for origin, signers in ((LOG1, [A, B, C]), (LOG2, [D])):
        text = note(size, *signers, origin=origin)
        if origin == right:
            assert pins.open_stored(text, size).size == size
            with pytest.raises(BadNote, match="is of"):
                pins.open_stored(text, size + 1)
        else:
            with pytest.raises(BadNote):
                pins.open_stored(text, size)


def test_what_the_old_log_signed_and_the_database_lost_is_still_its_own() -> None:
    pins = followed()
    assert pins.open_checkpoint(note(20, C)).size == 20
    assert (pins.kept(LOG1), pins.kept(LOG2)) == (12, None)
    with pytest.raises(BadNote, match="No key is listed"):
        pins.open_checkpoint(note(21, C))


def test_a_database_put_back_before_the_second_log_keeps_none_of_it() -> None:
    two = followed()
    told = two.logs[1].succession
    assert told
    third = Log(LOG3, 5, replace(told, last_origin=LOG2))
    key = Pinned(signer(6, LOG3).public, 5)
    pins = replace(two, logs=(*two.logs, third), log_keys=(*two.log_keys, key))
    assert [pins.log_at(size).origin for size in (4, 5, 12, 13, 99)] == [LOG1, *[LOG3] * 4]
    assert (pins.kept(LOG1), pins.kept(LOG2), pins.kept(LOG3)) == (4, 4, None)


def test_the_statement_ties_a_log_to_the_one_before() -> None:
    pins = followed()
    log = pins.logs[1]
    assert pins.check_statement(log) == [D.public, C.public]
    assert pins.check_statement(pins.logs[0]) == []
    told = log.succession
    assert told
    changes: list[dict[str, Any]] = [
        {"base_size": 12}, {"base_root": b"x" * 32}, {"last_size": 19}, {"last_root": b"x" * 32},
        {"last_origin": LOG3}, {"opened_at": NOON + DAY}, {"reason": "None"},
        {"statement": sign_note(statement_text(LOG2, 13, D.public, told), [C])},
        {"statement": "x"},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(BadNote):
            pins.check_statement(replace(log, succession=replace(told, **change)))
    for changed in (replace(log, since=12), replace(log, origin=LOG3)):
        with pytest.raises(BadNote):
            pins.check_statement(changed)


def test_a_receipt_counts_for_the_time_of_its_key() -> None:
    old, new = (signer(each, receipt_name(LOG1)).public for each in (5, 6))
    keys = (Pinned(old, ends_at=NOON), Pinned(new, begins_at=NOON - DAY))
    pins = replace(rotated(), receipt_keys=keys)
    for moment, right in (
        (NOON - 2 * DAY, [old]),
        (NOON - DAY, [old, new]),
        (NOON, [old, new]),
        (NOON + timedelta(milliseconds=1), [new]),
    ):
        assert pins.receipt_signers(LOG1, moment) == right
        assert pins.receipt_signers(LOG2, moment) == []


def test_the_list_is_read_as_it_was_written() -> None:
    for pins in (rotated(), followed()):
        assert Pins.parse(pins.as_json()) == pins


def broken() -> dict[str, Any]:
    good = followed().as_json()
    log = good["logs"][1]
    key = good["log"][1]
    return {
        "no list": [],
        "nothing": None,
        "no key": {**good, "log": [{**key, "key": "x"}]},
        "a size that is none": {**good, "log": [{**key, "since": True}]},
        "a size below 0": {**good, "log": [{**key, "until": -1}]},
        "a time that is none": {**good, "receipt": [{"key": key["key"], "ends_at": "today"}]},
        "another name": {**good, "origin": LOG1},
        "a name that is none": {**good, "logs": [{"origin": "Two words", "since": 0}]},
        "no logs": {**good, "logs": []},
        "a late beginning": {**good, "logs": [{**good["logs"][0], "since": 1}, log]},
        "one name twice": {**good, "logs": [good["logs"][0], {**log, "origin": LOG1}]},
        "a log out of nowhere": {**good, "logs": [good["logs"][0], {"origin": LOG2, "since": 1}]},
        "a root that is none": {
            **good, "logs": [good["logs"][0], {**log, "base": {"size": 1, "root": "00"}}],
        },
        "a reason of two lines": {**good, "logs": [good["logs"][0], {**log, "reason": "a\nb"}]},
    }  # fmt: skip


@pytest.mark.parametrize("kind", broken())
def test_a_list_that_says_nothing_certain_is_refused(kind: str) -> None:
    with pytest.raises(BadNote):
        Pins.parse(broken()[kind])
