"""Flow definitions: made, checked, copied, and followed by deriving anew."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from tests.admin.world import define, make_people, signed_in
from tests.tools import drain, post, record
from tracking.models import FlowDefinition, FlowStep, RefoldRequest, Transaction

pytestmark = pytest.mark.django_db(transaction=True)

STEPS = [("receive", "ingress", 5), ("price", "processing", 60), ("ship", "egress", 200)]


@pytest.fixture(autouse=True)
def people(transactional_db: None) -> None:
    make_people()


def body(steps: list[tuple[Any, ...]], **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "tenant": "acme",
        "flow": "orders",
        "version": "1",
        "note": "",
        "valid_from_0": "",
        "valid_from_1": "",
        "patience_minutes": "60",
        "deadline_minutes": "",
        "steps-TOTAL_FORMS": len(steps),
        "steps-INITIAL_FORMS": 0,
        **fields,
    }
    for n, (block, stage, due, *position) in enumerate(steps):
        made[f"steps-{n}-block"] = block
        made[f"steps-{n}-stage"] = stage
        made[f"steps-{n}-due_minutes"] = "" if due is None else due
        made[f"steps-{n}-position"] = position[0] if position else ""
    return made


def add(steps: list[tuple[Any, ...]], person: str = "administrator", **fields: Any) -> Any:
    url = reverse("admin:tracking_flowdefinition_add")
    return signed_in(person).post(url, body(steps, **fields))


def blocks() -> list[str]:
    return list(FlowStep.objects.order_by("position").values_list("block", flat=True))


def test_a_definition_is_saved_with_its_steps_in_order() -> None:
    assert add(STEPS).status_code == 302
    assert blocks() == ["receive", "price", "ship"]
    assert list(FlowStep.objects.order_by("position").values_list("position", flat=True)) == [
        1,
        2,
        3,
    ]


def test_positions_decide_the_order_and_those_without_come_last() -> None:
    steps = [("c", "egress", None), ("b", "processing", None, 2), ("a", "ingress", None, 1)]
    assert add(steps).status_code == 302
    assert blocks() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([], "A flow has at least one step."),
        ([("a", "ingress", None), ("a", "egress", None)], "stands here twice"),
        ([("a", "ingress", 60), ("b", "egress", 5)], "is due before"),
        ([("a", "egress", None), ("b", "ingress", None)], "The stages follow each other"),
    ],
)
def test_what_is_no_flow_is_refused_with_a_sentence(
    steps: list[tuple[Any, ...]], sentence: str
) -> None:
    answer = add(steps)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not FlowDefinition.objects.exists()
    assert not RefoldRequest.objects.exists()


def test_a_version_stands_once_and_another_tenant_is_out_of_reach() -> None:
    assert add(STEPS).status_code == 302
    assert add(STEPS).status_code == 200
    assert add(STEPS, version="2", tenant="globex").status_code == 200
    assert FlowDefinition.objects.count() == 1


def test_others_define_nothing() -> None:
    for person in ("auditor", "support", "developer", "analyst"):
        assert add(STEPS, person).status_code == 403
    assert not FlowDefinition.objects.exists()


def test_saving_derives_the_flows_transactions_anew() -> None:
    post([record(id="a", transaction="tx-a")])
    drain()
    assert Transaction.objects.get().percent is None
    assert add(STEPS).status_code == 302
    assert RefoldRequest.objects.filter(tenant="acme", flow="orders").exists()
    drain()
    assert Transaction.objects.get().percent == 33
    definition = FlowDefinition.objects.get()
    url = reverse("admin:tracking_flowdefinition_delete", args=[definition.pk])
    assert signed_in("administrator").post(url, {"post": "yes"}).status_code == 302
    drain()
    assert Transaction.objects.get().percent is None
    assert not FlowStep.objects.exists()


def test_a_new_version_begins_as_a_copy() -> None:
    source = define("orders")
    client = signed_in("administrator")
    action = reverse("admin:tracking_flowdefinition_new_version", args=[source.pk])
    url = client.get(action).url
    html = client.get(url).content.decode()
    for value in ('value="orders"', 'value="2"', 'value="receive"', 'value="price"', 'value="240"'):
        assert value in html
    assert not FlowDefinition.objects.exclude(pk=source.pk).exists()
    assert client.post(url, body(STEPS, version="2")).status_code == 302
    copy = FlowDefinition.objects.get(version="2")
    assert [step.block for step in copy.steps.order_by("position")] == ["receive", "price", "ship"]
    assert source.steps.count() == 3


def test_another_tenants_definition_is_not_copied() -> None:
    source = define("secret-flow", "globex")
    client = signed_in("administrator")
    url = reverse("admin:tracking_flowdefinition_add")
    for copied in (source.pk, "nonsense", "%00"):
        html = client.get(url, {"copy": copied}).content.decode()
        assert "secret-flow" not in html


def test_flow_and_version_cannot_be_renamed() -> None:
    source = define("orders")
    steps = list(source.steps.order_by("position"))
    url = reverse("admin:tracking_flowdefinition_change", args=[source.pk])
    posted = body(STEPS, flow="other", version="9", patience_minutes="90")
    posted["steps-INITIAL_FORMS"] = 3
    for n, step in enumerate(steps):
        posted[f"steps-{n}-id"] = step.pk
        posted[f"steps-{n}-definition"] = source.pk
        posted[f"steps-{n}-position"] = step.position
    assert signed_in("administrator").post(url, posted).status_code == 302
    stored = FlowDefinition.objects.get()
    assert (stored.flow, stored.version, stored.patience_minutes) == ("orders", "1", 90)
    assert blocks() == ["receive", "price", "ship"]
