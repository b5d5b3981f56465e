"""Group commit: posts that come in while a transaction commits share the next one.

Nobody waits for company: a post that finds no commit under way commits at once. What comes
in meanwhile waits, and one of the waiting commits for all of them. So single-record posts
cost a MongoDB transaction each only while there is nothing else to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Out = TypeVar("Out")


class _Waiting(Generic[Item, Out]):
    __slots__ = ("error", "item", "leads", "out", "ready")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.ready = threading.Event()
        self.leads = False
        self.out: Out | None = None
        self.error: BaseException | None = None


class GroupCommit(Generic[Item, Out]):
    """Runs `commit(items) -> outs` for one or more items at a time, never twice at once.

    `weight(item)` counts towards `most` per commit. An error of a commit is raised to each
    of its items.
    """

    def __init__(
        self,
        commit: Callable[[list[Item]], list[Out]],
        *,
        weight: Callable[[Item], int],
        most: int,
    ) -> None:
        self._commit = commit
        self._weight = weight
        self._most = most
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: list[_Waiting[Item, Out]] = []

    def run(self, item: Item) -> Out:
        """Commit `item`, alone or in company, and return what became of it."""
        mine: _Waiting[Item, Out] = _Waiting(item)
        with self._lock:
            self._waiting.append(mine)
            if not self._busy:
                self._busy = mine.leads = True
        if not mine.leads:
            mine.ready.wait()
        if mine.leads:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.out  # type: ignore[return-value]

    def _lead(self) -> None:
        """Commit what waits, this thread's own item among it, then hand the lead on."""
        with self._lock:
            group = self._take()
        try:
            outs = self._commit([each.item for each in group])
            for each, out in zip(group, outs, strict=True):
                each.out = out
        except BaseException as error:
            for each in group:
                each.error = error
        with self._lock:
            if self._waiting:
                heir = self._waiting[0]
                heir.leads = True
            else:
                heir = None
                self._busy = False
        for each in group:
            each.ready.set()
        if heir is not None:
            heir.ready.set()

    def _take(self) -> list[_Waiting[Item, Out]]:
        group: list[_Waiting[Item, Out]] = []
        weight = 0
        while self._waiting:
            weight += self._weight(self._waiting[0].item)
            if group and weight > self._most:
                break
            group.append(self._waiting.pop(0))
        return group
