"""Signed notes and checkpoints: C2SP signed-note and tlog-checkpoint, with Ed25519.

<origin>
<size, decimal>
<root, base64>

— <key name> <base64 of key id and signature>
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_NAME: Final = re.compile(r"[^\s+]{1,200}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
# Everything of ours is far smaller; who is handed a note must not choke on it.
NOTE_BYTES_MAX: Final = 100_000
_SIGNATURES_MAX: Final = 100


class BadNote(Exception):
    """Text that is no signed note, or that no known key has signed."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A verifier's key; `str()` gives its C2SP text, name+id+key."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        text = self.name.encode() + b"\n" + _ED25519 + self.raw
        return hashlib.sha256(text).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        key = base64.b64encode(_ED25519 + self.raw).decode()
        return f"{self.name}+{self.id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        name, _, rest = text.partition("+")
        given_id, _, encoded = rest.partition("+")
        raw = _decoded(encoded, "The key")
        if not _NAME.fullmatch(name) or raw[:1] != _ED25519 or len(raw) != 33:
            raise BadNote("The text is no Ed25519 key in the form name+id+key.")
        key = cls(name, raw[1:])
        if given_id != key.id.hex():
            raise BadNote("The id in the key's text is not that of the key.")
        return key

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key and the name it signs under."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError("The name of a key has neither spaces nor +.")
        self._private = private
        self.public = PublicKey(name, private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log states of itself: so many leaves, under this root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Lines after the third are extensions, which say nothing about the tree."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise BadNote("A checkpoint has an origin, a size and a root, each on its line.")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size):
            raise BadNote("The size of a checkpoint is a plain decimal number.")
        raw = _decoded(root, "The root")
        if len(raw) != 32:
            raise BadNote("The root of a checkpoint has 32 bytes.")
        return cls(origin, int(size), raw)


def sign_note(text: str, signers: Iterable[Signer]) -> str:
    """The note of `text`, which ends with a line break, signed by each."""
    _check_text(text)
    lines = []
    for signer in signers:
        signature = base64.b64encode(signer.public.id + signer.sign(text.encode())).decode()
        lines.append(f"— {signer.public.name} {signature}\n")
    return text + "\n" + "".join(lines)


def open_note(note: str, keys: Sequence[PublicKey]) -> tuple[str, list[PublicKey]]:
    """The text of a note and which of `keys` signed it.

    Raises BadNote unless at least one of them did, and if the signature of one is wrong.
    Signatures of other keys are passed over, as the specification asks.
    """
    if len(note.encode("utf-8", "surrogatepass")) > NOTE_BYTES_MAX:
        raise BadNote(f"A note has at most {NOTE_BYTES_MAX} bytes.")
    text, gap, signatures = note.rpartition("\n\n")
    text += "\n"
    if not gap or not signatures.endswith("\n"):
        raise BadNote("A note has a text, an empty line and signatures.")
    _check_text(text)
    lines = signatures[:-1].split("\n")
    if len(lines) > _SIGNATURES_MAX:
        raise BadNote(f"A note has at most {_SIGNATURES_MAX} signatures.")
    signed: list[PublicKey] = []
    for line in lines:
        mark, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        raw = _decoded(encoded, "A signature")
        if mark != "—" or not _NAME.fullmatch(name) or len(raw) <= _KEY_ID_BYTES:
            raise BadNote("A signature reads — name signature.")
        for key in keys:
            if key.name == name and key.id == raw[:_KEY_ID_BYTES]:
                if key in signed:
                    raise BadNote(f"The key {name} has signed twice.")
                if not key.has_signed(text.encode(), raw[_KEY_ID_BYTES:]):
                    raise BadNote(f"The signature of {name} is wrong.")
                signed.append(key)
    if not signed:
        raise BadNote("None of the known keys has signed the note.")
    return text, signed


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadNote("A note is UTF-8.") from None
    if not text.endswith("\n") or any(ord(each) < 32 and each != "\n" for each in text):
        raise BadNote("The text of a note ends with a line break and has no control characters.")


def _decoded(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote(f"{what} is no base64.") from None
    # Several texts decode to the same bytes; only one of them is what was written.
    if base64.b64encode(raw).decode() != text:
        raise BadNote(f"{what} is no canonical base64.")
    return raw
