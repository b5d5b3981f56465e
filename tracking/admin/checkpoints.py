"""Checkpoints: what was signed of the log, and where that was published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.admin.base import OwnPageAdmin, number_of
from tracking.admin.once import moment_of
from tracking.anchoring.anchor import newest_size
from tracking.anchoring.state import anchored_size, anchors_of
from tracking.anchoring.timestamp import stated_time
from tracking.models import LogCheckpoint

_ROOT_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Copy:
    """A place where the checkpoint was published; `stated`: the authority's own time."""

    kind: str
    target: str
    at: SafeString | str
    stated: str


@admin.register(LogCheckpoint)
class LogCheckpointAdmin(OwnPageAdmin):
    by_tenant = False
    list_omits = frozenset(("note",))
    list_display: ClassVar[tuple[str, ...]] = (
        "size_cell",
        "root_cell",
        "signed_cell",
        "seal_cell",
        "anchors_cell",
    )
    list_display_links = ("size_cell",)
    rows_called = "checkpoints"
    page_template = "tracking/checkpoint.html"
    ordering = ("-size",)

    def attach(self, request: HttpRequest, rows: list[Any]) -> None:
        covered = anchored_size(newest_size())
        anchors = anchors_of([row.size for row in rows])
        for row in rows:
            row.seal_state = v.ANCHORED if row.size <= covered else v.SEALED
            row.anchors = anchors[row.size]

    def page_context(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        size = number_of(object_id)
        row = None if size is None else self.get_queryset(request).filter(pk=size).first()
        if row is None:
            return None
        self.attach(request, [row])
        now = moment_of(request)
        copies = [_copy(each, now) for each in row.anchors]
        return {
            "title": f"Checkpoint of {row.size:,} leaves",
            "size": f"{row.size:,}",
            "signed": show.when(row.signed_at, now),
            "root": bytes(row.root).hex(),
            "note": row.note,
            "seal": show.seal(row.seal_state),
            "later": row.seal_state == v.ANCHORED and not row.anchors,
            "copies": copies,
            "stated": any(copy.stated for copy in copies),
            "json_url": f"{reverse('api:checkpoints')}?before={row.size + 1}&page_size=1",
        }

    @admin.display(description="leaves")
    def size_cell(self, row: LogCheckpoint) -> str:
        return f"{row.size:,}"

    @admin.display(description="root")
    def root_cell(self, row: LogCheckpoint) -> SafeString:
        return format_html("<code>{}…</code>", bytes(row.root).hex()[:_ROOT_SHOWN])

    @admin.display(description="signed")
    def signed_cell(self, row: Any) -> SafeString | str:
        return show.when(row.signed_at, row.seen_at)

    @admin.display(description="log")
    def seal_cell(self, row: Any) -> SafeString:
        return show.seal(row.seal_state)

    @admin.display(description="published at")
    def anchors_cell(self, row: Any) -> SafeString | str:
        if not row.anchors:
            return "under a later one" if row.seal_state == v.ANCHORED else show.NONE
        first, *more = (each["target"] for each in row.anchors)
        return show.two_lines(first, ", ".join(more))


def _copy(anchor: dict[str, Any], now: datetime) -> Copy:
    token = anchor.get("token")
    return Copy(
        kind=anchor["kind"],
        target=anchor["target"],
        at=show.when(anchor["anchored_at"], now),
        stated=show.stamp(stated_time(bytes(token))) if token else "",
    )
