"""Sessions of people whose role needs a second factor are theirs only if one was used."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse

from tracking.access.second_factor import is_required_of
from tracking.models import User
from tracking.sign_in.steps import is_of_device
from tracking.sso.session import had_second_factor


class SecondFactorSessions:
    """Middleware behind that of authentication.

    A session from before the role was given, the setting made or the device reset ends: signing in
    again leads to what is missing. It asks for the password first, so that whoever stole a session
    cannot enrol a device of their own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Services send keys; for them no session is looked at.
        if settings.DFT_SECOND_FACTOR_ROLES and settings.SESSION_COOKIE_NAME in request.COOKIES:
            self._require(request)
        return self._get_response(request)

    def _require(self, request: HttpRequest) -> None:
        if SESSION_KEY not in request.session or not isinstance(request.user, User):
            return
        if had_second_factor(request.session):
            return  # the provider has asked for one
        if not is_of_device(request, request.user) and is_required_of(request.user):
            logout(request)
