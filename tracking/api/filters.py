"""The filters of GET /api/v1/transactions. A value that cannot be right is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import django_filters as df
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet

from tracking import vocabulary as v
from tracking.access.scope import visible_to
from tracking.core.checks import CONTROL_LINE, Checks
from tracking.models import Transaction, TransactionBlockProgress
from tracking.search import find

# Up to this many matches a block's state is looked up first; a more frequent one is met
# soon enough while walking the list.
_LOOKED_UP: Final = 10_000


class _Line(forms.CharField):
    """Text as posted: not stripped, and never what no record can hold."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "strip": False})

    def validate(self, value: str) -> None:
        super().validate(value)
        if CONTROL_LINE.search(value):
            raise ValidationError("Holds a control character.")


class _Moment(forms.Field):
    """A time as in a record: RFC 3339 with an offset."""

    def to_python(self, value: str | None) -> datetime | None:
        if not value:
            return None
        checks = Checks(v.TIME_END)
        moment = checks.time("", value)
        if moment is None:
            sentence = f"{checks.problems[0].message} In an address, + is written %2B."
            raise ValidationError("%(sentence)s", params={"sentence": sentence})
        return moment


class Text(df.CharFilter):
    field_class = _Line


class Moment(df.Filter):
    field_class = _Moment


def _words(*words: str) -> list[tuple[str, str]]:
    return [(word, word) for word in words]


class TransactionFilter(df.FilterSet):
    object_id = Text(max_length=v.OBJECT_ID_MAX, help_text="The object's id.")
    object_type = Text(max_length=v.NAME_MAX, help_text="The object's type.")
    flow = Text(method="by_flow", max_length=v.NAME_MAX, help_text="The flow it passes.")
    status = df.ChoiceFilter(
        method="by_status",
        choices=_words(*v.TRANSACTION_STATUSES, v.STALLED, v.OVERDUE),
        help_text="stalled and overdue are those in transit without news, or past their deadline.",
    )
    stage = df.ChoiceFilter(choices=_words(*v.STAGES), help_text="The current stage.")
    block = Text(
        method="by_block_state",
        max_length=v.NAME_MAX,
        help_text="A block it has records of, in whatever state; with block_status, in that state.",
    )
    block_status = df.ChoiceFilter(
        method="by_block_state",
        choices=_words(*v.STATUSES),
        help_text="The state of the block named by `block`, or of any of its blocks.",
    )
    error_type = Text(max_length=200, help_text="The type of the exception it failed with.")
    reference = Text(
        method="by_reference",
        max_length=v.REFERENCE_NAME_MAX + 1 + v.REFERENCE_VALUE_MAX,
        help_text="A reference's value, or name:value.",
    )
    parent = Text(
        field_name="parents",
        lookup_expr="holds",
        max_length=v.ID_MAX,
        help_text="The transactions that name this one as a parent.",
    )
    created_after = Moment("created_at", "gte", help_text="First event at or after this time.")
    created_before = Moment("created_at", "lt", help_text="First event before this time.")
    updated_after = Moment("updated_at", "gte", help_text="Latest event at or after this time.")
    updated_before = Moment("updated_at", "lt", help_text="Latest event before this time.")
    warning = df.ChoiceFilter(
        field_name="warnings",
        lookup_expr="holds",
        choices=_words(*v.WARNINGS),
        help_text="Data that contradicts itself.",
    )
    q = Text(
        method="by_search",
        max_length=v.OBJECT_ID_MAX + v.REFERENCE_NAME_MAX,
        help_text="Object id or its beginning, transaction id, record id, or reference.",
    )
    tenant = Text(field_name="tenant_id", max_length=40, help_text="One of several tenants.")

    class Meta:
        model = Transaction
        fields = ()

    def by_flow(self, rows: QuerySet, _name: str, flow: str) -> QuerySet:
        rows = rows.filter(flow=flow)
        if not self.form.cleaned_data["status"]:
            # All statuses, spelt out: then the index by flow and status yields them in order.
            rows = rows.filter(status__in=v.TRANSACTION_STATUSES)
        return rows

    def by_status(self, rows: QuerySet, _name: str, status: str) -> QuerySet:
        limit = {v.STALLED: "stalls_at", v.OVERDUE: "due_at"}.get(status)
        if limit is None:
            return rows.filter(status=status)
        return rows.filter((f"{limit}__lt", self.request.moment), status=v.IN_TRANSIT)

    def by_reference(self, rows: QuerySet, _name: str, text: str) -> QuerySet:
        name, colon, value = text.partition(":")
        wanted = Q(references__holds={"value": text})
        if colon and value:
            wanted |= Q(references__holds={"name": name, "value": value})
        return rows.filter(wanted)

    def by_search(self, rows: QuerySet, _name: str, text: str) -> QuerySet:
        found = find(self.request.user, text)
        self.request.search_was_cut = found.bounded
        return rows.filter(pk__in=found.keys)

    def by_block_state(self, rows: QuerySet, name: str, _value: str) -> QuerySet:
        given = self.form.cleaned_data
        if name == "block_status" and given["block"]:
            return rows  # both together were met under the other's name
        state = {
            field: given[parameter]
            for field, parameter in (
                ("block", "block"), ("status", "block_status"), ("flow", "flow")
            )
            if given[parameter]
        }  # fmt: skip
        matching = visible_to(self.request.user, TransactionBlockProgress).filter(**state)
        keys = list(matching.order_by().values_list("transaction_id", flat=True)[: _LOOKED_UP + 1])
        if len(keys) <= _LOOKED_UP:
            return rows.filter(pk__in=keys)
        of_row = TransactionBlockProgress.objects.filter(transaction_id=OuterRef("pk"), **state)
        return rows.filter(Exists(of_row))


PARAMETERS: Final = tuple(TransactionFilter.base_filters)
