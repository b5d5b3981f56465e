"""API keys: made once, shown once, looked up on every request.

A key reads `dft_<prefix>_<secret>`. The prefix names it, in lists and on every record it
posts; of the secret, 256 random bits, only the SHA-256 is kept. A fast hash is right here:
nobody can guess through 2^256 secrets, so there is no weak password to slow down for.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tracking import clock
from tracking import vocabulary as v
from tracking.access.origin import Address, Network, is_within, networks_of
from tracking.errors import DatabaseUnavailable, Forbidden, Unauthorized
from tracking.models import ApiKey, Tenant
from tracking.mongo.connection import available

# How long a revoked key may still open a door: each process looks a key up this often.
CACHED_FOR: Final = timedelta(seconds=4)
_CACHED_MOST: Final = 1_000
# "Last used" is for finding keys that nobody uses: a minute is exact enough, and costs nothing.
_USED_EVERY: Final = timedelta(minutes=1)
OVERLAP_DAYS: Final = 7
OVERLAP_DAYS_MAX: Final = 90
_REPLACED: Final = "The key has been replaced already."

_PREFIX_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # without those taken for others
_PREFIX_LENGTH: Final = 10
_SHAPE: Final = re.compile(r"dft_([a-z0-9]{8,12})_([A-Za-z0-9_-]{43})")
_LOOKS_LIKE_A_KEY: Final = re.compile(r"dft_[a-z0-9]{8,12}_[A-Za-z0-9_-]{8,}")


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whoever presented a valid key: a service of one tenant."""

    tenant: str
    prefix: str
    scopes: frozenset[str]
    records_per_second: int | None = None  # None: as all others, 0: without a limit


@dataclass(frozen=True, slots=True)
class _Known:
    """A key as it was read from the database at `read_at`."""

    read_at: datetime
    secret_hash: str
    tenant: str
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    records_per_second: int | None
    networks: tuple[Network, ...]


_cache: dict[str, _Known] = {}
_used: dict[str, datetime] = {}


