"""People: accounts, their roles and the tenants they belong to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Field, Model, Q, QuerySet
from django.forms import ModelForm
from django.forms.models import ModelChoiceField, ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextInputWidget,
)

from tracking import vocabulary as v
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import ManagedAdmin, TactfulHistory
from tracking.admin.once import my_tenants
from tracking.models import Membership, Tenant, User


class PersonForm(UserChangeForm):
    class Meta(UserChangeForm.Meta):
        model = User
        fields = "__all__"


class NewPersonForm(UserCreationForm):
    """A new account belongs to at least one tenant of whoever makes it, who else would lose it."""

    full_name = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget)
    email = forms.EmailField(required=False, widget=UnfoldAdminEmailInputWidget)
    tenants = forms.ModelMultipleChoiceField(
        queryset=Tenant.objects.none(), widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username", "full_name", "email")
        field_classes: dict[str, Any] = {}
        widgets = {"username": UnfoldAdminTextInputWidget}


class MembershipInline(TabularInline):
    model = Membership
    fields = ("tenant",)
    extra = 0
    hide_title = True
    verbose_name = "tenant"
    verbose_name_plural = "belongs to"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return visible_to(request.user, Membership)

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        kwargs["queryset"] = visible_to(request.user, Tenant)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # given or taken, never turned into another


@admin.register(User)
class PeopleAdmin(ManagedAdmin, DjangoUserAdmin):
    """Whoever may change somebody may become them, so it takes all of that person's tenants."""

    by_tenant = False
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("person_cell", "email", "roles_cell", "active_cell", "seen_cell")
    list_display_links = ("person_cell",)
    list_filter = ("is_active",)
    search_fields = ("username",)
    search_help_text = "User name, or its beginning"
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    inlines = (MembershipInline,)
    add_fieldsets = (
        (
            None,
            {"fields": ("username", "full_name", "email", "tenants", "password1", "password2")},
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        rights = ("is_active", "is_staff", "groups")
        if request.user.is_superuser:
            rights = (*rights, "is_superuser")
        return (
            (None, {"fields": ("username", "full_name", "email", "password")}),
            ("Rights", {"fields": rights}),
            ("Dates", {"fields": ("last_login", "date_joined")}),
        )

    def get_form(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> type:
        form = super().get_form(request, obj, **kwargs)
        if obj is None and "tenants" in form.base_fields:
            mine = visible_to(request.user, Tenant)
            form.base_fields["tenants"].queryset = mine
            form.base_fields["tenants"].initial = list(mine.values_list("pk", flat=True)[:1])
        return form

    def get_inlines(self, request: HttpRequest, obj: Model | None) -> Any:
        return self.inlines if obj else ()

    def formfield_for_manytomany(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField | None:
        if db_field.name == "groups":
            groups = Group.objects.order_by("name")
            if not request.user.is_superuser:
                groups = groups.filter(name__in=v.ROLES)
            kwargs["queryset"] = groups
            kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
            kwargs["help_text"] = "What they may do, in each tenant they belong to."
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        if obj is None or request.user.is_superuser:
            return True
        if obj.is_superuser:
            return False
        # beyond one's own tenants on purpose: the question is whether there are others
        elsewhere = Membership.objects.filter(user=obj).exclude(tenant_id__in=my_tenants(request))
        return not elsewhere.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # switched off instead: what they did keeps their name

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        begins = Q(username__gte=term, username__lt=term + "\uffff")
        return queryset.filter(begins | Q(email=term)), False

    def attach(self, request: HttpRequest, rows: list[User]) -> None:
        """Everybody's roles in one query instead of one each."""
        roles: dict[Any, list[str]] = {}
        held = User.groups.through.objects.filter(user_id__in=[row.pk for row in rows])
        names = dict(Group.objects.values_list("pk", "name"))
        for user, group in held.values_list("user_id", "group_id"):
            roles.setdefault(user, []).append(names.get(group, ""))
        for row in rows:
            row.role_names = sorted(roles.get(row.pk, ()))

    def save_related(self, request: HttpRequest, form: ModelForm, *args: Any) -> None:
        super().save_related(request, form, *args)
        for tenant in form.cleaned_data.get("tenants") or ():
            Membership.objects.create(user=form.instance, tenant=tenant)

    @admin.display(description="person")
    def person_cell(self, row: User) -> SafeString:
        return show.two_lines(row.username, row.full_name)

    @admin.display(description="roles")
    def roles_cell(self, row: User) -> str:
        roles = [*row.role_names, *(["superuser"] if row.is_superuser else [])]
        return ", ".join(roles) or "none"

    @admin.display(description="active", boolean=True)
    def active_cell(self, row: User) -> bool:
        return row.is_active and row.is_staff

    @admin.display(description="last sign-in")
    def seen_cell(self, row: User) -> SafeString | str:
        return show.when(row.last_login, row.seen_at) if row.last_login else "never"


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(TactfulHistory, DjangoGroupAdmin):
    """The five roles follow their table in the code; further groups are a superuser's matter."""

    list_display = ("name", "kind_cell")
    actions = None
    search_fields = ()
    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser and (obj is None or obj.name not in v.ROLES)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return False  # by `user` it would tell who has a role, of whatever tenant

    @admin.display(description="kind")
    def kind_cell(self, row: Group) -> str:
        return "role of the product" if row.name in v.ROLES else "own group"
