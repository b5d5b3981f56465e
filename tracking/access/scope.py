"""Whose data: the only entry to every list.

A key holder sees the tenant of the key, a user the tenants of their memberships; being a
superuser opens pages, never another tenant.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, Q, QuerySet

from tracking import models as m
from tracking import vocabulary as v
from tracking.access.keys import KeyHolder
from tracking.mongo import lookups  # noqa: F401  (registers `holds`)

Who = m.User | AnonymousUser | KeyHolder | None

# Model → how its rows are tied to tenants: the look-up that takes a list of slugs.
_BY_TENANT: Final[dict[type[Model], str]] = {
    m.Tenant: "pk__in",
    m.Membership: "tenant_id__in",
    m.ApiKey: "tenant_id__in",
    m.FlowDefinition: "tenant_id__in",
    m.FlowStep: "definition__tenant_id__in",
    m.FlowBlock: "tenant__in",
    m.ResourceRate: "tenant_id__in",
    m.Rollup: "tenant__in",
    m.Forecast: "tenant__in",
    m.TransactionBlock: "tenant_id__in",
    m.AccessRecord: "tenant_id__in",
    m.Transaction: "tenant_id__in",
    m.TransactionProgress: "tenant_id__in",
    m.TransactionBlockProgress: "tenant_id__in",
    m.SealQueueEntry: "tenant__in",
}


def tenants_of(who: Who) -> list[str]:
    """The slugs of the tenants that `who` may see, in order."""
    if isinstance(who, KeyHolder):
        return [who.tenant]
    if not isinstance(who, m.User) or not who.is_active:
        return []
    return sorted(m.Membership.objects.filter(user_id=who.pk).values_list("tenant_id", flat=True))


def access_tenant(tenant: str) -> str:
    """Under which the access records of a tenant stand in the journal; "": the installation's."""
    return f"{v.ACCESS_MARK}{tenant}"


def visible_to(who: Who, model: type[Model]) -> QuerySet[Any]:
    """The rows of `model` that `who` may know of; whether they may look is their role's matter."""
    tenants = tenants_of(who)
    rows = model._default_manager.all()
    if not tenants:
        return rows.none()
    if model is m.User:
        # Whoever shares a tenant; two steps, because a join would list a person twice.
        members = m.Membership.objects.filter(tenant_id__in=tenants)
        return rows.filter(pk__in=set(members.values_list("user_id", flat=True)))
    if model is m.LogCheckpoint:
        # It tells nothing of any record, but how many there are.
        return rows
    if model is m.LogSegment:
        # One log for all tenants: a segment is shown for its batches of these.
        return rows.filter(batches__holds={"tenant": tenants})
    if model is m.VerificationRun:
        # One log for all tenants, so a run is everybody's; its findings are shown by tenant.
        return rows
    if model is m.AccessRecord:
        tenants = [access_tenant(tenant) for tenant in tenants]
        if who.is_superuser:  # type: ignore[union-attr]  # a key has no tenant of several
            tenants.append(access_tenant(""))
    path = _BY_TENANT.get(model)
    if path is None:
        raise LookupError(f"tracking/access/scope.py does not say whose {model._meta.label} is.")
    if len(tenants) == 1:
        # One value is an equality, which keeps an index's order for the sort behind it.
        return rows.filter(Q((path.removesuffix("__in"), tenants[0])))
    return rows.filter(Q((path, tenants)))
