"""What the reading endpoints have in common."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from tracking import clock
from tracking import vocabulary as v
from tracking.access.masking import Masking, masking_of
from tracking.access.scope import tenants_of, visible_to
from tracking.api.parameters import check_parameters
from tracking.audit.who import say_shown
from tracking.errors import BadRequest, NotFound
from tracking.models import TransactionBlock
from tracking.projection.status import lag

T = TypeVar("T")
_describing = threading.Lock()


class Contract(SpectacularAPIView):
    """The API as OpenAPI: one thread at a time, as drf-spectacular completes its own classes while
    it describes the first time, and another that came upon them half-way would fail."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with _describing:
            return super().get(request, *args, **kwargs)


class ReadView(GenericAPIView):
    """One clock reading per request; every parameter known; nothing kept by anybody's cache."""

    permission: str | Sequence[str] = "tracking.view_transaction"
    scopes: Sequence[str] = (v.SCOPE_READ,)
    parameters: Sequence[str] = ("tenant",)
    http_method_names = ("get", "head")
    filter_backends: Sequence[Any] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        request.moment = clock.now()
        request.search_was_cut = False
        super().initial(request, *args, **kwargs)
        check_parameters(request._request, self.parameters)

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    def masking(self, tenant: str) -> Masking:
        """How the asker sees what a tenant recorded."""
        return masking_of(self.request.user, tenant)

    def as_of(self) -> dict[str, Any]:
        """How far the derived documents had come at the time of asking."""
        behind = lag(self.request.moment)
        return {"leaf": behind.leaf, "behind_seconds": behind.behind_seconds}

    def tenants(self) -> list[str]:
        """The tenants asked about: the one named, or all that the asker may see."""
        visible = tenants_of(self.request.user)
        named = self.request.query_params.get("tenant")
        return [tenant for tenant in visible if named in (None, tenant)]

    def tenant_of(self, transaction: str) -> str:
        """Whose transaction it is, which one record tells; raises NotFound."""
        records = visible_to(self.request.user, TransactionBlock).filter(transaction=transaction)
        found = self.only(
            [t for t in self.tenants() if records.filter(tenant_id=t).order_by()[:1].exists()]
        )
        say_shown(self.request._request, tenants=[found], transactions=[transaction])
        return found

    def the_record(self, record: str) -> TransactionBlock:
        """The one record of this id; raises NotFound."""
        keys = [f"{tenant}/{record}" for tenant in self.tenants()]
        row = self.only(list(visible_to(self.request.user, TransactionBlock).filter(pk__in=keys)))
        say_shown(
            self.request._request,
            tenants=[row.tenant_id],
            transactions=[row.transaction],
            record=row.record_id,
        )
        return row

    def only(self, found: Sequence[T]) -> T:
        """The one found; ids are unique within a tenant only."""
        if not found:
            raise NotFound(self.request.path)
        if len(found) > 1:
            raise BadRequest(
                "ambiguous_tenant",
                "Several of your tenants have one of this id; say which: tenant=….",
                parameter="tenant",
            )
        return found[0]
