"""Forecasts: what was told of the load to come, and by what right."""

from __future__ import annotations

from django.db import models

from tracking import vocabulary as v
from tracking.models.immutable import Derived


class Forecast(Derived):
    """The present forecast of a series, or one of those made before (docs/insights.md).

    The numbers stand beside these fields. `flow` is empty for all flows together; one document,
    which has no tenant, says who forecasts.
    """

    key = models.CharField(primary_key=True, max_length=200, db_column="_id")
    tenant = models.CharField(max_length=40)
    kind = models.CharField(max_length=5)
    grain = models.CharField(max_length=5)
    measure = models.CharField(max_length=10)
    flow = models.CharField(max_length=v.NAME_MAX)
    made_at = models.DateTimeField()

    class Meta:
        db_table = "forecast"
        base_manager_name = "objects"
        indexes = (
            models.Index(
                fields=("tenant", "kind", "grain", "measure", "flow", "made_at"),
                name="forecast_series",
            ),
        )
