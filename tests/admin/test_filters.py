"""What the filters of the lists leave, and that an index leads to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import RequestFactory
from django.urls import reverse

from tests.admin.world import signed_in
from tests.mongo.plans import explain, stages
from tracking import clock
from tracking.admin import paging
from tracking.models import (
    Transaction,
    TransactionBlock,
    TransactionBlockProgress,
    User,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


def left(model: str, person: str = "developer", **query: str) -> set[str]:
    answer = signed_in(person).get(reverse(f"admin:tracking_{model}_changelist"), query)
    assert answer.status_code == 200, answer.status_code
    return {row.pk.partition("/")[2] for row in answer.context["cl"].result_list}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "delivered"}, {"tx-good"}),
        ({"status": "failed"}, {"tx-bad", "tx-evil"}),
        ({"status": "filtered"}, {"tx-filtered"}),
        ({"status": "in_transit"}, {"tx-waiting", "tx-stalled", "tx-child", "tx-fixed"}),
        ({"status": "stalled"}, {"tx-stalled"}),
        ({"status": "overdue"}, {"tx-stalled"}),
        ({"stage": "egress"}, {"tx-good"}),
        ({"block": "price", "status": "failed"}, {"tx-bad"}),
        ({"flow": "orders", "status": "failed"}, {"tx-bad"}),
        ({"object_type": "<b>type</b>"}, {"tx-evil"}),
        ({"error_type": "KeyError"}, {"tx-bad"}),
        ({"warning": "any"}, {"tx-evil"}),
        ({"warning": "mixed_objects"}, {"tx-evil"}),
        ({"warning": "mixed_flows"}, set()),
        ({"retries": "1"}, {"tx-good"}),
        ({"retries": "0", "status": "failed"}, {"tx-bad", "tx-evil"}),
        ({"in_transit_at": "1970-01-01T00:00Z"}, set()),
        ({"recent": "1h", "status": "in_transit"}, {"tx-waiting", "tx-child", "tx-fixed"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_transactions_by(query: dict[str, str], expected: set[str]) -> None:
    assert left("transaction", **query) == expected
    assert left("transactionprogress", **query) == expected


def test_a_time_range_includes_its_last_day() -> None:
    today = f"{clock.now():%Y-%m-%d}"
    yesterday = f"{clock.now() - timedelta(days=1):%Y-%m-%d}"
    tomorrow = f"{clock.now() + timedelta(days=1):%Y-%m-%d}"
    # the world reaches ten hours back, so it may begin yesterday
    assert "tx-bad" in left("transaction", updated_at_from_0=yesterday, updated_at_to_0=tomorrow)
    assert left("transaction", updated_at_from_0=tomorrow) == set()
    assert left("transaction", created_at_to_0="2020-01-01") == set()
    assert "tx-bad" in left(
        "transaction", updated_at_to_0=tomorrow, updated_at_to_1="00:00:00", created_at_from_0=""
    )
    assert left("transaction", updated_at_to_0=today, updated_at_to_1="nonsense") == left(
        "transaction"
    )
    for odd in ("nonsense", "0001-01-01", "9999-12-31", "<script>"):
        assert "tx-bad" in left("transaction", updated_at_from_0=odd)


@pytest.mark.parametrize(
    ("model", "query", "expected"),
    [
        ("transactionblockprogress", {"status": "failed", "block": "price"}, {"tx-bad/price"}),
        ("transactionblockprogress", {"retries": "1"}, {"tx-good/price"}),
        ("transactionblockprogress", {"stage": "egress"}, {"tx-good/ship"}),
        ("transactionblock", {"status": "filtered"}, {"filtered-receive-1"}),
        ("transactionblock", {"stage": "egress"}, {"good-ship-1"}),
        ("transactionblock", {"mark": "clock_skew"}, set()),
    ],
)
def test_blocks_and_records_by(model: str, query: dict[str, str], expected: set[str]) -> None:
    assert left(model, **query) == expected


def test_unknown_values_narrow_nothing_or_everything_and_break_nothing() -> None:
    for query in ({"status": "nonsense"}, {"flow": "nonsense"}, {"retries": "x"}, {"p": "99"}):
        client = signed_in("developer")
        answer = client.get(reverse("admin:tracking_transaction_changelist"), query)
        assert answer.status_code in (200, 302), query


@pytest.mark.parametrize("query", [{"object_id__icontains": "o"}, {"tenant__slug": "globex"}])
def test_other_look_ups_are_refused(query: dict[str, str]) -> None:
    client = signed_in("developer")
    answer = client.get(reverse("admin:tracking_transaction_changelist"), query)
    assert answer.status_code == 400


def test_choices_name_flows_blocks_types_and_errors_of_ones_own() -> None:
    html = (
        signed_in("developer")
        .get(reverse("admin:tracking_transaction_changelist"))
        .content.decode()
    )
    for value in ("orders", "price", "KeyError", "order"):
        assert f'<option value="{value}"' in html
    assert "globex-flow" not in html


def rows_of(model: type[Any], person: str, query: dict[str, str]) -> Any:
    """The query set of a list, as the page would show it."""
    from django.contrib import admin

    page = admin.site._registry[model]
    request = RequestFactory().get("/", query)
    request.user = User.objects.get(username=person)
    found = page.get_changelist_instance(request)
    return found.shown(found.queryset[:50])


@pytest.mark.parametrize("person", ["developer", "root"])
@pytest.mark.parametrize(
    ("model", "query"),
    [
        (Transaction, {}),
        (Transaction, {"status": "failed"}),
        (Transaction, {"status": "stalled"}),
        (Transaction, {"status": "overdue"}),
        (Transaction, {"flow": "orders", "status": "failed"}),
        (Transaction, {"error_type": "KeyError"}),
        (Transaction, {"recent": "1h"}),
        (Transaction, {"created_at_from_0": "2026-01-01", "created_at_to_0": "2026-01-02"}),
        (Transaction, {"in_transit_at": "2026-01-01T10:00Z"}),
        (Transaction, {"q": "order-bad"}),
        (TransactionBlockProgress, {}),
        (TransactionBlockProgress, {"status": "failed"}),
        (TransactionBlockProgress, {"flow": "orders", "block": "price", "status": "failed"}),
        (TransactionBlock, {}),
        (TransactionBlock, {"recent": "24h"}),
        (TransactionBlock, {"transaction": "tx-good"}),
        (TransactionBlock, {"q": "order-bad"}),
    ],
    ids=str,
)
def test_an_index_leads_to_the_rows(model: Any, query: dict[str, str], person: str) -> None:
    plan = stages(explain(rows_of(model, person, query)))
    assert "COLLSCAN" not in plan
    assert plan & {"IXSCAN", "IDHACK", "EXPRESS_IXSCAN"}


@pytest.mark.parametrize("model", [Transaction, TransactionBlockProgress, TransactionBlock])
def test_the_order_of_a_list_comes_from_its_index(model: Any) -> None:
    for person in ("developer", "root"):
        assert "SORT" not in stages(explain(rows_of(model, person, {})))


def test_what_began_in_a_time_is_read_by_that_time() -> None:
    query = {"created_at_from_0": "2026-01-01", "created_at_to_0": "2199-01-01"}
    rows = rows_of(Transaction, "developer", query)
    assert "SORT" not in stages(explain(rows))
    began = [row["created_at"] for row in rows]
    assert len(began) > 5
    assert began == sorted(began, reverse=True)


def test_what_was_in_transit_at_a_moment_had_begun_and_had_not_ended() -> None:
    moment = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=20)
    rows = Transaction.objects.filter(tenant_id="acme")
    wanted = {
        row.transaction
        for row in rows
        if row.created_at < moment and (row.status == "in_transit" or row.updated_at >= moment)
    }
    assert wanted
    assert wanted != {row.transaction for row in rows}
    asked = f"{moment:%Y-%m-%dT%H:%MZ}"
    assert left("transaction", in_transit_at=asked) == wanted
    for odd in ("nonsense", "2026-01-01T10:00", "9999-99-99T10:00Z"):
        assert left("transaction", in_transit_at=odd) == left("transaction")


def test_a_count_stops_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Transaction.objects.filter(tenant_id="acme")
    assert paging.bounded_count(rows, 3) == 4
    assert paging.count_text(4, 3) == "3+"
    assert paging.bounded_count(rows) == rows.count()
    assert paging.bounded_count(rows.none()) == 0
    monkeypatch.setattr(paging, "COUNT_MAX", 3)
    monkeypatch.setattr(paging.bounded_count, "__defaults__", (3,))
    monkeypatch.setattr(paging.count_text, "__defaults__", (3,))
    url = reverse("admin:tracking_transaction_changelist")
    assert "3+" in signed_in("developer").get(url).content.decode()


def test_a_list_that_takes_too_long_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "SECONDS", 1e-9)
    url = reverse("admin:tracking_transaction_changelist")
    answer = signed_in("developer").get(url)
    assert answer.status_code == 200
    assert paging.TOO_SLOW in answer.content.decode()
