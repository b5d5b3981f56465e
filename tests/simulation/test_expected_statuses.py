"""What the simulation says its transactions are is what the reducer makes of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.tools import drain, make_tenant, post
from tracking.models import FlowDefinition, Transaction
from tracking.simulation import Plan, Summary, demo_definitions, simulate
from tracking.simulation.posting import Posted

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Door:
    """Posts to the door of this process; the HTTP one has tests of its own."""

    def post(self, wires: list[dict[str, Any]]) -> Posted:
        answer = post(wires)
        counts = [answer.count(name) for name in ("stored", "duplicate", "conflict", "invalid")]
        return Posted(*counts, [str(each.errors) for each in answer.results if each.errors], 1)


def derived() -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for row in Transaction.objects.filter(tenant="acme"):
        found.setdefault(row.flow, Counter())[row.status] += 1
    return {flow: dict(counts) for flow, counts in found.items()}


def expected(summary: Summary) -> dict[str, dict[str, int]]:
    return {
        flow: {status: count for status, count in counts.items() if count}
        for flow, counts in summary.expected.items()
    }


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 1},
        {"seed": 2, "faults": 0.3, "late": 0.5, "duplicates": 0.3, "splits": 0.6, "skew": 0.5},
    ],
)
def test_the_derived_statuses_are_the_expected_ones(defined: bool, fields: dict[str, Any]) -> None:
    make_tenant()
    if defined:
        demo_definitions("acme")
    summary = simulate(Plan(start=NOON, objects=80, **fields), Door())  # type: ignore[arg-type]
    assert summary.complete
    assert summary.refusals == []
    drain()
    assert derived() == expected(summary)
    assert Transaction.objects.filter(tenant="acme").count() == summary.transactions


def test_the_definitions_are_created_once() -> None:
    make_tenant()
    assert demo_definitions("acme") == ["web-orders", "parcels", "product-feed", "invoice-run"]
    assert demo_definitions("acme") == []
    assert FlowDefinition.objects.filter(tenant_id="acme").count() == 4
