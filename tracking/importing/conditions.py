"""Conditions: which rows a record is made of, and which events count as attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tracking.importing.problems import MappingError
from tracking.importing.values import Row, check_column
from tracking.importing.words import as_text, is_pattern


@dataclass(slots=True)
class Condition:
    """All of its columns must have one of their values."""

    tests: list[tuple[str, Callable[[str], bool]]] = field(default_factory=list)

    def __call__(self, row: Row) -> bool:
        for name, test in self.tests:
            value = row.get(name)
            if not test("" if value is None else as_text(value)):
                return False
        return True

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name, _test in self.tests)


def compile_condition(spec: Any, key: str) -> Condition:
    """`{ column = "value" }`, with a list for several values; values may be patterns."""
    if not isinstance(spec, dict) or not spec:
        raise MappingError(key, 'must be a table such as { order_status = "canceled" }.')
    condition = Condition()
    for name, wanted in spec.items():
        check_column(name, key)
        listed = wanted if isinstance(wanted, list) else [wanted]
        if not listed or not all(isinstance(each, str | bool | int | float) for each in listed):
            raise MappingError(f"{key}.{name}", "must be a value or a list of values.")
        condition.tests.append((name, _one_of([as_text(each) for each in listed])))
    return condition


def _one_of(words: Sequence[str]) -> Callable[[str], bool]:
    exact = frozenset(word for word in words if not is_pattern(word))
    patterns = [word for word in words if is_pattern(word)]
    if not patterns:
        return exact.__contains__
    return lambda text: text in exact or any(fnmatchcase(text, pattern) for pattern in patterns)
