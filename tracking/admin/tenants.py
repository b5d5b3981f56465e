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
from tracking.models import Membership, Tenant, User


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

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        model = User if db_field.name == "user" else Tenant
        kwargs["queryset"] = visible_to(request.user, model)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description="since")
    def created_cell(self, row: Membership) -> SafeString | str:
        return show.when(row.created_at, row.seen_at)
