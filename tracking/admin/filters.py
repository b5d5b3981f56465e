"""The filters of the lists. Each narrows by fields that indexes cover, or by a bounded rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter

from tracking import vocabulary as v
from tracking.admin import choices
from tracking.admin.display import word
from tracking.admin.once import moment_of, my_tenants
from tracking.mongo import lookups  # noqa: F401  (registers `holds`)


class NameFilter(DropdownFilter):
    """One of some names, matched exactly on `field`."""

    field: ClassVar[str]

    def offered(self, request: HttpRequest) -> Iterable[str]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = list(self.offered(request))
        chosen = request.GET.get(self.parameter_name)
        if chosen and chosen not in names:
            # a link may name what the bounded choices leave out
            names.insert(0, chosen)
        return [(name, name) for name in names]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        return queryset.filter(**{self.field: value}) if value else queryset


class TenantFilter(NameFilter):
    title, parameter_name, field = "tenant", "of", "tenant_id"

    def offered(self, request: HttpRequest) -> Iterable[str]:
        return my_tenants(request)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if not value:
            return queryset
        field = queryset.model._meta.get_field("tenant").attname
        return queryset.filter(**{field: value})


class FlowFilter(NameFilter):
    title, parameter_name, field = "flow", "flow", "flow"

    def offered(self, request: HttpRequest) -> Iterable[str]:
        return choices.flows(my_tenants(request))


class BlockFilter(NameFilter):
    title, parameter_name, field = "block", "block", "block"

    def offered(self, request: HttpRequest) -> Iterable[str]:
        return choices.blocks(my_tenants(request), request.GET.get("flow"))


class ObjectTypeFilter(NameFilter):
    title, parameter_name, field = "object type", "object_type", "object_type"

    def offered(self, request: HttpRequest) -> Iterable[str]:
        return choices.object_types(my_tenants(request))


class ErrorTypeFilter(NameFilter):
    title, parameter_name, field = "error type", "error_type", "error_type"

    def offered(self, request: HttpRequest) -> Iterable[str]:
        return choices.error_types(my_tenants(request))


class WordFilter(DropdownFilter):
    """One of our own words, matched exactly on `field`."""

    field: ClassVar[str]
    words: ClassVar[tuple[str, ...]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, word(name)) for name in self.words]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        return queryset.filter(**{self.field: value}) if value in self.words else queryset


class StageFilter(WordFilter):
    title, parameter_name, field, words = "stage", "stage", "stage", v.STAGES


class BlockStatusFilter(WordFilter):
    title, parameter_name, field, words = "status", "status", "status", v.STATUSES


class TransactionStatusFilter(WordFilter):
    """The stored statuses, and the two that follow from the clock."""

    title, parameter_name, field = "status", "status", "status"
    words = (v.IN_TRANSIT, v.STALLED, v.OVERDUE, v.TX_FAILED, v.TX_FILTERED, v.DELIVERED)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return with_status(queryset, self.value(), moment_of(request))


def with_status(rows: QuerySet, status: str | None, moment: datetime) -> QuerySet:
    if status == v.STALLED:
        return rows.filter(status=v.IN_TRANSIT, stalls_at__lte=moment)
    if status == v.OVERDUE:
        return rows.filter(status=v.IN_TRANSIT, due_at__lte=moment)
    return rows.filter(status=status) if status in v.TRANSACTION_STATUSES else rows


class InTransitAtFilter(DropdownFilter):
    """What was on its way at a moment, which only links name."""

    title, parameter_name = "in transit at", "in_transit_at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        moment = self._moment(request.GET.get(self.parameter_name))
        if moment is None:
            return []
        return [(request.GET[self.parameter_name], f"{moment:%-d %b %Y %H:%M} UTC")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        moment = self._moment(self.value())
        if moment is None:
            return queryset
        later = Q(updated_at__gte=moment) | Q(status=v.IN_TRANSIT)
        return queryset.filter(later, created_at__lt=moment)

    def _moment(self, text: str | None) -> datetime | None:
        try:
            return datetime.strptime(text or "", "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
        except ValueError:
            return None


class WarningFilter(DropdownFilter):
    title, parameter_name = "warnings", "warning"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("any", "any"), *((name, word(name)) for name in v.WARNINGS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        wanted = v.WARNINGS if value == "any" else (value,) if value in v.WARNINGS else ()
        return queryset.filter(reduce(or_, (Q(warnings__holds=w) for w in wanted), Q()))


class RetriesFilter(DropdownFilter):
    title, parameter_name = "retries", "retries"
    field: ClassVar[str] = "retries"
    offset: ClassVar[int] = 0

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("0", "none"), ("1", "one or more"), ("3", "three or more")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "0":
            return queryset.filter(**{self.field: self.offset})
        if value in ("1", "3"):
            return queryset.filter(**{f"{self.field}__gte": int(value) + self.offset})
        return queryset


class AttemptsFilter(RetriesFilter):
    field, offset = "attempts", 1


class MarkFilter(DropdownFilter):
    title, parameter_name = "marks", "mark"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, word(name)) for name in v.MARKS]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        return queryset.filter(marks__holds=value) if value in v.MARKS else queryset


class RecentFilter(DropdownFilter):
    """A span that ends now, the question asked most."""

    parameter_name = "recent"
    field: ClassVar[str] = "updated_at"
    spans: ClassVar[dict[str, timedelta]] = {
        "1h": timedelta(hours=1),
        "24h": timedelta(days=1),
        "7d": timedelta(days=7),
        "30d": timedelta(days=30),
    }
    title = "last update"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("1h", "in the last hour"),
            ("24h", "in the last 24 hours"),
            ("7d", "in the last 7 days"),
            ("30d", "in the last 30 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        span = self.spans.get(self.value() or "")
        if span is None:
            return queryset
        return queryset.filter(**{f"{self.field}__gte": moment_of(request) - span})


class RecordedRecentlyFilter(RecentFilter):
    title, field = "record time", "recorded_at"


class TimeRangeFilter(RangeDateTimeFilter):
    """From and to in UTC; a date without a time means its beginning, or its end."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        lower = self._moment("from", end=False)
        upper = self._moment("to", end=True)
        found = Q()
        if lower:
            found &= Q((f"{self.parameter_name}__gte", lower))
        if upper:
            found &= Q((f"{self.parameter_name}__lt", upper))
        return queryset.filter(found) if found else queryset

    def _moment(self, side: str, *, end: bool) -> datetime | None:
        date = self.used_parameters.get(f"{self.parameter_name}_{side}_0")
        time = self.used_parameters.get(f"{self.parameter_name}_{side}_1")
        if not date:
            return None
        try:
            day = forms.DateField().clean(date)
            clock_time = forms.TimeField(required=False).clean(time or "")
        except forms.ValidationError:
            return None
        if not v.YEAR_MIN <= day.year <= v.YEAR_MAX:
            return None
        if clock_time is None:
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            return start + timedelta(days=1) if end else start
        return datetime.combine(day, clock_time, tzinfo=UTC)
