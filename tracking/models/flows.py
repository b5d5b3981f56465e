"""Flow definitions: the path an object is expected to take, in versions."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from tracking import clock
from tracking import vocabulary as v
from tracking.models.access import Tenant
from tracking.models.base import UuidModel


class FlowDefinition(UuidModel):
    """One version of a flow. Its versions differ in `valid_from`; records may name one."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    flow = models.CharField(max_length=v.NAME_MAX)
    version = models.CharField(max_length=v.NAME_MAX, default="1")
    valid_from = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Transactions that began before are not measured by it; empty: since always.",
    )
    patience_minutes = models.PositiveIntegerField(
        default=int(v.PATIENCE_DEFAULT.total_seconds() // 60),
        validators=[MinValueValidator(1)],
        help_text="In transit with no news for longer than this is stalled.",
    )
    deadline_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="From the first event to delivery; later is overdue.",
    )
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        db_table = "flow_definition"
        ordering = ("flow", "version")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "flow", "version"), name="flow_definition_version"
            ),
        )

    def __str__(self) -> str:
        return f"{self.flow} {self.version}"


class FlowStep(UuidModel):
    """One expected block of a flow version."""

    definition = models.ForeignKey(FlowDefinition, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField(default=0)
    block = models.CharField(max_length=v.NAME_MAX)
    stage = models.CharField(max_length=10, choices=[(s, s) for s in v.STAGES])
    optional = models.BooleanField(default=False)
    due_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Minutes after the transaction's first event."
    )

    class Meta:
        db_table = "flow_step"
        ordering = ("position",)
        constraints = (
            models.UniqueConstraint(fields=("definition", "block"), name="flow_step_block"),
        )

    def __str__(self) -> str:
        return self.block
