"""Half signed in: the password was right, the code is yet to come. Nobody's session so far.

It says so in an entry of its own, which no page and no part of the API takes for a user, in a
session of a new key, for a few minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.http import HttpRequest
from django.middleware.csrf import rotate_token
from django.utils.crypto import constant_time_compare

from tracking import clock
from tracking.models import User

LASTS: Final = timedelta(minutes=5)
_KEY: Final = "dft_half"


@dataclass(frozen=True, slots=True)
class Half:
    user: User
    backend: str
    next: str


def begin(request: HttpRequest, user: User, *, backend: str, next_url: str) -> None:
    """Go half of the way; whoever was signed in in this browser is so no more."""
    until = clock.now() + LASTS
    request.session.flush()
    request.session[_KEY] = {
        "user": user.pk.hex,
        "backend": backend,
        "next": next_url,
        "until": clock.to_ms(until),
        "password": user.get_session_auth_hash(),
    }
    request.session.set_expiry(int(LASTS.total_seconds()))
    rotate_token(request)


def current(request: HttpRequest, moment: datetime) -> Half | None:
    """Who is half signed in; None where nobody is, or no more."""
    kept: Any = request.session.get(_KEY)
    if not isinstance(kept, dict) or clock.to_ms(moment) >= kept["until"]:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True, is_staff=True).first()
    # with another password by now, it was not this one's that was right
    if user is None or not constant_time_compare(kept["password"], user.get_session_auth_hash()):
        return None
    return Half(user, kept["backend"], kept["next"])


def end(request: HttpRequest) -> None:
    """Forget it, so that the session may become somebody's, or nobody's."""
    request.session.pop(_KEY, None)
    request.session.set_expiry(None)
