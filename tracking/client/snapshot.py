"""In the program's own thread: what is recorded is fixed, as cheaply as can be.

What can still change (dicts, lists, objects) is copied or turned into text now; strings,
numbers and times are kept as they are. Checks and serialisation are left to the background.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from sys import getsizeof
from typing import Any, Final
from uuid import UUID

from .failure import Failure

# Longer than any field may be: what is cut here is too long for the server in any case.
TEXT_KEPT: Final = 70_000
_DEPTH: Final = 6
_NODES: Final = 5_000
RECORD_SIZE: Final = 500  # of the record itself: its dicts, its id, its times
_DICT_SIZE: Final = 64
_ITEM_SIZE: Final = 100  # its name, if that is short, and its place
_NAME_SHORT: Final = 50
_PLAIN: Final = frozenset((int, float, bool, type(None), Decimal, datetime, date, UUID))


def fix(fields: dict[str, Any]) -> int:
    """Replace the values that could still change; returns about how much memory they take."""
    size = 0
    for name, value in fields.items():
        kind = type(value)
        if kind is str:
            if len(value) > TEXT_KEPT:
                fields[name] = value = value[:TEXT_KEPT]
            size += value.__sizeof__()  # a quarter of what sys.getsizeof costs
        elif kind in _PLAIN:
            size += value.__sizeof__()
        elif kind is dict and (flat := _flat(copied := value.copy())):
            fields[name] = copied
            size += flat
        else:
            copier = _Copier()
            fields[name] = copier.copy(value, _DEPTH)
            size += copier.size
    return size


def _flat(copied: dict[Any, Any]) -> int:
    """About how much memory it takes, or 0 if something in it can change or is large: the
    usual case, attributes and references, at a third of the cost."""
    size = _DICT_SIZE
    for name, item in copied.items():
        kind = type(item)
        if kind is not str and kind not in _PLAIN:
            return 0
        if type(name) is not str or len(name) > _NAME_SHORT:
            return 0
        size += _ITEM_SIZE + item.__sizeof__()
    return size if size < TEXT_KEPT else 0


def text_of(value: object) -> str:
    """The object's text, whatever its `__str__` does."""
    try:
        return str.__str__(str(value))[:TEXT_KEPT]
    except Exception:
        return f"<unprintable {type(value).__name__}>"


class _Copier:
    """Copies nested values; a cycle or a giant ends in text, not in memory."""

    __slots__ = ("nodes", "size")

    def __init__(self) -> None:
        self.size = 0
        self.nodes = 0

    def copy(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self.nodes += 1
        if kind is str:
            kept: Any = value if len(value) <= TEXT_KEPT else value[:TEXT_KEPT]
        elif kind in _PLAIN:
            kept = value
        elif depth <= 0 or self.nodes > _NODES:
            kept = "<too deep>" if depth <= 0 else "<too much>"
        elif kind is dict:
            # dict() copies in one step: another thread may be writing to the original
            return self._mapping(dict(value), depth)
        elif kind is list or kind is tuple:
            return self._items(list(value), depth)
        else:
            try:
                return self._other(value, depth)
            except Exception:  # an object of the program's may answer anything with an error
                kept = f"<unreadable {kind.__name__}>"
        self.size += getsizeof(kept)
        return kept

    def _mapping(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        self.size += _DICT_SIZE + _ITEM_SIZE * min(len(value), _NODES)
        kept = {}
        for name, item in value.items():
            if self.nodes > _NODES:
                break
            text = name if type(name) is str else text_of(name)
            self.size += getsizeof(text)
            kept[text] = self.copy(item, depth - 1)
        return kept

    def _items(self, value: list[Any], depth: int) -> list[Any]:
        self.size += 56 + 8 * min(len(value), _NODES)
        return [self.copy(item, depth - 1) for item in value[:_NODES]]

    def _other(self, value: Any, depth: int) -> Any:
        kept: Any
        if isinstance(value, BaseException):
            value = Failure(value)
        if isinstance(value, Failure):
            self.size += value.size
            return value
        if isinstance(value, Enum):
            return self.copy(value.value, depth - 1)
        if isinstance(value, str):
            kept = str.__str__(value)[:TEXT_KEPT]
        elif isinstance(value, datetime | date | Decimal | UUID):
            kept = value
        elif isinstance(value, Mapping):
            return self._mapping(dict(value), depth)
        elif isinstance(value, set | frozenset | list | tuple):
            return self._items(list(value), depth)
        elif isinstance(value, bytes | bytearray | memoryview):
            kept = bytes(value[:TEXT_KEPT]).decode("utf-8", "backslashreplace")
        elif isinstance(value, numbers.Integral):
            kept = int(value)
        elif isinstance(value, numbers.Real):
            kept = float(value)
        else:
            kept = text_of(value)
        self.size += getsizeof(kept)
        return kept
