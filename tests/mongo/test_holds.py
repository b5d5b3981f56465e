"""The look-up into lists of JSON fields, and that nobody's input becomes an operator."""

from __future__ import annotations

import pytest

from tracking.models import Transaction
from tracking.mongo import lookups  # noqa: F401  (registers `holds`)

from .plans import pipeline


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"parents__holds": "a"}, {"parents": {"$eq": "a"}}),
        ({"parents__holds": "$a.b"}, {"parents": {"$eq": "$a.b"}}),
        ({"parents__holds": ["a", "b"]}, {"parents": {"$in": ["a", "b"]}}),
        (
            {"references__holds": {"name": "po", "value": "1"}},
            {"references": {"$elemMatch": {"name": {"$eq": "po"}, "value": {"$eq": "1"}}}},
        ),
        (
            {"references__holds": {"value": ["1", "2"]}},
            {"references": {"$elemMatch": {"value": {"$in": ["1", "2"]}}}},
        ),
    ],
)
def test_the_condition_is_one_that_indexes_serve(
    db: None, condition: dict[str, object], expected: dict[str, object]
) -> None:
    rows = Transaction.objects.filter(**condition).order_by()
    assert pipeline(rows)[0] == {"$match": expected}


@pytest.mark.parametrize(
    "value",
    [
        {"$ne": 1},
        {"$ne": "a"},
        {"value": {"$gt": ""}},
        {"value": None},
        None,
        5,
        [],
        {},
        [{"$ne": "a"}],
        ["a", 1],
    ],
)
def test_anything_but_text_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Transaction.objects.filter(parents__holds=value)
