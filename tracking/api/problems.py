"""Every error of the product in one shape: `application/problem+json` (RFC 9457).

    {"type": "about:blank", "title": …, "status": …, "detail": …, "code": …}

and where they apply `offset` (byte of the body), `pointer` (into the body), `parameter`
(of the address) and `limit`. `code` is stable and listed in docs/api.md; the text is not.
"""

from __future__ import annotations

import functools
import logging
import random
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import orjson
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from rest_framework import exceptions as drf

from tracking import errors
from tracking.evidence.gather import Altered, TooLarge
from tracking.ledger.log import LogBroken
from tracking.mongo.connection import is_unavailable
from tracking.signing.keyring import NoKeys

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 5
_CHALLENGE: Final = 'Bearer realm="dft"'

log = logging.getLogger(__name__)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **members: object,
) -> HttpResponse:
    """One error answer; members that are None are left out."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    body.update({name: value for name, value in members.items() if value is not None})
    response = HttpResponse(orjson.dumps(body), content_type=MEDIA_TYPE, status=status)
    response["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def problem_of(error: BaseException) -> HttpResponse | None:
    """The answer to an error that we know how to explain, None for a bug."""
    if isinstance(error, errors.BadRequest):
        return problem(
            error.status, error.code, error.message, offset=error.offset, **error.members
        )
    if isinstance(error, errors.Unauthorized):
        return unauthorized(error.code, error.message)
    if isinstance(error, errors.Forbidden):
        return problem(403, error.code, error.message)
    if isinstance(error, errors.NotFound | Http404):
        return problem(404, "not_found", "There is nothing here of that name.")
    if isinstance(error, TooLarge):
        return problem(413, "evidence_too_large", str(error))
    if isinstance(error, Altered | LogBroken):
        log.error("no evidence was given: %s", error)
        return problem(409, "record_altered", str(error))
    if isinstance(error, NoKeys):
        log.error("no evidence was given: %s", error)
        return problem(503, "no_keys", "This server has no keys to sign with.")
    if isinstance(error, errors.DatabaseUnavailable) or is_unavailable(error):
        return unavailable()
    if isinstance(error, drf.APIException):
        return _problem_of_drf(error)
    if isinstance(error, PermissionDenied):
        return problem(403, "forbidden", "This is not allowed.")
    if isinstance(error, SuspiciousOperation):
        return problem(400, "bad_request", "The request cannot be read.")
    return None


def unauthorized(code: str, detail: str) -> HttpResponse:
    challenge = _CHALLENGE if code == "key_missing" else f'{_CHALLENGE}, error="invalid_token"'
    return problem(401, code, detail, headers={"WWW-Authenticate": challenge})


def unavailable() -> HttpResponse:
    return problem(
        503,
        "database_unavailable",
        "The database did not answer in time. Repeat the same request; ids make that safe.",
        # Those who were turned away together must not come back together.
        headers={"Retry-After": str(random.randint(1, RETRY_SECONDS))},  # noqa: S311
    )


def method_not_allowed(request: HttpRequest, allowed: list[str]) -> HttpResponse:
    return problem(
        405,
        "method_not_allowed",
        f"{_method(request.method)} is not offered here; use {' or '.join(allowed)}.",
        headers={"Allow": ", ".join(allowed)},
    )


def _problem_of_drf(error: drf.APIException) -> HttpResponse:
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        return unauthorized(
            "key_missing", "Send a key in the header `Authorization: Bearer dft_…`, or sign in."
        )
    if isinstance(error, drf.ValidationError) and isinstance(error.detail, dict):
        name, sentences = next(iter(error.detail.items()))
        return problem(400, "bad_parameter", " ".join(map(str, sentences)), parameter=str(name))
    code = {403: "forbidden", 405: "method_not_allowed", 406: "not_acceptable"}.get(
        error.status_code, "bad_request" if error.status_code < 500 else "error"
    )
    return problem(error.status_code, code, str(error.detail))


def drf_exception_handler(error: Exception, _context: dict[str, Any]) -> HttpResponse | None:
    """For REST framework; None lets Django log the error and call `on_server_error`."""
    return problem_of(error)


def explained(
    view: Callable[..., HttpResponse],
) -> Callable[..., HttpResponse]:
    """A plain view whose errors are answered in the one shape."""

    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Exception as error:
            answer = problem_of(error)
            if answer is None:
                raise
            return answer

    return wrapper


# --- Django's own error pages: problems for machines, pages for people ----------------------


def is_for_machines(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.path in ("/healthz", "/readyz", "/metrics")


def on_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_machines(request):
        return defaults.bad_request(request, exception)
    return problem(400, "bad_request", "The request cannot be read.")


def on_forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_machines(request):
        return defaults.permission_denied(request, exception)
    return problem(403, "forbidden", "This is not allowed.")


def on_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not is_for_machines(request):
        return defaults.page_not_found(request, exception)
    return problem(404, "not_found", "There is nothing here of that name.")


def on_server_error(request: HttpRequest) -> HttpResponse:
    if not is_for_machines(request):
        return defaults.server_error(request)
    return problem(
        500,
        "error",
        "Something went wrong on our side. A post may be repeated; ids make that safe.",
    )


def no_such_endpoint(request: HttpRequest, **_kwargs: str) -> HttpResponse:
    """Everything under /api that is not mounted, also with DEBUG on."""
    return problem(404, "not_found", "There is no such endpoint; see /api/v1/docs.")


def _method(name: str | None) -> str:
    return name if name and name.isascii() and name.isalpha() and len(name) < 20 else "This method"
