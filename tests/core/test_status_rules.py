"""docs/status-rules.md, row by row: each test is named after the row it shows.

Every history here also goes through the oracle, so that the two readings of a row are compared
on the case that was written for it.
"""

from __future__ import annotations

import itertools
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.core.test_lifetime_properties import assert_equals_oracle, product
from tracking.core.lifetime import Definition, Step

DOCUMENT = Path(__file__).parents[2] / "docs" / "status-rules.md"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def said(
    name: str, block: str, status: str, second: float, stage: str = "processing", **fields: Any
) -> dict[str, Any]:
    """A journal document; fields of the erasable part find their place by themselves."""
    parts = ("reason", "exception", "references", "usage", "cost")
    part = {field: fields.pop(field) for field in parts if field in fields}
    document = {
        "_id": f"acme/{name}",
        "tenant": "acme",
        "transaction": "tx-1",
        "object_id": "o-1",
        "object_type": "order",
        "flow": "orders",
        "block": block,
        "stage": stage,
        "status": status,
        "attempt": 1,
        "occurred_at": at(second),
        "recorded_at": at(second + 1_000),
        **fields,
    }
    return {**document, "part": part} if part else document


def flow(*steps: str, version: str = "1", **fields: Any) -> Definition:
    """A definition from lines such as "egress load" or "processing check optional"."""
    made = []
    for line in steps:
        stage, block, *rest = line.split()
        due = next((timedelta(seconds=int(word)) for word in rest if word.isdigit()), None)
        made.append(Step(block=block, stage=stage, optional="optional" in rest, due=due))
    return Definition(version=version, steps=tuple(made), **fields)


