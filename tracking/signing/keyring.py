"""The keys of an installation: a directory that only its owner can read (docs/integrity.md).

    public.json         the logs, their public keys and which stretch each signs: the auditor's
                        list, and what decides which private key signs
    log-<id>.pem        signs checkpoints
    receipt-<id>.pem    signs what was recorded

Whoever can write to the database can rewrite it; without these keys nobody can sign it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
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

from tracking import clock
from tracking.core.note import BadNote, PublicKey, Signer
from tracking.core.pins import Log, Pinned, Pins, receipt_name
from tracking.errors import DftError

LOG: Final = "log"
RECEIPT: Final = "receipt"
USES: Final = (LOG, RECEIPT)
LIST: Final = "public.json"


class NoKeys(DftError):
    """The keys cannot be used; the text says why and what to do."""


def directory() -> Path:
    return Path(settings.DFT_KEY_DIR)


def ensure_keys() -> None:
    """Make what is missing; called at every start, before anything signs."""
    where = directory()
    try:
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked():
            if not (where / LIST).exists():
                _begin(where)
            _rename_old(where)
    except OSError as error:
        raise NoKeys(
            f"The key directory {where} cannot be used ({error.strerror}): make it a directory"
            " that only this user can read, or name another with DFT_KEY_DIR."
        ) from error


def _begin(where: Path) -> None:
    """The first keys. The list comes last: a start that was killed before begins again."""
    if (where / "high-water.json").exists():
        raise NoKeys(
            f"{where / LIST} is missing, and this installation has signed before: put it back"
            " from a backup, or from anybody to whom it was handed out."
        )
    # Random, because two logs of one name would be taken for a log that forked.
    name = f"data-flow-tracking/{secrets.token_hex(4)}/log1"
    log = Pinned(new_key(LOG, name), begins_at=clock.now())
    receipt = Pinned(new_key(RECEIPT, name))
    write_list(Pins((Log(name),), (log,), (receipt,)))


def _rename_old(where: Path) -> None:
    """Files of the time when there was one key for each use bear no id."""
    for use in USES:
        old = where / f"{use}.pem"
        if old.exists():
            old.replace(_key_path(use, public_keys(use)[-1].key))


# --- The list --------------------------------------------------------------------------------


def public_list() -> dict[str, Any]:
    """The auditor's list as it is."""
    try:
        found: dict[str, Any] = json.loads(_read(directory() / LIST))
    except ValueError as error:
        raise NoKeys(f"{directory() / LIST} is no list of public keys: {error}") from None
    return found


def pins() -> Pins:
    """The auditor's list, understood."""
    try:
        return Pins.parse(public_list())
    except BadNote as error:
        raise NoKeys(f"{directory() / LIST} cannot be used. {error}") from None


def write_list(new: Pins) -> None:
    """The one step that changes who signs; only while `locked`."""
    Pins.parse(new.as_json())  # what cannot be read back would stop everything
    write_file(directory() / LIST, json.dumps(new.as_json(), indent=2) + "\n", 0o644)


def origin() -> str:
    """The name of this installation's log, and of the keys that sign for it."""
    return pins().origin


def public_keys(use: str) -> list[Pinned]:
    """The public keys for `use`, oldest first, as the auditor's list has them."""
    listed = pins()
    return list(listed.log_keys if use == LOG else listed.receipt_keys)


# --- Private keys ----------------------------------------------------------------------------


def new_key(use: str, origin: str) -> PublicKey:
    """Make a private key, on disk; nothing is signed by it before the list names it."""
    key = Ed25519PrivateKey.generate()
    public = Signer(origin if use == LOG else receipt_name(origin), key).public
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_file(_key_path(use, public), pem.decode("ascii"), 0o600)
    return public


def signer(use: str) -> Signer:
    """The private key that signs for `use` from now on."""
    return private(use, public_keys(use)[-1].key)


def private(use: str, key: PublicKey) -> Signer:
    """The private key of a public one."""
    path = _key_path(use, key)
    try:
        found = load_pem_private_key(_read(path).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoKeys(f"{path} holds no private key.") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise NoKeys(f"{path} holds no Ed25519 key.")
    signer = Signer(key.name, found)
    if signer.public != key:
        raise NoKeys(f"{path} holds another key than the one that {LIST} names.")
    return signer


def has_private(use: str, key: PublicKey) -> bool:
    return _key_path(use, key).exists()


def remove_private(use: str, key: PublicKey) -> bool:
    """Remove the private key; False if it was not there. Only while `locked`."""
    if not has_private(use, key):
        return False
    _key_path(use, key).unlink()
    return True


def _key_path(use: str, key: PublicKey) -> Path:
    return directory() / f"{use}-{key.id.hex()}.pem"


# --- Files -----------------------------------------------------------------------------------


def write_file(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, and on disk."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise NoKeys(
            f"{path} is missing: put it back from a backup of the key directory. A private key"
            " that is lost for good is replaced by `manage.py rotate_keys --overlap-days 0`."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise NoKeys(f"{path} cannot be read: {error}") from error


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process and thread at a time: who signs, who makes keys, who changes the list.

    Does not nest.
    """
    descriptor = os.open(directory() / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
