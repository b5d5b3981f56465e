"""docs/insights.md once more, slowly: the cells that transactions make, from their records.

Shares nothing with core/rollup.py, core/tally.py or core/shares.py but the buckets of sketches.
Shares of elapsed time are exact fractions here, which the product rounds to whole ms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tests.core import oracle
from tracking.core.sketch import bucket_of

Document = dict[str, Any]
# kind, grain, beginning, flow, version, names
Cell = tuple[str, str, datetime, str, str, tuple[Any, ...]]
Numbers = dict[str, Fraction]
SHARED = ("share.queue_ms", "share.work_ms", "busy_ms", "idle_ms")


def cells(
    transactions: Iterable[list[Document]], definitions: Callable[[str], Sequence[Any]]
) -> dict[Cell, Numbers]:
    """Numbers that are not 0, by cell."""
    found: dict[Cell, Numbers] = defaultdict(lambda: defaultdict(Fraction))
    for documents in transactions:
        for kind, flow, version, moment, names, number, amount in facts(documents, definitions):
            for grain in ("hour", "day", "month"):
                if number.startswith("minutes.") and grain != "hour":
                    continue
                place = (kind, grain, begin(grain, moment), flow, version, names)
                found[place][number] += amount
    return {place: {n: a for n, a in numbers.items() if a} for place, numbers in found.items()}


def begin(grain: str, moment: datetime) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return {"hour": hour, "day": hour.replace(hour=0), "month": hour.replace(day=1, hour=0)}[grain]


def facts(
    documents: list[Document], definitions: Callable[[str], Sequence[Any]]
) -> Iterator[tuple[str, str, str, datetime, tuple[Any, ...], str, Fraction]]:
    transaction, blocks = oracle.derive(documents, definitions)
    counting = oracle.counting_records(oracle.unique(documents))
    flow, version = transaction["flow"], transaction["flow_version"] or ""
    status = {block["block"]: block["status"] for block in blocks}
    stage = {block["block"]: block["stage"] for block in blocks}
    deciding = {block["block"]: block["attempt"] for block in blocks}
    first, last = transaction["first_at"], transaction["last_at"]
    ended = transaction["status"] != "in_transit"
    one = Fraction(1)

    def said(
        kind: str, moment: datetime, names: tuple[Any, ...], number: str, amount: Any = 1
    ) -> tuple[str, str, str, datetime, tuple[Any, ...], str, Fraction]:
        return kind, flow, version, moment, names, number, Fraction(amount)

    def sketch(
        kind: str, moment: datetime, names: tuple[Any, ...], name: str, span: int
    ) -> Iterator[Any]:
        yield said(kind, moment, names, f"{name}.n")
        yield said(kind, moment, names, f"{name}.ms", span)
        yield said(kind, moment, names, f"{name}.b.{bucket_of(span)}")

    visits = visits_of(counting, stage, last)
    shared = shares(visits, first, last)
    yield said("flow", first, (), "started")
    yield said("flow", first, (), f"minutes.{first.minute}.started")
    how = transaction["status"]
    whole = oracle.milliseconds(last - first)
    yield from sketch("flow", last, (), f"throughput.{how}", whole)
    if ended:
        busy = sum((work for _queue, work in shared), Fraction(0))
        yield said("flow", last, (), f"ended.{how}")
        yield said("flow", last, (), f"minutes.{last.minute}.{how}")
        yield said("flow", last, (), "busy_ms", busy)
        yield said("flow", last, (), "idle_ms", whole - busy)
        yield said("flow", last, (), "retries", transaction["retries"])
        yield said("edge", last, (visits[-1]["block"], ""), "passed")

    source = None
    for visit, (queue, work) in zip(visits, shared, strict=True):
        names = (visit["stage"], visit["block"])
        moment = visit["over"]
        yield said("block", visit["arrival"], names, "arrived")
        yield said("block", moment, names, f"visits.{visit['status']}")
        numbers = [v["attempt"] for v in visits if v["block"] == visit["block"]]
        if visit["attempt"] != min(numbers):
            yield said("block", moment, names, "retries")
        lost = is_lost(visit["block"], visit["attempt"], status, deciding)
        if lost:
            yield said("block", moment, names, "lost")
        for name in ("queue", "work"):
            if visit[f"{name}_ms"] is not None:
                yield from sketch("block", moment, names, name, visit[f"{name}_ms"])
        yield said("block", moment, names, "share.queue_ms", queue)
        yield said("block", moment, names, "share.work_ms", work)
        edge = (source["block"] if source else "", visit["block"])
        yield said("edge", visit["arrival"], edge, "passed")
        if source:
            begins = visit["started"] or visit["arrival"]
            wait = max(0, oracle.milliseconds(begins - source["over"]))
            yield from sketch("edge", visit["arrival"], edge, "wait", wait)
        source = visit

    vain = transaction["status"] in ("failed", "filtered")
    for record in counting:
        moment, block = record["occurred_at"], record["block"]
        names = (stage[block], block)
        yield said("block", moment, names, f"records.{record['status']}")
        yield said("block", moment, names, f"minutes.{moment.minute}.{record['status']}")
        lost = is_lost(block, record["attempt"], status, deciding)
        for line in oracle.part(record).get("usage", []):
            place = (block, line["resource"], line["unit"], lost, vain)
            yield said("usage", moment, place, "sum", Fraction(line["quantity"]))
        if cost := oracle.part(record).get("cost"):
            place = (block, cost["currency"], lost, vain)
            yield said("cost", moment, place, "sum", one * Fraction(cost["amount"]))


def is_lost(block: str, attempt: int, status: dict[str, str], deciding: dict[str, int]) -> bool:
    return attempt != deciding[block] or status[block] == "failed"


def visits_of(
    counting: list[Document], stage: dict[str, str], last: datetime
) -> list[dict[str, Any]]:
    found = []
    for block in sorted({record["block"] for record in counting}):
        own = [record for record in counting if record["block"] == block]
        for moments in oracle.moments_of(own):
            records = [record for record in own if record["attempt"] == moments["attempt"]]
            deciding = max(records, key=oracle.key)
            first = min(
                (r["occurred_at"], len(oracle.own_id(r)), oracle.own_id(r)) for r in records
            )
            known = [moments["queued"], moments["started"], first[0]]
            queue_ms, work_ms = oracle.spans_of(moments)
            found.append(
                {
                    **moments,
                    "block": block,
                    "stage": stage[block],
                    "status": deciding["status"],
                    "over": moments["ended"] or deciding["occurred_at"],
                    "arrival": min(moment for moment in known if moment is not None),
                    "tie": first[1:],
                    "queue_ms": queue_ms,
                    "work_ms": work_ms,
                }
            )
    found.sort(key=lambda x: (x["arrival"], *x["tie"]))
    for visit in found:
        later = [
            x for x in found if x["block"] == visit["block"] and x["attempt"] > visit["attempt"]
        ]
        gone = last
        if later:
            gone = min(last, min(later, key=lambda x: x["attempt"])["arrival"])
        visit["gone"] = visit["ended"] or gone
    return found


def shares(
    visits: list[dict[str, Any]], first: datetime, last: datetime
) -> list[tuple[Fraction, Fraction]]:
    """Queue and work of each visit: stretch by stretch between all moments that matter."""
    bounds = {first, last}
    for visit in visits:
        bounds |= {
            moment
            for moment in (visit["arrival"], visit["queued"], visit["started"], visit["gone"])
            if moment is not None and first <= moment <= last
        }
    queue = [Fraction(0)] * len(visits)
    work = [Fraction(0)] * len(visits)
    ordered = sorted(bounds)
    for begins, ends in pairwise(ordered):
        length = Fraction(oracle.milliseconds(ends - begins))
        working, waiting = [], []
        for index, visit in enumerate(visits):
            started, queued = visit["started"], visit["queued"]
            if started is not None and started <= begins and ends <= visit["gone"]:
                working.append(index)
            until = started if started is not None else visit["gone"]
            if queued is not None and queued <= begins and ends <= until:
                waiting.append(index)
        following = [index for index, visit in enumerate(visits) if visit["arrival"] >= ends]
        soonest = min(following, key=lambda i: (visits[i]["arrival"], i), default=len(visits) - 1)
        for index in working:
            work[index] += length / len(working)
        if not working:
            for index in waiting or [soonest]:
                queue[index] += length / len(waiting or [soonest])
    return list(zip(queue, work, strict=True))
