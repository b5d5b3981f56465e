"""A database put back to an older state is never signed on; under a new name it goes on."""

from __future__ import annotations

import pytest

from tests.ledger.keys import Killed, die_at, private_keys, rotate_log
from tests.ledger.world import (
    DUMPED,
    assert_all_signed,
    assert_log_is_whole,
    checkpoints,
    dump,
    leaves,
    post,
    put_back,
    seal,
)
from tracking import clock
from tracking.core.merkle import check_consistency, root_hash
from tracking.core.note import BadNote
from tracking.ledger.highwater import LogBehind, read_mark
from tracking.ledger.proofs import prove_consistency
from tracking.ledger.sealer import Sealer, seal_once
from tracking.ledger.succession import NewLog, NoNewLog, open_new_log
from tracking.mongo.connection import collection
from tracking.signing import keyring

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]


def new_log(reason: str = "The disk was lost.") -> NewLog:
    return open_new_log(reason=reason, moment=clock.now())


def test_a_restored_dump_is_not_signed_and_then_goes_on_under_a_new_name() -> None:
    seal(2, 3)
    old, kept = dump(), leaves()
    seal(4, 1)
    outside = checkpoints()
    lost = leaves()
    put_back(old)
    post(2)
    running = Sealer()
    for _ in range(3):
        with pytest.raises(LogBehind, match="new_log"):
            running.seal_once()
    done = new_log()
    while running.seal_once():
        pass
    seal(3)
    assert_log_is_whole()
    pins = keyring.pins()
    assert_all_signed(pins)
    assert [(row["_id"], pins.log_at(row["_id"]).origin[-4:]) for row in checkpoints()] == [
        (2, "log1"), (5, "log1"), (7, "log2"), (10, "log2"),
    ]  # fmt: skip
    # What an auditor has: the list, and checkpoints kept outside.
    told = done.log.succession
    assert told
    assert (told.base_size, told.base_root) == (5, root_hash(kept))
    assert (told.last_size, told.last_root) == (10, root_hash(lost))
    assert done.lost == 5
    assert len(pins.check_statement(done.log)) == 2, "the old key says so too"
    assert pins.open_checkpoint(str(told.last_note)).root == told.last_root
    assert pins.kept(told.last_origin) == 5
    now = checkpoints()[-1]
    for row in outside:
        found = pins.open_checkpoint(row["note"])
        if found.size <= 5:
            hashes = prove_consistency(found.size, 10)
            check_consistency(found.size, 10, found.root, now["root"], hashes)
    with pytest.raises(BadNote):
        pins.open_stored(outside[-1]["note"], 10)


@pytest.mark.parametrize("remains", ["nothing", "a segment without its checkpoint"])
def test_it_goes_on_from_whatever_was_put_back(remains: str) -> None:
    seal(2)
    old = dump()
    post(3)
    seal_once()
    if remains == "nothing":
        old = {name: [] for name in DUMPED}
    else:
        old["log_segment"] = dump()["log_segment"]
        old["journal"] = dump()["journal"]
    seal(4)
    put_back(old)
    with pytest.raises(LogBehind):
        seal_once()
    new_log()
    seal_once()
    seal(1, 2)
    assert_log_is_whole()
    assert_all_signed()
    assert len(keyring.pins().logs) == 2


def test_a_second_restore_opens_a_third_log() -> None:
    seal(2)
    first = dump()
    seal(3)
    second = dump()
    seal(1)
    put_back(second)
    new_log()
    rotate_log(days=0)
    seal(2, 2)
    put_back(first)
    with pytest.raises(LogBehind):
        seal_once()
    new_log("Once more.")
    seal(1, 1)
    assert_all_signed()
    pins = keyring.pins()
    assert [log.origin[-4:] for log in pins.logs] == ["log1", "log2", "log3"]
    assert [pins.kept(log.origin) for log in pins.logs] == [2, 2, None]
    assert len(private_keys()) == 1
    assert len(private_keys("receipt")) == 1


def test_a_log_that_grew_anew_without_a_mark_is_told_by_its_mark_and_goes_on() -> None:
    """Somebody removed the mark, and the old name signed a second history."""
    seal(2)
    old = dump()
    seal(3)
    mark = keyring.directory() / "high-water.json"
    kept = mark.read_text()
    mark.unlink()
    put_back(old)
    seal(3, 2)
    mark.write_text(kept)
    with pytest.raises(LogBehind, match="not those that were signed"):
        Sealer().seal_once()
    done = new_log()
    assert done.lost == 0
    seal(1)
    assert_all_signed()
    assert [row["_id"] for row in checkpoints()] == [2, 5, 7, 8]


def test_a_new_log_killed_at_any_step_is_opened_by_the_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seal(2)
    old = dump()
    seal(3)
    step, logs = 0, 1
    while logs == len(keyring.pins().logs):
        step += 1
        put_back(old)
        post(1)
        with monkeypatch.context() as patch:
            passed = die_at(step, patch)
            try:
                new_log()
            except Killed:
                assert passed() == step
    assert step > 4
    # Whatever the step was, the new log is open now or nothing has changed.
    while seal_once():
        pass
    seal(1)
    assert_all_signed()
    with pytest.raises(NoNewLog, match="is the one that was signed"):
        new_log()


def test_the_mark_of_the_old_log_stands_until_the_new_one_signs() -> None:
    seal(2)
    old = dump()
    seal(3)
    put_back(old)
    new_log()
    assert read_mark() == (2, root_hash(leaves()))
    put_back({name: [] for name in DUMPED})
    post(1)
    with pytest.raises(LogBehind):
        seal_once()


def test_there_is_no_new_log_where_the_old_one_can_go_on() -> None:
    with pytest.raises(NoNewLog, match="is the one that was signed"):
        new_log()
    seal(2, 1)
    with pytest.raises(NoNewLog, match="rotate_keys"):
        new_log()
    assert len(keyring.pins().logs) == 1


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", "x" * 501, "\u2028"])
def test_a_reason_is_one_line(reason: str) -> None:
    with pytest.raises(NoNewLog, match="A reason is one line"):
        new_log(reason)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("checkpoint ahead", "not of one moment"),
        ("checkpoint", "fails"),
        ("leaves", "not those of their checkpoint"),
        ("peaks", "not of the log's leaves"),
        ("gap", "gap before leaf"),
    ],
)
def test_no_new_log_stands_on_one_that_was_changed(spoil: str, said: str) -> None:
    from tracking.errors import DftError

    seal(2, 3, 1)
    segments, kept = collection("log_segment"), collection("log_checkpoint")
    old = dump()
    seal(4)
    ahead = kept.find_one({"_id": 10})
    put_back(old)
    if spoil == "checkpoint ahead":
        kept.insert_one(ahead)
    elif spoil == "checkpoint":
        note = kept.find_one({"_id": 6})["note"]
        kept.update_one({"_id": 6}, {"$set": {"note": note.replace("\n6\n", "\n7\n")}})
    elif spoil == "leaves":
        segments.update_one({"_id": 2}, {"$set": {"leaves": b"x" * 96}})
    elif spoil == "peaks":
        segments.update_one({"_id": 5}, {"$set": {"peaks": b"x" * 64}})
    else:
        segments.delete_one({"_id": 2})
    with pytest.raises(DftError, match=said):
        new_log()
    assert len(keyring.pins().logs) == 1
