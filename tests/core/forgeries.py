"""Forged proofs and notes, one table for everything that checks them: our verifier, the
outsider's script, whoever comes next. Each is a claim that must not be accepted."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.core.tree import LEAVES, consistency, inclusion, leaf, mth, mth_of_nothing
from tracking.core.note import Checkpoint, Signer, sign_note

# leaf, index, size, proof, root
Inclusion = tuple[bytes, int, int, list[bytes], bytes]
# old size, new size, old root, new root, proof
Consistency = tuple[int, int, bytes, bytes, list[bytes]]

ORIGIN = "example.org/log1"
SIZES = (1, 2, 3, 7, 8, 13, 64, 100, 257, 700)


def altered(proof: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A flipped bit in each hash, first and last; one hash too few, too many; another order."""
    yield "longer", [*proof, LEAVES[0]]
    yield "longer in front", [LEAVES[0], *proof]
    yield "empty hash", [*proof, b""]
    if proof:
        yield "twice", [*proof, proof[-1]]
        yield "nothing", []
        yield "as one", [b"".join(proof)] if len(proof) > 1 else [proof[0] * 2]
    for place, step in enumerate(proof):
        before, after = proof[:place], proof[place + 1 :]
        yield f"first bit of {place}", [*before, bytes([step[0] ^ 0x80]) + step[1:], *after]
        yield f"last bit of {place}", [*before, step[:-1] + bytes([step[-1] ^ 1]), *after]
        yield f"without {place}", [*before, *after]
        yield f"{place} cut", [*before, step[:31], *after]
        yield f"{place} longer", [*before, step + b"\0", *after]
        yield f"{place} zeros", [*before, bytes(32), *after]
    for place in range(len(proof) - 1):
        if proof[place] != proof[place + 1]:
            one, other = proof[place : place + 2]
            yield f"swapped {place}", [*proof[:place], other, one, *proof[place + 2 :]]


def inclusions() -> Iterator[tuple[str, Inclusion]]:
    for size in SIZES:
        root = mth(0, size)
        for index in sorted({0, size // 2, size - 1}):
            mine, proof = LEAVES[index], inclusion(index, size)
            name = f"leaf {index} of {size}: "
            for what, forged in altered(proof):
                yield name + what, (mine, index, size, forged, root)
            yield name + "another leaf", (leaf(b"another"), index, size, proof, root)
            yield name + "another root", (mine, index, size, proof, leaf(b"root"))
            yield name + "root of no leaves", (mine, index, size, proof, mth_of_nothing())
            yield name + "index is size", (mine, size, size, proof, root)
            yield name + "index below zero", (mine, index - size, size, proof, root)
            yield name + "size 0", (mine, index, 0, proof, root)
            yield name + "size below zero", (mine, index, -size, proof, root)
            if size > 1:
                yield name + "a node for a leaf", (root, 0, 1, [*proof], root)
            # A proof tells its size only as far as the way to its leaf goes; the rest is signed.
            others = [other for other in range(size) if other != index][:15]
            for other in others:
                yield name + f"as leaf {other}", (mine, other, size, proof, root)
            for half in {size // 2, size // 4} - {0}:
                if index < half:
                    yield name + f"size {half}", (mine, index, half, proof, root)


def consistencies() -> Iterator[tuple[str, Consistency]]:
    other = leaf(b"another root")
    for new in SIZES[1:]:
        for old in sorted({1, new // 2, new - 1, new}):
            before, after, proof = mth(0, old), mth(0, new), consistency(old, new)
            name = f"{old} to {new}: "
            for what, forged in altered(proof):
                yield name + what, (old, new, before, after, forged)
            yield name + "another old root", (old, new, other, after, proof)
            yield name + "another new root", (old, new, before, other, proof)
            yield name + "new + 1 to new", (new + 1, new, before, after, proof)
            yield name + "-1 to new", (-1, new, before, after, proof)
            yield name + "size 0 with a proof", (0, new, mth_of_nothing(), after, [*proof, other])
            if old < new:
                yield name + "roots swapped", (old, new, after, before, proof)
                yield name + "sizes swapped", (new, old, after, before, proof)
                yield name + "same root", (old, new, after, after, proof)
                yield name + "equal sizes", (new, new, before, after, proof)
            if old > 1 and old != new:
                yield name + "one leaf less", (old - 1, new, before, after, proof)
                yield (
                    name + "one leaf less, its root",
                    (old - 1, new, mth(0, old - 1), after, proof),
                )


def signer(name: str = ORIGIN, seed: bytes = b"1" * 32) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


def notes() -> Iterator[tuple[str, str]]:
    """Notes that the key of `signer()` has not signed, or that are none."""
    mine = signer()
    note = sign_note(Checkpoint(ORIGIN, 5, b"r" * 32).text(), [mine])
    text, _, line = note.partition("\n\n")
    text += "\n"
    name, signature = line.split(" ")[1:]
    raw = base64.b64decode(signature)
    yield "other size", note.replace("\n5\n", "\n6\n", 1)
    yield "size 0", note.replace("\n5\n", "\n0\n", 1)
    yield "size with a zero before", note.replace("\n5\n", "\n05\n", 1)
    yield "other origin", note.replace("example", "exampel", 1)
    yield "other root", note.replace(_encoded(b"r" * 32), _encoded(b"s" * 32), 1)
    yield "extension line", note.replace("\n\n", "\nextension\n\n", 1)
    yield "no text", line
    yield "no signature", text + "\n"
    yield "no empty line", text + line
    yield "no last line break", note[:-1]
    yield "another dash", note.replace("— ", "- ")
    yield "another name", f"{text}\n— someone {signature}"
    yield "a name with a plus", f"{text}\n— a+b {signature}"
    yield "signed twice", note + line
    yield "signed three times", note + line + line
    yield "not base64", f"{text}\n— {name} !{signature}"
    yield "base64 with a blank", f"{text}\n— {name} {signature[:8]} {signature[8:]}"
    yield "base64 spelt another way", f"{text}\n— {name} {signature[:-3]}{_next(signature[-3])}=\n"
    yield "short", f"{text}\n— {name} {_encoded(raw[:3])}\n"
    yield "signature cut", f"{text}\n— {name} {_encoded(raw[:-1])}\n"
    yield "signature longer", f"{text}\n— {name} {_encoded(raw + b'0')}\n"
    yield "control character", note.replace("example", "exam\x07ple", 1)
    yield "carriage returns", note.replace("\n", "\r\n")
    yield "surrogate", note.replace("example", "exam\ud800ple", 1)
    yield "huge", "x" * 200_000 + note
    yield "many signatures", note.replace("example", "exampel", 1) + "— x AAAAAAAA\n" * 200
    yield "nothing", ""
    yield "line breaks", "\n\n\n\n"
    by_another = signer(seed=b"2" * 32)
    yield "another key", sign_note(text, [by_another])
    yield (
        "another key under my id",
        f"{text}\n— {name} {_encoded(raw[:4] + by_another.sign(text.encode()))}\n",
    )
    yield "another's name", sign_note(text, [signer("other")])
    for place in range(0, len(raw), 3):
        flipped = bytearray(raw)
        flipped[place] ^= 1
        yield f"byte {place} of the signature", f"{text}\n— {name} {_encoded(bytes(flipped))}\n"
    for place, character in enumerate(text[:-1]):
        if place % 4 == 0 and character != "\n":
            other = "x" if character != "x" else "y"
            yield f"character {place}", text[:place] + other + note[place + 1 :]


def _next(character: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return alphabet[alphabet.index(character) + 1]


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
