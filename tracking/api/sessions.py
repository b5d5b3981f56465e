"""Sessions of people end: some hours after signing in, and sooner when nobody uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse

from tracking import clock
from tracking.api.outage import away, is_outage

_SINCE: Final = "dft_since"  # ms since 1970, of signing in
_SEEN: Final = "dft_seen"
# A write for each page would cost more than the page's reading; a minute is exact enough.
_SEEN_EVERY: Final = 60_000


class LimitedSessions:
    """Middleware behind that of sessions. A session that has ended is nobody's, and gone.

    Django moves a session's end on with every change to it, so how long it may last stands in it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Services send keys; for them no session is looked at.
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            try:
                self._limit(request)
            except Exception as error:
                if not is_outage(error):
                    raise
                return away(request)
        return self._get_response(request)

    def _limit(self, request: HttpRequest) -> None:
        session = request.session
        if SESSION_KEY not in session:
            return
        now = clock.to_ms(clock.now())
        since, seen = session.get(_SINCE), session.get(_SEEN)
        if not isinstance(since, int) or not isinstance(seen, int):
            session[_SINCE] = session[_SEEN] = now
        elif (
            now - since >= settings.DFT_SESSION_HOURS * 3_600_000
            or now - seen >= settings.DFT_SESSION_IDLE_MINUTES * 60_000
        ):
            logout(request)
        elif now - seen >= _SEEN_EVERY:
            session[_SEEN] = now
