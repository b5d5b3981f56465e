"""Tenants and who belongs to them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Field, Model
from django.forms import ModelForm
from django.forms.models import ModelChoiceField
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import ManagedAdmin
from tracking.admin.people import from_provider
from tracking.models import ExternalIdentity, Membership, Tenant, User


@admin.register(Tenant)
class TenantAdmin(ManagedAdmin):
    """A tenant is never deleted here: everything it ever recorded hangs on it."""

    by_tenant = False
    list_display = ("name", "slug", "created_cell")
    fields = ("name", "slug", "created_at")
    ordering = ("slug",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple:
        return ("slug", "created_at") if obj else ("created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            # nobody sees a tenant without belonging to it, not even who made it
            Membership.objects.create(user=request.user, tenant=obj)

    @admin.display(description="since")
    def created_cell(self, row: Tenant) -> str:
        return show.stamp(row.created_at)[:16]


@admin.register(Membership)
class MembershipAdmin(ManagedAdmin):
    by_tenant = False
    list_display = ("user", "tenant", "created_cell")
    list_select_related = ("user", "tenant")
    fields = ("user", "tenant")
    ordering = ("-created_at", "-pk")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # a membership is given or taken

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        given = obj is not None and from_provider(obj.user)
        return not given and super().has_delete_permission(request, obj)

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        if db_field.name == "user":
            # whom single sign-on made belongs to what the provider says
            theirs = list(ExternalIdentity.objects.values_list("user_id", flat=True))
            kwargs["queryset"] = visible_to(request.user, User).exclude(pk__in=theirs)
        else:
            kwargs["queryset"] = visible_to(request.user, Tenant)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description="since")
    def created_cell(self, row: Membership) -> SafeString | str:
        return show.when(row.created_at, row.seen_at)
