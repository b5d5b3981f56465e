"""API keys: made here, shown once, revoked here."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model
from django.forms.models import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from tracking import vocabulary as v
from tracking.access.keys import create_key, revoke
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import ManagedAdmin
from tracking.models import ApiKey, Tenant


class KeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in v.SCOPES],
        initial=[v.SCOPE_INGEST],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the service may do with it.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "tenant", "scopes", "expires_at", "records_per_second")


@admin.register(ApiKey)
class ApiKeyAdmin(ManagedAdmin):
    by_tenant = False
    list_display = ("name_cell", "state_cell", "tenant", "scopes_cell", "created_cell")
    list_display_links = ("name_cell",)
    list_select_related = ("tenant",)
    ordering = ("-created_at", "-pk")
    actions_detail: ClassVar[list[str]] = ["revoke"]

    def get_form(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> type:
        if obj is None:
            kwargs["form"] = KeyForm
        return super().get_form(request, obj, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        if obj is None:
            return KeyForm.Meta.fields
        return (
            *("name", "records_per_second", "prefix", "tenant", "scopes_cell"),
            *("created_at", "expires_at", "revoked_at"),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        changeable = ("name", "records_per_second")
        return (
            ()
            if obj is None
            else [field for field in self.get_fields(request, obj) if field not in changeable]
        )

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        kwargs["queryset"] = visible_to(request.user, Tenant)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # records name their key; it is revoked instead

    @sensitive_variables("text")
    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool
    ) -> None:
        if change:
            visible_to(request.user, ApiKey).filter(pk=obj.pk).update(
                name=obj.name, records_per_second=obj.records_per_second
            )
            return
        made, text = create_key(
            tenant=obj.tenant_id,
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            expires_at=obj.expires_at,
            records_per_second=obj.records_per_second,
        )
        obj.prefix, obj.secret_hash, obj.created_at = made.prefix, made.secret_hash, made.created_at
        request.dft_new_key = text

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The only page that ever shows the key; it is kept nowhere on the way."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New API key",
            "key": obj,
            "text": request.dft_new_key,
            "url": request.build_absolute_uri("/api/v1/blocks"),
            "list_url": reverse("admin:tracking_apikey_changelist"),
        }
        return TemplateResponse(request, "tracking/key_created.html", context)

    @action(
        description="Revoke",
        url_path="revoke",
        icon="block",
        permissions=["tracking.change_apikey"],
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks first; only the answer, a POST, revokes."""
        key = self.get_object(request, object_id)
        if key is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        back = reverse("admin:tracking_apikey_change", args=(key.pk,))
        if request.method == "POST":
            if revoke(key.pk):
                self.log_change(request, key, "Revoked.")
                self.message_user(request, f"{key.name} is revoked and opens no door any more.")
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Revoke API key",
            "key": key,
            "back": back,
        }
        return TemplateResponse(request, "tracking/key_revoke.html", context)

    @admin.display(description="key")
    def name_cell(self, row: ApiKey) -> SafeString:
        return show.two_lines(row.name, f"dft_{row.prefix}_…")

    @admin.display(description="state")
    def state_cell(self, row: ApiKey) -> SafeString:
        if row.revoked_at:
            return show.label(v.SKIPPED, "revoked")
        if row.expires_at and row.expires_at <= row.seen_at:
            return show.label(v.SKIPPED, "expired")
        return show.label(v.DONE, "active")

    @admin.display(description="scopes")
    def scopes_cell(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="made")
    def created_cell(self, row: ApiKey) -> SafeString | str:
        return show.when(row.created_at, row.seen_at)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        key = self.get_object(request, str(object_id))
        return offered if key is not None and key.revoked_at is None else []
