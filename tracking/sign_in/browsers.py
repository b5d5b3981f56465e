"""Browsers that somebody has signed in with before ("device cookies", as OWASP describes them).

A stranger who tries passwords of a known user may lock out all browsers that are new to that user,
and never those that are known: so nobody can be kept out of their own account for ever. The cookie
opens nothing. It gives its browser tries of its own, as few as everybody has.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from tracking.models import User

COOKIE: Final = "dft_browser"
NEW: Final = ""
_SALT: Final = "tracking.sign_in.browsers"
_DAYS: Final = 180
_USERS_MOST: Final = 5  # of one browser; the latest


def mark_of(request: HttpRequest, user: Any) -> str:
    """The mark of this browser for the user of this key, NEW where it is new to them."""
    return _known(request).get(str(user), NEW)


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Let the browser be known to the user from now on."""
    known = _known(request)
    mark = known.pop(str(user.pk), NEW) or secrets.token_urlsafe(12)
    kept = dict([*known.items(), (str(user.pk), mark)][-_USERS_MOST:])
    response.set_cookie(
        COOKIE,
        signing.dumps(kept, salt=_SALT),
        max_age=_DAYS * 86_400,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def _known(request: HttpRequest) -> dict[str, str]:
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT, max_age=_DAYS * 86_400)
    except signing.BadSignature:
        return {}
    return found if isinstance(found, dict) else {}
