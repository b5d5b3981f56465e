"""Asking the follower to derive transactions anew."""

from __future__ import annotations

import uuid

from tracking import clock
from tracking.mongo.connection import collection

REFOLD = "refold_request"


def request_flow(tenant: str, flow: str) -> None:
    """Derive all of a flow's transactions again: its definition has changed.

    Call it after the change is committed; the follower reads definitions afresh for each
    step, so whatever it derived with the old one is derived again.
    """
    collection(REFOLD).insert_one(
        {
            "_id": uuid.uuid4().hex,
            "tenant": tenant,
            "flow": flow,
            "not_before": clock.now(),
        }
    )
