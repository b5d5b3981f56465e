"""Block progress: what became of each block of each transaction."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tracking.admin import display as show
from tracking.admin import filters as f
from tracking.admin.base import ReadOnlyAdmin, key_of
from tracking.admin.transactions import found_in
from tracking.models import TransactionBlockProgress


@admin.register(TransactionBlockProgress)
class BlockProgressAdmin(ReadOnlyAdmin):
    list_omits = frozenset(("usage", "error_message", "error_location", "error_code"))
    rows_called = "blocks"
    list_display: ClassVar[tuple[str, ...]] = (
        "block_cell",
        "status_cell",
        "object_cell",
        "flow_cell",
        "attempts_cell",
        "times_cell",
        "updated_cell",
        "why_cell",
        "cost_cell",
    )
    list_display_links = ("block_cell",)
    list_filter = (
        f.BlockStatusFilter,
        f.FlowFilter,
        f.BlockFilter,
        f.StageFilter,
        f.AttemptsFilter,
        f.RecentFilter,
        ("updated_at", f.TimeRangeFilter),
        ("first_at", f.TimeRangeFilter),
    )
    ordering = ("-updated_at", "-key")
    search_fields = ("object_id",)
    search_help_text = "Object id, transaction id or reference"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return found_in(request, queryset, search_term, "transaction_id__in"), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A block's page is its place on the lifetime of its transaction."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        tenant, rest = key_of(object_id)
        # ids hold no slash, block names may
        transaction, _, block = rest.partition("/")
        url = show.transaction_url(tenant, transaction)
        return HttpResponseRedirect(f"{url}?{urlencode({'block': block})}#opened")

    @admin.display(description="block")
    def block_cell(self, row: TransactionBlockProgress) -> SafeString:
        return show.two_lines(row.block, row.stage)

    @admin.display(description="status")
    def status_cell(self, row: TransactionBlockProgress) -> SafeString:
        return show.label(row.status)

    @admin.display(description="object")
    def object_cell(self, row: TransactionBlockProgress) -> SafeString:
        return show.two_lines(row.object_id, row.object_type)

    @admin.display(description="flow")
    def flow_cell(self, row: TransactionBlockProgress) -> SafeString:
        return show.two_lines(row.flow)

    @admin.display(description="attempts")
    def attempts_cell(self, row: TransactionBlockProgress) -> SafeString | str:
        if row.attempts == 1:
            return "1"
        return format_html("<b>{}</b>", f"{row.attempts:,}")

    @admin.display(description="work, queue")
    def times_cell(self, row: TransactionBlockProgress) -> SafeString:
        queue = f"queue {show.duration(row.queue_ms)}" if row.queue_ms is not None else ""
        return show.two_lines(show.duration(row.work_ms), queue)

    @admin.display(description="updated")
    def updated_cell(self, row: TransactionBlockProgress) -> SafeString | str:
        return show.when(row.updated_at, row.seen_at)

    @admin.display(description="error or reason")
    def why_cell(self, row: TransactionBlockProgress) -> SafeString | str:
        text = row.error_type or row.reason
        return show.two_lines(text[:200]) if text else show.NONE

    @admin.display(description="cost")
    def cost_cell(self, row: TransactionBlockProgress) -> str:
        return show.costs(row.costs)
