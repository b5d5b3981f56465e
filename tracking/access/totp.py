"""One-time codes of an authenticator app (RFC 6238): SHA-1, six digits, thirty seconds.

Every app knows these; many ignore other parameters without a word. Pure functions: that a code is
good once is for whoever keeps the last step (second_factor.py).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from tracking import clock

SECRET_BYTES: Final = 20  # as many as the hash has, RFC 4226 section 4
DIGITS: Final = 6
STEP_MS: Final = 30_000
# A phone's clock may be half a minute off, and typing takes a while (RFC 6238 section 5.2).
WINDOW: Final = 1


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def step_of(moment: datetime) -> int:
    """The number of thirty-second steps since 1970."""
    return clock.to_ms(moment) // STEP_MS


def code_at(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """The code of one step (RFC 4226 section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def matching_step(secret: bytes, code: str, moment: datetime) -> int | None:
    """The latest step around `moment` whose code this is; None where it is of none."""
    if not code.isascii():  # nothing to compare bit by bit
        return None
    now = step_of(moment)
    found = None
    # all of them, so that the time taken tells nothing
    for step in range(max(0, now - WINDOW), now + WINDOW + 1):
        if hmac.compare_digest(code_at(secret, step), code):
            found = step
    return found


def as_text(secret: bytes) -> str:
    """The secret as one types it into an app: base32 in groups of four."""
    text = base64.b32encode(secret).decode("ascii").rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri(secret: bytes, *, account: str, issuer: str) -> str:
    """What the QR code says (the key URI format that authenticator apps share)."""
    label = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    told = {
        "secret": as_text(secret).replace(" ", ""),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_MS // 1000,
    }
    # a plus sign for a space would be shown as a plus sign
    return f"otpauth://totp/{label}?{urlencode(told, quote_via=quote)}"
