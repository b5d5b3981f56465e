"""The signature a producer keeps: what was recorded, where and when (docs/integrity.md)."""

from __future__ import annotations

import base64
import logging
import threading
from datetime import datetime

from tracking import clock
from tracking.core.note import Signer
from tracking.signing import keyring

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_signers: dict[str, Signer] = {}
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
    """Read once: a post must not wait for a file."""
    where = str(keyring.directory())
    found = _signers.get(where)
    if found is None:
        with _lock:
            try:
                found = _signers[where] = keyring.signer(keyring.RECEIPT)
            except keyring.NoKeys as error:
                if where not in _complained:
                    logger.error("receipts are not signed: %s", error)
                _complained.add(where)
    return found
