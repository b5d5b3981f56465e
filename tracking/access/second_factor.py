"""Second factors: an authenticator app for each person, and ten recovery codes for its loss.

What the database holds is of no use without the secret key (`DFT_SECRET_KEY`), which is not in it:
the app's secret is encrypted, bound to its owner, and recovery codes are kept as keyed hashes. Each
code is good once, whoever sends it first: it is used up by one conditional write, and only who made
that write gets in.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import logging
import os
import secrets
import uuid
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import IntegrityError
from django.dispatch import Signal

from tracking import vocabulary as v
from tracking.access import totp
from tracking.models import SecondFactor, User
from tracking.mongo.connection import collection

ISSUER: Final = "Data Flow Tracking"
RECOVERY_CODES: Final = 10
# The words of DFT_SECOND_FACTOR_ROLES beside the roles.
ALL: Final = "all"
SUPERUSER: Final = "superuser"

ENROLLED: Final = "enrolled"
REPLACED: Final = "replaced"
NEW_CODES: Final = "new recovery codes"
CODE_USED: Final = "recovery code used"
SWITCHED_OFF: Final = "switched off"
RESET: Final = "reset"

# 32 letters, so five bits each, without those taken for others: fifty bits are beyond guessing
# where a few are tried an hour, and beyond computing where the hash's key is not known.
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_RECOVERY_LENGTH: Final = 10
_NONCE_BYTES: Final = 12

log = logging.getLogger(__name__)

# With `user`, `what` and `by`, as for `changed`.
second_factor_changed = Signal()


def changed(user: User, what: str, by: User | None) -> None:
    """The one place that hears of every change of somebody's second factor; `by`: None, a command.

    Called once it is done, and told nothing secret.
    """
    who = by.get_username() if by else "a command"
    log.info("second factor of %s: %s, by %s", user.get_username(), what, who)
    second_factor_changed.send(sender=__name__, user=user, what=what, by=by)


def device_of(user: User) -> SecondFactor | None:
    return SecondFactor.objects.filter(pk=user.pk).first()


def is_required_of(user: User) -> bool:
    """Whether one of the roles of this person needs a second factor (DFT_SECOND_FACTOR_ROLES)."""
    wanted = settings.DFT_SECOND_FACTOR_ROLES
    if ALL in wanted or (SUPERUSER in wanted and user.is_superuser):
        return True
    roles = [role for role in v.ROLES if role in wanted]
    return bool(roles) and user.groups.filter(name__in=roles).exists()


def new_secret(user: User) -> str:
    """A secret for a new device, sealed: fit to be kept in a session until it is confirmed."""
    return _seal(totp.new_secret(), user)


def told(sealed: str, user: User) -> tuple[str, str]:
    """A secret as a text to type, and as the address that a QR code holds."""
    secret = _open(sealed, user)
    if secret is None:
        raise ValueError("The secret was sealed for somebody else, or under another key.")
    return totp.as_text(secret), totp.uri(secret, account=user.get_username(), issuer=ISSUER)


def enrol(
    user: User, sealed: str, code: str, *, moment: datetime, by: User, instead_of: str = ""
) -> list[str] | None:
    """Take a device into use and return its recovery codes, which nobody can read again.

    `code`: what the app shows now, which proves that it holds the secret; it opens nothing
    afterwards. `instead_of`: the serial of the device that is replaced. None where the code is
    wrong, or there is another device by now.
    """
    secret = _open(sealed, user)
    step = totp.matching_step(secret, _typed(code), moment) if secret else None
    if step is None:
        return None
    serial, codes = uuid.uuid4().hex, _new_codes()
    fields = {
        "serial": serial,
        "secret": sealed,
        "last_step": step,
        "recovery": [_digest(user, serial, each) for each in codes],
        "made_at": moment,
    }
    if instead_of:
        if not SecondFactor.objects.filter(pk=user.pk, serial=instead_of).update(**fields):
            return None
    else:
        try:
            SecondFactor.objects.create(pk=user.pk, **fields)
        except IntegrityError:
            return None
    changed(user, REPLACED if instead_of else ENROLLED, by)
    return codes


def use_code(user: User, text: str, *, moment: datetime) -> bool:
    """Whether this is a code of the app or a recovery code that nobody has used; uses it up."""
    device = device_of(user)
    typed = _typed(text)
    if device is None:
        return False
    mine = {"_id": user.pk.hex, "serial": device.serial}
    if len(typed) == totp.DIGITS:
        secret = _open(device.secret, user)
        step = totp.matching_step(secret, typed, moment) if secret else None
        if step is None:
            return False
        # of all who send it at once, one finds an older step here
        taken: dict[str, object] = {"$set": {"last_step": step}}
        return _changes({**mine, "last_step": {"$lt": step}}, taken)
    if len(typed) != _RECOVERY_LENGTH:
        return False
    digest = _digest(user, device.serial, typed)
    if not _changes({**mine, "recovery": digest}, {"$pull": {"recovery": digest}}):
        return False
    changed(user, CODE_USED, user)
    return True


def new_codes(user: User, *, by: User) -> list[str] | None:
    """Ten recovery codes in place of those there were; None without a device."""
    device = device_of(user)
    if device is None:
        return None
    codes = _new_codes()
    hashes = [_digest(user, device.serial, each) for each in codes]
    mine = SecondFactor.objects.filter(pk=user.pk, serial=device.serial)
    if not mine.update(recovery=hashes):
        return None
    changed(user, NEW_CODES, by)
    return codes


def remove(user: User, what: str, *, by: User | None) -> bool:
    """Take somebody's device away, because they switched it off or were reset; False: none."""
    removed = collection("second_factor").delete_one({"_id": user.pk.hex}).deleted_count == 1
    if removed:
        changed(user, what, by)
    return removed


