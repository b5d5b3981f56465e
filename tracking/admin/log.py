"""The log: its segments, and the batches that wait to be sealed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tracking.admin import display as show
from tracking.admin.base import OwnPageAdmin, ReadOnlyAdmin, number_of
from tracking.admin.once import my_tenants
from tracking.core import merkle
from tracking.models import LogSegment, SealQueueEntry
from tracking.mongo.connection import collection

_LEAF_BYTES = 32


@dataclass(frozen=True, slots=True)
class SegmentBatch:
    id: str
    tenant: str
    recorded: str
    count: int
    first: int


@admin.register(LogSegment)
class LogSegmentAdmin(OwnPageAdmin):
    """Of a segment's batches only those of the user's tenants are shown."""

    by_tenant = False
    list_omits = frozenset(("batches", "leaves"))
    list_display = ("place_cell", "count_cell", "sealed_cell")
    list_display_links = ("place_cell",)
    ordering = ("-start",)
    page_template = "tracking/segment.html"

    def page_context(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        segment = self._segment(request, object_id)
        if segment is None:
            return None
        batches, at = [], segment["_id"]
        mine = set(my_tenants(request))
        for batch in segment["batches"]:
            if batch["tenant"] in mine:
                batches.append(
                    SegmentBatch(
                        batch["batch"],
                        batch["tenant"],
                        show.stamp(batch["recorded_at"]),
                        batch["count"],
                        at,
                    )
                )
            at += batch["count"]
        leaves = segment["leaves"]
        cut = [leaves[i : i + _LEAF_BYTES] for i in range(0, len(leaves), _LEAF_BYTES)]
        return {
            "title": f"Leaves {segment['_id']:,} to {at - 1:,}",
            "sealed": show.stamp(segment["sealed_at"]),
            "count": segment["count"],
            "batches": batches,
            "others": len(segment["batches"]) > len(batches),
            "root": merkle.root_hash(cut).hex(),
        }

    def _segment(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        start = number_of(object_id)
        if start is None:
            return None
        visible: QuerySet = self.get_queryset(request).filter(pk=start)
        if not visible.values("pk").exists():
            return None
        return collection("log_segment").find_one({"_id": start})

    @admin.display(description="leaves")
    def place_cell(self, row: LogSegment) -> str:
        return f"{row.start:,} – {row.start + row.count - 1:,}"

    @admin.display(description="records")
    def count_cell(self, row: LogSegment) -> str:
        return f"{row.count:,}"

    @admin.display(description="sealed")
    def sealed_cell(self, row: LogSegment) -> SafeString | str:
        return show.when(row.sealed_at, row.seen_at)


@admin.register(SealQueueEntry)
class SealQueueAdmin(ReadOnlyAdmin):
    """Batches that are recorded and not yet sealed; empty most of the time."""

    list_omits = frozenset(("leaves",))
    list_display = ("batch", "count", "recorded_cell")
    list_display_links = None
    ordering = ("recorded_at", "batch")

    @admin.display(description="record time")
    def recorded_cell(self, row: SealQueueEntry) -> SafeString | str:
        return show.when(row.recorded_at, row.seen_at)
