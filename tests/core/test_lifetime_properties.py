"""The reducer and the document agree on random histories, in whatever order records come."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random
from typing import Any

import bson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.core import oracle
from tests.core.histories import history, shuffled
from tracking.core.lifetime import Definition, fold
from tracking.models import Transaction, TransactionBlockProgress
from tracking.projection.documents import block_documents, transaction_document

# DFT_EXAMPLES=100000 for a night's run
SWEEP = int(os.environ.get("DFT_EXAMPLES", "2400"))
SLICES = 8
NOT_DERIVED_FROM_RULES = {"key", "tenant", "transaction", "lane", "rolled", "rolled_in"}


def product(
    records: list[dict[str, Any]], definitions: Callable[[str], Sequence[Definition]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What would be stored."""
    lifetime = fold(records, definitions=definitions)
    return transaction_document("acme", lifetime), block_documents("acme", lifetime)


def comparable(document: dict[str, Any], model: type) -> dict[str, Any]:
    """A stored document under the names and in the forms that the oracle uses."""
    names = {field.name for field in model._meta.concrete_fields} - NOT_DERIVED_FROM_RULES
    unknown = document.keys() - {f.column for f in model._meta.concrete_fields}
    assert not unknown, "stored, and not a field of the model"
    shown = {name: document.get(name) for name in names}
    shown["usage"] = {
        (line["resource"], line["unit"]): exact(line["quantity"]) for line in document["usage"]
    }
    shown["costs"] = {cost["currency"]: exact(cost["amount"]) for cost in document["costs"]}
    if model is Transaction:
        shown["references"] = [(r["name"], r["value"]) for r in document["references"]]
        shown["path"] = [(step["block"], step["stage"]) for step in document["path"]]
        shown["warnings"] = document["warnings"]
        shown["parents"] = document["parents"]
    return shown


def exact(text: str) -> Fraction:
    assert "e" not in text.lower()
    return Fraction(text)


def definitions_of(versions: list[Definition]) -> Callable[[str], Sequence[Definition]]:
    return lambda flow: versions if flow == "orders" else ()


def assert_equals_oracle(
    records: list[dict[str, Any]], definitions: Callable[[str], Sequence[Definition]]
) -> None:
    transaction, blocks = product(records, definitions)
    wanted, wanted_blocks = oracle.derive(records, definitions)
    assert comparable(transaction, Transaction) == wanted
    found = [comparable(block, TransactionBlockProgress) for block in blocks]
    assert sorted(found, key=lambda block: block["block"]) == wanted_blocks


def encoded(documents: tuple[dict[str, Any], list[dict[str, Any]]]) -> bytes:
    return bson.encode({"transaction": documents[0], "blocks": documents[1]})


def check(random: Random) -> None:
    records, versions = history(random)
    definitions = definitions_of(versions)
    assert_equals_oracle(records, definitions)
    first = encoded(product(records, definitions))
    backwards = definitions_of(versions[::-1])
    for other in (sorted(records, key=lambda r: r["_id"]), records[::-1]):
        assert encoded(product(other, backwards)) == first
    assert encoded(product(shuffled(random, records), definitions)) == first


@given(st.randoms(use_true_random=False))
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # shrinking a random source takes minutes and simplifies nothing; small histories are many
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_the_reducer_says_what_the_document_says(random: Random) -> None:
    check(random)


@pytest.mark.parametrize("part", range(SLICES))
def test_the_reducer_agrees_with_the_document_on_many_seeds(part: int) -> None:
    for seed in range(part, SWEEP, SLICES):
        try:
            check(Random(seed))
        except AssertionError as error:
            raise AssertionError(f"history(Random({seed})): {error}") from error


def test_the_histories_reach_every_status_state_and_warning() -> None:
    """Guards the property itself: a generator that avoids a rule would prove nothing of it."""
    seen: set[object] = set()
    for seed in range(600):
        records, versions = history(Random(seed))
        transaction, blocks = oracle.derive(records, definitions_of(versions))
        seen.update(transaction["warnings"])
        seen.update({transaction["status"], transaction["definition"]})
        for name in (*oracle.STAGES, "queue_ms", "work_ms", "next_block", "next_due_at"):
            seen.add(
                (name, transaction[name] if name in oracle.STAGES else bool(transaction[name]))
            )
        seen.update(block["status"] for block in blocks)
    assert {"delivered", "filtered", "failed", "in_transit"} <= seen
    warnings = {"mixed_objects", "mixed_flows", "correction_cycle", "correction_without_target"}
    assert warnings | {"out_of_order"} <= seen
    assert {None, "1", "2"} <= seen
    for name in oracle.STAGES:
        assert {(name, state) for state in ("pending", "active", "done", "failed")} <= seen
    for name in ("queue_ms", "work_ms", "next_block", "next_due_at"):
        assert {(name, True), (name, False)} <= seen


def test_the_oracle_speaks_of_every_derived_field() -> None:
    records, versions = history(Random(1))
    transaction, blocks = oracle.derive(records, definitions_of(versions))
    for model, fields in ((Transaction, transaction), (TransactionBlockProgress, blocks[0])):
        names = {field.name for field in model._meta.concrete_fields}
        assert fields.keys() == names - NOT_DERIVED_FROM_RULES
