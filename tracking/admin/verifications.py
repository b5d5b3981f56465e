"""Verifications: what was checked and found, how far the present one is, and a button for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import OwnPageAdmin
from tracking.admin.once import my_tenants
from tracking.models import User, VerificationRun
from tracking.verification import runs
from tracking.verification.report import FAILED, KINDS

_REFRESH_SECONDS = "3"
# How a run names who started it by a command.
_BY_COMMAND = "command line"
_OTHERS = "somebody of another tenant"


@dataclass(frozen=True, slots=True)
class FindingLine:
    kind: str
    says: str
    text: str
    leaf: str
    expected: str
    found: str
    record: str
    url: str


@admin.register(VerificationRun)
class VerificationAdmin(OwnPageAdmin):
    """One log for all tenants: a run is shown to everybody who may look, a finding that names a
    record only to who may see its tenant."""

    by_tenant = False
    rows_called = "verifications"
    list_omits = frozenset(("findings", "kinds", "notes"))
    list_display = ("started_cell", "outcome_cell", "scope_cell", "records_cell", "took_cell")
    list_display_links = ("started_cell",)
    list_before_template = "tracking/_verification_head.html"
    page_template = "tracking/verification.html"
    ordering = ("-started_at", "-key")

    def get_urls(self) -> list[URLPattern]:
        start = path(
            "start/", self.admin_site.admin_view(self.start), name="tracking_verificationrun_start"
        )
        return [start, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        running = runs.progress() if self.has_view_permission(request) else None
        shown = {
            **(extra_context or {}),
            "running": _Running.of(running, _starter(request, running["who"])) if running else None,
            "may_start": request.user.has_perm("tracking.start_verificationrun"),
        }
        answer = super().changelist_view(request, shown)
        if running:
            # without a script: the page looks again until the run has ended
            answer["Refresh"] = _REFRESH_SECONDS
        return answer

    def start(self, request: HttpRequest) -> HttpResponse:
        """Start a full run beside the web workers, and go back to the list."""
        if not request.user.has_perm("tracking.start_verificationrun"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            runs.start(request.user.get_username())
        except (runs.AlreadyRunning, OSError) as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, "The verification has started; its result will stand here.")
        return HttpResponseRedirect(reverse("admin:tracking_verificationrun_changelist"))

    def page_context(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        run = self.get_object(request, unquote(object_id))
        if run is None:
            return None
        mine = set(my_tenants(request))
        lines = [
            _line(each)
            for each in run.findings
            if each.get("tenant") is None or each["tenant"] in mine
        ]
        return {
            "title": f"Verification of {show.stamp(run.started_at)} UTC",
            "run": run,
            "starter": _starter(request, run.started_by),
            "label": _label(run),
            "scope": _scope(run, mine),
            "started": show.stamp(run.started_at),
            "took": show.duration(round(run.seconds * 1_000)),
            "findings": lines,
            "others": len(run.findings) - len(lines),
            "more": run.finding_count - len(run.findings),
            "kinds": [(kind, KINDS.get(kind, ""), count) for kind, count in run.kinds.items()],
        }

    def attach(self, request: HttpRequest, rows: list[Any]) -> None:
        named = _named(request, {row.started_by for row in rows})
        for row in rows:
            row.starter = named[row.started_by]

    @admin.display(description="started")
    def started_cell(self, row: VerificationRun) -> SafeString | str:
        return show.when(row.started_at, row.seen_at)

    @admin.display(description="outcome")
    def outcome_cell(self, row: VerificationRun) -> SafeString:
        count = row.finding_count
        return show.below(_label(row), f"{count:,} finding{'s' * (count != 1)}" if count else "")

    @admin.display(description="scope")
    def scope_cell(self, row: Any) -> SafeString:
        return show.two_lines(row.scope, row.starter)

    @admin.display(description="records checked")
    def records_cell(self, row: VerificationRun) -> SafeString:
        return show.two_lines(f"{row.records:,}", f"of a log of {row.size:,}")

    @admin.display(description="took")
    def took_cell(self, row: VerificationRun) -> str:
        return show.duration(round(row.seconds * 1_000))


@dataclass(frozen=True, slots=True)
class _Running:
    who: str
    what: str
    done: str
    percent: int

    @classmethod
    def of(cls, told: dict[str, Any], who: str) -> _Running:
        done, total = int(told["done"]), int(told["total"])
        count = f"{done:,} of {total:,}" if total else ""
        return cls(who, str(told["what"]), count, 100 * done // total if total else 0)


def _named(request: HttpRequest, names: set[str]) -> dict[str, str]:
    """Who started runs, by name; people of other tenants are nobody's to name."""
    told = {name: name for name in names if not name or name.endswith(_BY_COMMAND)}
    if unsure := names - told.keys():
        known = visible_to(request.user, User).filter(username__in=unsure)
        mine = set(known.values_list("username", flat=True))
        told |= {name: name if name in mine else _OTHERS for name in unsure}
    return told


def _starter(request: HttpRequest, name: str) -> str:
    return _named(request, {name})[name]


def _label(run: VerificationRun) -> SafeString:
    return show.label(run.outcome, "could not check" if run.outcome == FAILED else run.outcome)


def _scope(run: VerificationRun, mine: set[str]) -> str:
    if run.target and run.target.partition("/")[0] in mine:
        return f"{run.scope} {run.target}"
    return str(run.scope)


def _line(finding: dict[str, Any]) -> FindingLine:
    record = finding.get("record") or ""
    tenant = finding.get("tenant")
    leaf = finding.get("leaf")
    is_record = tenant is not None and record.startswith(f"{tenant}/")
    return FindingLine(
        kind=finding["kind"],
        says=KINDS.get(finding["kind"], ""),
        text=finding["text"],
        leaf="" if leaf is None else f"{leaf:,}",
        expected=finding.get("expected") or "",
        found=finding.get("found") or "",
        record=record,
        url=show.record_url(record) if is_record and finding["kind"] != "derived" else "",
    )