def create_key(
    *,
    tenant: str,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    records_per_second: int | None = None,
    networks: Iterable[str] = (),
) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which nobody can read again afterwards.

    `networks`: from where it may be used; none: from everywhere. Raises ValueError with a sentence
    for an unknown tenant or scope, or an unusable name, time or network.
    """
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in v.SCOPES]
    if unknown or not wanted:
        raise ValueError(f"A key needs one or more of the scopes {', '.join(v.SCOPES)}.")
    if not 1 <= len(name) <= v.NAME_MAX or not name.isprintable():
        raise ValueError(f"A key's name has 1 to {v.NAME_MAX} printable characters.")
    if expires_at is not None and expires_at.tzinfo is None:
        raise ValueError("The time of expiry needs a time zone.")
    if records_per_second is not None and not 0 <= records_per_second <= v.RATE_MAX:
        raise ValueError(f"A key's rate is 0 to {v.RATE_MAX} records a second.")
    if not Tenant.objects.filter(pk=tenant).exists():
        raise ValueError(f"There is no tenant {tenant!r}.")
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(_PREFIX_LENGTH))
    secret = secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        prefix=prefix,
        secret_hash=_hash(secret),
        name=name,
        tenant_id=tenant,
        scopes=wanted,
        expires_at=clock.cut(expires_at) if expires_at else None,
        records_per_second=records_per_second,
        networks=[str(network) for network in networks_of(networks)],
    )
    return key, f"dft_{prefix}_{secret}"


def rotate(prefix: str, *, overlap: timedelta, moment: datetime) -> tuple[ApiKey, str]:
    """A new key in place of an old one, which goes on to open the door for the `overlap`.

    Tenant, name, scopes, networks and rate are the same; it lives as long as the old one was
    meant to. Raises ValueError where the old one is not in use any more or was replaced before.
    """
    if not timedelta(0) <= overlap <= timedelta(days=OVERLAP_DAYS_MAX):
        raise ValueError(f"The overlap is 0 to {OVERLAP_DAYS_MAX} days.")
    old = ApiKey.objects.filter(pk=prefix).first()
    if old is None:
        raise ValueError(f"There is no key {prefix!r}.")
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= moment):
        raise ValueError("The key opens no door any more; make a new one.")
    if old.replaced_by:
        raise ValueError(_REPLACED)
    life = old.expires_at - old.created_at if old.expires_at else None
    new, text = create_key(
        tenant=old.tenant_id,
        name=old.name,
        scopes=old.scopes,
        expires_at=moment + life if life else None,
        records_per_second=old.records_per_second,
        networks=old.networks or (),
    )
    last = moment + overlap
    until = min(last, old.expires_at) if old.expires_at else last
    # Of two who rotate it at once, one does.
    mine = ApiKey.objects.filter(pk=prefix, replaced_by="", revoked_at=None)
    if not mine.update(replaced_by=new.pk, expires_at=clock.cut(until)):
        revoke(new.pk)
        raise ValueError(_REPLACED)
    _cache.pop(prefix, None)
    return new, text


def revoke(prefix: str) -> bool:
    """Revoke a key for good; False where there is no such key or it was revoked before.

    Every process has forgotten it `CACHED_FOR` later, this one at once.
    """
    revoked = ApiKey.objects.filter(pk=prefix, revoked_at=None).update(revoked_at=clock.now())
    _cache.pop(prefix, None)
    return bool(revoked)


def authenticate(text: str, moment: datetime, address: Address | None = None) -> KeyHolder:
    """The holder of the key `text` at `moment`; raises Unauthorized with a code and a sentence.

    `address`: from where it is used; Forbidden where the key's networks do not have it.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise Unauthorized("key_malformed", "The key does not read dft_<prefix>_<secret>.")
    prefix, secret = shape.groups()
    known = _known(prefix, moment)
    # Only whoever holds the secret learns whether a key exists, is revoked or has expired.
    expected = known.secret_hash if known else _hash("")
    if not hmac.compare_digest(_hash(secret), expected) or known is None:
        raise Unauthorized("key_unknown", "There is no such key.")
    if known.revoked_at is not None:
        raise Unauthorized("key_revoked", "The key has been revoked.")
    if known.expires_at is not None and known.expires_at <= moment:
        raise Unauthorized("key_expired", "The key has expired.")
    if known.networks and not is_within(address, known.networks):
        raise Forbidden("wrong_network", f"The key may not be used from {address or 'here'}.")
    _tell_used(prefix, moment)
    return KeyHolder(known.tenant, prefix, known.scopes, known.records_per_second)


def looks_like_a_key(text: str) -> bool:
    """Whether a key is written in `text`, so that it can be kept out of addresses and logs."""
    return _LOOKS_LIKE_A_KEY.search(text) is not None


def forget_known_keys() -> None:
    """Read every key from the database again at its next use."""
    _cache.clear()
    _used.clear()


def _tell_used(prefix: str, moment: datetime) -> None:
    """Write down that the key is used, once a minute; a service never fails for that."""
    last = _used.get(prefix)
    if last is not None and timedelta(0) <= moment - last < _USED_EVERY:
        return
    if len(_used) >= _CACHED_MOST:
        _used.clear()
    _used[prefix] = moment
    with contextlib.suppress(DatabaseUnavailable), available():
        ApiKey.objects.filter(pk=prefix).update(last_used_at=moment)


def _known(prefix: str, moment: datetime) -> _Known | None:
    known = _cache.get(prefix)
    # A clock that was set back must not keep a revoked key alive.
    if known is not None and timedelta(0) <= moment - known.read_at < CACHED_FOR:
        return known
    key = next(iter(ApiKey.objects.filter(pk=prefix).order_by()), None)
    if key is None:
        # Unknown keys are not remembered: anybody could fill the memory with them.
        _cache.pop(prefix, None)
        return None
    if len(_cache) >= _CACHED_MOST:
        _cache.clear()
    known = _cache[prefix] = _Known(
        read_at=moment,
        secret_hash=key.secret_hash,
        tenant=key.tenant_id,
        scopes=frozenset(key.scopes),
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        records_per_second=key.records_per_second,
        networks=tuple(networks_of(key.networks or ())),
    )
    return known


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
