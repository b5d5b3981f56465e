"""The anchor file: one note after another, each whole, whatever happens while one is written."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest

from tracking import clock
from tracking.anchoring.file import AnchorFile, split_notes
from tracking.anchoring.target import NotAnchored, Published
from tracking.core.note import BadNote, Checkpoint, open_note, sign_note
from tracking.signing import keyring


def published(size: int, *, origin: str = "", salt: str = "") -> Published:
    signer = keyring.signer(keyring.LOG)
    root = hashlib.sha256(f"{size}{salt}".encode()).digest()
    stated = Checkpoint(origin or keyring.origin(), size, root)
    note = sign_note(stated.text(), [signer])
    return Published(stated.origin, size, root, note, clock.now())


def sizes(path: Path) -> list[int]:
    """What the file states; every note in it must be whole and signed."""
    keys = [pinned.key for pinned in keyring.public_keys(keyring.LOG)]
    notes = split_notes(path.read_text(encoding="utf-8"))
    return [Checkpoint.parse(open_note(note, keys)[0]).size for note in notes]


def append(path: Path, *points: Published) -> None:
    for point in points:
        AnchorFile(path, 1).publish(point)


def test_notes_follow_one_another_and_none_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.txt"
    append(path, published(3), published(7), published(7), published(12))
    assert sizes(path) == [3, 7, 12]
    text = path.read_text(encoding="utf-8")
    assert text == "".join(published(size).note + "\n" for size in (3, 7, 12))


def test_a_tail_torn_at_any_byte_is_cut_off_before_the_next_note(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.txt"
    first, second, third = (published(size) for size in (3, 7, 12))
    whole = first.note.encode() + b"\n"
    torn = second.note.encode() + b"\n"
    for kept in (b"", whole):
        for length in range(len(torn) + 1):
            path.write_bytes(kept + torn[:length])
            append(path, third)
            wanted = ([3] if kept else []) + ([7] if length == len(torn) else []) + [12]
            assert sizes(path) == wanted, length


@pytest.mark.parametrize(
    "content",
    [
        "a remark\n",
        "a remark\n\n",
        "# 1\n\n— no note\n\n",
        "{note}\na remark of somebody's\n",
        "{note}\n\n",
        "— x\n\n",
        "\n\n",
    ],
)
def test_what_is_no_anchor_file_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "checkpoints.txt"
    before = content.replace("{note}", published(3).note)
    path.write_text(before, encoding="utf-8")
    with pytest.raises(NotAnchored, match="DFT_ANCHOR_FILE"):
        append(path, published(7))
    assert path.read_text(encoding="utf-8") == before


def test_a_log_that_is_not_the_one_anchored_before_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.txt"
    append(path, published(7))
    for other, said in (
        (published(3), "restored from an older state or cut"),
        (published(7, salt="other"), "another root for 7 leaves"),
        (published(9, origin="another/log"), "is of another log"),
    ):
        with pytest.raises(NotAnchored, match=said):
            append(path, other)
    assert sizes(path) == [7]


def test_a_file_that_was_rotated_away_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.txt"
    append(path, published(3))
    path.rename(tmp_path / "checkpoints.1")
    append(path, published(3), published(7))
    assert sizes(path) == [3, 7]
    assert sizes(tmp_path / "checkpoints.1") == [3]


def _write(path: Path, start: int) -> None:
    for size in range(start, 120, 3):
        with contextlib.suppress(NotAnchored):  # a rival was further
            AnchorFile(path, 1).publish(published(size))


def test_rivals_write_one_file_that_only_grows(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.txt"
    fork = multiprocessing.get_context("fork")
    rivals = [fork.Process(target=_write, args=(path, start)) for start in (1, 2, 3)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    found = sizes(path)
    assert found == sorted(set(found))
    assert found[-1] == 119


def test_a_directory_that_is_missing_may_be_a_mount(tmp_path: Path) -> None:
    path = tmp_path / "mount" / "checkpoints.txt"
    with pytest.raises(NotAnchored, match="DFT_ANCHOR_FILE"):
        append(path, published(3))
    AnchorFile(path, 1, made=True).publish(published(3))
    assert sizes(path) == [3]


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotAnchored, match="cannot be written"):
        append(tmp_path, published(3))


def test_a_disk_that_is_full_leaves_no_half_note(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.txt"
    append(path, published(3))

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = path.stat().st_size + 20
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            append(path, published(7))
        except NotAnchored:
            os._exit(7)
        os._exit(0)

    child = multiprocessing.get_context("fork").Process(target=limited)
    child.start()
    child.join()
    assert child.exitcode == 7
    assert sizes(path) == [3]


@pytest.mark.parametrize("text", ["x", "a\n\n", "a\n\nb", "a\n\nb\n", "a\n\nb\n\nc\n\n"])
def test_a_file_that_ends_within_a_note_is_no_list_of_notes(text: str) -> None:
    with pytest.raises(BadNote):
        split_notes(text)


def test_a_note_reads_as_the_specification_has_it() -> None:
    point = published(3)
    assert point.note.startswith(f"{keyring.origin()}\n3\n")
    assert base64.b64encode(point.root).decode() in point.note
    assert split_notes(point.note + "\n") == [point.note]
