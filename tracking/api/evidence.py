"""GET …/evidence: what an outsider can check without us (docs/integrity.md), as a zip."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from tracking import vocabulary as v
from tracking.access.roles import EVIDENCE
from tracking.access.scope import visible_to
from tracking.api import schema
from tracking.api.base import ReadView
from tracking.api.filters import PARAMETERS, TransactionFilter
from tracking.api.parameters import size_of_log
from tracking.audit.who import say_given
from tracking.evidence.handing import hand_over, wanted_of
from tracking.evidence.package import Wanted
from tracking.models import Transaction


class Zip(BaseRenderer):
    """So that a client may ask for what it gets; the view answers with the file itself."""

    media_type = "application/zip"
    format = "zip"
    charset = None
    render_style = "binary"

    def render(self, data: Any, media: Any = None, context: Any = None) -> bytes:
        raise NotImplementedError("A package is streamed, never rendered.")


class _EvidenceView(ReadView):
    permission = EVIDENCE
    scopes = (v.SCOPE_EXPORT,)
    renderer_classes = (Zip, JSONRenderer)

    def answer(self, request: Request, wanted: Wanted, search: str = "") -> FileResponse:
        asked = size_of_log(request._request, "checkpoint")
        say_given(request._request, wanted)
        return hand_over(
            wanted, who=request.user, moment=request.moment, search=search, asked=asked
        )


class TransactionEvidence(_EvidenceView):
    """One object's."""

    parameters = ("tenant", "checkpoint")

    @schema.transaction_evidence
    def get(self, request: Request, transaction: str) -> FileResponse:
        return self.answer(request, [(self.tenant_of(transaction), transaction)])


class SearchEvidence(_EvidenceView):
    """All that a search finds, up to a limit."""

    filterset_class = TransactionFilter
    filter_backends = (DjangoFilterBackend,)
    parameters = (*PARAMETERS, "checkpoint")

    def get_queryset(self) -> QuerySet[Transaction]:
        return visible_to(self.request.user, Transaction)

    @schema.search_evidence
    def get(self, request: Request) -> FileResponse:
        wanted = wanted_of(self.filter_queryset(self.get_queryset()))
        search = "&".join(
            f"{name}={value}" for name, value in request.GET.items() if name != "checkpoint"
        )
        return self.answer(request, wanted, search)
