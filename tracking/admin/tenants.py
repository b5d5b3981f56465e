"""Tenants and who belongs to them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Field, Model
from django.forms import ModelForm
from django.forms.models import ModelChoiceField
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tracking.access.masking import forget_rules, open_names, personal_names
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import ManagedAdmin
from tracking.admin.fields import LinesField
from tracking.admin.people import from_provider
from tracking.models import ExternalIdentity, Membership, Tenant, User


class TenantForm(forms.ModelForm):
    personal_attributes = LinesField(
        personal_names,
        rows=6,
        help_text="Attributes whose values are personal, a name each line; user.* is every name"
        " that begins so, * every name.",
    )
    open_references = LinesField(
        open_names,
        help_text="References whose values everybody may read who may see the object, a name each"
        " line; all others are masked.",
    )

    class Meta:
        model = Tenant
        fields = ("name", "slug", "is_test", "personal_attributes", "open_references")


@admin.register(Tenant)
class TenantAdmin(ManagedAdmin):
    """A tenant is never deleted here: everything it ever recorded hangs on it."""

    by_tenant = False
    form = TenantForm
    list_display = ("name", "slug", "created_cell")
    fieldsets = (
        (None, {"fields": ("name", "slug", "is_test", "created_at")}),
        (
            "Masking",
            {
                "fields": ("personal_attributes", "open_references"),
                "description": "Whoever lacks the right to read what is masked sees [masked] in"
                " place of payloads, subjects, personal attributes and references. A change"
                " takes effect within five seconds.",
            },
        ),
    )
    ordering = ("slug",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple:
        return ("slug", "is_test", "created_at") if obj else ("created_at",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        forget_rules(obj.pk)
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
        if obj is not None and from_provider(obj.user):
            return False  # whom single sign-on made belongs to what the provider says
        if obj is not None and obj.user_id == request.user.pk and not request.user.is_superuser:
            return False  # nor one's own, by oneself
        return super().has_delete_permission(request, obj)

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        rows = visible_to(request.user, User if db_field.name == "user" else Tenant)
        if db_field.name == "user":
            rows = rows.exclude(
                pk__in=list(ExternalIdentity.objects.values_list("user_id", flat=True))
            )
            if not request.user.is_superuser:
                rows = rows.exclude(pk=request.user.pk)
        kwargs["queryset"] = rows
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.display(description="since")
    def created_cell(self, row: Membership) -> SafeString | str:
        return show.when(row.created_at, row.seen_at)
