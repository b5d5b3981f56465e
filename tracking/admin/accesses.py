"""Access records: who looked at, searched, exported or changed what, for Auditors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.access.masking import REVEALED, may_reveal
from tracking.access.scope import access_tenant, visible_to
from tracking.admin import display as show
from tracking.admin import filters as f
from tracking.admin.base import OwnPageAdmin, key_of, matching_keys
from tracking.admin.once import moment_of, my_tenants
from tracking.admin.raw import RawRecord, raw_record
from tracking.anchoring.state import state_of_record, states_of_batches
from tracking.audit.access import OUTCOMES
from tracking.audit.who import say_shown
from tracking.models import AccessRecord, ApiKey, User

_OF_OTHERS: Final = "somebody of another tenant ({}…)"
_TERM, _CHANGED = "term.", "changed."
_LOOKS: Final = {
    v.ACCESS_DONE: v.DONE,
    v.ACCESS_NOT_FOUND: v.SKIPPED,
    v.ACCESS_REFUSED: v.OVERDUE,
    v.ACCESS_FAILED: v.FAILED,
}
_STATUSES: Final = {outcome: status for status, outcome in OUTCOMES.items()}


class ActionFilter(f.WordFilter):
    title, parameter_name, field, words = "action", "action", "block", v.ACTIONS


class OutcomeFilter(f.WordFilter):
    title, parameter_name, field, words = "outcome", "outcome", "status", v.ACCESS_OUTCOMES

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        status = _STATUSES.get(self.value() or "")
        return queryset.filter(status=status) if status else queryset


class ActorFilter(f.NameFilter):
    """People by their names, keys by theirs; records hold neither, but what never changes."""

    title, parameter_name, field = "who", "who", "object_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = visible_to(request.user, User).order_by("username")[:_NAMES]
        keys = visible_to(request.user, ApiKey).order_by("name")[:_NAMES]
        found = [(each.pk.hex, each.get_username()) for each in people]
        found += [(each.pk, f"{each.name} (dft_{each.pk}_…)") for each in keys]
        return [*found, ("operator", "operator, by command"), ("unknown", "nobody known")]


class AccessTenantFilter(f.TenantFilter):
    def offered(self, request: HttpRequest) -> Iterable[str]:
        own = ["(installation)"] if request.user.is_superuser else []
        return [*my_tenants(request), *own]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(tenant_id=access_tenant("" if value == "(installation)" else value))


_NAMES: Final = 500


@admin.register(AccessRecord)
class AccessRecordAdmin(OwnPageAdmin):
    by_tenant = False
    rows_called = "access records"
    list_omits = frozenset(("salt", "part_hash"))
    page_template = "tracking/access.html"
    list_display: ClassVar[tuple[str, ...]] = (
        "when_cell",
        "who_cell",
        "action_cell",
        "about_cell",
        "terms_cell",
        "from_cell",
        "seal_cell",
    )
    list_display_links = ("when_cell",)
    list_filter = (
        ActionFilter,
        OutcomeFilter,
        ActorFilter,
        f.RecordedRecentlyFilter,
        ("recorded_at", f.TimeRangeFilter),
    )
    ordering = ("-recorded_at", "-batch", "-index")
    search_fields = ("object_id",)
    search_help_text = "User name, key, transaction id, object id or reference"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # what somebody searched for may be what others may not read
        return may_reveal(request.user) and super().has_view_permission(request, obj)

    def get_list_filter(self, request: HttpRequest) -> Any:
        chosen = list(super().get_list_filter(request))
        if len(my_tenants(request)) > 1 or request.user.is_superuser:
            chosen.insert(0, AccessTenantFilter)
        return chosen

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        people = visible_to(request.user, User).filter(username=term)
        who = [each.pk.hex for each in people]
        named = term.removeprefix("dft_").split("_")[0]
        transactions = [key_of(key)[1] for key in matching_keys(request, term)]
        if v.ID_PATTERN.fullmatch(term):
            transactions.append(term)
        found = Q(object_id__in=[*who, named])
        if transactions:
            found |= Q(parents__holds=transactions)
        return queryset.filter(found), False

    def attach(self, request: HttpRequest, rows: list[Any]) -> None:
        states = states_of_batches(row.batch for row in rows)
        known = _known(request)
        for row in rows:
            _hide_strangers(row, known)
            row.told = told_of(row)
            row.seal_state = states[row.batch]

    def page_context(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        row = self.get_object(request, admin.utils.unquote(object_id))
        if row is None:
            return None
        tenant = str(row.tenant_id).removeprefix(v.ACCESS_MARK)
        say_shown(request, tenants=[tenant] if tenant else [], record=row.record_id)
        found = state_of_record(row.batch, row.index, bytes.fromhex(row.receipt))
        receipt = row.receipt
        _hide_strangers(row, _known(request))
        told = told_of(row)
        moment = moment_of(request)
        facts = [
            ("Who", told.who),
            ("Kind", told.kind),
            ("Roles then", told.roles),
            ("Tenant", tenant or "the installation"),
            ("From", told.address),
            ("With", told.agent),
            ("By", told.by),
            ("Answer", told.answer),
            ("About", told.target),
            ("Record", told.record),
            ("Session", row.transaction),
        ]
        return {
            "title": f"{told.who}, {told.action}",
            "told": told,
            "raw": _raw(row),
            "receipt": receipt,
            "when": show.when(row.recorded_at, moment),
            "stamp": show.stamp(row.recorded_at),
            "label": _label(told.outcome),
            "facts": [(name, value) for name, value in facts if value],
            "transactions": [
                (each, show.transaction_url(tenant, each)) for each in row.parents or ()
            ]
            if tenant and request.user.has_perm("tracking.view_transaction")
            else [(each, "") for each in row.parents or ()],
            "seal": show.seal(found.state),
            "altered": found.altered,
            "leaf": None if found.leaf_index is None else f"{found.leaf_index:,}",
        }

    @admin.display(description="when")
    def when_cell(self, row: Any) -> SafeString | str:
        return show.when(row.recorded_at, row.seen_at)

    @admin.display(description="who")
    def who_cell(self, row: Any) -> SafeString:
        return show.two_lines(row.told.who, row.told.roles or row.told.kind)

    @admin.display(description="did")
    def action_cell(self, row: Any) -> SafeString:
        if row.told.outcome == v.ACCESS_DONE:
            return show.two_lines(row.told.action, row.told.page)
        return show.below(_label(row.told.outcome), row.told.action)

    @admin.display(description="about")
    def about_cell(self, row: Any) -> SafeString | str:
        many = list(row.parents or ())
        first = many[0] if many else ""
        more = f"and {len(many) - 1:,} more" if len(many) > 1 else ""
        if row.told.record:
            return show.two_lines(row.told.record, more or first)
        return show.two_lines(first or row.told.target, more) if first or row.told.target else ""

    @admin.display(description="asked for, changed")
    def terms_cell(self, row: Any) -> SafeString | str:
        lines = [f"{name}: {value}" for name, value in row.told.terms]
        lines += [f"{name}: {old} → {new}" if old else f"{name}: {new}"
                  for name, old, new in row.told.changes]  # fmt: skip
        if not lines:
            return show.NONE
        rest = f"and {len(lines) - 2} more" if len(lines) > 2 else "".join(lines[1:2])[:120]
        return show.two_lines(lines[0][:120], rest)

    @admin.display(description="from")
    def from_cell(self, row: Any) -> SafeString:
        return show.two_lines(row.told.address or show.NONE, row.told.by)

    @admin.display(description="log")
    def seal_cell(self, row: Any) -> SafeString:
        return show.seal(row.seal_state)


@dataclass(frozen=True, slots=True)
class Told:
    """An access record as people read it."""

    who: str
    kind: str
    roles: str
    action: str
    outcome: str
    reason: str
    page: str
    by: str
    answer: str
    address: str
    agent: str
    target: str
    record: str
    terms: list[tuple[str, str]]
    changes: list[tuple[str, str, str]]
    cut: bool


def told_of(row: AccessRecord) -> Told:
    part: Mapping[str, Any] = row.part or {}
    said = {pair["name"]: pair["value"] for pair in part.get("attributes") or ()}

    def one(name: str) -> str:
        return str(said.get(name, ""))

    page = one("page").removeprefix("admin:").removeprefix("api:").removeprefix("tracking_")
    return Told(
        who=one("who") or (row.object_id if row.object_type != v.STRANGER else "nobody known"),
        kind=row.object_type,
        roles=", ".join(said.get("roles") or ()),
        action=row.block,
        outcome=OUTCOMES.get(row.status, row.status),
        reason=part.get("reason", ""),
        page=page.replace("_", " "),
        by=" ".join(filter(None, (one("via"), one("method"), page.replace("_", " ")))),
        answer=one("status"),
        address=one("address"),
        agent=one("agent"),
        target=one("target"),
        record=one("record"),
        terms=[
            (name.removeprefix(_TERM), ", ".join(map(str, values)))
            for name, values in said.items()
            if name.startswith(_TERM)
        ],
        changes=[
            (name.removeprefix(_CHANGED), str(values[at]), str(values[at + 1]))
            for name, values in said.items()
            if name.startswith(_CHANGED)
            for at in range(0, len(values) - 1, 2)
        ],
        cut=bool(said.get("cut")),
    )


def _known(request: HttpRequest) -> set[str]:
    return {key.hex for key in visible_to(request.user, User).values_list("pk", flat=True)}


def _hide_strangers(row: AccessRecord, known: set[str]) -> None:
    """Whoever is of other tenants alone, and still could change something here, is known by an id
    that tells nothing: their name is their tenants' matter."""
    if row.object_type != v.USER or row.object_id in known or not row.part:
        return
    said = row.part.get("attributes") or ()
    kept = [pair for pair in said if pair["name"] not in ("who", "roles")]
    row.part = {
        **row.part,
        "attributes": [{"name": "who", "value": _OF_OTHERS.format(row.object_id[:8])}, *kept],
    }


def _label(outcome: str) -> SafeString:
    return show.label(_LOOKS.get(outcome, outcome), outcome)


def _raw(row: AccessRecord) -> RawRecord:
    return raw_record(row.document(), REVEALED)
