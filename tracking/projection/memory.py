"""What the follower remembers of transactions it derived lately, within a bound.

Valid only as long as this follower alone moved the cursor, step after step; what it holds is
immutable bytes, so that a step that fails in the middle leaves it as it was.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

# What CPython needs for an entry beside its bytes: two bytes objects, the tuple, the key, its
# place in the dictionary.
_ENTRY_BYTES = 512
# A share of the bound that one transaction may take: the others matter too.
_SHARE = 32


class Remembered(NamedTuple):
    """A transaction as last derived: its packed state, of how many records, and their ids where
    some of them may come once more by way of the log (each between line feeds)."""

    state: bytes
    records: int
    seen: bytes = b""

    def has(self, id: str) -> bool:
        return bool(self.seen) and f"\n{id}\n".encode() in self.seen


class Memory:
    """The transactions touched last, by their keys; the one touched longest ago goes first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._entries: OrderedDict[str, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: str) -> Remembered | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def keep(self, key: str, entry: Remembered) -> None:
        self.forget(key)
        size = _size(key, entry)
        if size * _SHARE > self.most_bytes:
            return
        self._entries[key] = entry
        self.bytes += size
        while self.bytes > self.most_bytes:
            self.bytes -= _size(*self._entries.popitem(last=False))

    def forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= _size(key, entry)

    def clear(self) -> None:
        self._entries.clear()
        self.bytes = 0


def _size(key: str, entry: Remembered) -> int:
    return _ENTRY_BYTES + len(key) + len(entry.state) + len(entry.seen)
