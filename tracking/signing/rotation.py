"""Another key takes over, an old one closes, a log goes on under another name.

Each is one new version of the list (`public.json`), written whole; private keys are written
before it and removed after it. So whoever is killed in between leaves either the old list with
a private key too many, or the new one with a private key that is still to be removed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tracking.core.note import PublicKey, Signer, sign_note
from tracking.core.pins import Log, Pinned, Pins, Succession, statement_text
from tracking.signing import keyring
from tracking.signing.keyring import LOG, RECEIPT

logger = logging.getLogger(__name__)

# A receipt is signed after its records were recorded, and a worker looks for new keys once a
# second; a post that is in hand meanwhile may have either key.
_IN_HAND: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Rotated:
    """`since`: the first tree size that the new key signs (log). `ends_at`: when the keys
    before it are closed; None: they are."""

    key: PublicKey
    since: int
    ends_at: datetime | None


def rotate(use: str, *, signed: int, overlap: timedelta, moment: datetime) -> Rotated:
    """Let a new key sign for `use`; only while locked.

    `signed`: the size of the largest checkpoint signed so far. For `overlap` the keys before
    it sign as well (log), or are still accepted (receipts).
    """
    listed = keyring.pins()
    key = keyring.new_key(use, listed.origin)
    ends_at = moment + overlap
    if use == RECEIPT:
        ends_at = max(ends_at, moment + _IN_HAND)
        keyring.write_list(_with_receipt_key(listed, key, moment, ends_at))
        tidy(stored=0)
        return Rotated(key, 0, ends_at)
    before = [
        replace(each, ends_at=min(each.ends_at or ends_at, ends_at)) if each.until is None else each
        for each in listed.log_keys
    ]
    new = Pinned(key, since=signed + 1, begins_at=moment)
    keyring.write_list(closed(replace(listed, log_keys=(*before, new)), signed, moment))
    return Rotated(key, new.since, ends_at if overlap else None)


def _with_receipt_key(listed: Pins, key: PublicKey, moment: datetime, ends_at: datetime) -> Pins:
    before = [
        replace(each, ends_at=min(each.ends_at or ends_at, ends_at)) for each in listed.receipt_keys
    ]
    new = Pinned(key, begins_at=moment - _IN_HAND)
    return replace(listed, receipt_keys=(*before, new))


def closed(listed: Pins, signed: int, moment: datetime) -> Pins:
    """The list with the log keys closed whose time is over: they signed up to `signed`, and
    in any case up to where the newest key began."""
    signed = max(signed, listed.log_keys[-1].since - 1)
    keys = [
        replace(each, until=signed)
        if each.until is None and each.ends_at is not None and each.ends_at <= moment
        else each
        for each in listed.log_keys
    ]
    return replace(listed, log_keys=tuple(keys))


def close_due(*, signed: int, moment: datetime) -> Pins:
    """Close what is due and return the list; only while locked, before something is signed."""
    listed = keyring.pins()
    now = closed(listed, signed, moment)
    if now != listed:
        keyring.write_list(now)
        logger.info("an old key of the log is closed after %s leaves", signed)
    return now


def tidy(*, stored: int) -> None:
    """Remove private keys that sign no more: they can only be stolen. Only while locked.

    `stored`: the size of a checkpoint that is in the database. A log key is kept until one of
    a later key is there, because the last one that it signed may have to be signed again.
    """
    listed = keyring.pins()
    last = listed.log_keys[-1]
    for each in listed.log_keys[:-1]:
        over = each.until is not None and stored >= last.since and stored > each.until
        if (over or each.key.name != listed.origin) and keyring.remove_private(LOG, each.key):
            logger.info("the private key of %s, which is closed, is removed", each.key.id.hex())
    for each in listed.receipt_keys[:-1]:
        keyring.remove_private(RECEIPT, each.key)


def is_untidy(listed: Pins) -> bool:
    """Whether a private key is there that signs no more."""
    closed_keys = [each for each in listed.log_keys if each.until is not None]
    return any(keyring.has_private(LOG, each.key) for each in closed_keys) or any(
        keyring.has_private(RECEIPT, each.key) for each in listed.receipt_keys[:-1]
    )


def open_log(*, since: int, told: Succession, moment: datetime) -> Log:
    """Let the log go on under the next name with keys of its own; only while locked.

    `told.statement` is made here.
    """
    listed = keyring.pins()
    origin = _next_name(listed)
    key = keyring.new_key(LOG, origin)
    receipt_key = keyring.new_key(RECEIPT, origin)
    signers: list[Signer] = [keyring.private(LOG, key)]
    old = listed.log_keys[-1]
    if old.until is None and keyring.has_private(LOG, old.key):
        signers.append(keyring.private(LOG, old.key))
    note = sign_note(statement_text(origin, since, key, told), signers)
    last = max(told.last_size, since - 1)
    log = Log(origin, since, replace(told, statement=note))
    before = [
        replace(each, until=last, ends_at=moment) if each.until is None else each
        for each in listed.log_keys
    ]
    new = replace(
        _with_receipt_key(listed, receipt_key, moment, moment + _IN_HAND),
        logs=(*listed.logs, log),
        log_keys=(*before, Pinned(key, since=since, begins_at=moment)),
    )
    keyring.write_list(new)
    tidy(stored=0)
    return log


def _next_name(listed: Pins) -> str:
    """log1 → log2; a name that does not end in a number gets one."""
    stem = listed.origin.rstrip("0123456789")
    number = listed.origin[len(stem) :]
    return f"{stem}{int(number) + 1}" if number else f"{stem}2"
