"""What a request reads once: the clock, whose data the user may see, and how."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest

from tracking import clock
from tracking.access.masking import Masking, masking_of
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


def my_masking(request: HttpRequest, tenant: str) -> Masking:
    """How the user sees what a tenant recorded."""
    if not hasattr(request, "dft_masking"):
        request.dft_masking = {}
    if tenant not in request.dft_masking:
        request.dft_masking[tenant] = masking_of(request.user, tenant)
    return request.dft_masking[tenant]
