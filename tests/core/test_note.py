"""Signed notes as C2SP writes them, and what a verifier must not take for one."""

from __future__ import annotations

import base64

import pytest

from tests.core.forgeries import notes, signer
from tracking.core.note import BadNote, Checkpoint, PublicKey, open_note, sign_note

# The example of golang.org/x/mod/sumdb/note, from which the C2SP format comes.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)


def test_the_published_example_opens() -> None:
    key = PublicKey.parse(VKEY)
    assert str(key) == VKEY
    text, signed = open_note(NOTE, [key])
    assert text.startswith("If you think")
    assert signed == [key]


def test_a_checkpoint_is_what_was_signed() -> None:
    mine = signer()
    checkpoint = Checkpoint("example.org/log1", 5, b"r" * 32)
    note = sign_note(checkpoint.text(), [mine, signer("other", b"2" * 32)])
    text, signed = open_note(note, [PublicKey.parse(str(mine.public))])
    assert Checkpoint.parse(text) == checkpoint
    assert signed == [mine.public]
    assert note.count("\n— ") == 2


def test_both_keys_of_a_rotation_are_told() -> None:
    old, new = signer(), signer(seed=b"2" * 32)
    note = sign_note("text\n", [old, new])
    assert open_note(note, [new.public, old.public])[1] == [old.public, new.public]


FORGED = dict(notes())


@pytest.mark.parametrize("kind", FORGED)
def test_no_forged_note_is_opened(kind: str) -> None:
    with pytest.raises(BadNote):
        open_note(FORGED[kind], [signer().public])


def test_a_note_of_another_key_alone_is_not_opened() -> None:
    note = sign_note("text\n", [signer(seed=b"2" * 32)])
    with pytest.raises(BadNote, match="None of the known keys"):
        open_note(note, [signer().public])


@pytest.mark.parametrize(
    "text",
    [
        "o\n5\n", "o\n5\n\n", "\n5\nAAAA\n", "o\n05\n{root}\n", "o\n-5\n{root}\n",
        "o\n+5\n{root}\n", "o\n5 \n{root}\n", "o\n٥\n{root}\n", "o\n5\n{root}", "o\n5\n{short}\n",
        "o\n5\n{root}=\n",
        "o\n99999999999999999999\n{root}\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    root = base64.b64encode(b"r" * 32).decode()
    short = base64.b64encode(b"r" * 31).decode()
    with pytest.raises(BadNote):
        Checkpoint.parse(text.format(root=root, short=short))
    assert Checkpoint.parse(f"o\n5\n{root}\nextension\n").size == 5


@pytest.mark.parametrize(
    "text",
    ["", "name", "name+00000000", VKEY[:-4], VKEY.replace("c74f", "c74e"), f"{VKEY}=", f" {VKEY}"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        PublicKey.parse(text)
