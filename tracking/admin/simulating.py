"""Simulated traffic out of the admin: for Developers, and in test tenants alone."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
)

from tracking import clock
from tracking import vocabulary as v
from tracking.access.roles import SIMULATE
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.once import moment_of
from tracking.audit.who import say_shown
from tracking.ingest import accept
from tracking.models import Tenant
from tracking.simulation import Plan, Summary, demo_definitions, simulate
from tracking.simulation.flows import FLOWS
from tracking.simulation.posting import Posted

OBJECTS_MAX: Final = 500
HOURS_MAX: Final = 24 * 28
_SHARES: Final = {
    "faults": "of an attempt to fail",
    "retries": "of a failed attempt to be followed by another",
    "filtered": "of an object to end in a filter",
    "late": "of a record to come after later ones",
    "duplicates": "of a record to come twice",
}


class SimulationForm(forms.Form):
    tenant = forms.ModelChoiceField(
        Tenant.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    flows = forms.MultipleChoiceField(
        choices=[(name, name) for name in FLOWS],
        initial=list(FLOWS),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    objects = forms.IntegerField(
        min_value=1,
        max_value=OBJECTS_MAX,
        initial=50,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"How many, up to {OBJECTS_MAX}.",
    )
    hours = forms.IntegerField(
        min_value=1,
        max_value=HOURS_MAX,
        initial=24,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How far back they begin.",
    )
    seed = forms.IntegerField(
        min_value=1,
        max_value=v.INT_MAX,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Another seed, another history.",
    )

    def __init__(self, *args: Any, tenants: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["tenant"].queryset = tenants  # type: ignore[attr-defined]
        for name, meaning in _SHARES.items():
            self.fields[name] = forms.FloatField(
                min_value=0,
                max_value=1,
                initial=Plan.__dataclass_fields__[name].default,
                widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01"}),
                help_text=f"Probability {meaning}, 0 to 1.",
            )


class Within:
    """Posts through the one door, without HTTP."""

    def __init__(self, tenant: str, key: str) -> None:
        self._producer = accept.Producer(tenant, key)

    def post(self, wires: list[dict[str, Any]]) -> Posted:
        answer = accept.accept(producer=self._producer, values=wires, moment=clock.now())
        return Posted(
            stored=answer.count(v.STORED),
            duplicates=answer.count(v.DUPLICATE),
            conflicts=answer.count(v.CONFLICT),
            invalid=answer.count(v.INVALID),
            refusals=[],
            tries=1,
        )

    def close(self) -> None: ...


def test_tenants(request: HttpRequest) -> Any:
    return visible_to(request.user, Tenant).filter(is_test=True).order_by("slug")


def simulation(request: HttpRequest) -> HttpResponse:
    """A form; its POST records the history of so many objects, and says what came of it."""
    from django.contrib import admin

    if not request.user.has_perm(SIMULATE):
        raise PermissionDenied
    form = SimulationForm(request.POST or None, tenants=test_tenants(request))
    made = None
    if request.method == "POST" and form.is_valid():
        made = _simulate(request, form.cleaned_data)
    context = {
        **admin.site.each_context(request),
        "title": "Simulate",
        "form": form,
        "offered": form.fields["tenant"].queryset.exists(),  # type: ignore[attr-defined]
        "made": made,
        "fates": [(show.label(status), count) for status, count in made.statuses.items() if count]
        if made
        else [],
        "list_url": reverse("admin:tracking_transaction_changelist"),
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "tracking/simulate.html", context)


def _simulate(request: HttpRequest, given: dict[str, Any]) -> Summary:
    tenant: Tenant = given["tenant"]
    say_shown(request, tenants=[tenant.pk])
    demo_definitions(tenant.pk)
    plan = Plan(
        start=moment_of(request),
        seed=given["seed"],
        objects=given["objects"],
        hours=given["hours"],
        flows=tuple(given["flows"]),
        **{name: given[name] for name in _SHARES},
    )
    return simulate(plan, Within(tenant.pk, "simulation"))
