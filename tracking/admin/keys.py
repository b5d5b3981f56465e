"""API keys: made here, shown once, revoked here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Field, Model
from django.forms.models import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
)

from tracking import clock
from tracking import vocabulary as v
from tracking.access.keys import OVERLAP_DAYS, OVERLAP_DAYS_MAX, create_key, revoke, rotate
from tracking.access.masking import may_reveal
from tracking.access.origin import is_narrower, networks_of
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import ManagedAdmin
from tracking.admin.fields import LinesField
from tracking.models import ApiKey, Tenant

NOT_YOURS: Final = (
    "A key that reads or exports gets what is masked for you. Somebody who is both Auditor and"
    " Administrator can give it, or whoever runs this installation, with manage.py create_key"
    " and rotate_key."
)


def _networks(lines: list[str]) -> list[str]:
    return [str(network) for network in networks_of(" ".join(lines).split())]


def _networks_field() -> LinesField:
    return LinesField(
        _networks,
        help_text="From where it may be used: 203.0.113.0/24 or one address, a line each;"
        " empty: from everywhere.",
    )


def _reveals(scopes: Iterable[str]) -> bool:
    return not v.REVEALING_SCOPES.isdisjoint(scopes)


class ChangeForm(forms.ModelForm):
    may_reveal: ClassVar[bool] = False
    networks = _networks_field()

    class Meta:
        model = ApiKey
        fields = ("name", "networks", "records_per_second")

    def clean_networks(self) -> list[str]:
        wanted: list[str] = self.cleaned_data["networks"]
        if self.may_reveal or not _reveals(self.instance.scopes):
            return wanted
        # the instance is as it was until all fields are clean
        if not is_narrower(networks_of(wanted), networks_of(self.instance.networks or ())):
            raise forms.ValidationError(f"Fewer networks can be set, but not others. {NOT_YOURS}")
        return wanted


class KeyForm(forms.ModelForm):
    may_reveal: ClassVar[bool] = False
    networks = _networks_field()
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in v.SCOPES],
        initial=[v.SCOPE_INGEST],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the service may do with it: ingest posts; read reads all of it, unmasked;"
        " verify reads checkpoints and proofs alone; export takes evidence away.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "tenant", "scopes", "expires_at", "networks", "records_per_second")

    def clean_scopes(self) -> list[str]:
        scopes: list[str] = self.cleaned_data["scopes"]
        if _reveals(scopes) and not self.may_reveal:
            raise forms.ValidationError(NOT_YOURS)
        return scopes


class RotateForm(forms.Form):
    days = forms.IntegerField(
        min_value=0,
        max_value=OVERLAP_DAYS_MAX,
        initial=OVERLAP_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ManagedAdmin):
    by_tenant = False
    list_display = ("name_cell", "state_cell", "tenant", "scopes_cell", "used_cell", "created_cell")
    list_display_links = ("name_cell",)
    list_select_related = ("tenant",)
    ordering = ("-created_at", "-pk")
    actions_detail: ClassVar[list[str]] = ["rotate", "revoke"]

    def get_form(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> type:
        kwargs["form"] = KeyForm if obj is None else ChangeForm
        form = super().get_form(request, obj, **kwargs)  # a class made for this request
        form.may_reveal = may_reveal(request.user)
        return form

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        if obj is None:
            return KeyForm.Meta.fields
        return (
            *("name", "networks", "records_per_second", "prefix", "tenant", "scopes_cell"),
            *("created_at", "last_used_at", "expires_at", "revoked_at", "replaced_cell"),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return (
            ()
            if obj is None
            else [f for f in self.get_fields(request, obj) if f not in ChangeForm.Meta.fields]
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
                name=obj.name, networks=obj.networks, records_per_second=obj.records_per_second
            )
            return
        made, text = create_key(
            tenant=obj.tenant_id,
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            expires_at=obj.expires_at,
            records_per_second=obj.records_per_second,
            networks=form.cleaned_data["networks"],
        )
        obj.prefix, obj.secret_hash, obj.created_at = made.prefix, made.secret_hash, made.created_at
        request.dft_new_key = text

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._shown_once(request, obj, request.dft_new_key)

    def _shown_once(
        self, request: HttpRequest, obj: ApiKey, text: str, old: ApiKey | None = None
    ) -> HttpResponse:
        """The only page that ever shows the key; it is kept nowhere on the way."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New API key",
            "key": obj,
            "text": text,
            "old": old,
            "url": request.build_absolute_uri("/api/v1/blocks"),
            "list_url": reverse("admin:tracking_apikey_changelist"),
        }
        return TemplateResponse(request, "tracking/key_created.html", context)

    @action(
        description="Rotate",
        url_path="rotate",
        icon="autorenew",
        permissions=["tracking.change_apikey"],
    )
    @method_decorator(sensitive_variables("text"))
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A new key in its place; a POST makes it, and shows it once."""
        key = self.get_object(request, object_id)
        if key is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        back = reverse("admin:tracking_apikey_change", args=(key.pk,))
        if _reveals(key.scopes) and not may_reveal(request.user):
            self.message_user(request, NOT_YOURS, messages.ERROR)
            return HttpResponseRedirect(back)
        form = RotateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            overlap = timedelta(days=form.cleaned_data["days"])
            try:
                with transaction.atomic():
                    new, text = rotate(key.pk, overlap=overlap, moment=clock.now())
                    self.log_change(request, key, f"Replaced by dft_{new.prefix}_….")
                    self.log_addition(request, new, f"In place of dft_{key.prefix}_….")
            except ValueError as error:
                self.message_user(request, f"{error}", messages.ERROR)
                return HttpResponseRedirect(back)
            key.refresh_from_db()
            return self._shown_once(request, new, text, old=key)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Rotate API key",
            "key": key,
            "form": form,
            "most": OVERLAP_DAYS_MAX,
            "back": back,
        }
        return TemplateResponse(request, "tracking/key_rotate.html", context)

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
            with transaction.atomic():
                revoked = revoke(key.pk)
                if revoked:
                    self.log_change(request, key, "Revoked.")
            if revoked:
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
        if row.replaced_by:
            return show.label(v.QUEUED, "replaced")
        return show.label(v.DONE, "active")

    @admin.display(description="scopes")
    def scopes_cell(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="last used")
    def used_cell(self, row: ApiKey) -> SafeString | str:
        return show.when(row.last_used_at, row.seen_at) if row.last_used_at else "never"

    @admin.display(description="replaced by")
    def replaced_cell(self, row: ApiKey) -> SafeString | str:
        if not row.replaced_by:
            return "-"
        url = reverse("admin:tracking_apikey_change", args=(row.replaced_by,))
        return format_html('<a href="{}">dft_{}_…</a>', url, row.replaced_by)

    @admin.display(description="made")
    def created_cell(self, row: ApiKey) -> SafeString | str:
        return show.when(row.created_at, row.seen_at)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        key = self.get_object(request, str(object_id))
        if key is None or key.revoked_at is not None:
            return []
        # Expired or replaced, there is nothing to rotate.
        if key.replaced_by or (key.expires_at and key.expires_at <= clock.now()):
            return [each for each in offered if not each.action_name.endswith("rotate")]
        return offered
