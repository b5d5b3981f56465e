"""My second factor: set it up, move it to another device, new recovery codes, switch it off.

Whatever changes asks for the password, and for a code where there is a device: somebody else at an
open session must not be able to take the account over, nor to guess here unseen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import UnfoldAdminPasswordWidget

from tracking import clock
from tracking.access import second_factor
from tracking.admin.once import moment_of
from tracking.admin.sign_in import WRONG_CODE, CodeForm, device_shown, page
from tracking.models import SecondFactor, User
from tracking.sign_in import steps

_LASTS: Final = timedelta(minutes=10)
_KEY: Final = "dft_my_device"  # a device to be, in the session: its secret sealed
_NOT_PROVEN: Final = "The password or the code is wrong. A code is good once: wait for the next."


class ProofForm(CodeForm):
    """Who asks: a password, and a code where there is a device to make one."""

    password = forms.CharField(
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("password", "code")

    def __init__(self, data: Any = None, *, with_code: bool) -> None:
        super().__init__(data)
        self.fields["code"].widget.attrs.pop("autofocus")
        if not with_code:
            del self.fields["code"]


@sensitive_post_parameters()
def mine(request: HttpRequest) -> HttpResponse:
    """What I have; a POST says `what` to do about it."""
    user = request.user
    device = second_factor.device_of(user)
    required = second_factor.is_required_of(user)
    asked = request.method == "POST"
    form = ProofForm(request.POST if asked else None, with_code=device is not None)
    if asked and form.is_valid():
        if _is_proven(request, form, device):
            return _act(request, device, request.POST.get("what", ""), required=required)
        form.add_error(None, _NOT_PROVEN)
    return page(
        request,
        "tracking/second_factor.html",
        "My second factor",
        form=form,
        device=device,
        left=len(device.recovery) if device else 0,
        required=required,
        has_password=user.has_usable_password(),
    )


@sensitive_post_parameters()
def enrol(request: HttpRequest) -> HttpResponse:
    """The device to be; the code that it shows takes it into use."""
    moment = moment_of(request)
    kept = request.session.get(_KEY)
    if not isinstance(kept, dict) or clock.to_ms(moment) >= kept["until"]:
        messages.warning(request, "That took too long; please begin again.")
        return HttpResponseRedirect(reverse("admin:second_factor"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        codes = second_factor.enrol(
            request.user,
            kept["secret"],
            form.cleaned_data["code"],
            moment=moment,
            by=request.user,
            instead_of=kept["instead_of"],
        )
        if codes is not None:
            del request.session[_KEY]
            request.session.cycle_key()
            steps.mark(request, request.user)
            return _codes(request, codes)
        form.add_error("code", WRONG_CODE)
    return page(
        request,
        "tracking/second_factor_enrol.html",
        "Set up your second factor",
        form=form,
        **device_shown(kept["secret"], request.user),
    )


def _is_proven(request: HttpRequest, form: ProofForm, device: SecondFactor | None) -> bool:
    """Both are counted like those of signing in, so that nobody guesses at an open session."""
    given = form.cleaned_data
    user = authenticate(request, username=request.user.get_username(), password=given["password"])
    if user is None or user.pk != request.user.pk:
        return False
    return device is None or steps.use_code(request, user, given["code"], moment_of(request))


def _act(
    request: HttpRequest, device: SecondFactor | None, what: str, *, required: bool
) -> HttpResponse:
    user: User = request.user
    back = HttpResponseRedirect(reverse("admin:second_factor"))
    if what == "device":
        _begin(request, user, device, moment_of(request))
        return HttpResponseRedirect(reverse("admin:second_factor_enrol"))
    if what == "codes" and device is not None:
        codes = second_factor.new_codes(user, by=user)
        return _codes(request, codes) if codes else back
    if what == "off" and required:
        messages.error(request, "Your role needs a second factor; move it to another device.")
    elif what == "off" and second_factor.remove(user, second_factor.SWITCHED_OFF, by=user):
        request.session.cycle_key()
        request.session.pop(steps.DEVICE, None)
        messages.success(request, "It is switched off: your password alone signs you in.")
    return back


def _begin(request: HttpRequest, user: User, device: SecondFactor | None, moment: datetime) -> None:
    request.session[_KEY] = {
        "secret": second_factor.new_secret(user),
        "instead_of": device.serial if device else "",
        "until": clock.to_ms(moment + _LASTS),
    }


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """The only page that ever shows them; they are kept nowhere on the way."""
    return page(
        request,
        "tracking/second_factor_recovery.html",
        "Recovery codes",
        codes=codes,
        onward=reverse("admin:second_factor"),
    )
