"""The signature a producer keeps: what was recorded, where and when (docs/integrity.md)."""

from __future__ import annotations

import base64
import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from tracking import clock
from tracking.core.note import Signer
from tracking.signing import keyring

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that signs, and the list of keys that named it."""

    signer: Signer
    stamp: tuple[int, int] | None
    looked_at: float


_lock = threading.Lock()
_known: dict[str, _Known] = {}
_complained: set[str] = set()


def receipt_text(
    origin: str, *, batch: str, first: int, count: int, root: bytes, recorded_at: datetime
) -> str:
    """What is signed: `count` records of `batch` from place `first` on, with the root of their
    leaves."""
    lines = ("dft-receipt/v1", origin, batch, str(first), str(count), root.hex())
    return "\n".join((*lines, clock.iso(recorded_at), ""))


def signed_receipt(
    *, batch: str, first: int, count: int, root: bytes, recorded_at: datetime
) -> str | None:
    """The signature in base64, or None where there is no key: ingest goes on without it."""
    signer = _the_signer()
    if signer is None:
        return None
    origin = signer.public.name.removesuffix(f"/{keyring.RECEIPT}")
    text = receipt_text(
        origin, batch=batch, first=first, count=count, root=root, recorded_at=recorded_at
    )
    return base64.b64encode(signer.sign(text.encode())).decode("ascii")


def _the_signer() -> Signer | None:
    """The newest key. Looked for at most once a second: a post must not wait for files."""
    where = str(keyring.directory())
    found = _known.get(where)
    if found is not None and time.monotonic() - found.looked_at < _LOOK_SECONDS:
        return found.signer
    with _lock:
        stamp = _stamp()
        if found is not None and found.stamp == stamp:
            _known[where] = found = replace(found, looked_at=time.monotonic())
            return found.signer
        try:
            signer = keyring.signer(keyring.RECEIPT)
        except keyring.NoKeys as error:
            # It may be in the middle of being changed; what signed until now still counts.
            if where not in _complained:
                logger.error("receipts are not signed, or by the key of before: %s", error)
            _complained.add(where)
            return found.signer if found else None
        _known[where] = _Known(signer, stamp, time.monotonic())
        _complained.discard(where)
        return signer


def _stamp() -> tuple[int, int] | None:
    """Changes with the list of keys, which is replaced whole."""
    try:
        told = (keyring.directory() / keyring.LIST).stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns
