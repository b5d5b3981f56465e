"""Where the objects behind a number are listed."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from tracking.admin.once import my_tenants


def blocks_url(request: HttpRequest, tenant: str, **query: str | tuple[datetime, datetime]) -> str:
    """The list of what became of blocks, narrowed by its filters; a pair of moments is a range.

    Empty for who may not open it.
    """
    return _url(request, "tracking_transactionblockprogress", tenant, query)


def objects_url(request: HttpRequest, tenant: str, **query: str | tuple[datetime, datetime]) -> str:
    """The same of the list of transactions."""
    return _url(request, "tracking_transaction", tenant, query)


def _url(
    request: HttpRequest,
    model: str,
    tenant: str,
    query: dict[str, str | tuple[datetime, datetime]],
) -> str:
    if not request.user.has_perm("tracking.view_transaction"):
        return ""
    found = {"of": tenant} if len(my_tenants(request)) > 1 else {}
    for name, value in query.items():
        if isinstance(value, str):
            found[name] = value
            continue
        for side, moment in zip(("from", "to"), value, strict=True):
            found[f"{name}_{side}_0"] = f"{moment:%Y-%m-%d}"
            found[f"{name}_{side}_1"] = f"{moment:%H:%M}"
    return f"{reverse(f'admin:{model}_changelist')}?{urlencode(found)}"
