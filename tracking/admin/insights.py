"""What all insight pages share: the form that says whose numbers of when, and the page's frame.

A page is an `insight`. It is `asked_of` the request, counts what was asked for where `window` is
not None, and returns an `answer`, which gives any of its tables as CSV too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.dateparse import parse_date, parse_datetime
from django.views.decorators.http import require_safe
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tracking import vocabulary as v
from tracking.access.roles import COUNT
from tracking.admin.freshness import freshness_of
from tracking.admin.once import moment_of, my_tenants
from tracking.errors import BadRequest
from tracking.insights.cells import first_counted, flows_of
from tracking.insights.spans import SPANS, USUAL_SPAN, lately
from tracking.insights.tables import Table, csv_of
from tracking.insights.windows import Window, count_and_unit, usual_step, window
from tracking.projection.status import lag

OWN_SPAN: Final = "own"
ALL_FLOWS: Final = "all flows"
STEPS: Final = {
    "1m": "minutes",
    "15m": "quarters of an hour",
    "1h": "hours",
    "6h": "6 hours",
    "1d": "days",
    "1w": "weeks",
    "1mo": "months",
}
_FLOWS_OFFERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose numbers a page is asked for, and of when.

    `flow` "": all of them. `window` is None where the form cannot be read, or the reader has no
    tenant: then there is nothing to count, and the page says why.
    """

    request: HttpRequest
    form: InsightForm
    tenant: str
    flow: str
    flows: list[str]
    window: Window | None
    moment: datetime

    @property
    def may_track(self) -> bool:
        """Whether the reader may open the lists that numbers lead to."""
        return self.request.user.has_perm("tracking.view_transaction")

    def url(self, **change: str) -> str:
        """This page, asked for something else besides."""
        query = self.request.GET.copy()
        for name in ("format", "table"):
            query.pop(name, None)
        for name, value in change.items():
            query[name] = value
        return f"{self.request.path}?{query.urlencode()}"

    def elsewhere(self, page: str, **change: str) -> str:
        """Another insight page, asked for the same time."""
        query = QueryDict(mutable=True)
        for name in ("tenant", "flow", "span", "from", "to", "step"):
            if given := change.get(name, self.request.GET.get(name)):
                query[name] = given
        return f"{reverse(page)}?{query.urlencode()}"

    def csv_url(self, table: str) -> str:
        return self.url(format="csv", table=table)


class InsightForm(forms.Form):
    """Always bound: what is not given is what most ask for. `more`: a page's own fields."""

    def __init__(
        self,
        request: HttpRequest,
        *,
        tenants: list[str],
        tenant: str,
        flows: list[str],
        moment: datetime,
        need_flow: bool = False,
        no_flow: str = ALL_FLOWS,
        timeless: bool = False,
        more: Mapping[str, forms.Field] | None = None,
    ) -> None:
        given = {name: value.strip() for name, value in request.GET.items()}
        bounds = given.get("from") or given.get("to")
        given.setdefault("span", OWN_SPAN if bounds else USUAL_SPAN)
        for name, value in (("tenant", tenant), ("flow", flows[0] if need_flow and flows else "")):
            if value and not given.get(name):
                given[name] = value
        kinds = {}
        for name in ("from", "to"):
            found = _moment(given.get(name, ""))
            if found:
                given[name] = f"{found:%Y-%m-%dT%H:%M}"
            # a browser's own field for times would show nothing of what is none
            kinds[name] = "datetime-local" if found or not given.get(name) else "text"
        super().__init__(given, label_suffix="")
        self._moment = moment
        if len(tenants) > 1:
            self.fields["tenant"] = _choice([(each, each) for each in tenants])
        offered = [(each, each) for each in flows[:_FLOWS_OFFERED]]
        flow = given.get("flow", "")
        if flow and flow not in flows and len(flow) <= v.NAME_MAX:
            # a link may name one of which nothing is known any more
            offered.insert(0, (flow, flow))
        if not need_flow or not offered:
            offered.insert(0, ("", no_flow))
        self.fields["flow"] = _choice(offered, required=False)
        self._timeless = timeless
        if not timeless:
            self._add_time(given, kinds)
        self.fields.update(more or {})

    def _add_time(self, given: Mapping[str, str], kinds: Mapping[str, str]) -> None:
        self.fields["span"] = _choice(
            [*((word, said) for word, (said, _length) in SPANS.items()), (OWN_SPAN, "From – to")],
            label="Time",
            attrs={"x-model": "span"},
        )
        for name in ("from", "to"):
            self.fields[name] = _Moment(
                label=f"{name.capitalize()} (UTC)",
                required=False,
                widget=UnfoldAdminTextInputWidget(attrs={"type": kinds[name]}),
            )
        steps = dict(STEPS)
        if step := given.get("step", ""):
            steps.setdefault(step[:8], step[:8])
        self.fields["step"] = _choice(
            [("", "as fits"), *steps.items()], label="In steps of", required=False
        )

    def clean_step(self) -> str:
        step: str = self.cleaned_data["step"]
        try:
            return step and "{}{}".format(*count_and_unit(step))
        except BadRequest as error:
            raise forms.ValidationError(error.message) from None

    def clean(self) -> dict[str, Any]:
        """Adds `window`."""
        given = super().clean() or self.cleaned_data
        if self._timeless:
            given["window"] = lately(USUAL_SPAN, self._moment)
        elif not self.errors:
            try:
                given["window"] = self._window(given)
            except BadRequest as error:
                name = str(error.members.get("parameter", "span"))
                self.add_error(name if name in self.fields else "span", error.message)
        return given

    def _window(self, given: Mapping[str, Any]) -> Window:
        step = given["step"]
        if given["span"] != OWN_SPAN:
            return lately(given["span"], self._moment, step)
        start, end = given["from"], given["to"] or self._moment
        if start is None:
            raise BadRequest("bad_parameter", "Say from when.", parameter="from")
        return window(start, end, step or usual_step(start, end))


