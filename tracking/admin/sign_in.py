"""The pages of signing in: password, code, a first device, and the one that says to wait."""

from __future__ import annotations

import math
from datetime import datetime
from functools import wraps
from typing import Any, Final, Protocol

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import authenticate
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.widgets import UnfoldAdminTextInputWidget

from tracking import clock
from tracking.access import second_factor
from tracking.admin.qr import qr_code
from tracking.models import User
from tracking.sign_in import browsers, half, steps
from tracking.sign_in.half import Half

WRONG_CODE: Final = "That code is wrong, too old, or was used before. Wait for the next one."
_TOO_LATE: Final = "That took too long; please sign in again."
_DEVICE: Final = "dft_new_device"  # sealed, in the session


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget(
            attrs={
                "autocomplete": "one-time-code",
                "autofocus": True,
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )


class SignIn(LoginView):
    """The password; a right one leads on to what is missing."""

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        # Django has checked that the address to go on to is one of ours
        return steps.advance(
            self.request, user, backend=user.backend, next_url=self.get_success_url()
        )


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """The old password is counted like one of signing in: nobody guesses at an open session."""

    def __init__(self, user: User, *args: Any, request: HttpRequest, **more: Any) -> None:
        super().__init__(user, *args, **more)
        self._request = request

    def clean_old_password(self) -> str:
        typed: str = self.cleaned_data["old_password"]
        if authenticate(self._request, username=self.user.get_username(), password=typed) is None:
            raise forms.ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return typed


class ChangePassword(PasswordChangeView):
    form_class = OwnPasswordForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}


class HalfView(Protocol):
    def __call__(self, request: HttpRequest, halfway: Half, moment: datetime) -> HttpResponse: ...


def halfway_page(view: HalfView) -> Any:
    """A page for whoever is half signed in; all others are sent to the beginning."""

    @wraps(view)
    def inner(request: HttpRequest) -> HttpResponse:
        moment = clock.now()
        halfway = half.current(request, moment)
        if halfway is None:
            messages.warning(request, _TOO_LATE)
            return HttpResponseRedirect(reverse("admin:login"))
        return view(request, halfway, moment)

    return never_cache(sensitive_post_parameters()(inner))


@halfway_page
def code(request: HttpRequest, halfway: Half, moment: datetime) -> HttpResponse:
    """The code of the app, or a recovery code."""
    if second_factor.device_of(halfway.user) is None:
        # reset in the meantime
        return steps.advance(request, halfway.user, backend=halfway.backend, next_url=halfway.next)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if steps.use_code(request, halfway.user, form.cleaned_data["code"], moment):
            return steps.finish(
                request, halfway.user, backend=halfway.backend, next_url=halfway.next
            )
        form.add_error("code", WRONG_CODE)
    return page(request, "tracking/sign_in_code.html", "Second factor", form=form)


@halfway_page
def enrol(request: HttpRequest, halfway: Half, moment: datetime) -> HttpResponse:
    """A first device, for whom the role demands one; there is no other way on."""
    user = halfway.user
    if second_factor.device_of(user) is not None:
        return HttpResponseRedirect(reverse("admin:sign_in_code"))
    sealed = request.session.get(_DEVICE) or second_factor.new_secret(user)
    request.session[_DEVICE] = sealed
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        codes = second_factor.enrol(user, sealed, form.cleaned_data["code"], moment=moment, by=user)
        if codes is not None:
            del request.session[_DEVICE]
            steps.sign_in(request, user, backend=halfway.backend)
            answer = page(
                request,
                "tracking/sign_in_recovery.html",
                "Recovery codes",
                codes=codes,
                onward=halfway.next,
            )
            browsers.remember(request, answer, user)
            return answer
        form.add_error("code", WRONG_CODE)
    return page(
        request,
        "tracking/sign_in_enrol.html",
        "Set up your second factor",
        form=form,
        **device_shown(sealed, user),
    )


def device_shown(sealed: str, user: User) -> dict[str, str]:
    """A new device's secret, to scan or to type."""
    text, uri = second_factor.told(sealed, user)
    return {"secret": text, "qr": qr_code(uri)}


def page(request: HttpRequest, template: str, title: str, **shown: Any) -> TemplateResponse:
    """A page for whoever is not signed in, or only just; never kept by a browser."""
    context = {**admin.site.each_context(request), "title": title, **shown}
    request.current_app = admin.site.name
    answer = TemplateResponse(request, template, context)
    answer["Cache-Control"] = "no-store"
    return answer


def locked(
    request: HttpRequest, _response: HttpResponse | None = None, _credentials: Any = None
) -> HttpResponse:
    """Too many failed tries: the same for everybody, and it says no more than how long to wait."""
    until = getattr(request, "dft_locked_until", None)
    seconds = (until - clock.now()).total_seconds() if until else 0.0
    wait = min(max(1, math.ceil(seconds)), settings.DFT_SIGN_IN_LOCK_MINUTES * 60)
    answer = page(
        request, "tracking/sign_in_locked.html", "Please wait", minutes=math.ceil(wait / 60)
    )
    answer.status_code = 429
    answer["Retry-After"] = str(wait)
    return answer.render()
