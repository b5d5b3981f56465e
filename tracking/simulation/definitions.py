"""The flow definitions of the simulated flows, for the tenant that shows them."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from tracking.models import FlowDefinition, FlowStep
from tracking.simulation.flows import ALL_SHAPES, FlowShape


def demo_definitions(tenant: str) -> list[str]:
    """Create what `tenant` does not have of them; returns the names of the flows created."""
    return [shape.name for shape in ALL_SHAPES if _create(tenant, shape)]


def _create(tenant: str, shape: FlowShape) -> bool:
    if FlowDefinition.objects.filter(tenant_id=tenant, flow=shape.name).exists():
        return False
    try:
        with transaction.atomic():
            definition = FlowDefinition.objects.create(
                tenant_id=tenant,
                flow=shape.name,
                patience_minutes=shape.patience_minutes,
                deadline_minutes=shape.deadline_minutes,
                note="A simulated flow.",
            )
            FlowStep.objects.bulk_create(
                FlowStep(
                    definition=definition,
                    position=position,
                    block=step.block,
                    stage=step.stage,
                    optional=step.skip is not None,
                )
                for position, step in enumerate(shape.steps)
            )
    except IntegrityError:
        return False  # another process was faster by a moment
    return True