def insight(page: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A page of numbers: for who may see them, and to be read alone."""
    safe = require_safe(page)

    @wraps(page)
    def asked_by(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(COUNT):
            raise PermissionDenied
        return safe(request)

    return asked_by


def asked_of(
    request: HttpRequest,
    *,
    need_flow: bool = False,
    no_flow: str = ALL_FLOWS,
    timeless: bool = False,
    more: Mapping[str, forms.Field] | None = None,
) -> Asked:
    """`need_flow`: the page is about one flow, the first where none is named. `no_flow`: what is
    meant where none is. `timeless`: its time is not asked for, but the page's own."""
    tenants, moment = my_tenants(request), moment_of(request)
    named = request.GET.get("tenant", "").strip() or _usual(tenants)
    # of a tenant that is not the reader's nothing is read; the form says that it is no choice
    flows = flows_of(named) if named in tenants else []
    form = InsightForm(
        request,
        tenants=tenants,
        tenant=named,
        flows=flows,
        moment=moment,
        need_flow=need_flow,
        no_flow=no_flow,
        timeless=timeless,
        more=more,
    )
    readable = form.is_valid() and named in tenants
    return Asked(
        request=request,
        form=form,
        tenant=named if named in tenants else "",
        flow=form.cleaned_data.get("flow", "") if readable else "",
        flows=flows,
        window=form.cleaned_data["window"] if readable else None,
        moment=moment,
    )


def _usual(tenants: list[str]) -> str:
    """The one to begin with: the first that has something to show."""
    if len(tenants) < 2:
        return "".join(tenants)
    return first_counted(tenants) or tenants[0]


def answer(
    asked: Asked,
    template: str,
    *,
    title: str,
    question: str,
    tables: Mapping[str, Table],
    **shown: Any,
) -> HttpResponse:
    """The page; or one of its tables as CSV, by `?format=csv&table=…` (the first if none is named).

    `question`: what the page answers, in a sentence. `shown`: what the template needs besides.
    """
    from django.contrib import admin

    request = asked.request
    if request.GET.get("format") == "csv":
        return _csv(asked, tables)
    context = {
        **admin.site.each_context(request),
        "title": title,
        "question": question,
        "asked": asked,
        "form": asked.form,
        "no_tenant": not my_tenants(request),
        "freshness": freshness_of(lag(asked.moment)),
        "may_track": asked.may_track,
        **shown,
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, template, context)


def _csv(asked: Asked, tables: Mapping[str, Table]) -> HttpResponse:
    name = asked.request.GET.get("table") or next(iter(tables), "")
    if name not in tables or asked.window is None:
        raise Http404
    table = tables[name]
    called = f"{table.name}-{asked.window.start:%Y%m%dT%H%M}-{asked.window.end:%Y%m%dT%H%M}.csv"
    return HttpResponse(
        csv_of(table),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{called}"',
            "Cache-Control": "no-store",
        },
    )


class _Moment(forms.Field):
    """A time in UTC as a browser's field for one writes it; a day alone is its beginning."""

    def to_python(self, value: str | None) -> datetime | None:
        if not value:
            return None
        found = _moment(value)
        if found is None:
            raise forms.ValidationError(
                "%(value)s is no time: write 2026-03-01T14:00.", params={"value": value[:40]}
            )
        return found


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text) or parse_date(text)
    except ValueError:
        return None
    if found is None:
        return None
    if not isinstance(found, datetime):
        return datetime(found.year, found.month, found.day, tzinfo=UTC)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:  # the year 1 in Asia
        return None


def _choice(
    choices: list[tuple[str, str]],
    *,
    label: str | None = None,
    required: bool = True,
    attrs: dict[str, str] | None = None,
) -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=choices,
        label=label,
        required=required,
        widget=UnfoldAdminSelectWidget(attrs=attrs or {}),
    )
