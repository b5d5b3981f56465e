"""Every look at record content leaves an access record, or is not shown.

A row for each page and endpoint that shows or gives away what is recorded; a test compares the
table with all addresses there are. Whatever a view shows is held back until it is written down
who looked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from tracking import clock
from tracking import vocabulary as v
from tracking.api.outage import away, held_back, is_outage
from tracking.audit.access import NotRecorded, record_access
from tracking.audit.who import access_of, actor_of, tenants_about

logger = logging.getLogger(__name__)

_CONTENT_MODELS: Final = (
    "transaction",
    "transactionprogress",
    "transactionblockprogress",
    "transactionblock",
    "verificationrun",
    "accessrecord",
)
# What is shown by which address (Django's name of it). A list that is narrowed is a search.
LOOKS: Final[dict[str, str]] = {
    **{f"admin:tracking_{model}_changelist": v.LIST for model in _CONTENT_MODELS},
    **{
        f"admin:tracking_{model}_{page}": v.VIEW
        for model in _CONTENT_MODELS
        for page in ("change", "history", "delete", "add")
    },
    "admin:index": v.LIST,
    "admin:password_change": v.CHANGE,
    "admin:simulate": v.CHANGE,
    "admin:find": v.SEARCH,
    "admin:search": v.SEARCH,
    "admin:tracking_transaction_evidence": v.EXPORT,
    "admin:tracking_transaction_evidence_of": v.EXPORT,
    "admin:tracking_verificationrun_start": v.VERIFY,
    "api:transactions": v.LIST,
    "api:transaction": v.VIEW,
    "api:lifetime": v.VIEW,
    "api:records": v.VIEW,
    "api:lineage": v.VIEW,
    "api:record": v.VIEW,
    "api:proof": v.VIEW,
    "api:evidence": v.EXPORT,
    "api:transaction-evidence": v.EXPORT,
}
_PAGING: Final = frozenset(("p", "page", "page_size", "cursor", "o", "e", "all", "of", "tenant"))
_OUTCOMES: Final = {404: v.ACCESS_NOT_FOUND, 401: v.ACCESS_REFUSED, 403: v.ACCESS_REFUSED}


class Looks:
    """Middleware behind those that know who asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        action = _action_of(request, response)
        # what is away, or too busy, has shown nothing; asking it once more would only take longer
        if action is None or response.status_code in (429, 503):
            return response
        try:
            _record(request, response, action)
        except NotRecorded as error:
            logger.error("%s", error)
            response.close()
            return held_back(request)
        except Exception as error:
            if not is_outage(error):
                raise
            response.close()
            return away(request)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """What the API's views explain themselves, pages do here."""
        if isinstance(error, NotRecorded):
            logger.error("%s", error)
            return held_back(request)
        return away(request) if is_outage(error) else None


def _action_of(request: HttpRequest, response: HttpResponse) -> str | None:
    """What is to be written down; None for what shows nothing of any record."""
    match = request.resolver_match
    action = LOOKS.get(match.view_name) if match else None
    if action is None:
        # that somebody known was turned away is told wherever it happened, but at the door, where
        # it would cost more than the post
        posted = match is not None and match.view_name in ("api:blocks", "api:traces")
        return v.VIEW if response.status_code == 403 and not posted else None
    if action == v.CHANGE and request.method != "POST":
        return None
    if action == v.LIST and request.GET.keys() - _PAGING:
        return v.SEARCH
    return action


def _record(request: HttpRequest, response: HttpResponse, action: str) -> None:
    actor = actor_of(request)
    if actor is None:
        return  # sent to sign in, and shown nothing
    if getattr(request, "dft_missing", False):
        outcome = v.ACCESS_NOT_FOUND
    elif response.status_code < 400:
        outcome = v.ACCESS_DONE
    else:
        outcome = _OUTCOMES.get(response.status_code, v.ACCESS_FAILED)
    record_access(
        access_of(
            request,
            actor,
            clock.now(),
            action,
            outcome,
            tenants=tenants_about(request),
            status=response.status_code,
            target="" if outcome == v.ACCESS_DONE else request.path,
        )
    )
