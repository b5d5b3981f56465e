"""Plain factories that the tests share."""

from __future__ import annotations

import itertools
from typing import Any

from tracking import clock
from tracking.ingest.accept import Answer, Producer, accept

_numbers = itertools.count(1)


def make_tenant(slug: str = "acme") -> str:
    from tracking.models import Tenant

    Tenant.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
    return slug


def record(**fields: Any) -> dict[str, Any]:
    """A valid wire record; `fields` replace or add (a value of None removes the field)."""
    number = next(_numbers)
    wire: dict[str, Any] = {
        "id": f"r-{number}",
        "object": {"id": f"order-{number}", "type": "order"},
        "flow": "orders",
        "block": "receive",
        "stage": "ingress",
        "status": "succeeded",
        "occurred_at": "2026-01-31T10:00:00.000Z",
    }
    wire.update(fields)
    return {name: value for name, value in wire.items() if value is not None}


def post(values: list[Any], tenant: str = "acme") -> Answer:
    """Record `values` through the one door, without HTTP."""
    return accept(producer=Producer(tenant, "test"), values=values, moment=clock.now())


def drain() -> int:
    """Seal and follow until nothing is left; returns the leaves derived."""
    from tracking.ledger.sealer import seal_once
    from tracking.projection.follower import Follower

    follower = Follower("drain")
    derived = 0
    while True:
        sealed = seal_once()
        followed = follower.step()
        derived += followed or 0
        if not sealed and not followed:
            return derived
