"""Who asks: a key in the Authorization header, or a session of somebody signed in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from tracking import clock
from tracking.access.keys import KeyHolder, authenticate
from tracking.access.origin import Address, address_of
from tracking.api.rates import charge_reading
from tracking.errors import Forbidden, Unauthorized
from tracking.models import User


def key_holder(request: HttpRequest) -> KeyHolder | None:
    """The holder of the request's key, None without one; raises Unauthorized for a bad one."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        return None
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("key_malformed", "Use the header `Authorization: Bearer dft_…`.")
    return authenticate(text.strip(" "), clock.now(), address_of_request(request))


def address_of_request(request: HttpRequest) -> Address | None:
    """From where the request comes, by what the proxies of `DFT_TRUSTED_PROXIES` say."""
    meta = request.META
    peer, forwarded = meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", "")
    return address_of(peer, forwarded, settings.DFT_TRUSTED_PROXIES)


def key_holder_with(request: HttpRequest, scope: str) -> KeyHolder:
    """The holder of the request's key, which must open `scope`."""
    holder = key_holder(request)
    if holder is None:
        raise Unauthorized("key_missing", "Send a key in the header `Authorization: Bearer dft_…`.")
    require_scope(holder, scope)
    return holder


def require_scope(holder: KeyHolder, scope: str) -> None:
    if scope not in holder.scopes:
        raise Forbidden("wrong_scope", f"The key has no scope {scope!r}.")


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
