"""GET /api/v1/transactions and what hangs on one of them."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request
from rest_framework.response import Response

from tracking.access.scope import visible_to
from tracking.anchoring.state import cutoffs, state_of_record, states_of_batches
from tracking.api import paging, schema, shapes
from tracking.api.base import ReadView
from tracking.api.derived import as_row, derived_or_recorded
from tracking.api.filters import PARAMETERS, TransactionFilter
from tracking.api.lifetime import lifetime_shape, path_shape
from tracking.api.lineage import lineage_of
from tracking.api.permissions import RECORDS
from tracking.errors import NotFound
from tracking.models import Transaction, TransactionBlock
from tracking.projection.corrections import corrections_of
from tracking.projection.definitions import definitions_of
from tracking.projection.documents import transaction_document
from tracking.projection.live import lifetime_of


class TransactionList(ReadView):
    """Transactions, the latest event first."""

    filterset_class = TransactionFilter
    filter_backends = (DjangoFilterBackend,)
    parameters = (*PARAMETERS, *paging.PARAMETERS)

    def get_queryset(self) -> QuerySet[Transaction]:
        return visible_to(self.request.user, Transaction)

    @schema.transaction_list
    def get(self, request: Request) -> Response:
        page = paging.page_of(
            request._request, self.filter_queryset(self.get_queryset()), paging.LATEST_FIRST
        )
        limits = cutoffs()
        found = [
            shapes.transaction(row, request.moment, limits, self.masking(row.tenant_id))
            for row in page.rows
        ]
        shape = {**page.shape(found), "as_of": self.as_of()}
        shape["count_is_bounded"] |= request.search_was_cut
        return Response(shape)


class TransactionDetail(ReadView):
    """One transaction as the lists know it; read from its records if they do not yet."""

    @schema.transaction_detail
    def get(self, request: Request, transaction: str) -> Response:
        tenant = self.tenant_of(transaction)
        row = derived_or_recorded(request.user, tenant, transaction)
        shape = shapes.transaction(row, request.moment, cutoffs(), self.masking(tenant))
        definition = next(
            (d for d in definitions_of(tenant)(row.flow) if d.version == row.definition), None
        )
        shape["progress"]["path"] = path_shape(tenant, row.flow, definition)
        return Response({**shape, "as_of": self.as_of()})


class TransactionLifetime(ReadView):
    """What happened to it, from its records as they are now; never behind."""

    @schema.transaction_lifetime
    def get(self, request: Request, transaction: str) -> Response:
        tenant = self.tenant_of(transaction)
        live = lifetime_of(tenant, transaction)
        if live is None:
            raise NotFound(transaction)
        row = as_row(transaction_document(tenant, live.lifetime))
        shape = shapes.transaction(row, request.moment, cutoffs(), self.masking(tenant))
        shape["progress"]["path"] = path_shape(tenant, row.flow, live.lifetime.definition)
        return Response({**shape, **lifetime_shape(request.user, tenant, live)})


class TransactionRecords(ReadView):
    """Its records as they were posted, by event time."""

    permission = RECORDS
    parameters = ("tenant", *paging.PARAMETERS)

    @schema.transaction_records
    def get(self, request: Request, transaction: str) -> Response:
        tenant = self.tenant_of(transaction)
        rows = visible_to(request.user, TransactionBlock).filter(
            tenant_id=tenant, transaction=transaction
        )
        page = paging.page_of(request._request, rows, paging.BY_EVENT)
        corrections = corrections_of(tenant, transaction)
        states = states_of_batches(row.batch for row in page.rows)
        masking = self.masking(tenant)
        shaped = [shapes.record(row, corrections, states[row.batch], masking) for row in page.rows]
        return Response(page.shape(shaped))


class TransactionLineage(ReadView):
    """Where it came from and what became of it: ancestors and descendants."""

    @schema.transaction_lineage
    def get(self, request: Request, transaction: str) -> Response:
        tenant = self.tenant_of(transaction)
        origin = derived_or_recorded(request.user, tenant, transaction)
        rows = visible_to(request.user, Transaction).filter(tenant_id=tenant)
        return Response({**lineage_of(rows, tenant, origin), "as_of": self.as_of()})


class RecordDetail(ReadView):
    """One record as it was posted."""

    permission = RECORDS

    @schema.record_detail
    def get(self, request: Request, record: str) -> Response:
        row = self.the_record(record)
        found = state_of_record(row.batch, row.index, bytes.fromhex(row.receipt))
        corrections = corrections_of(row.tenant_id, row.transaction)
        return Response(
            {
                **shapes.record(row, corrections, found.state, self.masking(row.tenant_id)),
                "leaf_index": found.leaf_index,
                "sealed_at": shapes.time(found.sealed_at),
                "anchored_at": shapes.time(found.anchored_at),
                "altered": found.altered,
            }
        )
