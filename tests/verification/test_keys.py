"""Whose signature counts when the log is verified: rotations, successors, and older lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.keys import rotate_log
from tests.ledger.world import checkpoints, dump, post, put_back, seal
from tests.verification.acts.hands import at, stranger
from tests.verification.acts.signed import rewrite
from tests.verification.world import edit, mark_path
from tracking import clock
from tracking.core.note import BadNote, Checkpoint, Signer, sign_note
from tracking.core.pins import Log, Pinned, Pins, Succession, statement_text
from tracking.ledger.sealer import seal_once
from tracking.ledger.succession import open_new_log
from tracking.mongo.connection import collection
from tracking.signing import keyring
from tracking.verification.keys import Keys, installed_keys, keys_from
from tracking.verification.outside import begun_with, outside_in, signed_here
from tracking.verification.report import FULL, CannotCheck, Report
from tracking.verification.run import verify
from tracking.verification.state import State

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]


def found(*notes: str, keys: Keys | None = None, **options: Any) -> dict[str, int]:
    """What a full run finds, by kind; `notes` were kept outside."""
    return dict(run(*notes, keys=keys, **options).findings.counts)


def run(*notes: str, keys: Keys | None = None, **options: Any) -> Report:
    # later than the newest segment may go without a checkpoint
    now = clock.now() + timedelta(minutes=2)
    kept = [("kept.txt", "\n".join(notes))] if notes else []
    return verify(now=now, keys=keys or installed_keys(), kept=kept, **options)


def handed_out(path: Path) -> Keys:
    """The list as an auditor has it who fetches it now."""
    copy = path / f"public-{len(list(path.glob('public-*')))}.json"
    copy.write_text((keyring.directory() / keyring.LIST).read_text())
    return keys_from(copy)


def new_log() -> Log:
    return open_new_log(reason="The disk was lost.", moment=clock.now()).log


def lose(*counts: int) -> list[str]:
    """Seal batches and lose them with the database; the notes that were kept of them."""
    before, known = dump(), len(checkpoints())
    seal(*counts)
    kept = [row["note"] for row in checkpoints()[known:]]
    put_back(before)
    return kept


def signed(size: int, *signers: Signer, root: bytes = b"r" * 32, origin: str = "") -> str:
    return sign_note(Checkpoint(origin or keyring.origin(), size, root).text(), signers)


def resign(size: int, *signers: Signer) -> None:
    """Another signature under the checkpoint that the log keeps."""
    row = collection("log_checkpoint").find_one({"_id": size})
    note = signed(size, *signers, root=row["root"])
    edit("log_checkpoint", size, lambda document: document.update(note=note))


# --- Rotations ----------------------------------------------------------------------------------


def test_two_sign_at_the_turn_and_an_older_list_holds_until_the_old_key_closes(
    tmp_path: Path,
) -> None:
    seal(2)
    before = handed_out(tmp_path)
    rotate_log(days=7)
    seal(3, 1)
    assert [row["note"].count("\n— ") for row in checkpoints()] == [1, 2, 2]
    for keys in (installed_keys(), handed_out(tmp_path), before):
        assert found(keys=keys) == {}
        assert found(*(row["note"] for row in checkpoints()), keys=keys) == {}
    with at(clock.now() + timedelta(days=8)):
        seal(2, 2)
        notes = [row["note"] for row in checkpoints()]
        assert [note.count("\n— ") for note in notes] == [1, 2, 2, 1, 1]
        assert found(*notes) == found(*notes, keys=handed_out(tmp_path)) == {}
        # Whoever was too late to fetch the new list cannot tell those of the new key from a
        # forger's.
        assert found(keys=before) == {"checkpoint_signature": 2, "checkpoint_missing": 2}
        assert found(*notes[:3], keys=before) == found(keys=before)
        assert found(*notes[3:], keys=before) == {**found(keys=before), "outside_signature": 2}


def test_at_the_turn_the_new_keys_signature_must_be_there_and_the_old_ones_may(
    tmp_path: Path,
) -> None:
    seal(2)
    before = handed_out(tmp_path)
    old = keyring.signer(keyring.LOG)
    rotate_log(days=7)
    new = keyring.signer(keyring.LOG)
    seal(3)
    resign(5, new)
    assert found() == {}
    assert found(keys=before) == {"checkpoint_signature": 1, "checkpoint_missing": 1}
    resign(5, old)
    assert found() == {"checkpoint_signature": 1, "checkpoint_missing": 1}
    assert found(keys=before) == {}, "who has the list of before knows of no other key"
    resign(5, new, old)
    assert found() == {}


def test_a_key_signs_nothing_beyond_its_stretch() -> None:
    seal(2)
    stolen = keyring.signer(keyring.LOG)
    rotate_log(days=0)
    seal(3)
    assert found(signed(6, stolen), signed(5, stolen)) == {"outside_signature": 2}
    resign(5, stolen)
    assert found() == {"checkpoint_signature": 1, "checkpoint_missing": 1}
    resign(5, keyring.signer(keyring.LOG), stolen)
    assert found() == {}, "a listed key too many does no harm"


def test_lines_that_no_sealer_writes_are_a_finding_by_the_installations_own_list(
    tmp_path: Path,
) -> None:
    seal(2)
    resign(2, keyring.signer(keyring.LOG), stranger())
    bad = {"checkpoint_signature": 1, "checkpoint_missing": 1}
    assert found() == bad
    assert found(keys=handed_out(tmp_path)) == {}, (
        "it may be of a key that this list has yet to get"
    )
    assert found(checkpoints()[0]["note"]) == bad, "outside a witness may have signed as well"


# --- Logs that follow another -------------------------------------------------------------------


def test_what_the_list_says_was_lost_is_noted_and_nothing_else_is_let_off(tmp_path: Path) -> None:
    seal(2, 3)
    kept = [row["note"] for row in checkpoints()]
    before, old = handed_out(tmp_path), keyring.signer(keyring.LOG)
    lost = lose(4, 1)
    assert [Checkpoint.parse(note.partition("\n\n")[0] + "\n").size for note in lost] == [9, 10]
    assert found(*kept, *lost) == {"log_cut": 2}, "as long as nobody has said so"
    origin = keyring.origin()
    new_log()
    seal(3, 6)
    assert found(*kept, *lost) == {}
    report = run(*kept, *lost)
    (note,) = report.notes
    assert note.startswith("2 checkpoints in kept.txt are of leaves that were lost")
    assert f"the beginning of {keyring.origin()}" not in report.outside, "it is of the list"

    # By the list of before, both the new name and what became of the old one are unknown.
    unknown = {"checkpoint_signature": 2, "checkpoint_missing": 2}
    assert found(keys=before) == unknown
    assert found(*kept, keys=before) == unknown
    assert found(*lost, keys=before) == {**unknown, "log_rewritten": 2, "segment_order": 2}
    # The old key proves nothing beyond what it had signed, nor of what the database still has.
    assert found(signed(11, old, origin=origin)) == {"outside_signature": 1}
    assert found(signed(5, old, origin=origin)) == {"log_rewritten": 1}
    assert found(signed(9, old)) == {"outside_signature": 1}, "under the new name"
    # The new key signs nothing of the old log's stretch.
    assert found(signed(5, keyring.signer(keyring.LOG))) == {"outside_signature": 1}
    assert found(signed(9, keyring.signer(keyring.LOG), origin=origin)) == {"outside_signature": 1}


def test_the_log_keeps_checkpoints_of_each_name_only_in_its_stretch() -> None:
    seal(2)
    lost = lose(3)
    first = collection("log_checkpoint").find_one({"_id": 2})
    new_log()
    seal(3)
    new = keyring.signer(keyring.LOG)
    bad = {"checkpoint_signature": 1, "checkpoint_missing": 1}
    assert found() == {}
    # What was lost, put in place of what was signed since.
    kept = checkpoints()[1]
    edit("log_checkpoint", 5, lambda row: row.update(note=lost[0]))
    assert found() == bad
    edit("log_checkpoint", 5, lambda row: row.update(note=kept["note"]))
    resign(2, new)
    assert found() == bad
    edit("log_checkpoint", 2, lambda row: row.update(note=first["note"]))
    assert found() == {}


def test_a_log_must_begin_with_what_its_statement_says() -> None:
    """No checkpoint of the old log is left, and the new key signs another beginning."""
    seal(3)
    base = dump() | {"log_checkpoint": []}
    lose(4)
    put_back(base)
    new_log()
    while seal_once():
        pass
    seal(2)
    assert [row["_id"] for row in checkpoints()] == [3, 5]
    assert found() == {}
    (beginning,) = begun_with(installed_keys())
    assert beginning.size == 3
    whole = dump()
    key = collection("journal").find_one({"index": 1})["_id"]
    edit("journal", key, lambda record: record.update(status="failed"))
    rewrite([keyring.signer(keyring.LOG)])
    mark_path().unlink()
    assert found() == {"log_rewritten": 1}
    put_back({name: [] for name in whole})
    assert found() == {"log_cut": 1}


def test_a_database_put_back_twice_is_verified_by_where_it_began_last(tmp_path: Path) -> None:
    """The second time to before the first new log began: what that began with is lost, too."""
    seal(2)
    first = dump()
    seal(3)
    lost = lose(1)
    new_log()
    seal(2, 2)
    lost += [row["note"] for row in checkpoints()][2:]
    put_back(first)
    new_log()
    seal(4, 4)
    assert [row["_id"] for row in checkpoints()] == [2, 6, 10]
    assert [(each.size, each.source[-4:]) for each in begun_with(installed_keys())] == [(2, "log3")]
    assert found() == {}
    assert found(*lost, outside=signed_here()) == {}
    assert found(checkpoints()[0]["note"], keys=handed_out(tmp_path)) == {}


def test_a_mark_without_a_name_is_of_the_first_log(tmp_path: Path) -> None:
    seal(2)
    lose(3)
    mark = json.loads(mark_path().read_text())
    del mark["origin"]
    mark_path().write_text(json.dumps(mark))
    assert [each.size for each in signed_here()] == [5]
    new_log()
    assert signed_here() == []
    post(1)
    seal_once()
    assert [each.size for each in signed_here()] == [3]
    assert found(outside=signed_here()) == {}


# --- Runs before and after ------------------------------------------------------------------------


def test_the_last_clean_run_counts_unless_what_it_saw_was_lost(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    seal(2)

    def remember() -> None:
        report = run()
        assert report.clean
        state.remember_clean(report.size, report.root, installed_keys())

    def seen() -> int | None:
        last = state.last_clean(installed_keys())
        return last.size if last else None

    remember()
    before = dump()
    kept = state.directory.joinpath("clean.json").read_text()
    seal(3)
    remember()
    put_back(before)
    assert seen() == 5
    assert found(since=state.last_clean(installed_keys())) == {"log_cut": 1}
    new_log()
    assert seen() is None
    seal(6)
    assert seen() is None, "whatever it has grown to since"
    remember()
    assert seen() == 8
    seal(1)
    assert found(since=state.last_clean(installed_keys())) == {}
    state.directory.joinpath("clean.json").write_text(kept)
    assert seen() == 2, "what is still there"
    old = {**json.loads(kept), "size": 5}
    del old["origin"]
    state.directory.joinpath("clean.json").write_text(json.dumps(old))
    assert seen() is None, "of the time before names were written down"


def test_an_interrupted_run_is_begun_again_where_what_it_read_was_lost(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def stop(what: str, _done: int, _total: int) -> None:
        if what == "journal":
            raise Killed

    def interrupted() -> tuple[int, str | None]:
        with pytest.raises(Killed):
            found(state=state, progress=stop)
        saved = state.load()
        assert saved is not None
        return saved.size, saved.origin

    def gone_on_with() -> list[str]:
        report = run(state=state, resume=True)
        assert report.clean, report.findings.kept
        return report.notes

    state = State(tmp_path / "state")
    first = keyring.origin()
    seal(2)
    before = dump()
    seal(3)
    assert interrupted() == (5, first)
    put_back(before)
    assert found(state=state, resume=True)["log_cut"] == 1, "nobody has said that it was lost"
    assert interrupted() == (2, first)
    new_log()
    seal(4)
    (note,) = gone_on_with()
    assert note.startswith("Gone on with"), "2 are still there"

    later = dump()
    seal(1)
    assert interrupted() == (7, keyring.origin())
    put_back(later)
    new_log()
    seal(5)
    (note,) = gone_on_with()
    assert note.startswith("What the interrupted run had read was lost with the database")


# --- Statements -----------------------------------------------------------------------------------


def twice_followed() -> Pins:
    """Keys and list of a log that was put back twice."""
    seal(2)
    first = dump()
    seal(3)
    put_back(first)
    new_log()
    seal(4)
    put_back(first)
    new_log()
    seal(1)
    return keyring.pins()


def write(pins: Pins) -> None:
    (keyring.directory() / keyring.LIST).write_text(json.dumps(pins.as_json()))


def told_of(log: Log) -> Succession:
    assert log.succession is not None
    return log.succession


def exchanged(pins: Pins, place: int, **changes: Any) -> Pins:
    """The list with another story of how a log began."""
    logs = list(pins.logs)
    logs[place] = replace(logs[place], succession=replace(told_of(logs[place]), **changes))
    return replace(pins, logs=tuple(logs))


def forged(pins: Pins, place: int, signer: Signer, **changes: Any) -> Pins:
    """A story that fits its statement, which another key has signed."""
    log, told = pins.logs[place], replace(told_of(pins.logs[place]), **changes)
    key = next(each.key for each in pins.log_keys if each.key.name == log.origin)
    text = statement_text(log.origin, log.since, key, told)
    return exchanged(pins, place, **changes, statement=sign_note(text, [signer]))


def test_a_statement_that_is_forged_or_exchanged_is_no_ground_to_judge_by(tmp_path: Path) -> None:
    pins = twice_followed()
    assert found() == found(keys=handed_out(tmp_path)) == {}
    assert [log.origin[-4:] for log in installed_keys().successors()] == ["log2", "log3"]
    stranger = Signer(pins.logs[1].origin, keyring.signer(keyring.LOG)._private)
    statements = [told_of(log).statement for log in pins.logs[1:]]
    cases: dict[str, Callable[[], Pins]] = {
        "another reason": lambda: exchanged(pins, 1, reason="It was planned."),
        "fewer lost": lambda: exchanged(pins, 1, last_size=4),
        "another end": lambda: exchanged(pins, 1, last_root=b"r" * 32),
        "another beginning": lambda: exchanged(pins, 2, base_root=b"r" * 32),
        "a longer beginning": lambda: exchanged(pins, 2, base_size=3),
        "another day": lambda: exchanged(
            pins, 2, opened_at=told_of(pins.logs[2]).opened_at + timedelta(days=1)
        ),
        "another's statement": lambda: exchanged(pins, 1, statement=statements[1]),
        "and the other way": lambda: exchanged(pins, 2, statement=statements[0]),
        "one turned": lambda: exchanged(pins, 2, statement=statements[1].replace("disk", "disc")),
        "none": lambda: exchanged(pins, 2, statement="x"),
        "signed by the next log": lambda: forged(pins, 1, keyring.signer(keyring.LOG)),
        "signed by a stranger of that name": lambda: forged(pins, 1, stranger, last_size=4),
        "another stretch": lambda: replace(
            pins, logs=(*pins.logs[:2], replace(pins.logs[2], since=4))
        ),
    }
    for name, made in cases.items():
        write(made())
        for keys in (installed_keys(), handed_out(tmp_path)):
            with pytest.raises(CannotCheck, match="list of keys cannot be trusted"):
                found(keys=keys)
            with pytest.raises(CannotCheck, match="list of keys cannot be trusted"):
                begun_with(keys)
        write(pins)
        assert found() == {}, name


def test_another_last_note_of_the_log_before_is_no_ground_to_judge_by(tmp_path: Path) -> None:
    """The statement names size and root of it; the note must be of those, and signed."""
    pins = twice_followed()
    old = told_of(pins.logs[1]).last_note
    assert old is not None
    other = signed(5, keyring.signer(keyring.LOG), origin=pins.logs[0].origin)
    for note in (other, told_of(pins.logs[2]).last_note, old.replace("\n5\n", "\n6\n"), "x"):
        write(exchanged(pins, 1, last_note=note))
        for keys in (installed_keys(), handed_out(tmp_path)):
            with pytest.raises(CannotCheck, match="list of keys cannot be trusted"):
                found(keys=keys)
    write(exchanged(pins, 1, last_note=None))
    assert found() == {}, "it need not be known"


def test_a_key_of_no_listed_log_signs_nothing() -> None:
    seal(2)
    other = Signer("another/log", keyring.signer(keyring.LOG)._private)
    pins = keyring.pins()
    keys = Keys(replace(pins, log_keys=(*pins.log_keys, Pinned(other.public))), False)
    with pytest.raises(BadNote, match="of another log, another/log"):
        keys.outside(signed(2, other, origin="another/log"))
    assert found(signed(2, other, origin="another/log"), keys=keys) == {"outside_signature": 1}


def test_a_kept_file_tells_of_each_note_by_itself() -> None:
    seal(2)
    lost = lose(3)
    new_log()
    seal(1)
    report = Report(FULL, clock.now())
    good, bad = checkpoints()[0]["note"], lost[0].replace("\n5\n", "\n4\n")
    outside = outside_in("\n".join([good, lost[0], bad]), "kept.txt", installed_keys(), report)
    assert [(each.size, each.source) for each in outside] == [(2, "kept.txt, note 1")]
    assert dict(report.findings.counts) == {"outside_signature": 1}
    assert report.findings.kept[0].record == "kept.txt, note 3"
    assert len(report.notes) == 1 and report.notes[0].startswith("1 checkpoints in kept.txt")
