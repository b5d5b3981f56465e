"""The journal: records as they were posted, and the page of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin import filters as f
from tracking.admin.base import OwnPageAdmin, matching_keys
from tracking.admin.once import moment_of, my_masking, my_tenants
from tracking.admin.raw import RawRecord, raw_record
from tracking.anchoring.state import RecordState, state_of_record, states_of_batches
from tracking.audit.who import say_shown
from tracking.models import Transaction, TransactionBlock
from tracking.projection.corrections import Corrections, corrections_of, withdrawn_in

_CORRECTIONS_MAX = 50


@admin.register(TransactionBlock)
class JournalAdmin(OwnPageAdmin):
    list_omits = frozenset(("part", "salt", "part_hash", "parents"))
    lookups_offered = frozenset(("transaction", "batch"))
    rows_called = "records"
    page_template = "tracking/record.html"
    list_display: ClassVar[tuple[str, ...]] = (
        "record_cell",
        "status_cell",
        "block_cell",
        "object_cell",
        "flow_cell",
        "occurred_cell",
        "recorded_cell",
        "seal_cell",
    )
    list_display_links = ("record_cell",)
    list_filter = (
        f.BlockStatusFilter,
        f.StageFilter,
        f.FlowFilter,
        f.BlockFilter,
        f.MarkFilter,
        f.RecordedRecentlyFilter,
        ("recorded_at", f.TimeRangeFilter),
        ("occurred_at", f.TimeRangeFilter),
    )
    ordering = ("-recorded_at", "-batch", "-index")
    search_fields = ("transaction",)
    search_help_text = "Record id, object id, transaction id or reference"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        tenants = my_tenants(request)
        found = Q(pk__in=[f"{tenant}/{term}" for tenant in tenants])
        by_tenant: dict[str, list[str]] = {}
        for key in matching_keys(request, term):
            tenant, _, transaction = key.partition("/")
            by_tenant.setdefault(tenant, []).append(transaction)
        for tenant, transactions in by_tenant.items():
            found |= Q(tenant_id=tenant, transaction__in=transactions)
        return queryset.filter(found), False

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        if request.GET.get("transaction"):
            # one transaction's records are read by the index of its page
            return ("occurred_at", "key")
        return self.ordering

    def attach(self, request: HttpRequest, rows: list[Any]) -> None:
        found = withdrawn_in([(row.tenant_id, row.transaction, row.record_id) for row in rows])
        states = states_of_batches(row.batch for row in rows)
        for row in rows:
            row.is_withdrawn = row.key in found
            row.seal_state = states[row.batch]

    def page_context(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        record = self.get_object(request, admin.utils.unquote(object_id))
        if record is None:
            return None
        say_shown(
            request,
            tenants=[record.tenant_id],
            transactions=[record.transaction],
            record=record.record_id,
        )
        return {
            "title": record.record_id,
            "page": _record_page(request, record),
            "show_transaction": request.user.has_perm("tracking.view_transaction"),
        }

    @admin.display(description="record")
    def record_cell(self, row: TransactionBlock) -> SafeString:
        notes = [
            *(["withdrawn"] if row.is_withdrawn else []),
            *([_verb(row).lower() + " another"] if row.corrects else []),
        ]
        return show.two_lines(row.record_id, ", ".join(notes))

    @admin.display(description="status")
    def status_cell(self, row: TransactionBlock) -> SafeString:
        again = f"attempt {row.attempt}" if row.attempt > 1 else ""
        return show.below(show.label(row.status), again)

    @admin.display(description="block")
    def block_cell(self, row: TransactionBlock) -> SafeString:
        return show.two_lines(row.block, row.stage)

    @admin.display(description="object")
    def object_cell(self, row: TransactionBlock) -> SafeString:
        return show.two_lines(row.object_id, row.object_type)

    @admin.display(description="flow")
    def flow_cell(self, row: TransactionBlock) -> SafeString:
        return show.two_lines(row.flow)

    @admin.display(description="event time")
    def occurred_cell(self, row: TransactionBlock) -> SafeString | str:
        return show.when(row.occurred_at, row.seen_at)

    @admin.display(description="record time")
    def recorded_cell(self, row: TransactionBlock) -> SafeString | str:
        return show.when(row.recorded_at, row.seen_at)

    @admin.display(description="log, marks")
    def seal_cell(self, row: Any) -> SafeString:
        seal = show.seal(row.seal_state)
        return format_html("{} {}", seal, show.labels(row.marks)) if row.marks else seal


@dataclass(frozen=True, slots=True)
class Correction:
    """What a record says of another; `but`: why it has no effect. `url` is empty where there is
    nothing to open."""

    verb: str
    id: str
    url: str
    but: str


@dataclass(frozen=True, slots=True)
class RecordPage:
    raw: RawRecord
    record: TransactionBlock
    label: SafeString
    occurred: SafeString | str
    recorded: SafeString | str
    marks: list[str]
    seal: SafeString
    altered: bool
    place: list[tuple[str, SafeString | str]]
    rows: list[tuple[str, str]]
    transaction_url: str
    corrects: Correction | None
    withdrawn_by: list[tuple[str, str]]
    in_vain_by: list[tuple[str, str]]
    parents: list[tuple[str, str, bool]]


def _record_page(request: HttpRequest, record: TransactionBlock) -> RecordPage:
    now = moment_of(request)
    tenant = record.tenant_id
    corrections = corrections_of(tenant, record.transaction)
    withdrawn_by = corrections.withdrawn_by.get(record.record_id, [])
    named_by = corrections.corrected_by.get(record.record_id, [])

    def linked(ids: list[str]) -> list[tuple[str, str]]:
        return [(id, show.record_url(f"{tenant}/{id}")) for id in ids[:_CORRECTIONS_MAX]]

    found = state_of_record(record.batch, record.index, bytes.fromhex(record.receipt))
    parents = record.parents or []
    known = set(
        visible_to(request.user, Transaction)
        .filter(pk__in=[f"{tenant}/{parent}" for parent in parents])
        .values_list("transaction", flat=True)
    )
    rows = [
        ("Tenant", tenant),
        ("Flow", record.flow + (f", version {record.flow_version}" if record.flow_version else "")),
        ("Stage", record.stage),
        ("Attempt", f"{record.attempt:,}"),
        ("Queued at", show.stamp(record.queued_at)),
        ("Started at", show.stamp(record.started_at)),
        ("Ended at", show.stamp(record.ended_at)),
        ("Final", "yes" if record.final else "no"),
        ("Posted with key", record.producer),
        ("Batch", f"{record.batch}, place {record.index}"),
        ("Format", f"{record.version}"),
    ]
    return RecordPage(
        raw=raw_record(record.document(), my_masking(request, tenant)),
        record=record,
        label=show.label(record.status),
        occurred=show.when(record.occurred_at, now),
        recorded=show.when(record.recorded_at, now),
        seal=show.seal(found.state),
        altered=found.altered,
        place=_place(found, now),
        marks=[_MARKS.get(mark, mark) for mark in record.marks or ()],
        rows=[(name, value) for name, value in rows if value != show.NONE],
        transaction_url=show.transaction_url(tenant, record.transaction),
        corrects=_correction(request, record, corrections) if record.corrects else None,
        withdrawn_by=linked(withdrawn_by),
        in_vain_by=linked([id for id in named_by if id not in withdrawn_by]),
        parents=[(p, show.transaction_url(tenant, p), p in known) for p in parents],
    )


def _verb(record: TransactionBlock) -> str:
    return "Withdraws" if record.status == v.SKIPPED else "Corrects"


def _correction(
    request: HttpRequest, record: TransactionBlock, corrections: Corrections
) -> Correction:
    id = str(record.corrects)
    key = f"{record.tenant_id}/{id}"
    target = visible_to(request.user, TransactionBlock).filter(pk=key).values("transaction").first()
    if target is None:
        but = "No such record has come, so nothing is withdrawn."
    elif target["transaction"] != record.transaction:
        but = "It belongs to another transaction, so nothing is withdrawn."
    elif record.record_id not in corrections.withdrawn_by.get(id, []):
        but = "They correct each other in a circle, so neither is withdrawn by it."
    else:
        but = ""
    return Correction(_verb(record), id, show.record_url(key) if target else "", but)


def _place(found: RecordState, now: datetime) -> list[tuple[str, SafeString | str]]:
    """Where the record stands in the log, and which copies of that are elsewhere."""
    if found.leaf_index is None or found.checkpoint is None:
        return []
    return [
        ("Leaf", f"{found.leaf_index:,}"),
        (f"Sealed under {found.checkpoint:,} leaves", show.when(found.sealed_at, now)),
        *(
            (f"Anchored at {each.target}, {each.size:,} leaves", show.when(each.anchored_at, now))
            for each in found.anchors
        ),
    ]


_MARKS = {
    v.MARK_LATE: "It was recorded more than a day after it happened.",
    v.MARK_CLOCK_SKEW: "Its event time lies ahead of our clock; lists sort it by record time.",
}
