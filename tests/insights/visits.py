"""Random visits, put into cells one by one, and kept to be counted naively."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.insights.world import put, sketch
from tracking import vocabulary as v

BLOCKS = ("receive", "check", "price", "<b>&amp; `pack`", "ship")
STAGES = ("ingress", "processing", "processing", "processing", "egress")


@dataclass(frozen=True)
class Visit:
    block: str
    stage: str
    version: str
    arrived: datetime
    decided: datetime
    status: str
    queue: int | None
    work: int | None
    retry: bool
    lost: bool
    queue_share: int
    work_share: int
    source: str
    wait: int | None


@dataclass(frozen=True)
class Object:
    version: str
    started: datetime
    ended: datetime
    status: str
    busy: int
    idle: int
    last: str


def some_visits(random: Random, start: datetime, end: datetime, count: int) -> list[Visit]:
    return [_visit(random, start, end) for _each in range(count)]


def _visit(random: Random, start: datetime, end: datetime) -> Visit:
    number = random.randrange(len(BLOCKS))
    arrived = start + random.random() * (end - start)
    arrived = arrived.replace(microsecond=0)
    queue = random.choice((None, 0, random.randrange(50), int(random.lognormvariate(12, 2))))
    work = random.choice((None, random.randrange(60), int(random.lognormvariate(10, 2))))
    status = random.choice(v.STATUSES)
    source = random.choice(("", *BLOCKS))
    return Visit(
        block=BLOCKS[number],
        stage=STAGES[number] if random.random() < 0.9 else "egress",
        version=random.choice(("", "2")),
        arrived=arrived,
        decided=arrived + timedelta(milliseconds=(queue or 0) + (work or 0)),
        status=status,
        queue=queue,
        work=work if status in v.TERMINAL else None,
        retry=random.random() < 0.1,
        lost=status == v.FAILED or random.random() < 0.05,
        queue_share=random.choice((0, random.randrange(10**7))),
        work_share=random.choice((0, random.randrange(10**7))),
        source=source,
        wait=random.randrange(10**6) if source else None,
    )


def some_objects(random: Random, start: datetime, end: datetime, count: int) -> list[Object]:
    found = []
    for _each in range(count):
        started = start + random.random() * (end - start)
        busy, idle = random.randrange(10**7), random.randrange(10**7)
        ended = started + timedelta(milliseconds=busy + idle)
        status = random.choice(v.TRANSACTION_STATUSES)
        last = random.choice(BLOCKS)
        found.append(Object("", started, ended, status, busy, idle, last))
    return found


def put_visit(visit: Visit, **at: str) -> None:
    names = {"stage": visit.stage, "block": visit.block}
    put("block", visit.arrived, {"arrived": 1}, version=visit.version, **at, **names)
    numbers = {f"visits.{visit.status}": 1}
    numbers |= {"share.queue_ms": visit.queue_share, "share.work_ms": visit.work_share}
    numbers |= {"retries": int(visit.retry), "lost": int(visit.lost)}
    if visit.queue is not None:
        numbers |= sketch("queue", visit.queue)
    if visit.work is not None:
        numbers |= sketch("work", visit.work)
    put("block", visit.decided, numbers, version=visit.version, **at, **names)
    edge = {"passed": 1}
    if visit.wait is not None:
        edge |= sketch("wait", visit.wait)
    ends = {"source": visit.source, "target": visit.block}
    put("edge", visit.arrived, edge, version=visit.version, **at, **ends)


def put_object(each: Object, **at: str) -> None:
    put("flow", each.started, {"started": 1}, version=each.version, **at)
    numbers = sketch(f"throughput.{each.status}", each.busy + each.idle)
    if each.status == v.IN_TRANSIT:
        put("flow", each.ended, numbers, version=each.version, **at)
        return
    numbers |= {f"ended.{each.status}": 1, "busy_ms": each.busy, "idle_ms": each.idle}
    put("flow", each.ended, numbers, version=each.version, **at)
    ends = {"source": each.last, "target": ""}
    put("edge", each.ended, {"passed": 1}, version=each.version, **at, **ends)


def total(visits: list[Visit], number: Callable[[Visit], int | bool | None]) -> int:
    return sum(int(number(visit) or 0) for visit in visits)
