"""What a mapping can say (docs/import.md), each thing on a log of a few lines."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.importing.logs import event, items, trace, wires, written, xes
from tracking.core.record import default_transaction

AT = "2026-01-31T10:00:00Z"


def mapped(directory: Path, table: str, mapping: str) -> list[dict[str, Any]]:
    return wires(written(directory, "log.csv", table), tomllib.loads(mapping))


def one(directory: Path, columns: dict[str, str], record: str) -> dict[str, Any]:
    """The one record of a row of these columns, with `record` added to the smallest mapping."""
    row = {"case": "7", "activity": "A", "at": AT, **columns}
    [found] = mapped(
        directory, ",".join(row) + "\n" + ",".join(row.values()) + "\n", SMALLEST + record
    )
    return found


SMALLEST = """
[source]
case = "case"
activity = "activity"
timestamp = "at"
[record]
flow = "f"
object = { type = "t" }
"""


def test_a_template_joins_columns_and_text(tmp_path: Path) -> None:
    found = one(tmp_path, {"x": "1"}, 'reason = "{x} of {{many}} in {activity}"')
    assert found["reason"] == "1 of {many} in A"


def test_a_template_with_an_empty_column_gives_nothing(tmp_path: Path) -> None:
    assert "reason" not in one(tmp_path, {"x": ""}, 'reason = "x is {x}"')


@pytest.mark.parametrize(
    ("status", "expected"),
    [("OPEN", "started"), ("open", "failed"), ("DONE_1", "succeeded"), ("", "failed")],
)
def test_a_table_looks_up_exact_values_patterns_and_a_default(
    tmp_path: Path, status: str, expected: str
) -> None:
    record = """reason = "r"
status = { from = "s", map = { OPEN = "started", "DONE_*" = "succeeded" }, default = "failed" }"""
    assert one(tmp_path, {"s": status}, record)["status"] == expected


def test_a_table_may_ignore_case(tmp_path: Path) -> None:
    record = (
        'status = { from = "s", ignore_case = true, map = { OPEN = "started", "D*" = "queued" } }'
    )
    assert one(tmp_path, {"s": "oPeN"}, record)["status"] == "started"
    assert one(tmp_path, {"s": "done"}, record)["status"] == "queued"


def test_of_alternatives_the_first_that_gives_something(tmp_path: Path) -> None:
    record = 'block = [{ from = "x", map = { a = "first", b = "" } }, "{y}", "last"]'
    assert one(tmp_path, {"x": "a", "y": "second"}, record)["block"] == "first"
    assert one(tmp_path, {"x": "b", "y": "second"}, record)["block"] == "second"
    assert one(tmp_path, {"x": "c", "y": ""}, record)["block"] == "last"


def test_types_of_attributes(tmp_path: Path) -> None:
    record = """
[record.attributes]
n = { from = "n", type = "integer" }
d = { from = "d", type = "number", decimal = "," }
b = { from = "b", type = "boolean" }
l = { from = "l", split = ";", type = "integer" }
t = { from = "t", type = "time", format = "%d.%m.%Y", zone = "Europe/Berlin" }
same = "{n}"
absent = { from = "absent", type = "integer" }
given = 5
"""
    columns = {
        "n": "7",
        "d": '"1.234,5"',
        "b": "Yes",
        "l": "1; 2;",
        "t": "01.07.2026",
        "absent": "",
    }
    assert one(tmp_path, columns, record)["attributes"] == {
        "n": 7,
        "d": 1234.5,
        "b": True,
        "l": [1, 2],
        "t": "2026-06-30T22:00:00.000Z",
        "same": "7",
        "given": 5,
    }


def test_attributes_and_references_may_be_lists_of_columns(tmp_path: Path) -> None:
    record = 'attributes = ["x", "y*"]\nreferences = ["x"]'
    found = one(tmp_path, {"x": "1", "y1": "2", "y2": "3", "z": "4"}, record)
    assert found["attributes"] == {"x": "1", "y1": "2", "y2": "3"}
    assert found["references"] == {"x": "1"}


def test_every_other_field_of_a_record(tmp_path: Path) -> None:
    record = """
flow_version = "2"
transaction = "{x} run"
started_at = "{begin}"
ended_at = { from = "begin", plus = "90s" }
exception = { type = "E", message = "{x}", code = "{none}" }
status = "failed"
stage = "egress"
attempt = "{try}"
parents = { flow = "f", type = "t", id = "{x}" }
usage = [
  { resource = "cpu", quantity = "{q}", unit = "s" },
  { resource = "io", quantity = "{none}", unit = "MB" },
]
cost = { amount = "{q}", currency = "EUR" }
payload = { uri = "s3://{x}", size = "{try}" }
subject = "{x}"
corrects = "{x}"
final = { from = "end", map = { yes = true, no = false } }
"""
    columns = {"x": "a b", "begin": AT, "none": "", "try": "3", "q": "1.5", "end": "yes"}
    found = one(tmp_path, columns, record)
    for name in ("id", "object", "flow", "block", "occurred_at"):
        del found[name]
    assert found == {
        "flow_version": "2",
        "transaction": "a~20b run",
        "started_at": "2026-01-31T10:00:00.000Z",
        "ended_at": "2026-01-31T10:01:30.000Z",
        "exception": {"type": "E", "message": "a b"},
        "status": "failed",
        "stage": "egress",
        "attempt": 3,
        "parents": [default_transaction("f", "t", "a b")],
        "usage": [{"resource": "cpu", "quantity": "1.5", "unit": "s"}],
        "cost": {"amount": "1.5", "currency": "EUR"},
        "payload": {"uri": "s3://a b", "size": 3},
        "subject": "a b",
        "corrects": "a~20b",
        "final": True,
    }


def test_ids_are_made_of_the_characters_an_id_may_have(tmp_path: Path) -> None:
    found = one(tmp_path, {"case": "Fall 7/ä~"}, "")
    assert found["id"] == "Fall~207~2F~C3~A4~7E.0"
    assert found["object"]["id"] == "Fall 7/ä~"


def test_an_id_that_is_too_long_keeps_its_beginning_and_gets_a_digest(tmp_path: Path) -> None:
    first, second = (one(tmp_path, {"case": "x" * 200 + end}, "")["id"] for end in "ab")
    assert len(first) == len(second) == 128
    assert first != second
    assert first.startswith("x" * 95 + "~")


def test_a_row_with_a_column_per_step_gives_a_record_for_each_time(tmp_path: Path) -> None:
    mapping = """
[source]
row = "object"
case = "order"
[defaults]
flow = "f"
object = { type = "order" }
attributes = { a = "{a}" }
[[record]]
block = "pay"
stage = "ingress"
occurred_at = "{paid}"
attributes = { b = "{a}" }
[[record]]
block = "ship"
occurred_at = "{shipped}"
[[record]]
block = "cancel"
status = "filtered"
reason = "canceled"
when = { state = ["cancel*", "void"], a = "1" }
unless = { paid = "" }
occurred_at = { from = "@latest", plus = "1ms" }
"""
    table = f"order,paid,shipped,state,a\n1,{AT},,canceled,1\n2,{AT},{AT},void,2\n3,,,canceled,1\n"
    found = mapped(tmp_path, table, mapping)
    assert [(wire["id"], wire["status"]) for wire in found] == [
        ("1.pay", "succeeded"),
        ("1.cancel", "filtered"),
        ("2.pay", "succeeded"),
        ("2.ship", "succeeded"),
    ]
    assert found[0]["attributes"] == {"a": "1", "b": "1"}
    assert found[1]["occurred_at"] == "2026-01-31T10:00:00.001Z"


def test_attempts_are_counted_over_the_events_of_the_case(tmp_path: Path) -> None:
    mapping = (
        SMALLEST
        + """
status = { from = "l", map = { s = "started", e = "succeeded" } }
attempt = { count = { "@status" = "started" }, blocks = ["W*"] }
"""
    )
    steps = ["7,W,e", "7,W,s", "8,W,s", "7,A,s", "7,W,e", "7,W,s", "7,W2,s", "8,W,e", "7,A,s"]
    table = "case,activity,l,at\n" + "".join(f"{step},{AT}\n" for step in steps)
    assert [wire.get("attempt", 1) for wire in mapped(tmp_path, table, mapping)] == [
        *(1, 1, 1, 1, 1, 2, 1, 1, 1)
    ]


def test_a_life_cycle_is_read_by_the_standard_without_a_word(tmp_path: Path) -> None:
    transitions = ["schedule", "START", "Complete", "manualskip", "pi_abort"]
    log = xes(trace("1", *(event("A", AT, transition) for transition in transitions)))
    mapping = {"record": {"flow": "f", "object": {"type": "t"}}}
    found = wires(written(tmp_path, "log.xes", log), mapping)
    assert [wire["status"] for wire in found] == [
        *("queued", "started", "succeeded", "skipped", "failed")
    ]
    assert found[-1]["reason"] == "life-cycle transition pi_abort"


def test_an_unknown_transition_is_a_problem_that_names_it(tmp_path: Path) -> None:
    log = xes(trace("1", event("A", AT, "BEGIN")))
    mapping = {"record": {"flow": "f", "object": {"type": "t"}}}
    [item] = items(written(tmp_path, "log.xes", log), mapping)
    assert item.problem == "the life-cycle transition 'BEGIN' is not mapped to a status"


def test_an_event_log_exported_as_csv_needs_no_names(tmp_path: Path) -> None:
    table = (
        "case:concept:name,concept:name,time:timestamp,lifecycle:transition\n"
        "1,A,2026-01-31 10:00:00+01:00,start\n"
    )
    [wire] = mapped(tmp_path, table, '[record]\nflow = "f"\nobject = { type = "t" }\n')
    assert (wire["id"], wire["block"], wire["status"], wire["occurred_at"]) == (
        *("1.0", "A", "started", "2026-01-31T09:00:00.000Z"),
    )


def test_events_to_which_no_record_applies_are_left_out(tmp_path: Path) -> None:
    table = f"case,activity,at\n7,A,{AT}\n7,B,{AT}\n"
    found = mapped(tmp_path, table, SMALLEST + 'unless = { activity = "A" }')
    assert [wire["id"] for wire in found] == ["7.1"]


@pytest.mark.parametrize(
    ("columns", "record", "problem"),
    [
        ({"at": "31.1.2026"}, "", "occurred_at (at): '31.1.2026' is no time of the format iso."),
        ({"at": ""}, "", "occurred_at has no value: at is empty"),
        ({"activity": ""}, "", "block has no value: activity is empty"),
        (
            {"s": "weird"},
            'status = { from = "s", map = { a = "started" } }',
            "status has no value: s is 'weird'",
        ),
        ({"n": "x"}, 'attempt = "{n}"', "attempt: 'x' is no integer"),
        (
            {"n": "x"},
            'attributes = { n = { from = "n", type = "number" } }',
            "'x' is no number",
        ),
        ({"n": "perhaps"}, 'final = "{n}"', "final: 'perhaps' is neither true nor false"),
    ],
)
def test_a_row_that_cannot_be_mapped_says_which_field_and_why(
    tmp_path: Path, columns: dict[str, str], record: str, problem: str
) -> None:
    row = {"case": "7", "activity": "A", "at": AT, **columns}
    table = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    [item] = items(written(tmp_path, "a.csv", table), tomllib.loads(SMALLEST + record))
    assert item.wire is None
    assert item.problem == problem
    assert str(item.place) == "line 2, case '7', event 0"
