"""What a transaction adds to rollups: its entries. Pure.

An entry is a text, so that it can be kept with the transaction and be taken back as it was
added (docs/insights.md says what is counted where; core/tally.py adds entries up). Its fields
are set apart by a control character, which names have none of:

- the first entry: flow, version; all others are of these;
- `t`, minute of the first event, status, minute of the last event, throughput time, busy time,
  retries, block of the last visit;
- `v`, stage, block, hour of arrival, hour it was over, status, queue time, work time, retry,
  lost, share of elapsed time as queue, as work, block of the visit before, waiting: a visit, and
  the edge that leads to it;
- `r`, stage, block, then by turns minute and status as one number, and records;
- `s`, block, vain, then by turns resource (of posted cost: nothing), unit or currency, lost, hour,
  and quantity or amount.

Times are in ms, quantities and amounts times 10^18, minutes and hours since 1970 in UTC; what is
not known, or not so, is empty. This runs for each transaction that changes: hence few calls.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.blocks import EXACT, Attempt, Block, hour_of
from tracking.core.lifetime import Lifetime
from tracking.core.shares import Presence, shares

SEPARATOR: Final = "\x1f"
SCALE: Final = 18
_MS: Final = timedelta(milliseconds=1)
_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000

# Moments are ms from the transaction's first event: numbers are compared and set apart in a third
# of the time. Arrival, length of the first record's id, the id: the order of visits; start, queued.
_Visit = tuple[int, int, str, int | None, int | None, Block, Attempt]
_ORDER: Final = itemgetter(0, 1, 2)


def entries_of(lifetime: Lifetime) -> list[str]:
    """What a transaction adds."""
    first = lifetime.first_at
    zero = (hour_of(first) * 3_600 + first.minute * 60 + first.second) * 1_000
    zero += first.microsecond // 1_000
    whole = (lifetime.last_at - first) // _MS
    visits = _visits(lifetime)
    presences, ends = _presences(visits, lifetime, whole)
    found = [f"{lifetime.flow}\x1f{lifetime.flow_version or ''}", ""]
    source, free = "", 0
    wait: Any = ""
    busy = 0
    for (arrival, _length, _id, start, queued, block, attempt), end, (queue, work) in zip(
        visits, ends, shares(presences, whole), strict=True
    ):
        name = block.name
        queue_ms: Any = ""
        if start is not None and queued is not None:
            queue_ms = start - queued
        work_ms: Any = ""
        if end is None:
            over = (attempt.key[0] - first) // _MS
        else:
            over = end
            if start is not None:
                work_ms = end - start
        retry = lost = ""
        if len(block.attempts) > 1:
            retry = "1" if attempt.number > min(block.attempts) else ""
            lost = "1" if _is_lost(block, attempt.number) else ""
        elif attempt.status == v.FAILED:
            lost = "1"
        if source:
            begins = arrival if start is None else start
            wait = begins - free if begins > free else 0
        found.append(
            f"v\x1f{block.stage}\x1f{name}\x1f{(zero + arrival) // _HOUR_MS}"
            f"\x1f{(zero + over) // _HOUR_MS}\x1f{attempt.status}\x1f{queue_ms}\x1f{work_ms}"
            f"\x1f{retry}\x1f{lost}\x1f{queue}\x1f{work}\x1f{source}\x1f{wait}"
        )
        busy += work
        source = name
        free = over
    found[1] = (
        f"t\x1f{zero // _MINUTE_MS}\x1f{lifetime.status}\x1f{(zero + whole) // _MINUTE_MS}"
        f"\x1f{whole}\x1f{busy}\x1f{lifetime.retries}\x1f{source}"
    )
    vain = "1" if lifetime.status in (v.TX_FAILED, v.TX_FILTERED) else ""
    for block in lifetime.blocks:
        told = "".join([f"\x1f{at}\x1f{n}" for at, n in sorted(block.counts.items())])
        found.append(f"r\x1f{block.stage}\x1f{block.name}{told}")
        if block.spent:
            found.append(_spent(block, vain))
    return found


def _visits(lifetime: Lifetime) -> list[_Visit]:
    visits: list[_Visit] = []
    zero = lifetime.first_at
    for block in lifetime.blocks:
        for attempt in block.attempts.values():
            at, length, id = attempt.first
            arrival = (at - zero) // _MS
            start = queued = None
            if attempt.started is not None:
                start = (attempt.started - zero) // _MS
                arrival = min(arrival, start)
            if attempt.queued is not None:
                queued = (attempt.queued - zero) // _MS
                arrival = min(arrival, queued)
            visits.append((arrival, length, id, start, queued, block, attempt))
    visits.sort(key=_ORDER)
    return visits


def _presences(
    visits: list[_Visit], lifetime: Lifetime, whole: int
) -> tuple[list[Presence], list[int | None]]:
    """When each visit was there, and ended; one that nobody ended lasts until the block's next
    attempt, or the transaction's last event."""
    zero = lifetime.first_at
    presences: list[Presence] = []
    ends: list[int | None] = []
    for arrival, _length, _id, start, queued, block, attempt in visits:
        end = None if attempt.ended is None else (attempt.ended - zero) // _MS
        ends.append(end)
        if start is None and queued is None:
            presences.append((arrival, 0, 0, 0, 0))
            continue
        if end is None:
            end = whole
            if attempt is not block.deciding:
                following = min(other for other in block.attempts if other > attempt.number)
                # nobody says when it gave up; the next attempt says that it had
                end = min(end, (block.attempts[following].arrival - zero) // _MS)
        starts = end if start is None else start
        presences.append((arrival, starts if queued is None else queued, starts, starts, end))
    return presences, ends


def _is_lost(block: Block, number: int) -> bool:
    """As in core/costs.py: it failed as the last attempt, or a later one took its place."""
    return number != block.deciding.number or block.status == v.FAILED


def _spent(block: Block, vain: str) -> str:
    lost = "1" if block.status == v.FAILED else ""
    spent = block.spent
    if len(block.attempts) == 1:
        lines = [
            f"\x1f{resource}\x1f{unit}\x1f{lost}\x1f{hour}\x1f{_scaled(quantity)}"
            for (_number, hour, resource, unit), quantity in spent.items()
        ]
    else:
        sums: dict[tuple[str, str, str, int], int] = {}
        for (number, hour, resource, unit), quantity in spent.items():
            key = (resource, unit, "1" if _is_lost(block, number) else "", hour)
            sums[key] = sums.get(key, 0) + _scaled(quantity)
        lines = [
            f"\x1f{resource}\x1f{unit}\x1f{lost}\x1f{hour}\x1f{scaled}"
            for (resource, unit, lost, hour), scaled in sums.items()
        ]
    lines.sort()
    return f"s\x1f{block.name}\x1f{vain}{''.join(lines)}"


def _scaled(quantity: Decimal) -> int:
    return int(quantity.scaleb(SCALE, EXACT))
