"""Flow definitions with their steps, and the learned paths of flows that have none."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Field, Model
from django.forms.models import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from tracking import vocabulary as v
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin import filters as f
from tracking.admin.base import ManagedAdmin, ReadOnlyAdmin
from tracking.admin.once import my_tenants
from tracking.models import FlowBlock, FlowDefinition, FlowStep, Tenant
from tracking.projection.refold import request_flow


class StepsFormSet(PaginationInlineFormSet):
    """Steps as one list: the order of their positions, those without one at the end."""

    def clean(self) -> None:
        self._check_path()
        super().clean()

    def _check_path(self) -> None:
        kept = [
            form
            for form in self.forms
            if hasattr(form, "cleaned_data")
            and form.cleaned_data.get("block")
            and not form.cleaned_data.get("DELETE")
        ]
        if any(self.errors):
            return
        if not kept:
            raise forms.ValidationError("A flow has at least one step.")
        kept.sort(key=lambda form: form.cleaned_data.get("position") or len(self.forms) + 1)
        seen: set[str] = set()
        latest, latest_block = 0, ""
        for form in kept:
            block, due = form.cleaned_data["block"], form.cleaned_data.get("due_minutes")
            if block in seen:
                raise forms.ValidationError(f"The block “{block}” stands here twice.")
            seen.add(block)
            if due is not None:
                if due < latest:
                    raise forms.ValidationError(
                        f"“{block}” is due before “{latest_block}”, which comes first."
                    )
                latest, latest_block = due, block
        stages = [v.STAGES.index(form.cleaned_data["stage"]) for form in kept]
        if stages != sorted(stages):
            raise forms.ValidationError(
                "The stages follow each other: ingress, then processing, then egress."
            )
        self.in_order = kept

    def save(self, commit: bool = True) -> list[Model]:
        saved = super().save(commit)
        for position, form in enumerate(self.in_order, 1):
            step = form.instance
            if step.position != position and commit:
                step.position = position
                step.save()
        return saved


class StepForm(forms.ModelForm):
    position = forms.IntegerField(
        min_value=1, max_value=10_000, required=False, widget=UnfoldAdminIntegerFieldWidget
    )

    class Meta:
        model = FlowStep
        fields = ("position", "block", "stage", "optional", "due_minutes")

    def clean_position(self) -> int:
        return self.cleaned_data.get("position") or 0


class StepInline(TabularInline):
    model = FlowStep
    form = StepForm
    formset = StepsFormSet
    fields = ("position", "block", "stage", "optional", "due_minutes")
    ordering = ("position",)
    extra = 0
    hide_title = True
    verbose_name = "step"
    verbose_name_plural = "steps, in the order in which an object passes them"

    def get_extra(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> int:
        if obj is None:
            return max(1, len(_copied_steps(request)))
        return 0


@admin.register(FlowDefinition)
class FlowDefinitionAdmin(ManagedAdmin):
    list_display = ("flow_cell", "version", "valid_cell", "patience_cell", "deadline_cell", "note")
    list_display_links = ("flow_cell",)
    list_filter = (f.FlowFilter,)
    ordering = ("flow", "version", "pk")
    inlines = (StepInline,)
    actions_detail: ClassVar[list[str]] = ["new_version"]
    fieldsets = (
        (None, {"fields": (("tenant",), ("flow", "version"), "note")}),
        ("Times", {"fields": ("valid_from", ("patience_minutes", "deadline_minutes"))}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple:
        # records name flow and version: another name is another definition
        return ("tenant", "flow", "version") if obj else ()

    def formfield_for_foreignkey(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        kwargs["queryset"] = visible_to(request.user, Tenant)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        source = _copied(request)
        if source is None:
            mine = my_tenants(request)
            return {"tenant": mine[0]} if len(mine) == 1 else {}
        return {
            "tenant": source.tenant_id,
            "flow": source.flow,
            "version": _next_version(source),
            "patience_minutes": source.patience_minutes,
            "deadline_minutes": source.deadline_minutes,
        }

    def get_formset_kwargs(
        self, request: HttpRequest, obj: Model, inline: Any, prefix: str
    ) -> dict[str, Any]:
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        # with initial values a posted step that equals them would count as left empty
        if request.method == "GET" and obj.pk and obj._state.adding:
            kwargs["initial"] = [
                {
                    "position": position,
                    "block": step.block,
                    "stage": step.stage,
                    "optional": step.optional,
                    "due_minutes": step.due_minutes,
                }
                for position, step in enumerate(_copied_steps(request), 1)
            ]
        return kwargs

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        _derive_again(form.instance)

    def delete_model(self, request: HttpRequest, obj: FlowDefinition) -> None:
        super().delete_model(request, obj)
        _derive_again(obj)

    @action(
        description="New version from this",
        url_path="new-version",
        permissions=["tracking.add_flowdefinition"],
    )
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        add = reverse("admin:tracking_flowdefinition_add")
        return HttpResponseRedirect(f"{add}?copy={object_id}")

    @admin.display(description="flow")
    def flow_cell(self, row: FlowDefinition) -> SafeString:
        steps = f"{row.step_count} step{'s' if row.step_count != 1 else ''}"
        return show.two_lines(row.flow, steps)

    @admin.display(description="valid from")
    def valid_cell(self, row: FlowDefinition) -> str:
        return show.stamp(row.valid_from)[:16] if row.valid_from else "always"

    @admin.display(description="stalled after")
    def patience_cell(self, row: FlowDefinition) -> str:
        return show.duration(row.patience_minutes * 60_000)

    @admin.display(description="overdue after")
    def deadline_cell(self, row: FlowDefinition) -> str:
        minutes = row.deadline_minutes
        return show.duration(minutes * 60_000) if minutes else show.NONE

    def attach(self, request: HttpRequest, rows: list[FlowDefinition]) -> None:
        counts: dict[Any, int] = {}
        steps = visible_to(request.user, FlowStep).filter(definition__in=[r.pk for r in rows])
        for definition in steps.values_list("definition_id", flat=True):
            counts[definition] = counts.get(definition, 0) + 1
        for row in rows:
            row.step_count = counts.get(row.pk, 0)


@admin.register(FlowBlock)
class LearnedPathAdmin(ReadOnlyAdmin):
    """What delivered transactions passed: the measure of flows that nobody defined."""

    list_display = ("flow", "block", "stage", "transactions_cell", "place_cell")
    list_display_links = None
    list_filter = (f.FlowFilter,)
    ordering = ("tenant", "flow", "-transactions")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # a row has no page of its own
        return obj is None and super().has_view_permission(request)

    @admin.display(description="delivered transactions")
    def transactions_cell(self, row: FlowBlock) -> str:
        return f"{row.transactions:,}"

    @admin.display(description="usual place")
    def place_cell(self, row: FlowBlock) -> str:
        return f"{row.positions / row.transactions + 1:.1f}" if row.transactions else show.NONE


def _copied(request: HttpRequest) -> FlowDefinition | None:
    """The definition that a new one is to be copied from."""
    wanted = request.GET.get("copy", "")
    if not wanted:
        return None
    try:
        return visible_to(request.user, FlowDefinition).filter(pk=wanted).first()
    except (ValueError, forms.ValidationError):
        return None


def _copied_steps(request: HttpRequest) -> list[FlowStep]:
    source = _copied(request)
    if source is None:
        return []
    return list(
        visible_to(request.user, FlowStep).filter(definition=source.pk).order_by("position")
    )


def _next_version(source: FlowDefinition) -> str:
    return str(int(source.version) + 1) if source.version.isdigit() else f"{source.version}-next"


def _derive_again(definition: FlowDefinition) -> None:
    tenant, flow = definition.tenant_id, definition.flow
    transaction.on_commit(lambda: request_flow(tenant, flow))