def state(
    *records: dict[str, Any], by: tuple[Definition, ...] = ()
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The transaction's document and its blocks' documents by name, agreed with the oracle."""

    def definitions(name: str) -> tuple[Definition, ...]:
        return by if name == "orders" else ()

    assert_equals_oracle(list(records), definitions)
    transaction, blocks = product(list(records), definitions)
    assert product(list(records)[::-1], definitions) == (transaction, blocks), "in any order"
    return transaction, {block["block"]: block for block in blocks}


def status(*records: dict[str, Any], by: tuple[Definition, ...] = ()) -> str:
    return str(state(*records, by=by)[0]["status"])


# --- Which records count -------------------------------------------------------------------


def test_c1_a_corrected_record_is_withdrawn_and_the_correcting_one_counts() -> None:
    transaction, blocks = state(
        said("a", "check", "failed", 9, reason="wrong"),
        said("b", "check", "succeeded", 5, corrects="a"),
    )
    assert blocks["check"]["status"] == "succeeded"
    assert blocks["check"]["records"] == 1
    assert (transaction["records"], transaction["withdrawn"]) == (2, 1)


def test_c1_a_correction_in_another_block_empties_the_first() -> None:
    _transaction, blocks = state(
        said("a", "check", "failed", 1), said("b", "load", "succeeded", 2, corrects="a")
    )
    assert list(blocks) == ["load"]


def test_c2_the_last_of_a_chain_counts() -> None:
    transaction, blocks = state(
        said("a", "check", "failed", 1),
        said("b", "check", "skipped", 2, corrects="a"),
        said("c", "check", "succeeded", 3, corrects="b"),
    )
    assert blocks["check"]["status"] == "succeeded"
    assert transaction["withdrawn"] == 2


def test_c3_a_cycle_withdraws_nobody_in_it_and_is_marked() -> None:
    transaction, _blocks = state(
        said("a", "check", "failed", 1, corrects="b"),
        said("b", "check", "succeeded", 2, corrects="a"),
    )
    assert transaction["withdrawn"] == 0
    assert transaction["warnings"] == ["correction_cycle"]


def test_c3_a_correction_from_outside_the_cycle_withdraws_its_target() -> None:
    transaction, blocks = state(
        said("a", "check", "failed", 3, corrects="b"),
        said("b", "check", "succeeded", 2, corrects="a"),
        said("c", "load", "succeeded", 4, corrects="a"),
    )
    assert transaction["withdrawn"] == 1
    assert blocks["check"]["status"] == "succeeded"


def test_c4_a_correction_of_what_never_came_withdraws_nothing_and_is_marked() -> None:
    transaction, _blocks = state(said("a", "check", "failed", 1, corrects="never"))
    assert transaction["withdrawn"] == 0
    assert transaction["warnings"] == ["correction_without_target"]


def test_c5_a_skipped_correction_withdraws_and_puts_nothing_in_the_place() -> None:
    transaction, blocks = state(
        said("a", "receive", "succeeded", 1, "ingress"),
        said("b", "load", "succeeded", 9, "egress", cost={"amount": "5", "currency": "EUR"}),
        said("c", "load", "skipped", 20, "egress", corrects="b", reason="another order's"),
    )
    assert list(blocks) == ["receive"]
    assert (transaction["status"], transaction["last_at"]) == ("in_transit", at(1))
    assert (transaction["records"], transaction["withdrawn"]) == (3, 1)
    assert (transaction["egress"], transaction["costs"]) == ("pending", [])


def test_c5_a_skipped_record_that_corrects_nothing_counts_as_ever() -> None:
    _transaction, blocks = state(
        said("a", "check", "failed", 1),
        said("b", "check", "skipped", 2, corrects="a"),
        said("c", "check", "skipped", 3),
    )
    assert (blocks["check"]["status"], blocks["check"]["records"]) == ("skipped", 1)


def test_c5_a_withdrawal_is_not_undone_by_withdrawing_it() -> None:
    _transaction, blocks = state(
        said("x", "receive", "succeeded", 0),
        said("a", "check", "failed", 1),
        said("b", "check", "skipped", 2, corrects="a"),
        said("c", "check", "skipped", 3, corrects="b"),
    )
    assert list(blocks) == ["receive"]


def test_c5_a_withdrawal_that_is_corrected_by_a_record_counts_by_that() -> None:
    _transaction, blocks = state(
        said("a", "check", "failed", 1),
        said("b", "check", "skipped", 2, corrects="a"),
        said("c", "check", "succeeded", 3, corrects="b"),
    )
    assert (blocks["check"]["status"], blocks["check"]["records"]) == ("succeeded", 1)


def test_c5_a_transaction_of_which_nothing_is_left_is_filtered_and_says_why() -> None:
    transaction, blocks = state(
        said("a", "check", "started", 1, usage=[{"resource": "c", "unit": "s", "quantity": "1"}]),
        said("b", "check", "skipped", 2, corrects="a", reason="posted for the wrong object"),
    )
    assert transaction["status"] == "filtered"
    assert transaction["reason"] == "posted for the wrong object"
    assert (transaction["withdrawn"], transaction["usage"]) == (1, [])
    assert (transaction.get("stalls_at"), list(blocks)) == (None, ["check"])


def test_c5_without_its_target_a_withdrawal_is_marked_and_counts_no_more_for_that() -> None:
    transaction, blocks = state(
        said("a", "check", "succeeded", 1), said("b", "load", "skipped", 2, corrects="never")
    )
    assert list(blocks) == ["check"]
    assert transaction["warnings"] == ["correction_without_target"]


# --- A block -------------------------------------------------------------------------------


def test_b1_the_highest_attempt_decides_however_early_it_happened() -> None:
    _transaction, blocks = state(
        said("a", "check", "failed", 100, attempt=1),
        said("b", "check", "started", 1, attempt=3),
    )
    block = blocks["check"]
    assert (block["status"], block["attempt"], block["attempts"]) == ("started", 3, 2)


def test_b2_the_latest_event_time_of_the_attempt_decides() -> None:
    _transaction, blocks = state(
        said("b", "check", "failed", 1), said("a", "check", "started", 2, stage="egress")
    )
    assert (blocks["check"]["status"], blocks["check"]["stage"]) == ("started", "egress")


def test_b2_of_equal_times_the_higher_rank_decides() -> None:
    ranked = ["queued", "started", "skipped", "succeeded", "filtered", "failed"]
    for lower, higher in itertools.pairwise(ranked):
        _transaction, blocks = state(said("a", "check", higher, 1), said("b", "check", lower, 1))
        assert blocks["check"]["status"] == higher


def test_b2_of_equal_ranks_the_greater_id_decides() -> None:
    _transaction, blocks = state(
        said("a2", "check", "failed", 1, reason="second"),
        said("a10", "check", "failed", 1, reason="tenth"),
    )
    assert blocks["check"]["reason"] == "second"


def test_b3_the_reason_is_the_deciding_records() -> None:
    _transaction, blocks = state(
        said("a", "check", "started", 1, reason="early"), said("b", "check", "succeeded", 2)
    )
    assert "reason" not in blocks["check"]


def test_b3_the_last_exception_stays_after_a_later_attempt_succeeded() -> None:
    _transaction, blocks = state(
        said("a", "check", "failed", 1, exception={"type": "First"}),
        said("b", "check", "failed", 9, exception={"type": "Latest", "code": "E1"}),
        said("c", "check", "failed", 2, attempt=2, exception={"type": "Second"}),
        said("d", "check", "succeeded", 3, attempt=3),
    )
    block = blocks["check"]
    assert block["status"] == "succeeded"
    assert (block["error_type"], block["error_record"]) == ("Second", "c")
    assert "error_code" not in block, "the code of another exception"


def test_b4_queue_and_work_time_of_an_attempt() -> None:
    _transaction, blocks = state(
        said("a", "check", "queued", 10, queued_at=at(4)),
        said("b", "check", "started", 20, started_at=at(12)),
        said("c", "check", "succeeded", 30, ended_at=at(29)),
    )
    assert blocks["check"]["queue_ms"] == 8_000
    assert blocks["check"]["work_ms"] == 17_000


def test_b4_without_given_times_the_event_times_count() -> None:
    _transaction, blocks = state(
        said("a", "check", "queued", 10),
        said("b", "check", "started", 20),
        said("c", "check", "failed", 30),
    )
    assert (blocks["check"]["queue_ms"], blocks["check"]["work_ms"]) == (10_000, 10_000)


def test_b4_unknown_where_an_end_is_missing_or_lies_before_its_beginning() -> None:
    _transaction, blocks = state(
        said("a", "check", "started", 20, queued_at=at(21), ended_at=at(30)),
    )
    assert "queue_ms" not in blocks["check"]
    assert "work_ms" not in blocks["check"], "a started record has no end, whatever it says"


def test_b4_a_block_sums_the_attempts_that_are_known() -> None:
    transaction, blocks = state(
        said("a", "check", "failed", 10, started_at=at(7)),
        said("b", "check", "failed", 11, attempt=2),
        said("c", "check", "succeeded", 30, attempt=3, started_at=at(28)),
        said("d", "load", "succeeded", 31, started_at=at(30)),
    )
    assert blocks["check"]["work_ms"] == 5_000
    assert "queue_ms" not in blocks["check"]
    assert transaction["work_ms"] == 6_000
    assert "queue_ms" not in transaction


def test_b5_usage_and_cost_are_summed_over_all_records_that_count() -> None:
    line = {"resource": "cpu", "unit": "s"}
    transaction, blocks = state(
        said("a", "check", "failed", 1, usage=[{**line, "quantity": "1.5"}]),
        said("b", "check", "failed", 2, attempt=2, cost={"amount": "1.10", "currency": "EUR"}),
        said("c", "check", "succeeded", 3, attempt=3, cost={"amount": "0.05", "currency": "EUR"}),
        said("d", "load", "queued", 4, cost={"amount": "7", "currency": "USD"}),
        said("e", "load", "queued", 5, usage=[{**line, "quantity": "0.25"}]),
        said("f", "load", "queued", 4, cost={"amount": "1", "currency": "USD"}, corrects="d"),
    )
    assert blocks["check"]["costs"] == [{"currency": "EUR", "amount": "1.15"}]
    assert transaction["costs"] == [
        {"currency": "EUR", "amount": "1.15"},
        {"currency": "USD", "amount": "1"},
    ]
    assert transaction["usage"] == [{"resource": "cpu", "unit": "s", "quantity": "1.75"}]


def test_b5_sums_stay_exact_beyond_the_usual_precision() -> None:
    widest = "999999999999999.999999999999999999"
    line = {"resource": "cpu", "unit": "s"}
    records = [
        said(f"r{i}", f"b{i % 7}", "succeeded", i, usage=[{**line, "quantity": quantity}])
        for i, quantity in enumerate([widest, "0.000000000000000001"] * 60)
    ]
    transaction, _blocks = state(*records)
    assert transaction["usage"][0]["quantity"] == "60000000000000000.000000000000000000"


# --- A transaction -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("succeeded", "delivered"),
        ("skipped", "delivered"),
        ("failed", "failed"),
        ("filtered", "filtered"),
        ("started", "in_transit"),
        ("queued", "in_transit"),
    ],
)
def test_t1_a_final_record_decides(word: str, wanted: str) -> None:
    assert (
        status(said("a", "check", word, 1, final=True), said("b", "load", "started", 2)) == wanted
    )


def test_t1_a_final_record_stands_above_definition_filter_and_failure() -> None:
    records = (
        said("a", "check", "succeeded", 1, final=True),
        said("b", "enrich", "filtered", 2),
        said("c", "load", "failed", 3, stage="egress"),
    )
    assert status(*records, by=(flow("egress load"),)) == "delivered"


def test_t1_of_several_the_latest() -> None:
    transaction, _blocks = state(
        said("a", "load", "succeeded", 5, final=True), said("b", "check", "failed", 6, final=True)
    )
    assert (transaction["status"], transaction["block"]) == ("failed", "check")


def test_t1_a_final_record_that_does_not_decide_its_block_ends_nothing() -> None:
    records = (said("a", "check", "failed", 1, final=True), said("b", "check", "started", 2))
    assert status(*records) == "in_transit"


def test_t2_the_last_expected_egress_block_delivers() -> None:
    by = (flow("ingress receive", "egress load", "egress notify", "egress archive optional"),)
    load = said("a", "load", "succeeded", 1, stage="egress")
    notify = said("b", "notify", "succeeded", 2, stage="egress")
    assert status(load, by=by) == "in_transit"
    assert status(load, said("x", "archive", "succeeded", 3), by=by) == "in_transit"
    assert status(load, notify, by=by) == "delivered"


def test_t2_neither_a_filter_nor_a_failure_elsewhere_changes_it() -> None:
    records = (
        said("a", "load", "succeeded", 1, stage="egress"),
        said("b", "check", "failed", 2),
        said("c", "cancel", "filtered", 3),
    )
    assert status(*records, by=(flow("processing check", "egress load"),)) == "delivered"


def test_t2_where_all_egress_steps_are_optional_the_last_counts() -> None:
    by = (flow("egress load optional", "egress notify optional"),)
    assert status(said("a", "load", "succeeded", 1, stage="egress"), by=by) == "in_transit"
    assert status(said("a", "notify", "succeeded", 1, stage="egress"), by=by) == "delivered"


def test_t2_a_skipped_end_is_no_delivery() -> None:
    records = (said("a", "load", "skipped", 1, stage="egress"),)
    assert status(*records, by=(flow("egress load"),)) == "in_transit"


@pytest.mark.parametrize("by", [(), (flow("processing check"),)])
def test_t3_without_a_defined_end_the_latest_egress_record_delivers(
    by: tuple[Definition, ...],
) -> None:
    load = said("a", "load", "succeeded", 5, stage="egress")
    assert status(load, by=by) == "delivered"
    assert status(load, said("b", "check", "started", 9), by=by) == "delivered"
    later = said("b", "notify", "queued", 6, stage="egress")
    assert status(load, later, by=by) == "in_transit"


@pytest.mark.parametrize(("word", "second", "wanted"), [
    ("failed", 6, "failed"), ("filtered", 6, "filtered"),
    ("failed", 5, "delivered"), ("filtered", 5, "delivered"), ("failed", 4, "delivered"),
])  # fmt: skip
def test_t3_a_later_failure_or_filter_undoes_it(word: str, second: int, wanted: str) -> None:
    load = said("a", "load", "succeeded", 5, stage="egress")
    assert status(load, said("b", "check", word, second)) == wanted


def test_t4_work_after_a_filter_does_not_bring_the_object_back() -> None:
    records = (
        said("a", "check", "filtered", 1, reason="too old"),
        said("b", "enrich", "succeeded", 2),
        said("c", "convert", "failed", 3),
    )
    transaction, _blocks = state(*records)
    assert (transaction["status"], transaction["block"]) == ("filtered", "check")
    assert transaction["reason"] == "too old"


def test_t4_a_later_attempt_of_the_filtering_block_brings_it_back() -> None:
    records = (
        said("a", "check", "filtered", 1),
        said("b", "check", "succeeded", 2, attempt=2),
    )
    assert status(*records) == "in_transit"


def test_t5_a_failed_block_with_no_success_beyond() -> None:
    failed = said("a", "check", "failed", 5)
    assert status(said("b", "receive", "succeeded", 1), failed) == "failed"
    assert status(failed, said("b", "enrich", "started", 9)) == "failed"
    assert status(failed, said("b", "enrich", "skipped", 9)) == "failed"


def test_t5_a_success_at_a_later_event_time_lies_beyond() -> None:
    failed = said("a", "check", "failed", 5)
    assert status(failed, said("b", "enrich", "succeeded", 6)) == "in_transit"
    assert status(failed, said("b", "enrich", "succeeded", 5)) == "failed"


def test_t5_where_the_definition_knows_both_the_success_stands_at_a_later_step() -> None:
    by = (flow("processing receive", "processing check", "processing enrich", "egress load"),)
    failed = said("a", "check", "failed", 5)
    assert status(failed, said("b", "receive", "succeeded", 9), by=by) == "failed"
    assert status(failed, said("b", "enrich", "succeeded", 9), by=by) == "in_transit"
    assert status(failed, said("b", "unforeseen", "succeeded", 9), by=by) == "in_transit"


def test_t6_everything_else_is_in_transit() -> None:
    records = (said("a", "receive", "succeeded", 1), said("b", "check", "skipped", 2))
    assert status(*records) == "in_transit"
    assert status(said("a", "receive", "queued", 1)) == "in_transit"


# --- Fields --------------------------------------------------------------------------------


def test_f1_object_and_flow_are_those_of_the_smallest_key() -> None:
    transaction, _blocks = state(
        said("b", "check", "succeeded", 1, object_id="o-2", flow="returns"),
        said("a", "check", "queued", 1, object_id="o-1"),
        said("c", "check", "queued", 1, object_id="o-1", object_type="invoice"),
    )
    assert (transaction["object_id"], transaction["object_type"]) == ("o-1", "order")
    assert transaction["flow"] == "orders"
    assert transaction["warnings"] == ["mixed_flows", "mixed_objects"]


def test_f1_a_trace_stands_for_an_object_until_one_is_named() -> None:
    trace = {"object_id": "tx-1", "object_type": "trace"}
    alone, _blocks = state(said("a", "receive", "started", 1, **trace))
    assert (alone["object_id"], alone["object_type"]) == ("tx-1", "trace")
    named, _blocks = state(
        said("a", "receive", "started", 1, **trace),
        said("c", "check", "succeeded", 3),
        said("b", "load", "succeeded", 2, **trace),
    )
    assert (named["object_id"], named["object_type"]) == ("o-1", "order")
    assert named["warnings"] == []
    other = {"object_id": "another trace", "object_type": "trace"}
    mixed, _blocks = state(
        said("a", "receive", "started", 1, **trace),
        said("b", "load", "succeeded", 2, **other),
        said("c", "check", "succeeded", 3),
    )
    assert (mixed["object_id"], mixed["object_type"]) == ("o-1", "order")
    assert mixed["warnings"] == ["mixed_objects"]


def test_f2_an_event_time_ahead_of_its_record_time_counts_as_the_record_time() -> None:
    transaction, blocks = state(
        said("a", "receive", "succeeded", 10),
        said("b", "check", "succeeded", 500, recorded_at=at(20)),
    )
    assert (transaction["created_at"], transaction["updated_at"]) == (at(10), at(20))
    assert (transaction["first_at"], transaction["last_at"]) == (at(10), at(500))
    assert (blocks["check"]["updated_at"], blocks["check"]["last_at"]) == (at(20), at(500))


def test_f3_throughput_time_spans_all_event_times() -> None:
    transaction, _blocks = state(
        said("a", "receive", "queued", 1.25), said("b", "check", "succeeded", 500)
    )
    assert transaction["throughput_ms"] == 498_750


def test_f4_in_transit_the_block_with_the_latest_deciding_record_is_current() -> None:
    transaction, _blocks = state(
        said("a", "receive", "succeeded", 9, stage="ingress"),
        said("b", "check", "succeeded", 99),
        said("c", "check", "started", 8, attempt=2, reason="again"),
    )
    assert (transaction["block"], transaction["stage"]) == ("receive", "ingress")
    assert "reason" not in transaction, "an object in transit needs no reason"


def test_f4_the_block_that_decided_the_status_is_current() -> None:
    transaction, _blocks = state(
        said("a", "check", "filtered", 1),
        said("b", "enrich", "filtered", 2, stage="ingress", reason="because"),
        said("c", "load", "succeeded", 2),
    )
    assert (transaction["block"], transaction["stage"]) == ("enrich", "ingress")
    assert transaction["reason"] == "because"


def test_f5_the_error_is_that_of_the_failed_block_that_decided() -> None:
    transaction, _blocks = state(
        said("a", "load", "succeeded", 3),
        said("b", "check", "failed", 5, exception={"type": "T", "message": "m" * 600}),
        said("c", "enrich", "failed", 4, exception={"type": "Other"}),
    )
    assert (transaction["error_block"], transaction["error_type"]) == ("check", "T")
    assert transaction["error_message"] == "m" * 500
    assert transaction["error_record"] == "b"


def test_f5_a_failure_without_exception_shows_its_reason_and_record() -> None:
    transaction, _blocks = state(said("a", "check", "failed", 5, reason="no disk"))
    assert (transaction["error_message"], transaction["error_record"]) == ("no disk", "a")
    assert "error_type" not in transaction


def test_f5_else_the_latest_failed_block_and_none_where_none_is_failed() -> None:
    failed = said("a", "check", "failed", 5, exception={"type": "T"})
    earlier = said("b", "receive", "failed", 4, exception={"type": "Earlier"})
    success = said("c", "load", "succeeded", 6)
    transaction, _blocks = state(failed, earlier, success)
    assert (transaction["status"], transaction["error_type"]) == ("in_transit", "T")
    transaction, _blocks = state(failed, said("d", "check", "succeeded", 7, attempt=2))
    assert "error_block" not in transaction


def test_f6_the_version_named_by_the_latest_record_that_names_one() -> None:
    by = (flow("egress load"), flow("egress notify", version="2"))
    named = said("a", "load", "queued", 1, flow_version="2")
    transaction, _blocks = state(named, said("b", "load", "started", 2), by=by)
    assert (transaction["flow_version"], transaction["definition"]) == ("2", "2")
    unknown = said("b", "load", "started", 2, flow_version="9")
    transaction, _blocks = state(named, unknown, by=by)
    assert transaction["flow_version"] == "9"
    assert "definition" not in transaction


def test_f6_where_none_is_named_the_latest_version_valid_at_creation() -> None:
    by = (
        flow("egress load", version="always"),
        flow("egress load", version="b", valid_from=at(10)),
        flow("egress load", version="a", valid_from=at(10)),
        flow("egress load", version="later", valid_from=at(20)),
    )
    for second, wanted in ((9, "always"), (10, "b"), (19, "b"), (20, "later")):
        transaction, _blocks = state(said("a", "load", "queued", second), by=by)
        assert transaction["definition"] == wanted
    transaction, _blocks = state(said("a", "load", "queued", 1), by=by[1:])
    assert "definition" not in transaction


def test_f7_event_times_against_the_steps_are_marked_and_shown_as_they_are() -> None:
    by = (flow("ingress receive", "processing check optional", "egress load"),)
    receive, check = said("a", "receive", "queued", 2), said("b", "check", "queued", 1)
    transaction, blocks = state(receive, check, by=by)
    assert transaction["warnings"] == ["out_of_order"]
    assert blocks["check"]["position"] == 0
    assert state(receive, said("b", "check", "queued", 2), by=by)[0]["warnings"] == []
    assert state(receive, check)[0]["warnings"] == [], "without a definition there is no order"


def test_f8_what_a_transaction_keeps_is_bounded() -> None:
    many = said("a", "check", "succeeded", 1)
    many["parents"] = [f"p{i:04}" for i in range(1_001)]
    many["part"] = {
        "references": [{"name": "n", "values": [f"v{i:03}" for i in range(201)]}],
        "usage": [{"resource": f"u{i:03}", "unit": "s", "quantity": "1"} for i in range(101)],
    }
    blocks = [said(f"b{i:03}", f"b{i:03}", "succeeded", 2 + i) for i in range(500)]
    transaction, entries = state(many, *blocks)
    assert transaction["warnings"] == ["capped"]
    kept = {"parents": 1_000, "references": 200, "usage": 100, "path": 500}
    assert {name: len(transaction[name]) for name in kept} == kept
    assert transaction["references"][-1] == {"name": "n", "value": "v199"}
    assert transaction["path"][-1]["block"] == "b498"
    assert (len(entries), transaction["blocks"]) == (501, 501)


def test_f8_at_the_limit_nothing_is_marked() -> None:
    full = said("a", "check", "succeeded", 1)
    full["parents"] = [f"p{i:04}" for i in range(1_000)]
    full["part"] = {"references": [{"name": "n", "values": [f"v{i:03}" for i in range(200)]}]}
    assert state(full)[0]["warnings"] == []


def test_f8_records_and_retries_are_counted() -> None:
    transaction, _blocks = state(
        said("a", "check", "failed", 1),
        said("b", "check", "failed", 2, attempt=5),
        said("c", "check", "failed", 2, attempt=9),
        said("d", "load", "queued", 2),
        said("e", "load", "queued", 2, corrects="d"),
    )
    counts = [transaction[name] for name in ("records", "withdrawn", "retries", "blocks")]
    assert counts == [5, 1, 2, 2]


def test_f9_the_last_record_time_is_kept_of_withdrawn_records_too() -> None:
    late = said("b", "check", "failed", 2, recorded_at=at(9_000))
    for records in (
        [said("a", "check", "started", 1), late],
        [late, said("a", "check", "started", 50)],
        [said("a", "check", "started", 1), late, said("c", "check", "succeeded", 3, corrects="b")],
    ):
        transaction, _blocks = state(*records)
        assert transaction["recorded_at"] == at(9_000)


# --- Progress ------------------------------------------------------------------------------


def stages(*records: dict[str, Any], by: tuple[Definition, ...] = ()) -> list[str]:
    transaction, _blocks = state(*records, by=by)
    return [transaction[stage] for stage in ("ingress", "processing", "egress")]


FLOW = flow("ingress receive", "processing check", "processing enrich", "egress load")


def test_p1_failed_where_a_block_failed_and_so_did_the_transaction() -> None:
    receive = said("a", "receive", "failed", 1, stage="ingress")
    assert stages(receive, by=(FLOW,)) == ["failed", "pending", "pending"]
    overcome = said("b", "check", "succeeded", 2)
    assert stages(receive, overcome, by=(FLOW,)) == ["active", "active", "pending"]


def test_p1_everything_is_done_once_delivered() -> None:
    load = said("a", "load", "succeeded", 1, stage="egress")
    assert stages(load, by=(FLOW,)) == ["done", "done", "done"]


def test_p1_done_when_every_expected_block_is_and_no_observed_one_is_open() -> None:
    check, enrich = said("a", "check", "skipped", 1), said("b", "enrich", "succeeded", 2)
    assert stages(check, by=(FLOW,)) == ["pending", "active", "pending"]
    assert stages(check, enrich, by=(FLOW,)) == ["pending", "done", "pending"]
    unforeseen = said("c", "unforeseen", "started", 3)
    assert stages(check, enrich, unforeseen, by=(FLOW,)) == ["pending", "active", "pending"]


def test_p1_an_optional_step_is_not_waited_for() -> None:
    by = (flow("processing check", "processing enrich optional", "egress load"),)
    assert stages(said("a", "check", "succeeded", 1), by=by) == ["pending", "done", "pending"]


def test_p1_a_block_belongs_to_its_steps_stage() -> None:
    misplaced = said("a", "load", "started", 1, stage="ingress")
    assert stages(misplaced, by=(FLOW,)) == ["pending", "pending", "active"]
    assert stages(misplaced) == ["active", "pending", "pending"]


def test_p1_without_a_definition_a_later_stage_or_the_end_closes_a_stage() -> None:
    receive = said("a", "receive", "succeeded", 1, stage="ingress")
    assert stages(receive) == ["active", "pending", "pending"]
    assert stages(receive, said("b", "load", "queued", 2, stage="egress")) == [
        "done",
        "pending",
        "active",
    ]
    assert stages(receive, said("b", "check", "filtered", 2)) == ["done", "done", "pending"]


def test_p2_done_blocks_are_succeeded_skipped_or_filtered() -> None:
    records = [
        said(word, f"b-{word}", word, 1)
        for word in ("queued", "started", "failed", "succeeded", "skipped", "filtered")
    ]
    assert state(*records)[0]["blocks_done"] == 3


def test_p2_with_a_definition_only_its_steps_that_are_not_optional_count() -> None:
    by = (flow("processing check", "processing enrich optional", "egress load"),)
    records = [said(n, n, "succeeded", 1) for n in ("check", "enrich", "unforeseen")]
    transaction, blocks = state(*records, by=by)
    assert transaction["blocks_done"] == 1
    expected = {name: block["expected"] for name, block in blocks.items()}
    assert expected == {"check": True, "enrich": True, "unforeseen": False}


def test_p3_expected_are_the_steps_that_are_not_optional() -> None:
    by = (flow("processing check", "processing enrich optional", "egress load"),)
    record = said("a", "check", "succeeded", 1)
    assert state(record, by=by)[0]["blocks_expected"] == 2
    assert "blocks_expected" not in state(record)[0]


def test_p4_percent_is_rounded_down_and_100_only_when_delivered() -> None:
    by = (flow("egress load", "processing check", "processing enrich"),)
    done = [said("a", "check", "succeeded", 1), said("b", "enrich", "succeeded", 2)]
    assert state(done[0], by=by)[0]["percent"] == 33
    assert state(*done, by=by)[0]["percent"] == 66
    skipped = said("c", "load", "skipped", 3, stage="egress")
    assert state(*done, skipped, by=by)[0]["percent"] == 99
    load = said("c", "load", "succeeded", 3, stage="egress")
    assert state(load, by=by)[0]["percent"] == 100
    assert "percent" not in state(*done)[0]
    assert "percent" not in state(*done, by=(flow("processing check optional"),))[0]


def test_p5_the_next_block_and_when_it_is_due() -> None:
    by = (
        flow(
            "ingress receive",
            "processing check optional",
            "processing enrich 90",
            "egress load",
            patience=timedelta(hours=1),
            deadline=timedelta(hours=2),
        ),
    )
    receive = said("a", "receive", "succeeded", 10)
    transaction, _blocks = state(receive, by=by)
    assert (transaction["next_block"], transaction["next_due_at"]) == ("enrich", at(100))
    assert (transaction["stalls_at"], transaction["due_at"]) == (at(3_610), at(7_210))
    transaction, _blocks = state(receive, said("b", "enrich", "skipped", 20), by=by)
    assert transaction["next_block"] == "load"
    assert "next_due_at" not in transaction
    transaction, _blocks = state(receive, said("b", "enrich", "failed", 20), by=by)
    ended = {"next_block", "next_due_at", "stalls_at", "due_at"}
    assert not ended & transaction.keys(), "only what is in transit waits for something"


def test_p5_without_a_definition_only_patience_remains() -> None:
    transaction, _blocks = state(said("a", "receive", "succeeded", 10))
    assert transaction["stalls_at"] == at(10) + timedelta(hours=24)
    assert not {"next_block", "next_due_at", "due_at"} & transaction.keys()


def test_every_row_of_the_document_has_a_test() -> None:
    rows = re.findall(r"^\| ([CBTFP]\d) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == len(set(rows)) >= 28
    tested = {
        match[1].upper()
        for name in vars(sys.modules[__name__])
        if (match := re.match(r"test_([cbtfp]\d)_", name))
    }
    assert tested == set(rows)
