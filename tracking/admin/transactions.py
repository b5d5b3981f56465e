"""Transactions: the list, and the page that tells one's lifetime."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.access.roles import EVIDENCE
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin import evidence
from tracking.admin import filters as f
from tracking.admin.base import OwnPageAdmin, ReadOnlyAdmin, key_of, matching_keys
from tracking.admin.evidence import EvidenceDownloads
from tracking.admin.lifetime import page_of
from tracking.admin.once import moment_of, my_masking, my_tenants
from tracking.anchoring.state import cutoffs
from tracking.audit.who import say_shown
from tracking.models import Transaction, TransactionProgress

# What lists of transactions never show; paths and texts make most of a document.
HEAVY = frozenset(
    ("path", "references", "parents", "usage", "reason", "error_message", "rolled", "rolled_in")
)

_TABS = (("", "All"), *((s, show.word(s).capitalize()) for s in f.TransactionStatusFilter.words))


class TransactionLists(ReadOnlyAdmin):
    """What the two lists over transactions share."""

    list_omits = HEAVY
    search_fields = ("object_id",)
    search_help_text = "Object id, transaction id or reference"
    list_filter = (
        f.TransactionStatusFilter,
        f.InTransitAtFilter,
        f.FlowFilter,
        f.StageFilter,
        f.BlockFilter,
        f.ObjectTypeFilter,
        f.ErrorTypeFilter,
        f.WarningFilter,
        f.RetriesFilter,
        f.RecentFilter,
        ("updated_at", f.TimeRangeFilter),
        ("created_at", f.TimeRangeFilter),
    )
    ordering = ("-updated_at", "-key")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        if "created_at_from_0" in request.GET and "updated_at_from_0" not in request.GET:
            # what began in a time is read by that time, not by all that happened since
            return ("-created_at", "-key")
        return self.ordering

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return found_in(request, queryset, search_term, "pk__in"), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        tabs = {"status_tabs": _status_tabs(request)}
        return super().changelist_view(request, {**(extra_context or {}), **tabs})

    def attach(self, request: HttpRequest, rows: list[Any]) -> None:
        limits = cutoffs()  # after the rows
        for row in rows:
            row.seal_state = limits.state_of(row.recorded_at)

    @admin.display(description="log")
    def seal_cell(self, row: Any) -> SafeString:
        return show.seal(row.seal_state)

    @admin.display(description="object")
    def object_cell(self, row: Transaction) -> SafeString:
        return show.two_lines(row.object_id, row.object_type)

    @admin.display(description="flow")
    def flow_cell(self, row: Transaction) -> SafeString:
        version = row.definition or row.flow_version
        return show.two_lines(row.flow, f"version {version}" if version else "")

    @admin.display(description="status")
    def status_cell(self, row: Transaction) -> SafeString:
        states = show.labels(show.states_of(row, row.seen_at))
        return show.below(states, row.error_type or "")

    @admin.display(description="where")
    def where_cell(self, row: Transaction) -> SafeString:
        return show.two_lines(row.block, row.stage)

    @admin.display(description="progress")
    def progress_cell(self, row: Transaction) -> SafeString:
        return show.rail({stage: getattr(row, stage) for stage in v.STAGES}, row.percent)

    @admin.display(description="updated")
    def updated_cell(self, row: Transaction) -> SafeString | str:
        return show.when(row.updated_at, row.seen_at)


@admin.register(Transaction)
class TransactionAdmin(EvidenceDownloads, TransactionLists, OwnPageAdmin):
    list_display: ClassVar[tuple[str, ...]] = (
        "object_cell",
        "status_cell",
        "flow_cell",
        "where_cell",
        "progress_cell",
        "updated_cell",
        "cost_cell",
        "seal_cell",
    )
    list_display_links = ("object_cell",)
    page_template = "tracking/lifetime.html"

    @admin.display(description="cost, retries")
    def cost_cell(self, row: Transaction) -> SafeString:
        retries = f"{row.retries:,} {'retry' if row.retries == 1 else 'retries'}"
        return show.two_lines(show.costs(row.costs), retries if row.retries else "")

    def page_context(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        """The lifetime, read from the journal: also of what lists do not show yet."""
        tenant, transaction = key_of(object_id)
        page = (
            page_of(
                tenant,
                transaction,
                visible=visible_to(request.user, Transaction),
                moment=moment_of(request),
                masking=my_masking(request, tenant),
                raw=request.user.has_perm("tracking.view_transactionblock"),
                open_block=request.GET.get("block"),
            )
            if tenant in my_tenants(request)
            else None
        )
        if page is None:
            return None
        say_shown(request, tenants=[tenant], transactions=[transaction])
        return {
            "title": page.object_id,
            "page": page,
            "several_tenants": len(my_tenants(request)) > 1,
            "journal_url": journal_url(request, tenant, transaction),
            "evidence_url": reverse(f"admin:{evidence.ONE}", args=(object_id,))
            if request.user.has_perms(EVIDENCE)
            else "",
        }


@admin.register(TransactionProgress)
class TransactionProgressAdmin(TransactionLists):
    list_display: ClassVar[tuple[str, ...]] = (
        "object_and_flow_cell",
        "label_cell",
        "ingress_cell",
        "processing_cell",
        "egress_cell",
        "done_cell",
        "next_cell",
        "updated_cell",
        "seal_cell",
    )
    list_display_links = ("object_and_flow_cell",)
    rows_called = "transactions"

    @admin.display(description="object")
    def object_and_flow_cell(self, row: Transaction) -> SafeString:
        return show.two_lines(row.object_id, f"{row.object_type}, {row.flow}")

    @admin.display(description="status")
    def label_cell(self, row: Transaction) -> SafeString:
        return show.labels(show.states_of(row, row.seen_at))

    @admin.display(description="ingress")
    def ingress_cell(self, row: Transaction) -> SafeString:
        return show.label(row.ingress)

    @admin.display(description="processing")
    def processing_cell(self, row: Transaction) -> SafeString:
        return show.label(row.processing)

    @admin.display(description="egress")
    def egress_cell(self, row: Transaction) -> SafeString:
        return show.label(row.egress)

    @admin.display(description="blocks done")
    def done_cell(self, row: Transaction) -> SafeString:
        if row.blocks_expected is None:
            return show.two_lines(f"{row.blocks_done} of {row.blocks} seen", "no definition")
        return format_html(
            '<span class="dft-done"><b>{} of {}</b>'
            '<i class="dft-meter"><i style="width:{}%"></i></i></span>',
            row.blocks_done,
            row.blocks_expected,
            row.percent or 0,
        )

    @admin.display(description="next")
    def next_cell(self, row: Transaction) -> SafeString | str:
        if not row.next_block:
            return show.NONE
        due = f"due {show.ago(row.next_due_at, row.seen_at)}" if row.next_due_at else ""
        return show.two_lines(row.next_block, due)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Progress is part of the lifetime's page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(show.transaction_url(*key_of(object_id)))


def found_in(request: HttpRequest, rows: QuerySet, term: str, by: str) -> QuerySet:
    """`rows` narrowed to the transactions that the search term names."""
    term = term.strip()
    if not term:
        return rows
    return rows.filter(**{by: matching_keys(request, term)})


def journal_url(request: HttpRequest, tenant: str, transaction: str) -> str:
    query = {"transaction": transaction}
    if len(my_tenants(request)) > 1:
        query["of"] = tenant
    return f"{reverse('admin:tracking_transactionblock_changelist')}?{urlencode(query)}"


def _status_tabs(request: HttpRequest) -> list[dict[str, Any]]:
    chosen = request.GET.get("status", "")
    tabs = []
    for status, title in _TABS:
        query = request.GET.copy()
        for name in ("p", "e", "status"):
            query.pop(name, None)
        if status:
            query["status"] = status
        icon = show.LOOKS[status][1] if status else "list"
        tabs.append(
            {"title": title, "icon": icon, "url": f"?{query.urlencode()}", "on": status == chosen}
        )
    return tabs
