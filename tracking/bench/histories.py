"""What pages are measured on: orders of all fates over twenty hours, and an awkward one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from tracking import clock
from tracking.bench.load import records
from tracking.core.record import default_transaction

FLOW: Final = "order-fulfilment"
# Not older than a day: each record would bear the mark `late`.
HOURS: Final = 20
ERROR_TYPES: Final = ("PriceMissing", "KeyError", "TimeoutError", "StockMismatch")
AWKWARD: Final = "awkward"
AWKWARD_BLOCKS: Final = 300
_STEPS: Final = 6
_FATES: Final = 12


def object_of(number: int) -> str:
    return f"page-order-{number:07d}"


def transaction_of(number: int) -> str:
    return default_transaction(FLOW, "order", object_of(number))


def histories(count: int) -> Iterator[dict[str, Any]]:
    """`count` records. Of twelve orders one fails, one is on its way and one is filtered.

    Order 4 is delivered, 5 failed, 6 on its way, 7 filtered, and so on by twelve.
    """
    begin = clock.now() - timedelta(hours=HOURS)
    span = timedelta(hours=HOURS) / (count // 5)
    for place, wire in enumerate(itertools.islice(_told(), count)):
        thing = int(wire["object"]["id"].rpartition("-")[2])
        at = begin + min(thing * span, timedelta(hours=HOURS, minutes=-1))
        at += timedelta(seconds=place % _STEPS)
        wire["occurred_at"] = wire["ended_at"] = clock.iso(at)
        wire["started_at"] = clock.iso(at - timedelta(milliseconds=400))
        yield wire


def _told() -> Iterator[dict[str, Any]]:
    for number, wire in enumerate(records("page", 1 << 40)):
        thing, step = divmod(number, _STEPS)
        fate = thing % _FATES
        if fate == 5 and step == 3:
            kind = ERROR_TYPES[thing // _FATES % len(ERROR_TYPES)]
            wire["status"] = "failed"
            wire["exception"] = {
                "type": kind,
                "message": f"no price for item {thing % 97}",
                "location": "pricing/engine.py:48",
                "stacktrace": 'Traceback (most recent call last):\n  File "engine.py"' * 8,
            }
        elif fate == 7 and step == 1:
            wire["status"], wire["reason"] = "filtered", "A duplicate order"
        elif (fate in (5, 6) and step > 3) or (fate == 6 and step == 3) or (fate == 7 and step > 1):
            continue
        yield wire


def awkward(count: int) -> Iterator[dict[str, Any]]:
    """One transaction of 300 blocks and `count` records: each block is tried again and again."""
    # before all orders, so that lists begin with orders
    begin = clock.now() - timedelta(hours=HOURS + 2)
    for number in range(count):
        attempt, block = divmod(number, AWKWARD_BLOCKS)
        last = number + AWKWARD_BLOCKS >= count
        wire = {
            "id": f"{AWKWARD}-{number}",
            "transaction": AWKWARD,
            "object": {"id": AWKWARD, "type": "order"},
            "flow": "awkward-flow",
            "block": f"block-{block:03d}",
            "stage": "processing",
            "status": "succeeded" if last else "failed",
            "attempt": attempt + 1,
            "occurred_at": clock.iso(begin + timedelta(milliseconds=500 * number)),
        }
        yield wire if last else {**wire, "exception": {"type": "TimeoutError", "message": "again"}}
