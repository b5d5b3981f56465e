"""The price list: added, ended and followed here; the past is not rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError
from django.db.models import Field, Model, Q, QuerySet
from django.forms.models import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tracking import clock
from tracking import vocabulary as v
from tracking.access.scope import visible_to
from tracking.admin import choices
from tracking.admin import display as show
from tracking.admin import filters as f
from tracking.admin.base import ManagedAdmin
from tracking.admin.hours import HourField
from tracking.admin.once import moment_of, my_tenants
from tracking.models import ResourceRate, Tenant
from tracking.models.prices import FIXED, begun_sentence, ended_sentence, hour_text, next_hour
from tracking.mongo.connection import is_conflict

_AT_ONCE: Final = (
    "Somebody else changed the prices of this resource at the same moment, and nothing of yours"
    " was saved. Look at what stands there now, and try again."
)
_SAID: Final = ("price_cell", "from_said", "until_said")
_CODES: Final = [(code, code) for code in sorted(v.CURRENCIES)]

_FROM: Final = "The first hour it applies to, in UTC: to what was used from then on, by event time."
_TO: Final = "The first hour it does not apply to any more, in UTC; empty: until further notice."
_PRICE: Final = (
    f"Of one unit; up to {v.PRICE_DIGITS[0]} digits before and {v.PRICE_DIGITS[1]} after the"
    " point, none of them is ever rounded away. 0 is a price, too: free."
)
_CURRENCY: Final = "Nothing is converted: sums are kept apart by currency."


def _price_field() -> forms.DecimalField:
    return forms.DecimalField(
        max_digits=sum(v.PRICE_DIGITS),
        decimal_places=v.PRICE_DIGITS[1],
        min_value=0,
        help_text=_PRICE,
        # as text: browsers take numbers for binary fractions
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )


def _currency_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=[("", "---------"), *_CODES],
        help_text=_CURRENCY,
        widget=UnfoldAdminSelectWidget,
    )


class RateForm(forms.ModelForm):
    price = _price_field()
    currency = _currency_field()
    valid_from = HourField(label="From", help_text=_FROM)
    valid_to = HourField(label="Until", required=False, help_text=_TO)
    for_the_past = forms.BooleanField(
        label="Also for the past",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Needed where it begins before now: it then applies at once to what was used"
        " since and had no price, and it can only be ended, not changed or deleted.",
    )

    class Meta:
        model = ResourceRate
        fields = (
            *("tenant", "resource", "unit", "price", "currency"),
            *("valid_from", "valid_to", "note"),
        )
        help_texts: ClassVar[dict[str, str]] = {
            "resource": "As records name it in “usage”, letter by letter: cpu.",
            "unit": "As records give it there: s and h are two units, each with its own price.",
        }

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        moment = clock.now()
        stored = self.instance
        if not stored._state.adding and stored.has_begun(moment):
            if any(name in self.data or f"{name}_0" in self.data for name in FIXED):
                # the form was opened before it began, or was not made by our page
                raise ValidationError(begun_sentence(stored))
            return found
        begin = found.get("valid_from")
        if begin is not None and begin <= moment and not found.get("for_the_past"):
            self.add_error(
                "valid_from",
                f"It is {moment:%Y-%m-%d %H:%M} UTC now, so this lies in the past: choose"
                f" {hour_text(next_hour(moment))} or later, or say “Also for the past”.",
            )
        return found


class FollowForm(forms.Form):
    """The new price that takes the place of another."""

    price = _price_field()
    currency = _currency_field()
    valid_from = HourField(label="From", help_text=_FROM)
    note = forms.CharField(required=False, max_length=500, widget=UnfoldAdminTextInputWidget)


class WhenFilter(DropdownFilter):
    title, parameter_name = "when", "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("current", "current"), ("coming", "coming"), ("past", "past")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        moment = moment_of(request)
        if self.value() == "current":
            lasting = Q(valid_to__isnull=True) | Q(valid_to__gt=moment)
            return queryset.filter(lasting, valid_from__lte=moment)
        if self.value() == "coming":
            return queryset.filter(valid_from__gt=moment)
        if self.value() == "past":
            return queryset.filter(valid_to__lte=moment)
        return queryset


class ResourceFilter(f.NameFilter):
    title, parameter_name, field = "resource", "resource", "resource"

    def offered(self, request: HttpRequest) -> Iterable[str]:
        return choices.priced_resources(my_tenants(request))


class CurrencyFilter(f.NameFilter):
    title, parameter_name, field = "currency", "currency", "currency"

    def offered(self, request: HttpRequest) -> Iterable[str]:
        return choices.price_currencies(my_tenants(request))


@admin.register(ResourceRate)
class PriceAdmin(ManagedAdmin):
    form = RateForm
    list_display = (
        "resource_cell",
        "price_cell",
        "state_cell",
        "from_cell",
        "to_cell",
        "note_cell",
    )
    list_display_links = ("resource_cell",)
    list_filter = (WhenFilter, ResourceFilter, CurrencyFilter)
    ordering = ("resource", "unit", "-valid_from", "pk")
    actions_detail: ClassVar[list[str]] = ["follow"]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        price: Any = ("price", "currency")
        when: dict[str, Any] = {"fields": ("valid_from", "for_the_past", "valid_to")}
        if isinstance(obj, ResourceRate):
            moment, may = moment_of(request), self.has_change_permission(request, obj)
            open_end = may and not obj.has_ended(moment)
            if obj.has_begun(moment) or not may:
                # told as the list tells it, which a field that is only shown is not
                price = "price_cell"
                when["fields"] = ("from_said", "valid_to" if open_end else "until_said")
            if may and obj.has_begun(moment):
                when["description"] = begun_sentence(obj) if open_end else ended_sentence(obj)
        what = {"fields": (("tenant",), ("resource", "unit"), price, "note")}
        return ((None, what), ("In force", when))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        if not isinstance(obj, ResourceRate):
            return ()
        moment = moment_of(request)
        if obj.has_ended(moment):
            return ("tenant", *FIXED, "valid_to", *_SAID)
        return ("tenant", *FIXED, *_SAID) if obj.has_begun(moment) else ("tenant", *_SAID)

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        kwargs["queryset"] = visible_to(request.user, Tenant)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        mine = my_tenants(request)
        last = visible_to(request.user, ResourceRate).order_by("-created_at").first()
        return {
            "tenant": mine[0] if len(mine) == 1 else None,
            "currency": last.currency if last is not None else None,
            "valid_from": next_hour(moment_of(request)),
        }

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        begun = isinstance(obj, ResourceRate) and obj.has_begun(moment_of(request))
        return not begun and super().has_delete_permission(request, obj)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._one_at_a_time(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._one_at_a_time(request, super().delete_view, *args, **kwargs)

    def _one_at_a_time(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """What passed the form and not the database lost to somebody else."""
        try:
            return view(request, *args, **kwargs)
        except (ValidationError, DatabaseError) as error:
            lost = isinstance(error, ValidationError) or is_conflict(error)
            if request.method != "POST" or not lost:
                raise
        self.message_user(request, _AT_ONCE, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    @action(
        description="New price from this",
        url_path="follow",
        icon="price_change",
        permissions=["tracking.change_resourcerate", "tracking.add_resourcerate"],
    )
    def follow(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ends this price and begins another at the same hour; a POST does both or neither."""
        rate = self.get_object(request, object_id)
        if rate is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not (self.has_change_permission(request, rate) and self.has_add_permission(request)):
            raise PermissionDenied
        begin = max(next_hour(moment_of(request)), next_hour(rate.valid_from))
        initial = {"price": f"{rate.price:f}", "currency": rate.currency, "valid_from": begin}
        form = FollowForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            new = _followed(rate, form)
            if new is not None:
                self.log_change(request, rate, f"Ended at {hour_text(new.valid_from)}.")
                self.log_addition(request, new, f"In place of {rate}.")
                self.message_user(request, f"{new.text} from {hour_text(new.valid_from)} on.")
                return HttpResponseRedirect(reverse("admin:tracking_resourcerate_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "New price",
            "rate": rate,
            "since": hour_text(rate.valid_from),
            "until": hour_text(rate.valid_to) if rate.valid_to else "",
            "form": form,
            "media": self.media + form.media,
            "back": reverse("admin:tracking_resourcerate_change", args=(rate.pk,)),
        }
        return TemplateResponse(request, "tracking/price_follow.html", context)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        rate = self.get_object(request, str(object_id))
        if rate is None or rate.has_ended(moment_of(request)):
            return []
        return super().get_actions_detail(request, object_id)

    @admin.display(description="resource")
    def resource_cell(self, row: ResourceRate) -> SafeString:
        return show.two_lines(row.resource, f"per {row.unit}")

    @admin.display(description="price")
    def price_cell(self, row: ResourceRate) -> str:
        return show.amount(row.price, row.currency)

    @admin.display(description="when")
    def state_cell(self, row: ResourceRate) -> SafeString:
        if row.has_ended(row.seen_at):
            return show.label(v.SKIPPED, "past")
        if row.has_begun(row.seen_at):
            return show.label(v.DONE, "current")
        return show.label(v.QUEUED, "coming")

    @admin.display(description="from")
    def from_cell(self, row: ResourceRate) -> SafeString:
        return _hour(row.valid_from)

    @admin.display(description="until")
    def to_cell(self, row: ResourceRate) -> SafeString | str:
        return _hour(row.valid_to) if row.valid_to else show.NONE

    @admin.display(description="from")
    def from_said(self, row: ResourceRate) -> str:
        return hour_text(row.valid_from)

    @admin.display(description="until")
    def until_said(self, row: ResourceRate) -> str:
        return hour_text(row.valid_to)

    @admin.display(description="note")
    def note_cell(self, row: ResourceRate) -> SafeString | str:
        return show.two_lines(row.note) if row.note else show.NONE


def _hour(moment: datetime) -> SafeString:
    return show.two_lines(f"{moment:%Y-%m-%d}", f"{moment:%H:%M} UTC")


def _followed(rate: ResourceRate, form: FollowForm) -> ResourceRate | None:
    """The new price; None where it was refused, and the form then says why."""
    given = form.cleaned_data
    try:
        return rate.follow(
            price=given["price"],
            currency=given["currency"],
            valid_from=given["valid_from"],
            note=given["note"],
        )
    except ValidationError as error:
        for sentence in error.messages:
            form.add_error("valid_from", sentence)
    except DatabaseError as error:
        if not is_conflict(error):
            raise
        form.add_error(None, _AT_ONCE)
    return None
