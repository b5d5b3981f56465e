"""Signed notes as C2SP writes them, and what a verifier must not take for one."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tracking.core.note import BadNote, Checkpoint, PublicKey, Signer, open_note, sign_note

# The example of golang.org/x/mod/sumdb/note, from which the C2SP format comes.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)


def signer(name: str = "example.org/log1", seed: bytes = b"1" * 32) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


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


def forgeries() -> dict[str, str]:
    mine = signer()
    note = sign_note(Checkpoint("example.org/log1", 5, b"r" * 32).text(), [mine])
    text, _, line = note.partition("\n\n")
    text += "\n"
    name, signature = line.split(" ")[1:]
    raw = base64.b64decode(signature)
    found = {
        "other size": note.replace("\n5\n", "\n6\n", 1),
        "other origin": note.replace("example", "exampel", 1),
        "no text": line,
        "no signature": text + "\n",
        "no empty line": text + line,
        "no last line break": note[:-1],
        "another dash": note.replace("— ", "- "),
        "another name": f"{text}\n— someone {signature}",
        "a name with a plus": f"{text}\n— a+b {signature}",
        "signed twice": note + line,
        "not base64": f"{text}\n— {name} !{signature}",
        "base64 with a blank": f"{text}\n— {name} {signature[:8]} {signature[8:]}",
        "short": f"{text}\n— {name} {base64.b64encode(raw[:3]).decode()}\n",
        "control character": note.replace("example", "exam\x07ple", 1),
        "carriage returns": note.replace("\n", "\r\n"),
        "surrogate": note.replace("example", "exam\ud800ple", 1),
        "huge": "x" * 200_000 + note,
        "many signatures": note + "— x AAAAAAAA\n" * 200,
        "nothing": "",
        "line breaks": "\n\n\n\n",
    }
    for place in (0, 3, 4, 20, len(raw) - 1):
        flipped = bytearray(raw)
        flipped[place] ^= 1
        encoded = base64.b64encode(bytes(flipped)).decode()
        found[f"flipped {place}"] = f"{text}\n— {name} {encoded}\n"
    return found


@pytest.mark.parametrize("kind", forgeries())
def test_no_forged_note_is_opened(kind: str) -> None:
    with pytest.raises(BadNote):
        open_note(forgeries()[kind], [signer().public])


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
