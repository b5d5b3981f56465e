"""Accounts of people whom the provider vouches for. It alone says what they may do here.

An account is found by issuer and subject, never by a name or an address, which people can choose:
so no account that was made here, by hand, can be taken over.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction
from django.dispatch import Signal

from tracking.models import ExternalIdentity, Membership, Tenant, User
from tracking.sso.config import Config
from tracking.sso.refused import NO_ROLE, SWITCHED_OFF, Refused

log = logging.getLogger("tracking.sso")

# What the provider's groups changed of a `user`: `what`, and the `tenants` before and after.
rights_followed = Signal()

_NAME_MAX: Final = 80
_TRIES: Final = 8
_WAIT_SECONDS: Final = 0.05


class Person(NamedTuple):
    """Whom the provider told of."""

    issuer: str
    subject: str
    username: str  # as they are called there
    full_name: str
    email: str

    @property
    def key(self) -> str:
        return identity_key(self.issuer, self.subject)


def identity_key(issuer: str, subject: str) -> str:
    """SHA-256 of issuer LF subject; the first line break ends the issuer, an address has none."""
    return hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()


def person_of(claims: Mapping[str, Any]) -> Person:
    subject = claims["sub"]
    email = _text(claims.get("email"), 254)
    return Person(
        issuer=claims["iss"],
        subject=subject,
        username=_text(claims.get("preferred_username"), _NAME_MAX) or email[:_NAME_MAX],
        full_name=_text(claims.get("name"), 200),
        email=email if "@" in email else "",
    )


def groups_in(claims: Mapping[str, Any], name: str) -> list[str] | None:
    """The groups in the claim of that name, or at its dotted path; None where it is missing."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return [found]
    if isinstance(found, list):
        return [group for group in found if isinstance(group, str)]
    return None


def arrive(person: Person, groups: Iterable[str], config: Config) -> User:
    """The person's account, made at their first sign-in, with the roles of their groups today.

    Whoever has no role or no tenant any more loses what they had, and is refused.
    """
    groups = list(groups)
    roles, tenants = config.roles_of(groups), _existing(config.tenants_of(groups))
    if not roles or not tenants:
        roles, tenants = set(), set()
    for left in reversed(range(_TRIES)):
        try:
            with transaction.atomic():
                user = _account(person, make=bool(roles))
                if user is not None:
                    _give(user, person, roles, tenants)
            break
        except DatabaseError:  # the same person's first sign-in, twice at the same moment
            if not left:
                raise
            time.sleep(_WAIT_SECONDS * (1 + secrets.randbelow(4)))
    called = user.username if user else person.username
    if user is None or not roles:
        raise Refused(
            NO_ROLE,
            f"none of the {len(groups)} groups of {called!r} gives both a role and a tenant",
            username=called,
        )
    if not user.is_active or not user.is_staff:
        raise Refused(SWITCHED_OFF, f"{called!r} is switched off here", username=called)
    return user


def _existing(tenants: set[str]) -> set[str]:
    there = set(Tenant.objects.filter(pk__in=tenants).values_list("pk", flat=True))
    if missing := sorted(tenants - there):
        log.warning("DFT_OIDC_TENANTS names a tenant that does not exist: %s", missing[0])
    return there


def _account(person: Person, *, make: bool) -> User | None:
    known = ExternalIdentity.objects.filter(pk=person.key).first()
    if known is not None:
        return User.objects.get(pk=known.user_id)
    if not make:
        return None
    user = User(username=_free_name(person))
    user.set_unusable_password()
    user.save(force_insert=True)
    ExternalIdentity.objects.create(
        key=person.key, issuer=person.issuer, subject=person.subject, user=user
    )
    return user


def _free_name(person: Person) -> str:
    """As they are called there; where somebody here is called so, with a part of their key."""
    wished = person.username or "sso"
    for tail in ("", f"-{person.key[:8]}"):
        if not User.objects.filter(username=wished + tail).exists():
            return wished + tail
    return f"{wished}-{person.key}"


def _give(user: User, person: Person, roles: set[str], tenants: set[str]) -> None:
    """Make the account hold exactly this, and note in its history what that changed."""
    held = set(user.groups.values_list("name", flat=True))
    there = set(Membership.objects.filter(user=user).values_list("tenant_id", flat=True))
    changes = [
        *_difference("roles", held, roles),
        *_difference("tenants", there, tenants),
    ]
    if held != roles:
        user.groups.set(Group.objects.filter(name__in=roles))
    if there - tenants:
        Membership.objects.filter(user=user, tenant_id__in=there - tenants).delete()
    for slug in sorted(tenants - there):
        Membership.objects.create(user=user, tenant_id=slug)
    if user.is_superuser:
        user.is_superuser = False
        changes.append("no superuser any more")
    if user.has_usable_password():
        user.set_unusable_password()
        changes.append("no password any more")
    user.full_name = person.full_name or user.full_name
    user.email = person.email or user.email
    user.save(force_update=True, update_fields=("full_name", "email", "is_superuser", "password"))
    if changes:
        text = f"Single sign-on: {'; '.join(changes)}."
        LogEntry.objects.log_actions(
            user.pk, [user], CHANGE, change_message=text, single_object=True
        )
        log.info("%r: %s", user.username, text)
        rights_followed.send(sender=__name__, user=user, what=text, tenants=there | tenants)


def _difference(what: str, before: set[str], after: set[str]) -> list[str]:
    found = []
    if gained := after - before:
        found.append(f"{what} given: {', '.join(sorted(gained))}")
    if lost := before - after:
        found.append(f"{what} taken: {', '.join(sorted(lost))}")
    return found


def _text(value: Any, most: int) -> str:
    """A text of one line, of letters that are what they look like; anything else is empty."""
    if not isinstance(value, str):
        return ""
    plain = unicodedata.normalize("NFKC", value)
    kept = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in plain)
    return " ".join(kept.split())[:most].strip()
