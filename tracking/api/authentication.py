"""Who asks: a key in the Authorization header, or a session of somebody signed in."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from tracking import clock
from tracking.access.keys import KeyHolder, authenticate
from tracking.access.origin import address_of_request
from tracking.api.rates import charge_reading
from tracking.audit.doors import tell_refused_key
from tracking.errors import Forbidden, Unauthorized
from tracking.models import User

_KNOWN: Final = frozenset(("key_revoked", "key_expired", "wrong_network"))


def key_holder(request: HttpRequest) -> KeyHolder | None:
    """The holder of the request's key, None without one; raises Unauthorized for a bad one."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        return None
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("key_malformed", "Use the header `Authorization: Bearer dft_…`.")
    text = text.strip(" ")
    try:
        return authenticate(text, clock.now(), address_of_request(request))
    except (Unauthorized, Forbidden) as error:
        if error.code in _KNOWN:  # only whoever holds the secret gets that far
            tell_refused_key(request, text.split("_")[1], error.code, error.message)
        raise


def key_holder_with(request: HttpRequest, scope: str) -> KeyHolder:
    """The holder of the request's key, which must open `scope`."""
    holder = key_holder(request)
    if holder is None:
        raise Unauthorized("key_missing", "Send a key in the header `Authorization: Bearer dft_…`.")
    require_scope(holder, scope)
    return holder


def require_scope(holder: KeyHolder, *scopes: str) -> None:
    """The key must open one of them."""
    if holder.scopes.isdisjoint(scopes):
        raise Forbidden("wrong_scope", f"The key has no scope {' or '.join(map(repr, scopes))}.")


class ApiKeyAuthentication(BaseAuthentication):
    """A key stands for a service of one tenant."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, KeyHolder] | None:
        holder = key_holder(request._request)
        if holder is not None:
            charge_reading(holder)
        return (holder, holder) if holder else None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="dft"'


class SignedInAuthentication(BaseAuthentication):
    """A session of the admin; the API only reads, so no request can be forged to any effect."""

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        user = getattr(request._request, "user", None)
        # as the admin: an account that may not sign in any more is nobody's
        if not isinstance(user, User) or not (user.is_active and user.is_staff):
            return None
        return user, None
