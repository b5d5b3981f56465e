"""The settings of single sign-on, refused with a sentence where they make no sense.

Read while Django's own settings are, so nothing here may import models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from tracking import vocabulary as v

LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_FLAGS: Final = {"": False, "0": False, "false": False, "1": True, "true": True}
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")

Granted = Mapping[str, tuple[str, ...]]  # by group of the provider


@dataclass(frozen=True, eq=False)
class Config:
    """One provider, and what its groups are worth here."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    groups_claim: str
    roles: Granted
    tenants: Granted
    tenants_of_all: tuple[str, ...]
    name: str
    second_factor: bool

    def roles_of(self, groups: Iterable[str]) -> set[str]:
        return {role for group in groups for role in self.roles.get(group, ())}

    def tenants_of(self, groups: Iterable[str]) -> set[str]:
        found = {slug for group in groups for slug in self.tenants.get(group, ())}
        return found.union(self.tenants_of_all)


def config_of(environ: Mapping[str, str]) -> Config | None:
    """The provider that the environment names, or None; ValueError tells what is wrong."""
    issuer = environ.get("DFT_OIDC_ISSUER", "").strip()
    if not issuer:
        lost = sorted(
            name for name, text in environ.items() if name.startswith("DFT_OIDC_") and text.strip()
        )
        if lost:
            raise ValueError(
                f"{lost[0]} is set, but DFT_OIDC_ISSUER, the provider's address, is not."
            )
        return None
    if find_spec("jwt") is None:
        raise ValueError(
            "DFT_OIDC_ISSUER is set, but what single sign-on needs is not installed:"
            " pip install -c constraints.txt -e '.[sso]'."
        )
    client_id = environ.get("DFT_OIDC_CLIENT_ID", "").strip()
    secret = environ.get("DFT_OIDC_CLIENT_SECRET", "").strip()
    for name, given in (("DFT_OIDC_CLIENT_ID", client_id), ("DFT_OIDC_CLIENT_SECRET", secret)):
        if not given:
            raise ValueError(f"DFT_OIDC_ISSUER needs {name}, as the provider gave it to DFT.")
    everyone, by_group = _tenants(environ.get("DFT_OIDC_TENANTS", ""))
    return Config(
        issuer=_issuer(issuer),
        client_id=client_id,
        client_secret=secret,
        scopes=_scopes(environ.get("DFT_OIDC_SCOPES", "") or "openid profile email"),
        groups_claim=environ.get("DFT_OIDC_GROUPS_CLAIM", "").strip() or "groups",
        roles=_roles(environ.get("DFT_OIDC_ROLES", "")),
        tenants=by_group,
        tenants_of_all=everyone,
        name=environ.get("DFT_OIDC_NAME", "").strip() or "single sign-on",
        second_factor=_flag("DFT_OIDC_SECOND_FACTOR", environ.get("DFT_OIDC_SECOND_FACTOR", "")),
    )


def is_safe(url: str, *, issuer: str = "") -> bool:
    """Whether secrets may be sent there: https, or this machine for trying things out.

    An issuer on https must not lead to anything that is not.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or "@" in parts.netloc or parts.fragment:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and host in LOOPBACK and not issuer.startswith("https:")


def _issuer(text: str) -> str:
    if not is_safe(text) or "?" in text:
        raise ValueError(
            "DFT_OIDC_ISSUER must be the provider's https address as its documents name it,"
            " without a query (http only on this machine)."
        )
    return text


def _scopes(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(text.split()))
    if "openid" not in found or not all(_SCOPE.fullmatch(scope) for scope in found):
        raise ValueError(
            "DFT_OIDC_SCOPES must be words with spaces between, openid among them, such as"
            " `openid profile email groups`."
        )
    return found


def _roles(text: str) -> Granted:
    found: dict[str, tuple[str, ...]] = {}
    for group, role in _pairs("DFT_OIDC_ROLES", text):
        if not group or role not in v.ROLES:
            raise ValueError(
                f"DFT_OIDC_ROLES: {role!r} of {group!r} is no role; it is `group=Role`, and the"
                f" roles are {', '.join(v.ROLES)}."
            )
        found[group] = (*found.get(group, ()), role)
    if not found:
        raise ValueError(
            "DFT_OIDC_ISSUER needs DFT_OIDC_ROLES, such as `dft-auditors=Auditor`: without it"
            " nobody could sign in."
        )
    return found


def _tenants(text: str) -> tuple[tuple[str, ...], Granted]:
    everyone: list[str] = []
    found: dict[str, tuple[str, ...]] = {}
    for group, slug in _pairs("DFT_OIDC_TENANTS", text):
        if not _SLUG.fullmatch(slug):
            raise ValueError(
                f"DFT_OIDC_TENANTS: {slug!r} is no tenant; it is `group=tenant`, or `tenant` alone"
                " for everybody with a role."
            )
        if group:
            found[group] = (*found.get(group, ()), slug)
        else:
            everyone.append(slug)
    if not everyone and not found:
        raise ValueError(
            "DFT_OIDC_ISSUER needs DFT_OIDC_TENANTS, such as `default` or `team-a=acme`: without"
            " it nobody would see anything."
        )
    return tuple(everyone), found


def _pairs(name: str, text: str) -> list[tuple[str, str]]:
    """`a=x,b=y` as pairs; `;` separates where there is one, for groups with commas in them."""
    found = []
    for part in text.split(";" if ";" in text else ","):
        if part.strip():
            # the last one: names of LDAP groups are full of them
            group, equals, given = part.rpartition("=")
            if equals and not group.strip():
                raise ValueError(f"{name}: {part.strip()!r} names no group before the `=`.")
            found.append((group.strip(), given.strip()))
    return found


def _flag(name: str, text: str) -> bool:
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{name} must be 1 or 0, not {text!r}.") from None
