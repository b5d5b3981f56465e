"""The keys of an installation: a directory that only its owner can read (docs/integrity.md).

    origin          the name of the log
    log.pem         signs checkpoints
    receipt.pem     signs what was recorded
    public.json     the public keys and which stretch each of them signs: the auditor's list

Whoever can write to the database can rewrite it; without these keys nobody can sign it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings

from tracking.core.note import BadNote, PublicKey, Signer
from tracking.errors import DftError

LOG: Final = "log"
RECEIPT: Final = "receipt"
_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9._/-]{2,99}", re.ASCII)


class NoKeys(DftError):
    """The keys cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A public key and the tree sizes (log) or none (receipts) that it signs for."""

    key: PublicKey
    since: int
    until: int | None


def directory() -> Path:
    return Path(settings.DFT_KEY_DIR)


def ensure_keys() -> None:
    """Make what is missing; called at every start, before anything signs."""
    where = directory()
    try:
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked():
            if not (where / "origin").exists():
                # Random, because two logs of one name would be taken for a log that forked.
                name = f"data-flow-tracking/{secrets.token_hex(4)}/log1"
                write_file(where / "origin", f"{name}\n", 0o644)
            for use in (LOG, RECEIPT):
                if not (where / f"{use}.pem").exists():
                    write_file(where / f"{use}.pem", _new_key(), 0o600)
            if not (where / "public.json").exists():
                _write_public(
                    where,
                    {
                        "origin": origin(),
                        **{
                            use: [{"key": str(signer(use).public), "since": 0, "until": None}]
                            for use in (LOG, RECEIPT)
                        },
                    },
                )
    except OSError as error:
        raise NoKeys(
            f"The key directory {where} cannot be used ({error.strerror}): make it a directory"
            " that only this user can read, or name another with DFT_KEY_DIR."
        ) from error


def origin() -> str:
    """The name of this installation's log, and of the keys that sign for it."""
    name = _read(directory() / "origin").strip()
    if not _ORIGIN.fullmatch(name):
        raise NoKeys(f"{directory() / 'origin'} holds no name of a log.")
    return name


def signer(use: str) -> Signer:
    """The private key for `use`."""
    path = directory() / f"{use}.pem"
    try:
        private = load_pem_private_key(_read(path).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoKeys(f"{path} holds no private key.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise NoKeys(f"{path} holds no Ed25519 key.")
    return Signer(f"{origin()}" if use == LOG else f"{origin()}/{use}", private)


def public_keys(use: str) -> list[Pinned]:
    """The public keys for `use`, oldest first, as the auditor's list has them."""
    path = directory() / "public.json"
    try:
        listed = public_list()[use]
        return [
            Pinned(PublicKey.parse(each["key"]), int(each["since"]), each["until"])
            for each in listed
        ]
    except (ValueError, KeyError, TypeError, BadNote) as error:
        raise NoKeys(f"{path} is no list of public keys: {error}") from None


def public_list() -> dict[str, Any]:
    """The auditor's list as it is."""
    found: dict[str, Any] = json.loads(_read(directory() / "public.json"))
    return found


def _new_key() -> str:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode("ascii")


def _write_public(where: Path, content: dict[str, Any]) -> None:
    write_file(where / "public.json", json.dumps(content, indent=2) + "\n", 0o644)


def write_file(path: Path, text: str, mode: int) -> None:
    """Whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise NoKeys(f"{path} cannot be read: {error}") from error


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process at a time: two that start at once must not make two keys."""
    descriptor = os.open(directory() / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
