"""What an address or a method says is wrong, whoever asks: refused before anybody is looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string

from tracking.access.keys import looks_like_a_key
from tracking.api.otlp import answered_as_status
from tracking.api.problems import is_for_machines, problem
from tracking.metering import POSTS

_PAGES: Final = "/admin/"
# Django's pages take any other for a GET and would show all the same.
_METHODS_OF_PAGES: Final = ("GET", "HEAD", "POST")
_KEY_IN_URL: Final = (
    "A key must never be part of an address, where logs keep it. Revoke it, and send a new one in"
    " the header `Authorization: Bearer dft_…`."
)


class Refusals:
    """Middleware before those that look at the session, and before whatever writes addresses down.

    A key in an address, path or parameter, is refused even beside a good one in the header.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _names_a_key(request):
            answer = _key_in_url(request)
            # Django would log the address.
            answer._has_been_logged = True  # type: ignore[attr-defined]
            return answer
        if request.path.startswith(_PAGES) and request.method not in _METHODS_OF_PAGES:
            return HttpResponseNotAllowed(_METHODS_OF_PAGES)
        return self._get_response(request)


def _names_a_key(request: HttpRequest) -> bool:
    query = request.META.get("QUERY_STRING", "")
    return looks_like_a_key(request.path) or (bool(query) and looks_like_a_key(unquote_plus(query)))


def _key_in_url(request: HttpRequest) -> HttpResponse:
    if request.path in POSTS[1:]:
        return answered_as_status(_problem)(request)
    if is_for_machines(request):
        return _problem(request)
    return HttpResponse(render_to_string("400.html", {"said": _KEY_IN_URL}), status=400)


def _problem(_request: HttpRequest) -> HttpResponse:
    return problem(400, "key_in_url", _KEY_IN_URL)
