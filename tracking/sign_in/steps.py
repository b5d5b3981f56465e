"""The steps of signing in, and their order: a password (or another proof), then the second factor.

`advance` is for whoever knows who it is; it finishes, or leads to what is missing. Only a whole
sign-in sends Django's `user_logged_in`; each failure sends its `user_login_failed`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from tracking.access import second_factor
from tracking.models import SecondFactor, User
from tracking.sign_in import browsers, half
from tracking.sign_in.lockout import claim, give_back, try_of

# In a session: the serial of the device that was used to sign in.
DEVICE: Final = "dft_device"


def advance(request: HttpRequest, user: User, *, backend: str, next_url: str) -> HttpResponse:
    """Sign in somebody whose first proof was right, or lead to the second.

    `next_url` must have been checked: it is gone to as it is.
    """
    if second_factor.device_of(user) is not None:
        step = "admin:sign_in_code"
    elif second_factor.is_required_of(user):
        step = "admin:sign_in_enrol"
    else:
        return finish(request, user, backend=backend, next_url=next_url)
    half.begin(request, user, backend=backend, next_url=next_url)
    return HttpResponseRedirect(reverse(step))


def finish(request: HttpRequest, user: User, *, backend: str, next_url: str) -> HttpResponse:
    """The whole way: only from here on the session is somebody's, under a new key again."""
    sign_in(request, user, backend=backend)
    answer = HttpResponseRedirect(next_url)
    browsers.remember(request, answer, user)
    return answer


def sign_in(request: HttpRequest, user: User, *, backend: str) -> None:
    half.end(request)
    login(request, user, backend=backend)
    mark(request, user)


def mark(request: HttpRequest, user: User) -> None:
    """Write into the session which device of the user's it was signed in with."""
    device = second_factor.device_of(user)
    if device is not None:
        request.session[DEVICE] = device.serial


def is_of_device(request: HttpRequest, user: User) -> bool:
    """Whether the session was signed in with the device that the user has now."""
    serial = request.session.get(DEVICE)
    return (
        bool(serial) and SecondFactor.objects.filter(pk=user.pk, serial=serial).order_by().exists()
    )


def use_code(request: HttpRequest, user: User, code: str, moment: datetime) -> bool:
    """Whether the code is right; a wrong one counts towards the lock like a wrong password."""
    made = try_of(request, user.username)
    if claim(request, made, moment) and second_factor.use_code(user, code, moment=moment):
        give_back(request, made)
        return True
    failed(request, user)
    return False


def failed(request: HttpRequest, user: User) -> None:
    user_login_failed.send(
        sender=__name__, credentials={"username": user.username}, request=request
    )
