"""Downloads of evidence out of the admin: of one object, and of what a list shows."""

from __future__ import annotations

from typing import Any

import pymongo
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from tracking import vocabulary as v
from tracking.access.roles import EVIDENCE
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import ReadOnlyAdmin, key_of
from tracking.admin.once import moment_of, my_tenants
from tracking.admin.paging import SECONDS
from tracking.audit.who import say_given, say_missing
from tracking.errors import NotFound
from tracking.evidence.gather import Altered, TooLarge
from tracking.evidence.handing import hand_over, wanted_of
from tracking.evidence.package import Wanted
from tracking.ledger.log import LogBroken
from tracking.models import TransactionBlock
from tracking.signing.keyring import NoKeys

LIST = "tracking_transaction_evidence"
ONE = "tracking_transaction_evidence_of"


class EvidenceDownloads(ReadOnlyAdmin):
    """For the list of transactions; what cannot be given is said on the page one came from."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("evidence/", wrap(self.evidence_of_list), name=LIST),
            path("<path:object_id>/evidence/", wrap(self.evidence_of_one), name=ONE),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = dict(extra_context or {})
        if request.user.has_perms(EVIDENCE):
            shown["evidence_most"] = v.EVIDENCE_OBJECTS_MAX
            shown["evidence_url"] = f"{reverse(f'admin:{LIST}')}?{_without_page(request)}"
        return super().changelist_view(request, shown)

    def evidence_of_list(self, request: HttpRequest) -> HttpResponse:
        """Of all that the list's filters and search leave, up to a package's limit."""
        _check(request)
        back = f"{reverse('admin:tracking_transaction_changelist')}?{_without_page(request)}"
        try:
            with pymongo.timeout(SECONDS):
                wanted = wanted_of(self.get_changelist_instance(request).queryset)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(back)
        return self._given(request, wanted, back, _without_page(request) or "all transactions")

    def evidence_of_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        _check(request)
        tenant, transaction = key_of(object_id)
        records = visible_to(request.user, TransactionBlock).filter(
            tenant_id=tenant, transaction=transaction
        )
        if tenant not in my_tenants(request) or not records.order_by()[:1].exists():
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        back = show.transaction_url(tenant, transaction)
        return self._given(request, [(tenant, transaction)], back)

    def _given(
        self, request: HttpRequest, wanted: Wanted, back: str, search: str = ""
    ) -> HttpResponse:
        say_given(request, wanted)
        try:
            return hand_over(wanted, who=request.user, moment=moment_of(request), search=search)
        except NotFound:
            say_missing(request)
            messages.error(request, "There is nothing to give evidence of.")
        except (TooLarge, Altered, LogBroken, NoKeys) as error:
            messages.error(request, f"{error}")
        return HttpResponseRedirect(back)


def _check(request: HttpRequest) -> None:
    if not request.user.has_perms(EVIDENCE):
        raise PermissionDenied


def _without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    for name in ("p", "e"):
        query.pop(name, None)
    return query.urlencode()
