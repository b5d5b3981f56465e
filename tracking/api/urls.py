"""The addresses under /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path, register_converter
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from tracking import vocabulary as v
from tracking.api import (
    bottlenecks,
    evidence,
    ingest,
    insight_costs,
    insight_forecast,
    insights,
    otlp,
    proofs,
)
from tracking.api import transactions as views
from tracking.api.base import Contract
from tracking.api.problems import no_such_endpoint


class IdConverter:
    """An id of the producer's; anything else names nothing."""

    regex = v.ID_PATTERN.pattern

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(IdConverter, "id")

app_name = "api"

# What the API can do is no secret, and the page about it must open without a key.
_OPEN = {
    "permission_classes": [AllowAny],
    "authentication_classes": [],
    # to OPTIONS the page, which is no data, has no answer but a fault
    "http_method_names": ("get", "head"),
}

urlpatterns = [
    path("blocks", ingest.blocks, name="blocks"),
    path("blocks/<id:record>", views.RecordDetail.as_view(), name="record"),
    path("blocks/<id:record>/proof", proofs.RecordProof.as_view(), name="proof"),
    path("checkpoints", proofs.CheckpointList.as_view(), name="checkpoints"),
    path("checkpoints/latest", proofs.LatestCheckpoint.as_view(), name="latest-checkpoint"),
    path("checkpoints/consistency", proofs.Consistency.as_view(), name="consistency"),
    path("evidence", evidence.SearchEvidence.as_view(), name="evidence"),
    path("insights/bottlenecks", bottlenecks.Bottlenecks.as_view(), name="bottlenecks"),
    path("insights/costs", insight_costs.Costs.as_view(), name="costs"),
    path("insights/costs/export", insight_costs.CostsExport.as_view(), name="costs-export"),
    path("insights/forecast", insight_forecast.Forecast.as_view(), name="forecast"),
    path("insights/throughput", insights.Throughput.as_view(), name="throughput"),
    path("otlp/v1/traces", otlp.traces, name="traces"),
    path("transactions", views.TransactionList.as_view(), name="transactions"),
    path("transactions/<id:transaction>", views.TransactionDetail.as_view(), name="transaction"),
    path(
        "transactions/<id:transaction>/lifetime",
        views.TransactionLifetime.as_view(),
        name="lifetime",
    ),
    path(
        "transactions/<id:transaction>/blocks", views.TransactionRecords.as_view(), name="records"
    ),
    path(
        "transactions/<id:transaction>/lineage", views.TransactionLineage.as_view(), name="lineage"
    ),
    path(
        "transactions/<id:transaction>/evidence",
        evidence.TransactionEvidence.as_view(),
        name="transaction-evidence",
    ),
    path("schema", Contract.as_view(**_OPEN), name="schema"),
    path(
        "docs",
        SpectacularSwaggerSplitView.as_view(**_OPEN, url_name="api:schema"),
        name="docs",
    ),
    re_path(r"^.*\Z", no_such_endpoint),
]
