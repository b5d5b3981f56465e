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

from datetime import datetime, timedelta
from typing import Any, Final

from tracking import vocabulary as v
from tracking.core.blocks import EXACT, Attempt, Block, hour_of
from tracking.core.lifetime import Lifetime
from tracking.core.shares import Presence, shares

SEPARATOR: Final = "\x1f"
SCALE: Final = 18
_MS: Final = timedelta(milliseconds=1)

# arrival, then length of the first record's id, and the id: the order of visits; what it is
_Visit = tuple[datetime, int, str, str, Block, Attempt]


def entries_of(lifetime: Lifetime) -> list[str]:
    """What a transaction adds."""
    visits = _visits(lifetime.blocks)
    first, last = lifetime.first_at, lifetime.last_at
    whole = (last - first) // _MS
    presences = [_presence(visit, first, last) for visit in visits]
    found = [f"{lifetime.flow}\x1f{lifetime.flow_version or ''}", ""]
    source, free = "", 0
    wait: Any = ""
    busy = 0
    for visit, presence, (queue, work) in zip(
        visits, presences, shares(presences, whole), strict=True
    ):
        arrival, _length, _id, stage, block, attempt = visit
        name, start, end = block.name, attempt.started, attempt.ended
        queue_ms: Any = ""
        if start is not None and attempt.queued is not None:
            queue_ms = (start - attempt.queued) // _MS
        work_ms: Any = ""
        if end is not None and start is not None:
            work_ms = (end - start) // _MS
        retry = lost = ""
        if len(block.attempts) > 1:
            retry = "1" if attempt.number > min(block.attempts) else ""
            lost = "1" if _is_lost(block, attempt.number) else ""
        elif attempt.status == v.FAILED:
            lost = "1"
        over = end if end is not None else attempt.key[0]
        if source:
            begins = presence[0] if start is None else (start - first) // _MS
            wait = begins - free if begins > free else 0
        found.append(
            f"v\x1f{stage}\x1f{name}\x1f{hour_of(arrival)}\x1f{hour_of(over)}"
            f"\x1f{attempt.status}\x1f{queue_ms}\x1f{work_ms}\x1f{retry}\x1f{lost}"
            f"\x1f{queue}\x1f{work}\x1f{source}\x1f{wait}"
        )
        busy += work
        source = name
        free = (over - first) // _MS
    found[1] = (
        f"t\x1f{_minute_of(first)}\x1f{lifetime.status}\x1f{_minute_of(last)}\x1f{whole}"
        f"\x1f{busy}\x1f{lifetime.retries}\x1f{source}"
    )
    vain = "1" if lifetime.status in (v.TX_FAILED, v.TX_FILTERED) else ""
    for block in lifetime.blocks:
        counts = block.counts
        if len(counts) == 1:
            ((at, n),) = counts.items()
            found.append(f"r\x1f{block.stage}\x1f{block.name}\x1f{at}\x1f{n}")
        else:
            told = "".join([f"\x1f{at}\x1f{n}" for at, n in sorted(counts.items())])
            found.append(f"r\x1f{block.stage}\x1f{block.name}{told}")
        if block.spent:
            found.append(_spent(block, vain))
    return found


def _minute_of(moment: datetime) -> int:
    return hour_of(moment) * 60 + moment.minute


def _visits(blocks: list[Block]) -> list[_Visit]:
    visits: list[_Visit] = []
    for block in blocks:
        stage = block.stage
        for attempt in block.attempts.values():
            _at, length, id = attempt.first
            visits.append((attempt.arrival, length, id, stage, block, attempt))
    visits.sort(key=_order)
    return visits


def _order(visit: _Visit) -> tuple[datetime, int, str]:
    return visit[:3]


def _presence(visit: _Visit, first: datetime, last: datetime) -> Presence:
    """When it was there; a visit that nobody ended lasts until the block's next attempt, or the
    transaction's last event."""
    arrival, _length, _id, _stage, block, attempt = visit
    started, queued = attempt.started, attempt.queued
    begin = (arrival - first) // _MS
    if started is None and queued is None:
        return (begin, 0, 0, 0, 0)
    end = attempt.ended
    if end is None:
        end = last
        if attempt is not block.deciding:
            following = min(other for other in block.attempts if other > attempt.number)
            # nobody says when it gave up; the next attempt says that it had
            end = min(last, block.attempts[following].arrival)
    until = (end - first) // _MS
    starts = until if started is None else (started - first) // _MS
    waits = starts if queued is None else (queued - first) // _MS
    return (begin, waits, starts, starts, until)


def _is_lost(block: Block, number: int) -> bool:
    """As in core/costs.py: it failed as the last attempt, or a later one took its place."""
    return number != block.deciding.number or block.status == v.FAILED


def _spent(block: Block, vain: str) -> str:
    sums: dict[tuple[str, str, str, int], int] = {}
    lost = "1" if block.status == v.FAILED else ""
    one = len(block.attempts) == 1
    for (number, hour, resource, unit), quantity in block.spent.items():
        if not one:
            lost = "1" if _is_lost(block, number) else ""
        key = (resource, unit, lost, hour)
        scaled = int(quantity.scaleb(SCALE, EXACT))
        sums[key] = sums[key] + scaled if key in sums else scaled
    lines = "".join(
        [
            f"\x1f{resource}\x1f{unit}\x1f{lost}\x1f{hour}\x1f{scaled}"
            for (resource, unit, lost, hour), scaled in sorted(sums.items())
        ]
    )
    return f"s\x1f{block.name}\x1f{vain}{lines}"
