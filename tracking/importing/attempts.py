"""The `attempt` of a record: given, or counted over the events of its case."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from tracking.importing.checks import check_keys, texts
from tracking.importing.conditions import compile_condition
from tracking.importing.problems import MappingError, RowError
from tracking.importing.values import compile_value
from tracking.importing.words import as_text

AttemptRule = Callable[[dict[str, Any], dict[Any, int]], int]


def attempt_rule(spec: Any, key: str, used: Callable[[Any, str], Any]) -> AttemptRule:
    """Compile `attempt`; the rule gets a row and the counters of the row's case."""
    if spec is None:
        return _first
    if isinstance(spec, dict) and "count" in spec:
        return _counted(spec, key, used)
    value = used(compile_value(spec, key), key)
    get = value.get

    def given(row: dict[str, Any], _counts: dict[Any, int]) -> int:
        found = get(row)
        if found is None:
            return 1
        try:
            return int(as_text(found).strip())
        except ValueError:
            raise RowError(f"attempt: {as_text(found)[:60]!r} is no integer") from None

    return given


def _first(_row: dict[str, Any], _counts: dict[Any, int]) -> int:
    return 1


def _counted(spec: dict[str, Any], key: str, used: Callable[[Any, str], Any]) -> AttemptRule:
    check_keys(spec, ("count", "blocks"), key)
    condition = used(compile_condition(spec["count"], f"{key}.count"), f"{key}.count")
    if "@attempt" in condition.columns:
        raise MappingError(f"{key}.count", "@attempt is what is being counted.")
    blocks = texts(spec, "blocks", key, ("*",))

    def counted(row: dict[str, Any], counts: dict[Any, int]) -> int:
        block = row["@block"]
        if not any(fnmatchcase(block, pattern) for pattern in blocks):
            return 1
        if condition(row):
            counts[block] = counts.get(block, 0) + 1
        # A block that ends without having begun is still in its first attempt.
        return max(1, counts.get(block, 0))

    return counted
