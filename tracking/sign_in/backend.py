"""Names and passwords: the one place that looks at them."""

from __future__ import annotations

from typing import Any

from axes.backends import AxesBackend
from axes.exceptions import (
    AxesBackendPermissionDenied,
    AxesBackendRequestParameterRequired,
)
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from tracking import clock
from tracking.access.roles import permissions_of
from tracking.models import User
from tracking.sign_in.lockout import claim, give_back, try_of


class PasswordBackend(AxesBackend):
    """Looks at a password only where a try is left, and takes as long whoever it is.

    Unknown users, wrong passwords and accounts that are switched off or may not sign in are all
    counted, hashed and answered alike.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> AbstractBaseUser | None:
        if username is None or password is None:
            return None
        if request is None:
            raise AxesBackendRequestParameterRequired(
                "Tries are counted by address: pass the request."
            )
        made = try_of(request, username)
        if not claim(request, made, clock.now()):
            raise AxesBackendPermissionDenied("Too many failed tries.")
        user = ModelBackend.authenticate(self, request, username, password, **more)
        if user is not None:
            give_back(request, made)
        return user

    def _get_permissions(self, user_obj: Any, obj: Any, from_name: str) -> set[str]:
        # Django joins four collections for these at each request; two keyed reads tell as much
        if obj is not None or not isinstance(user_obj, User) or user_obj.is_superuser:
            return super()._get_permissions(user_obj, obj, from_name)
        if not user_obj.is_active:
            return set()
        kept = f"_{from_name}_perm_cache"
        if not hasattr(user_obj, kept):
            setattr(user_obj, kept, permissions_of(user_obj, from_name))
        found: set[str] = getattr(user_obj, kept)
        return found

    def user_can_authenticate(self, user: Any) -> bool:
        # of a session too: whoever may not sign in any more is out at the next page
        return bool(user.is_active and user.is_staff)
