"""What a request reads once: the clock, and whose data the user may see."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest

from tracking import clock
from tracking.access.scope import tenants_of


def moment_of(request: HttpRequest) -> datetime:
    """The request's one reading of the clock."""
    if not hasattr(request, "dft_moment"):
        request.dft_moment = clock.now()
    return request.dft_moment


def my_tenants(request: HttpRequest) -> list[str]:
    """The user's tenants."""
    if not hasattr(request, "dft_tenants"):
        request.dft_tenants = tenants_of(request.user)
    return request.dft_tenants
