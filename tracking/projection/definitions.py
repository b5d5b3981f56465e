"""Flow definitions as the reducer wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tracking.core.lifetime import Definition, Step
from tracking.mongo.connection import CODEC, NAIVE, collection

DEFINITION = "flow_definition"
STEP = "flow_step"

Finder = Callable[[str], Sequence[Definition]]


def definitions_of(tenant: str, *, naive: bool = False) -> Finder:
    """The tenant's definitions as they are now: flow → its versions.

    `naive`: for records whose moments are naive, in UTC. Read for each step of the follower,
    therefore without the ORM.
    """
    codec = NAIVE if naive else CODEC
    rows = list(collection(DEFINITION).with_options(codec).find({"tenant_id": tenant}))
    if not rows:
        return lambda _flow: ()
    steps: dict[Any, list[Step]] = {row["_id"]: [] for row in rows}
    # of equal positions by name: what is derived must not depend on how MongoDB reads
    order = [("position", 1), ("block", 1)]
    for step in collection(STEP).find({"definition_id": {"$in": list(steps)}}).sort(order):
        steps[step["definition_id"]].append(
            Step(
                block=step["block"],
                stage=step["stage"],
                optional=step["optional"],
                due=_minutes(step.get("due_minutes")),
            )
        )
    by_flow: dict[str, list[Definition]] = {}
    for row in rows:
        by_flow.setdefault(row["flow"], []).append(
            Definition(
                version=row["version"],
                steps=tuple(steps[row["_id"]]),
                valid_from=row.get("valid_from"),
                patience=timedelta(minutes=row["patience_minutes"]),
                deadline=_minutes(row.get("deadline_minutes")),
            )
        )
    return lambda flow: by_flow.get(flow, ())


def _minutes(count: int | None) -> timedelta | None:
    return timedelta(minutes=count) if count is not None else None
