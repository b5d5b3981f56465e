"""The shipped mappings on excerpts of the logs' kinds, made up here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.importing.logs import event, trace, wires, written, xes
from tracking import clock
from tracking.core.record import Record, read_record
from tracking.importing.mapping import compile_mapping, read_mapping

RESOURCE = '<string key="org:resource" value="112"/>'
AMOUNT = '<string key="AMOUNT_REQ" value="5000"/>'


def bpic(directory: Path, *events: tuple[str, str]) -> list[dict[str, Any]]:
    lines = [
        event(activity, f"2012-01-01T10:{minute:02}:00.000+01:00", transition, RESOURCE)
        for minute, (activity, transition) in enumerate(events)
    ]
    path = written(directory, "loans.xes.gz", xes(trace("173", *lines, more=AMOUNT)))
    found = wires(path, "bpic2012")
    assert all(isinstance(read_record(wire, now=clock.now()), Record) for wire in found)
    return found


def test_bpic2012_one_application(tmp_path: Path) -> None:
    found = bpic(
        tmp_path,
        ("A_SUBMITTED", "COMPLETE"),
        ("W_Afhandelen leads", "SCHEDULE"),
        ("W_Afhandelen leads", "START"),
        ("W_Afhandelen leads", "COMPLETE"),
        ("W_Afhandelen leads", "START"),
        ("A_CANCELLED", "COMPLETE"),
        ("W_Afhandelen leads", "COMPLETE"),
    )
    fields = ("id", "stage", "status", "attempt", "reason")
    assert [tuple(wire.get(name) for name in fields) for wire in found] == [
        ("173.0", "ingress", "succeeded", None, None),
        ("173.1", "processing", "queued", None, None),
        ("173.2", "processing", "started", None, None),
        ("173.3", "processing", "succeeded", None, None),
        ("173.4", "processing", "started", 2, None),
        ("173.5", "egress", "filtered", None, "cancelled"),
        ("173.6", "processing", "succeeded", 2, None),
    ]
    assert found[0] == {
        "id": "173.0",
        "object": {"id": "173", "type": "application"},
        "flow": "loan-application",
        "block": "A_SUBMITTED",
        "stage": "ingress",
        "status": "succeeded",
        "occurred_at": "2012-01-01T09:00:00.000Z",
        "attributes": {"AMOUNT_REQ": "5000", "org:resource": "112"},
    }


def test_bpic2012_stages_and_the_other_reason(tmp_path: Path) -> None:
    activities = ("A_PARTLYSUBMITTED", "A_APPROVED", "A_REGISTERED", "A_ACTIVATED", "O_SENT")
    found = bpic(tmp_path, *((name, "COMPLETE") for name in (*activities, "A_DECLINED")))
    assert [wire["stage"] for wire in found] == [
        *("ingress", "egress", "egress", "egress", "processing", "egress")
    ]
    assert (found[-1]["status"], found[-1]["reason"]) == ("filtered", "declined by the bank")


def test_bpic2012_ends_with_its_activation() -> None:
    [definition] = compile_mapping(read_mapping("bpic2012")[0]).definitions
    egress = [step.block for step in definition.steps if step.stage == "egress"]
    assert (definition.flow, egress) == ("loan-application", ["A_ACTIVATED"])


HEAD = (
    "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,"
    "order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
)


def olist(directory: Path, row: str) -> list[dict[str, Any]]:
    found = wires(written(directory, "orders.csv.gz", f"{HEAD}{row}\n"), "olist")
    assert all(isinstance(read_record(wire, now=clock.now()), Record) for wire in found)
    return found


def test_olist_a_delivered_order(tmp_path: Path) -> None:
    row = "o1,c1,delivered,7/2/2018 9:56,7/2/2018 10:07,7/4/2018 19:55,7/10/2018 21:25,"
    found = olist(tmp_path, row + "7/18/2018 0:00")
    fields = ("id", "stage", "status", "occurred_at")
    assert [tuple(wire[name] for name in fields) for wire in found] == [
        ("o1.purchase", "ingress", "succeeded", "2018-07-02T12:56:00.000Z"),
        ("o1.approve", "processing", "succeeded", "2018-07-02T13:07:00.000Z"),
        ("o1.hand-to-carrier", "processing", "succeeded", "2018-07-04T22:55:00.000Z"),
        ("o1.deliver", "egress", "succeeded", "2018-07-11T00:25:00.000Z"),
    ]
    assert found[0]["object"] == {"id": "o1", "type": "order"}
    assert found[0]["references"] == {"customer": "c1"}
    assert found[0]["attributes"]["due"] == "2018-07-18T03:00:00.000Z"


def test_olist_a_canceled_order_is_filtered_after_its_last_time(tmp_path: Path) -> None:
    row = "o1,c1,canceled,7/2/2018 9:56,7/5/2018 10:07,7/4/2018 19:55,,7/18/2018 0:00"
    last = olist(tmp_path, row)[-1]
    assert {name: last[name] for name in ("id", "stage", "status", "reason", "occurred_at")} == {
        "id": "o1.cancel",
        "stage": "egress",
        "status": "filtered",
        "reason": "canceled",
        "occurred_at": "2018-07-05T13:07:00.001Z",
    }


def test_olist_an_unavailable_order_fails(tmp_path: Path) -> None:
    last = olist(tmp_path, "o1,c1,unavailable,7/2/2018 9:56,,,,7/18/2018 0:00")[-1]
    assert (last["id"], last["stage"], last["status"]) == ("o1.stock", "processing", "failed")
    assert last["exception"]["type"] == "Unavailable"
    assert last["occurred_at"] == "2018-07-02T12:56:00.001Z"
