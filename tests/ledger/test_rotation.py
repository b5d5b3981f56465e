"""Keys change while sealers and web workers run; every checkpoint stays verifiable."""

from __future__ import annotations

import base64
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.ledger.keys import Killed, die_at, private_keys, rotate_log, signers_of
from tests.ledger.world import assert_all_signed, assert_log_is_whole, checkpoints, post, seal
from tests.tools import make_tenant
from tracking import clock
from tracking.core.note import BadNote
from tracking.ledger.log import LogBroken
from tracking.ledger.sealer import Sealer, seal_once, seal_until
from tracking.mongo.connection import collection
from tracking.signing import keyring, receipts, rotation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let days pass."""
    real = clock.now

    def pass_days(days: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(days=days))

    return pass_days


def test_an_overlap_is_signed_by_both_and_then_the_old_key_closes(later: Any) -> None:
    running = [Sealer(), Sealer()]
    seal(2, sealer=running[0])
    before = keyring.pins()
    done = rotate_log(days=7)
    assert done.since == 3
    seal(3, sealer=running[0])
    seal(1, sealer=running[1])
    during = keyring.pins()
    later(7.1)
    seal(2, sealer=running[1])
    seal(1, sealer=running[0])
    assert [(row["_id"], signers_of(row)) for row in checkpoints()] == [
        (2, [0]), (5, [0, 1]), (6, [0, 1]), (8, [1]), (9, [1]),
    ]  # fmt: skip
    old, new = keyring.pins().log_keys
    assert (old.since, old.until, new.since, new.until) == (0, 6, 3, None)
    assert private_keys() == {f"log-{new.key.id.hex()}.pem"}
    assert_all_signed()
    assert_all_signed(during)
    notes = [row["note"] for row in checkpoints()]
    assert [before.open_checkpoint(note).size for note in notes[:3]] == [2, 5, 6]
    for note in notes[3:]:
        with pytest.raises(BadNote, match="None of the known keys"):
            before.open_checkpoint(note)


def test_without_an_overlap_the_old_key_signs_nothing_more_and_goes() -> None:
    seal(2)
    stolen = keyring.signer(keyring.LOG)
    rotate_log(days=0)
    assert len(private_keys()) == 2, "the checkpoint of 2 may have to be signed again"
    seal(3)
    assert [signers_of(row) for row in checkpoints()] == [[0], [1]]
    assert private_keys() == {f"log-{keyring.signer(keyring.LOG).public.id.hex()}.pem"}
    assert_all_signed()
    # With the stolen key somebody signs on, in the database: no sealer goes on from that.
    from tracking.core.note import Checkpoint, sign_note

    row = checkpoints()[-1]
    forged = sign_note(Checkpoint(keyring.origin(), 5, row["root"]).text(), [stolen])
    collection("log_checkpoint").update_one({"_id": 5}, {"$set": {"note": forged}})
    post(1)
    with pytest.raises(LogBroken, match="must be signed by the key"):
        seal_once()


def drained(stop: threading.Event) -> bool:
    """Whether running sealers have sealed all that waits, within some 20 seconds."""
    for _ in range(400):
        if not collection("seal_queue").count_documents({}):
            return True
        stop.wait(0.05)
    return False


def test_keys_rotate_under_running_sealers() -> None:
    make_tenant()
    stop = threading.Event()
    threads = [threading.Thread(target=seal_until, args=(stop,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for place in range(60):
            post(1 + place % 3)
            if place % 12 == 6:
                rotate_log(days=7 * (place % 24 == 6))
            elif place % 12 == 11:
                # so that each key has signed something, however slow the machine
                assert drained(stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    seal_once()
    assert_log_is_whole()
    assert_all_signed()
    assert len(keyring.pins().log_keys) == 6
    assert len({tuple(signers_of(row)) for row in checkpoints()}) >= 5, "each has signed"


@pytest.mark.parametrize("days", [0, 7])
def test_a_rotation_killed_at_any_step_leaves_a_log_that_goes_on(
    days: int, monkeypatch: pytest.MonkeyPatch, later: Any
) -> None:
    """Killed while it rotates, and while sealers sign, close and remove keys afterwards."""
    step, ended = 0, False
    seal(1)
    while not ended:
        step += 1
        later(8 * step)
        post(1)
        with monkeypatch.context() as patch:
            passed = die_at(step, patch)
            try:
                rotate_log(days=days)
                while seal_once():
                    pass
                later(8 * step + 7.5)
                post(1)
                while seal_once():
                    pass
                ended = passed() < step
            except Killed:
                assert passed() == step
        seal(1)
        seal_once()
        assert_all_signed()
    assert step > 12, "there are many places to die at"
    later(8 * (step + 1))
    seal(1)
    seal(1)
    assert_all_signed()
    listed = {f"log-{each.key.id.hex()}.pem" for each in keyring.pins().log_keys}
    last = keyring.signer(keyring.LOG).public
    assert private_keys() & listed == {f"log-{last.id.hex()}.pem"}


def test_a_private_key_that_is_lost_is_replaced() -> None:
    seal(2)
    for name in private_keys():
        (keyring.directory() / name).unlink()
    post(1)
    with pytest.raises(keyring.NoKeys, match="rotate_keys --overlap-days 0"):
        seal_once()
    rotate_log(days=0)
    while seal_once():
        pass
    assert [signers_of(row) for row in checkpoints()] == [[0], [1]]
    assert_all_signed()


def test_a_lost_mark_does_not_give_a_new_key_what_an_old_one_signed() -> None:
    seal(2)
    seal(3)
    (keyring.directory() / "high-water.json").unlink()
    assert rotate_log(days=0).since == 6
    seal(1)
    assert_all_signed()


@pytest.mark.parametrize("days", [0, 7])
def test_a_mark_put_back_from_a_backup_spoils_no_rotation(days: int, later: Any) -> None:
    seal(2)
    mark = keyring.directory() / "high-water.json"
    kept = mark.read_text()
    seal(3, 1)
    mark.write_text(kept)
    assert rotate_log(days=days).since == 7
    mark.write_text(kept)
    later(8)
    seal(1)
    assert_all_signed()
    mark.write_text(kept)
    seal(1)
    assert_all_signed()


def receipt(moment: datetime) -> tuple[str, bytes]:
    told: dict[str, Any] = {"batch": "0199", "first": 0, "count": 1, "root": b"r" * 32}
    signature = base64.b64decode(receipts.signed_receipt(**told, recorded_at=moment) or "")
    text = receipts.receipt_text(keyring.origin(), **told, recorded_at=moment)
    return text, signature


def test_a_running_worker_signs_receipts_by_the_new_key_within_a_second() -> None:
    then = clock.now()
    before = receipt(then)
    old = keyring.signer(keyring.RECEIPT).public
    with keyring.locked():
        rotation.rotate(keyring.RECEIPT, signed=0, overlap=timedelta(0), moment=clock.now())
    new = keyring.signer(keyring.RECEIPT).public
    assert new != old
    assert private_keys("receipt") == {f"receipt-{new.id.hex()}.pem"}
    for _ in range(30):
        moment = clock.now()
        after = receipt(moment)
        signers = keyring.pins().receipt_signers(keyring.origin(), moment)
        # Whichever key a worker has at that moment, its receipt counts.
        assert any(key.has_signed(after[0].encode(), after[1]) for key in signers)
        if new.has_signed(after[0].encode(), after[1]):
            break
        time.sleep(0.1)
    assert new.has_signed(after[0].encode(), after[1])
    signers = keyring.pins().receipt_signers(keyring.origin(), then)
    assert old in signers
    assert old.has_signed(before[0].encode(), before[1])
    much_later = datetime(2199, 1, 1, tzinfo=UTC)
    assert keyring.pins().receipt_signers(keyring.origin(), much_later) == [new]


def test_a_worker_whose_keys_vanish_goes_on_by_the_key_it_has() -> None:
    moment = clock.now()
    key = keyring.signer(keyring.RECEIPT).public
    receipt(moment)
    listed = keyring.directory() / "public.json"
    text = listed.read_text()
    listed.unlink()
    time.sleep(1.05)
    told: dict[str, Any] = {"batch": "0199", "first": 0, "count": 1, "root": b"r" * 32}
    assert receipts.signed_receipt(**told, recorded_at=moment)
    listed.write_text(text)
    after = receipt(moment)
    assert key.has_signed(after[0].encode(), after[1])
