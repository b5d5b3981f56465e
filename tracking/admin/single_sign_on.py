"""The two addresses of single sign-on, and the page of a sign-in that was refused."""

from __future__ import annotations

import logging
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME, SESSION_KEY
from django.contrib.auth.signals import user_login_failed
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from tracking.models import User
from tracking.sign_in import steps
from tracking.sign_in.lockout import SINGLE_SIGN_ON
from tracking.sso import flow
from tracking.sso import session as marks
from tracking.sso.config import Config
from tracking.sso.refused import Refused

log = logging.getLogger("tracking.sso")

COOKIE: Final = "dft_sso"
_BACKEND: Final = "tracking.sign_in.backend.PasswordBackend"
_NEXT_MAX: Final = 1_000


def button(request: HttpRequest) -> dict[str, Any]:
    """What the sign-in page needs to offer it; nothing where it is not set up."""
    if settings.DFT_OIDC is None:
        return {}
    then = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    query = f"?{urlencode({REDIRECT_FIELD_NAME: then})}" if _own(request, then) else ""
    return {"sso_name": settings.DFT_OIDC.name, "sso_url": reverse("admin:sso") + query}


def begin(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """To the provider, to sign in there."""
    config = _config()
    then = request.GET.get(REDIRECT_FIELD_NAME, "")
    then = then if _own(request, then) else reverse("admin:index")
    try:
        url, cookie = flow.begin(config, callback=_callback(), then=then)
    except Refused as refused:
        return _refuse(request, site, config, refused)
    answer = HttpResponseRedirect(url)
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=flow.MINUTES * 60,
        path=reverse("admin:sso"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",  # it must come along when the provider sends the person back
    )
    return answer


def finish(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Back from the provider."""
    config = _config()
    try:
        user, then = flow.finish(
            config,
            cookie=request.COOKIES.get(COOKIE, ""),
            answer=request.GET.dict(),
            callback=_callback(),
        )
    except Refused as refused:
        answer = _refuse(request, site, config, refused)
    else:
        answer = _signed_in(request, user, config, then)
    # one sign-in, one try
    answer.delete_cookie(COOKIE, path=reverse("admin:sso"), samesite="Lax")
    return answer


def _signed_in(request: HttpRequest, user: User, config: Config, then: str) -> HttpResponse:
    """The session is theirs; unless the provider asks for a second factor, after our own."""
    if config.second_factor:
        steps.sign_in(request, user, backend=_BACKEND)
        answer: HttpResponse = HttpResponseRedirect(then)
    else:
        answer = steps.advance(request, user, backend=_BACKEND, next_url=then)
    if SESSION_KEY in request.session:
        marks.mark(request.session)
        log.info("%r signed in by single sign-on", user.username)
    return answer


def _config() -> Config:
    if settings.DFT_OIDC is None:
        raise Http404("Single sign-on is not set up.")
    return settings.DFT_OIDC


def _callback() -> str:
    """As it is registered at the provider; never from the request's Host header."""
    return settings.DFT_PUBLIC_URL + reverse("admin:sso_callback")


def _own(request: HttpRequest, then: str) -> bool:
    """Whether it is a page of this site; anything else would send people where others want."""
    return (
        then.startswith("/")
        and len(then) <= _NEXT_MAX
        and then.isprintable()
        and url_has_allowed_host_and_scheme(
            then, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )
    )


def _refuse(
    request: HttpRequest, site: AdminSite, config: Config, refused: Refused
) -> TemplateResponse:
    log.warning("single sign-on refused: %s", refused)
    user_login_failed.send(
        sender=SINGLE_SIGN_ON, credentials={"username": refused.username}, request=request
    )
    kind = refused.kind
    context = {
        **site.each_context(request),
        "title": kind.title.format(name=config.name),
        "text": kind.text.format(name=config.name),
        "again_url": reverse("admin:login"),
    }
    return TemplateResponse(request, "tracking/sso_refused.html", context, status=kind.status)
