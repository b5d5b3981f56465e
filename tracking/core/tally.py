"""Cells of rollups as sums of entries (core/rollup.py), by the hour, the day and the month. Pure.

The numbers of a cell are integers under dotted names (docs/insights.md). Entries are added and
taken back alike, so what comes out does not depend on their order. Where `_tally.c` was built
(core/native.py says when), it adds them, and gives exactly what the code here gives.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.rollup import SEPARATOR
from tracking.core.sketch import ENDS

_REVISION: Final = 2
LIMB_DIGITS: Final = 9
_LIMBS: Final = ("q0", "q1", "q2", "q3")
_STATUSES: Final = sorted(v.STATUS_RANK, key=lambda status: v.STATUS_RANK[status])

# tenant, kind, flow, version, hour since 1970, names
Place = tuple[str, str, str, str, int, tuple[str, ...]]
Numbers = dict[str, int]


def _nothing() -> Numbers:
    return defaultdict(int)


class Tally:
    """What is to be added to each number of each cell, by the hour."""

    __slots__ = ("_cells", "_sums")

    def __init__(self) -> None:
        self._cells: defaultdict[Place, Numbers] = defaultdict(_nothing)
        self._sums = None if _compiled is None else _compiled.Sums()

    @property
    def cells(self) -> Mapping[Place, Numbers]:
        """By the hour; a number that came to 0 may be there or not."""
        if self._sums is None:
            return self._cells
        cells: dict[Place, Numbers] = self._sums.cells()
        return cells

    def exchange(self, tenant: str, old: list[str], new: list[str]) -> None:
        """Take back the old entries of a transaction and add the new; what is equal stays."""
        if not old:
            self._add(tenant, new, new[1:], 1)
            return
        if old[:1] != new[:1]:
            self._add(tenant, old, old[1:], -1)
            self._add(tenant, new, new[1:], 1)
            return
        left: dict[str, int] = {}
        for entry in old[1:]:
            left[entry] = left.get(entry, 0) + 1
        fresh = []
        for entry in new[1:]:
            if left.get(entry):
                left[entry] -= 1
            else:
                fresh.append(entry)
        self._add(tenant, new, fresh, 1)
        self._add(tenant, old, [entry for entry, n in left.items() for _ in range(n)], -1)

    def _add(self, tenant: str, head: list[str], entries: list[str], sign: int) -> None:
        if not head:
            return
        flow, version = head[0].split(SEPARATOR)
        if self._sums is not None:
            self._sums.add(tenant, flow, version, entries, sign)
        else:
            self._add_here(tenant, flow, version, entries, sign)

    def _add_here(
        self, tenant: str, flow: str, version: str, entries: list[str], sign: int
    ) -> None:
        cells = self._cells
        for entry in entries:
            fields = entry.split(SEPARATOR)
            kind = fields[0]
            if kind == "v":
                _kind, stage, block, arrived, over, status, queue, work, *rest = fields
                retry, lost, waited, worked, source, wait = rest
                arrived_hour = int(arrived)
                names = (stage, block)
                cell = cells[tenant, "block", flow, version, arrived_hour, names]
                cell["lines"] += sign
                cell["arrived"] += sign
                if over != arrived:
                    cell = cells[tenant, "block", flow, version, int(over), names]
                    cell["lines"] += sign
                cell["visits." + status] += sign
                if retry:
                    cell["retries"] += sign
                if lost:
                    cell["lost"] += sign
                if queue:
                    _sketch(cell, "queue", int(queue), sign)
                if work:
                    _sketch(cell, "work", int(work), sign)
                if waited != "0":
                    cell["share.queue_ms"] += sign * int(waited)
                if worked != "0":
                    cell["share.work_ms"] += sign * int(worked)
                edge = cells[tenant, "edge", flow, version, arrived_hour, (source, block)]
                edge["lines"] += sign
                edge["passed"] += sign
                if wait:
                    _sketch(edge, "wait", int(wait), sign)
            elif kind == "r":
                self._records(tenant, flow, version, fields, sign)
            elif kind == "t":
                self._transaction(tenant, flow, version, fields, sign)
            else:
                self._amounts(tenant, flow, version, fields, sign)

    def _records(self, tenant: str, flow: str, version: str, fields: list[str], sign: int) -> None:
        names = (fields[1], fields[2])
        before = -1
        for place in range(3, len(fields), 2):
            minute, rank = divmod(int(fields[place]), 8)
            number = sign * int(fields[place + 1])
            status = _STATUSES[rank]
            hour, minute = divmod(minute, 60)
            if hour != before:
                cell = self._cells[tenant, "block", flow, version, hour, names]
                cell["lines"] += sign
                before = hour
            cell["records." + status] += number
            cell[f"minutes.{minute}.{status}"] += number

    def _transaction(
        self, tenant: str, flow: str, version: str, fields: list[str], sign: int
    ) -> None:
        hour, minute = divmod(int(fields[1]), 60)
        cell = self._cells[tenant, "flow", flow, version, hour, ()]
        cell["lines"] += sign
        cell["started"] += sign
        cell[f"minutes.{minute}.started"] += sign
        status, throughput, busy = fields[2], int(fields[4]), int(fields[5])
        hour, minute = divmod(int(fields[3]), 60)
        cell = self._cells[tenant, "flow", flow, version, hour, ()]
        cell["lines"] += sign
        _sketch(cell, "throughput." + status, throughput, sign)
        if status == v.IN_TRANSIT:
            return
        cell["ended." + status] += sign
        cell[f"minutes.{minute}.{status}"] += sign
        cell["busy_ms"] += sign * busy
        cell["idle_ms"] += sign * (throughput - busy)
        if fields[6] != "0":
            cell["retries"] += sign * int(fields[6])
        edge = self._cells[tenant, "edge", flow, version, hour, (fields[7], "")]
        edge["lines"] += sign
        edge["passed"] += sign

    def _amounts(self, tenant: str, flow: str, version: str, fields: list[str], sign: int) -> None:
        block, vain = fields[1], fields[2]
        for place in range(3, len(fields), 5):
            resource, unit, lost, hour, scaled = fields[place : place + 5]
            names: tuple[str, ...] = (block, unit, lost, vain)
            if resource:
                names = (block, resource, unit, lost, vain)
            kind = "usage" if resource else "cost"
            cell = self._cells[tenant, kind, flow, version, int(hour), names]
            cell["lines"] += sign
            signed = sign
            if scaled[0] == "-":  # an amount given back
                signed, scaled = -sign, scaled[1:]
            to = len(scaled)
            for limb in _LIMBS:
                if to <= 0:
                    break
                # nine digits from the right; the last takes all that are left
                begin = max(to - LIMB_DIGITS, 0) if limb != _LIMBS[-1] else 0
                if number := int(scaled[begin:to]):
                    cell[limb] += signed * number
                to = begin


def _load() -> Any:
    """The compiled loop; None where it was not built, is of another version, or is not wanted."""
    if os.environ.get("DFT_COMPILED", "1") == "0":
        return None
    try:
        from tracking.core import _tally  # type: ignore[attr-defined]
    except ImportError:
        return None
    if _tally.REVISION != _REVISION:
        return None
    _tally.configure(ENDS, tuple(_STATUSES), v.TRANSACTION_STATUSES)
    return _tally


_compiled: Final = _load()


def _sketch(cell: Numbers, name: str, span: int, sign: int) -> None:
    cell[name + ".n"] += sign
    cell[name + ".ms"] += sign * span
    cell[f"{name}.b.{bisect_left(ENDS, span)}"] += sign


def numbers_in(cell: Mapping[str, Any], path: str = "") -> Numbers:
    """A stored cell's numbers under dotted names; a number that came to 0 is as if absent."""
    found: Numbers = {}
    for name, value in cell.items():
        if isinstance(value, dict):
            found.update(numbers_in(value, f"{path}{name}."))
        elif isinstance(value, int) and not isinstance(value, bool) and value:
            found[path + name] = value
    return found