def _changes(found: dict[str, object], change: dict[str, object]) -> bool:
    return collection("second_factor").update_one(found, change).modified_count == 1


def _typed(text: str) -> str:
    """A code as people type it: with spaces or a hyphen, in capitals."""
    return "".join(text.split()).replace("-", "").lower()


def _new_codes() -> list[str]:
    found = []
    for _ in range(RECOVERY_CODES):
        text = "".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LENGTH))
        found.append(f"{text[:5]}-{text[5:]}")
    return found


def _digest(user: User, serial: str, code: str) -> str:
    said = f"{user.pk.hex} {serial} {_typed(code)}"
    return hmac.digest(_key("recovery codes"), said.encode(), hashlib.sha256).hex()


def _seal(secret: bytes, user: User) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    # bound to its owner: moved to another account in the database, it opens nothing
    sealed = AESGCM(_key("secrets")).encrypt(nonce, secret, user.pk.bytes)
    return base64.b64encode(nonce + sealed).decode("ascii")


def _open(sealed: str, user: User) -> bytes | None:
    try:
        data = base64.b64decode(sealed, validate=True)
        return AESGCM(_key("secrets")).decrypt(
            data[:_NONCE_BYTES], data[_NONCE_BYTES:], user.pk.bytes
        )
    except (InvalidTag, binascii.Error, ValueError):
        log.error(
            "The second factor of %s cannot be read: DFT_SECRET_KEY is not what it was, or the"
            " database was changed. Put the key back, or reset_second_factor.",
            user.get_username(),
        )
        return None


def _key(purpose: str) -> bytes:
    return _derived(settings.SECRET_KEY, purpose)


@functools.lru_cache(maxsize=8)
def _derived(secret_key: str, purpose: str) -> bytes:
    """A key of its own for each purpose (RFC 5869)."""
    told_apart = f"dft second factor: {purpose}".encode()
    return HKDF(SHA256(), 32, None, told_apart).derive(secret_key.encode())
