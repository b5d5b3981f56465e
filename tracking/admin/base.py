"""What the admin pages share: scope first, and facts that can only be viewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.checks import ModelAdminChecks
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model, QuerySet
from django.forms import Field as FormField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from tracking.access.scope import visible_to
from tracking.admin.filters import TenantFilter
from tracking.admin.freshness import freshness_of
from tracking.admin.once import moment_of, my_tenants
from tracking.admin.paging import BoundedChangeList, BoundedPaginator
from tracking.errors import DatabaseUnavailable
from tracking.models import User
from tracking.models.immutable import Derived
from tracking.projection.status import lag
from tracking.search.find import find

FOUND_MAX: Final = 200


def matching_keys(request: HttpRequest, term: str) -> list[str]:
    """Keys of the user's transactions that a search term names, the best match first."""
    try:
        return find(request.user, term, most=FOUND_MAX).keys
    except DatabaseUnavailable:
        messages.warning(request, "The search took too long; please try again.")
        return []


class TactfulHistory(ModelAdmin):
    """The history page, told to who may see it alone, and without names of other tenants."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What people of one's own tenants changed: somebody else's name is their tenants'."""
        # before there is a row to look for: whether there is one is told to who may see it
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        answer = super().history_view(request, object_id, extra_context)
        if isinstance(answer, TemplateResponse):
            known = set(visible_to(request.user, User).values_list("pk", flat=True))
            page = answer.context_data["action_list"]
            page.object_list = [entry for entry in page.object_list if entry.user_id in known]
        return answer


class ScopedAdmin(TactfulHistory):
    """A page for rows of the user's tenants; those of others do not exist here.

    The tenant's column and filter are shown only to who has several tenants. `lookups_offered`:
    fields that links may narrow a list by, beside its filters.
    """

    # Unfold's own check asks the database for permissions, which a first migrate has yet to make.
    checks_class = ModelAdminChecks
    by_tenant: ClassVar[bool] = True
    lookups_offered: ClassVar[frozenset[str]] = frozenset()
    show_facets = ShowFacets.NEVER  # a count per choice is a scan per choice
    show_full_result_count = False
    list_per_page = 50
    list_fullwidth = True
    list_filter_submit = True
    compressed_fields = True

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = visible_to(request.user, self.model)
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # our filters and the exact fields a list offers; any other look-up may scan, or tell of
        # what the list does not show
        return lookup in self.lookups_offered or any(
            lookup in names for names in map(parameters_of, self.get_list_filter(request))
        )

    @admin.display(description="tenant")
    def tenant_cell(self, row: Model) -> str:
        return getattr(row, row._meta.get_field("tenant").attname)

    def attach(self, request: HttpRequest, rows: list[Any]) -> None:
        """A hook to read what all rows of a page need in one query."""

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        columns = list(super().get_list_display(request))
        if self.by_tenant and len(my_tenants(request)) > 1:
            columns.insert(1, "tenant_cell")
        return columns

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        chosen = list(super().get_list_filter(request))
        if self.by_tenant and len(my_tenants(request)) > 1:
            chosen.insert(0, TenantFilter)
        return chosen


class ManagedAdmin(ScopedAdmin):
    """What people manage: added, changed, and mostly switched off instead of deleted."""

    actions = None  # one by one, where each has its own page that asks
    paginator = BoundedPaginator
    sortable_by = ()
    list_omits: ClassVar[frozenset[str]] = frozenset()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        return BoundedChangeList

    def formfield_for_dbfield(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        found = super().formfield_for_dbfield(db_field, request, **kwargs)
        if found is not None and isinstance(found.widget, RelatedFieldWidgetWrapper):
            # a menu to add or change a tenant from within another form only distracts
            found.widget.can_add_related = found.widget.can_change_related = False
            found.widget.can_delete_related = found.widget.can_view_related = False
        return found


class ReadOnlyAdmin(ScopedAdmin):
    """Facts and what is derived from them: nobody adds, changes or deletes, superusers included.

    `list_omits` names fields that a list need not fetch.
    """

    list_omits: ClassVar[frozenset[str]] = frozenset()
    rows_called: ClassVar[str] = ""
    list_before_template = "tracking/_list_head.html"
    actions = None
    sortable_by = ()  # an order without an index sorts the whole collection
    list_max_show_all = 0
    paginator = BoundedPaginator

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        return BoundedChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A list that is derived says so when it is behind."""
        shown = dict(extra_context or {})
        if issubclass(self.model, Derived):
            shown["freshness"] = freshness_of(lag(moment_of(request)))
        return super().changelist_view(request, shown)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class OwnPageAdmin(ReadOnlyAdmin):
    """Rows that each have a page made for them: `page_template`, filled by `page_context`."""

    page_template: ClassVar[str]

    def page_context(self, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
        """What the page shows; None where there is no such row for this user."""
        raise NotImplementedError

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = self.page_context(request, object_id)
        if shown is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            **shown,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.page_template, context)


def parameters_of(chosen: Any) -> tuple[str, ...]:
    """The query parameters of a list filter."""
    if isinstance(chosen, str):  # a field's own filter, as Django makes it
        return (f"{chosen}__exact", f"{chosen}__isnull")
    if isinstance(chosen, tuple):
        return tuple(f"{chosen[0]}_{part}" for part in ("from_0", "from_1", "to_0", "to_1"))
    return (chosen.parameter_name,)


def number_of(object_id: str) -> int | None:
    """The number that is a row's key, in an address."""
    is_one = object_id.isascii() and object_id.isdigit() and len(object_id) <= 18
    return int(object_id) if is_one else None


def key_of(object_id: str) -> tuple[str, str]:
    """Tenant and id from a quoted key in an address."""
    tenant, _, identifier = unquote(object_id).partition("/")
    return tenant, identifier
