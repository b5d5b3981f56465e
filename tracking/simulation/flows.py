"""The flows that are simulated, as data: their steps, how long they take, how they go wrong.

Times are medians in seconds of skewed (log-normal) distributions: most are near, a few far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tracking import vocabulary as v
from tracking.simulation.faults import (
    CARD_DECLINED,
    CARRIER_TIMEOUT,
    DATABASE_TIMEOUT,
    DISK_FULL,
    IMAGE_BROKEN,
    MAIL_REFUSED,
    PRICE_FORMAT,
    RENDER_CRASH,
    STOCK_CONFLICT,
    Fault,
)


@dataclass(frozen=True, slots=True)
class StepShape:
    """One block. `queue` and `work` are medians; a queue of 0 means that nothing waits.

    `skip` is (probability, reason) of passing it over, `filters` the reasons for which it may
    end the object, `faults` what may fail in it, `usage` (resource, unit, amount per second of
    work), `cost` (euros for each pass).
    """

    block: str
    stage: str
    queue: float
    work: float
    faults: tuple[Fault, ...] = ()
    filters: tuple[str, ...] = ()
    skip: tuple[float, str] | None = None
    usage: tuple[tuple[str, str, float], ...] = ()
    cost: str | None = None
    splits: bool = False


@dataclass(frozen=True, slots=True)
class FlowShape:
    """One flow. `told_once`: its services post one record per attempt, with all its times."""

    name: str
    object_type: str
    prefix: str
    steps: tuple[StepShape, ...]
    told_once: bool = False
    patience_minutes: int = 24 * 60
    deadline_minutes: int | None = None


_CPU: Final = (("cpu", "s", 0.7),)
_RENDER: Final = (("cpu", "s", 1.8), ("memory", "GB·s", 0.5))
_EGRESS, _INGRESS, _PROCESSING = v.EGRESS, v.INGRESS, v.PROCESSING

PARCELS: Final = FlowShape(
    "parcels",
    "parcel",
    "PCL",
    (
        StepShape("label", _INGRESS, 0, 4, (CARRIER_TIMEOUT,), cost="0.05"),
        StepShape("sort", _PROCESSING, 1_800, 240),
        StepShape("transport", _PROCESSING, 900, 7_200, cost="3.20"),
        StepShape("hand-over", _EGRESS, 600, 120),
    ),
    deadline_minutes=2 * 24 * 60,
)
ORDERS: Final = FlowShape(
    "web-orders",
    "order",
    "ORD",
    (
        StepShape("receive", _INGRESS, 0, 0.2, usage=_CPU),
        StepShape(
            "validate",
            _INGRESS,
            2,
            1.5,
            (PRICE_FORMAT,),
            ("duplicate of an earlier order", "address outside of the delivery area"),
            usage=_CPU,
        ),
        StepShape("reserve-stock", _PROCESSING, 5, 3, (STOCK_CONFLICT, DATABASE_TIMEOUT)),
        StepShape(
            "pay",
            _PROCESSING,
            3,
            8,
            (CARD_DECLINED, DATABASE_TIMEOUT),
            ("cancelled by the customer", "held by the fraud check"),
            cost="0.29",
        ),
        StepShape("pick", _PROCESSING, 2_400, 420),
        StepShape("gift-wrap", _PROCESSING, 300, 180, skip=(0.85, "no gift option chosen")),
        StepShape("pack", _PROCESSING, 600, 300, cost="0.85", splits=True),
        StepShape("deliver", _EGRESS, 1_800, 10_800, (CARRIER_TIMEOUT,)),
    ),
    deadline_minutes=3 * 24 * 60,
)
PRODUCTS: Final = FlowShape(
    "product-feed",
    "product",
    "SKU",
    (
        StepShape("fetch", _INGRESS, 0, 1.2, (CARRIER_TIMEOUT,), usage=_CPU),
        StepShape(
            "compare",
            _PROCESSING,
            20,
            0.4,
            (PRICE_FORMAT,),
            ("unchanged since the last feed", "blocked brand"),
            usage=_CPU,
        ),
        StepShape(
            "images",
            _PROCESSING,
            45,
            6,
            (IMAGE_BROKEN, DISK_FULL),
            skip=(0.4, "no new image"),
            usage=_RENDER,
        ),
        StepShape("translate", _PROCESSING, 30, 4, (DATABASE_TIMEOUT,), cost="0.004"),
        StepShape("publish", _EGRESS, 10, 0.8, (DATABASE_TIMEOUT,), usage=_CPU),
    ),
    told_once=True,
    patience_minutes=120,
    deadline_minutes=240,
)
INVOICES: Final = FlowShape(
    "invoice-run",
    "invoice",
    "INV",
    (
        StepShape("collect", _INGRESS, 0, 12, (DATABASE_TIMEOUT,), usage=_CPU),
        StepShape("rate", _PROCESSING, 90, 6, (PRICE_FORMAT,), ("below the minimum amount",)),
        StepShape("render", _PROCESSING, 240, 9, (RENDER_CRASH, DISK_FULL), usage=_RENDER),
        StepShape("archive", _PROCESSING, 30, 2, (DISK_FULL,), cost="0.002"),
        StepShape("send", _EGRESS, 120, 3, (MAIL_REFUSED,), ("recipient opted for paper",)),
    ),
    patience_minutes=480,
    deadline_minutes=24 * 60,
)

FLOWS: Final = {flow.name: flow for flow in (ORDERS, PRODUCTS, INVOICES)}
ALL_SHAPES: Final = (ORDERS, PARCELS, PRODUCTS, INVOICES)
