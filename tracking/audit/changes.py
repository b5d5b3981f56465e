"""What people change of what they manage: what it was, what it became."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Model, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest

from tracking import clock
from tracking import vocabulary as v
from tracking.audit.access import record_access
from tracking.audit.who import STRANGER, access_of, actor_of
from tracking.models import Membership, Tenant, User

Change = tuple[str, str, str]

_SECRET: Final = ("password", "secret", "token", "code")
_HIDDEN: Final = "(not kept)"


@dataclass(slots=True)
class Changes:
    """Fields and rows that changed; `tenants`: whose the rows were, the deleted ones among them."""

    fields: list[Change] = field(default_factory=list)
    tenants: set[str] = field(default_factory=set)


def changes_of(form: BaseForm, formsets: Iterable[Any] | None, *, added: bool) -> Changes:
    """Fields of a form that was saved, and the rows beside it; secrets by their names alone."""
    noted = Changes()
    found = noted.fields
    # of something new all of it, also where it is as it was proposed
    for name in form.cleaned_data if added else form.changed_data:
        if any(word in name.lower() for word in _SECRET):
            found.append((name, "", _HIDDEN))
            continue
        if added and not form.cleaned_data[name]:
            continue
        old = "" if added else spelled(form.initial.get(name))
        found.append((name, old, spelled(form.cleaned_data.get(name))))
    for formset in formsets or ():
        rows = str(formset.model._meta.verbose_name)
        found += [(rows, "", f"{row}") for row in formset.new_objects]
        found += [(rows, f"{row}", "") for row in formset.deleted_objects]
        found += [
            (rows, f"{row}", f"{row}: {', '.join(fields)}")
            for row, fields in formset.changed_objects
        ]
        for row in (*formset.new_objects, *formset.deleted_objects):
            noted.tenants.update(tenants_of_row(row))
    return noted


def spelled(value: Any) -> str:
    if isinstance(value, list | tuple | QuerySet):
        return ", ".join(sorted(f"{each}" for each in value))
    return "" if value is None else f"{value}"


def record_change(
    request: HttpRequest, row: Model, what: str, noted: Changes | None = None
) -> None:
    """Write down that `row` was added, changed or deleted; raises NotRecorded.

    Called before the change is committed, so that none is made that nobody can read about.
    """
    noted = noted or Changes()
    record_access(
        access_of(
            request,
            actor_of(request) or STRANGER,
            clock.now(),
            v.CHANGE,
            v.ACCESS_DONE,
            tenants=sorted({*tenants_of_row(row), *noted.tenants}),
            target=f"{row._meta.verbose_name} {row}",
            changes=[("it", "", what), *noted.fields],
            terms={},
        )
    )


def tenants_of_row(row: Model) -> list[str]:
    """Whose matter a change of the row is; none: the installation's."""
    if isinstance(row, Tenant):
        return [row.pk]
    if isinstance(row, User):
        # a membership that is taken away was still theirs when it was
        return list(Membership.objects.filter(user=row).values_list("tenant_id", flat=True))
    tenant = getattr(row, "tenant_id", None)
    return [tenant] if tenant else []
