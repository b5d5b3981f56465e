"""503 for people and machines: what cannot be had just now, and what may not be shown."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from tracking.api.problems import RETRY_SECONDS, is_for_machines, problem, unavailable
from tracking.errors import DatabaseUnavailable
from tracking.mongo.connection import is_unavailable


def is_outage(error: BaseException) -> bool:
    """Whether the error says that MongoDB does not answer."""
    return isinstance(error, DatabaseUnavailable) or is_unavailable(error)


def held_back(request: HttpRequest) -> HttpResponse:
    if is_for_machines(request):
        return problem(
            503,
            "access_not_recorded",
            "Who looked could not be written down, so nothing is shown. Try again.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    return _page(
        "This cannot be shown just now",
        "Whoever looks at records is written down, and that did not work. Nothing is shown until"
        " it does: please try again in a moment.",
    )


def away(request: HttpRequest) -> HttpResponse:
    if is_for_machines(request):
        return unavailable()
    return _page(
        "The database does not answer",
        "Nothing that was recorded is lost, and records are accepted again as soon as it is back."
        " Please try again in a moment.",
    )


def _page(title: str, text: str) -> HttpResponse:
    body = render_to_string("503.html", {"title": title, "text": text})
    answer = HttpResponse(body, status=503)
    answer["Retry-After"] = str(RETRY_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer
