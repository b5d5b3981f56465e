"""Flow definitions as the reducer wants them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from tracking.core.lifetime import Definition, Step
from tracking.models import FlowDefinition, FlowStep

Finder = Callable[[str], Sequence[Definition]]


def definitions_of(tenant: str) -> Finder:
    """The tenant's definitions as they are now: flow → its versions."""
    rows = list(FlowDefinition.objects.filter(tenant_id=tenant))
    steps: dict[object, list[Step]] = {row.pk: [] for row in rows}
    # of equal positions by name: what is derived must not depend on how MongoDB reads
    rows_of_steps = FlowStep.objects.filter(definition_id__in=list(steps))
    for step in rows_of_steps.order_by("position", "block"):
        steps[step.definition_id].append(
            Step(
                block=step.block,
                stage=step.stage,
                optional=step.optional,
                due=_minutes(step.due_minutes),
            )
        )
    by_flow: dict[str, list[Definition]] = {}
    for row in rows:
        by_flow.setdefault(row.flow, []).append(
            Definition(
                version=row.version,
                steps=tuple(steps[row.pk]),
                valid_from=row.valid_from,
                patience=timedelta(minutes=row.patience_minutes),
                deadline=_minutes(row.deadline_minutes),
            )
        )
    return lambda flow: by_flow.get(flow, ())


def _minutes(count: int | None) -> timedelta | None:
    return timedelta(minutes=count) if count is not None else None
