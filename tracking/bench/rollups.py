"""Rollups as they would stand after months at so many records a second, written directly.

Deriving billions of records would take days; their cells are few. Each flow is a chain of blocks
that is now and then tried again, cut short or failed; each hour is a quiet, a usual or a busy
one. Numbers of days and months are the sums of their hours'.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from math import erf, log, sqrt
from typing import Any, Final

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from tracking.core.sketch import ENDS, value_of

TENANT: Final = "default"
RESOURCES: Final = (("cpu", "s"), ("storage", "GiB.h"), ("model", "tokens"))
CURRENCY: Final = "EUR"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_RECORDS_PER_VISIT: Final = 3  # queued, started, and how it ended
_BATCH: Final = 4_000
_VARIANTS: Final = 2
# How busy the hours of a day are, on average 1.
_LOADS: Final = (*(0.4,) * 6, *(1.0,) * 2, *(1.48,) * 10, *(1.0,) * 4, *(0.4,) * 2)
_RETRIED, _FAILED, _FILTERED, _SKIPPED = 0.012, 0.004, 0.01, 0.03
_FLAGS: Final = ((False, False), (True, False), (False, True), (True, True))

Numbers = dict[str, int]
# An hour's load and variant → how many such hours.
Hours = Counter[tuple[float, int]]


@dataclass(frozen=True)
class History:
    """So many whole days before `end`, and what has passed of its day.

    `hours_of`: of how many days the hours are written too, which are nearly all of the cells.
    """

    end: datetime
    days: int
    hours_of: int
    rate: int = 1_000
    flows: int = 5
    blocks: int = 10

    @property
    def begin(self) -> datetime:
        return self.end.replace(hour=0, minute=0, second=0, microsecond=0) - self.days * DAY

    @property
    def records(self) -> int:
        return int(self.rate * (self.end - self.begin).total_seconds())

    def hours(self) -> Iterator[datetime]:
        hour = self.begin
        while hour < self.end:
            yield hour
            hour += HOUR


def flow_of(number: int) -> str:
    return f"flow-{number}"


def block_of(number: int) -> str:
    return f"block-{number:02d}"


def write_history(rollup: Collection[Any], history: History) -> None:
    """Insert all cells: hours as they passed, then days, then months."""
    named = [
        Named(flow, kind, names, chance)
        for number in range(history.flows)
        for flow, kind, names, chance in _names(number, history.blocks)
    ]
    days: dict[datetime, Hours] = {}
    months: dict[datetime, Hours] = {}
    source = Numbering(history)
    batch: list[RawBSONDocument] = []
    first = history.end - history.hours_of * DAY
    for hour in history.hours():
        like = (_LOADS[hour.hour], hour.toordinal() % _VARIANTS)
        day = hour.replace(hour=0)
        days.setdefault(day, Counter())[like] += 1
        months.setdefault(day.replace(day=1), Counter())[like] += 1
        if hour < first:
            continue
        batch += (each.cell("hour", hour, source.hour(each, like)) for each in named)
        if len(batch) >= _BATCH:
            rollup.insert_many(batch, ordered=False)
            batch = []
    for grain, times in (("day", days), ("month", months)):
        for at, hours in times.items():
            batch += (each.cell(grain, at, source.sum(each, hours)) for each in named)
            rollup.insert_many(batch, ordered=False)
            batch = []


@dataclass(frozen=True, eq=False)
class Named:
    """What names a cell beside its time."""

    flow: str
    kind: str
    names: dict[str, Any]
    # the share of the flow's objects that it is about
    share: float

    def cell(self, grain: str, at: datetime, numbers: bytes) -> RawBSONDocument:
        """The naming's BSON and the numbers', which are of few kinds, as one document."""
        words = "\x1f".join((self.flow, "", *map(_word, self.names.values())))
        naming = bson.encode(
            {
                "_id": f"{TENANT}/{self.kind}/{grain}/{at:%Y%m%d%H}/{words}",
                "tenant": TENANT,
                "kind": self.kind,
                "grain": grain,
                "at": at,
                "flow": self.flow,
                "version": "",
                **self.names,
            }
        )
        size = len(naming) + len(numbers) - 5
        return RawBSONDocument(size.to_bytes(4, "little") + naming[4:-1] + numbers[4:])


def _word(name: object) -> str:
    if isinstance(name, bool):
        return "1" if name else ""
    return str(name)


def _names(number: int, blocks: int) -> Iterator[tuple[str, str, dict[str, Any], float]]:
    """Each cell of a flow in one hour: its kind, its names, and of which share of objects."""
    flow = flow_of(number)
    yield flow, "flow", {}, 1.0
    for place in range(blocks):
        block = block_of(place)
        stage = "ingress" if place == 0 else "egress" if place == blocks - 1 else "processing"
        yield flow, "block", {"stage": stage, "block": block}, 1.0
        following = block_of(place + 1) if place + 1 < blocks else ""
        if place == 0:
            yield flow, "edge", {"source": "", "target": block}, 1.0
        yield flow, "edge", {"source": block, "target": following}, 1.0 - _SKIPPED
        yield flow, "edge", {"source": block, "target": block}, _RETRIED
        if place + 2 < blocks:
            yield flow, "edge", {"source": block, "target": block_of(place + 2)}, _SKIPPED
        if following and place % 3 == 1:
            yield flow, "edge", {"source": block, "target": ""}, _FILTERED
        for lost, vain in _FLAGS:
            share = (_RETRIED if lost else 1.0) * (_FILTERED if vain else 1.0)
            for resource, unit in RESOURCES:
                names = {"block": block, "resource": resource, "unit": unit}
                yield flow, "usage", {**names, "lost": lost, "vain": vain}, share
            names = {"block": block, "currency": CURRENCY, "lost": lost, "vain": vain}
            yield flow, "cost", names, share


class Numbering:
    """The numbers of cells: made once for each kind of hour, then put together."""

    def __init__(self, history: History) -> None:
        visits = history.blocks * (1 + _RETRIED)
        self._objects = history.rate * 3_600 / history.flows / (visits * _RECORDS_PER_VISIT)
        self._hours: dict[tuple[Named, float, int], tuple[Numbers, bytes]] = {}
        self._sums: dict[tuple[Named, frozenset[Any]], bytes] = {}

    def hour(self, named: Named, like: tuple[float, int]) -> bytes:
        return self._hour(named, like)[1]

    def sum(self, named: Named, hours: Hours) -> bytes:
        key = (named, frozenset(hours.items()))
        if key not in self._sums:
            numbers: Numbers = {}
            for like, times in hours.items():
                for name, number in self._hour(named, like)[0].items():
                    numbers[name] = numbers.get(name, 0) + times * number
            self._sums[key] = bson.encode(_nested(numbers))
        return self._sums[key]

    def _hour(self, named: Named, like: tuple[float, int]) -> tuple[Numbers, bytes]:
        key = (named, *like)
        if key not in self._hours:
            words = "/".join((named.flow, named.kind, *map(str, named.names.values())))
            maker = Maker(random.Random(f"{words}/{like}"), named)  # noqa: S311
            numbers = maker.numbers(self._objects * like[0] * named.share)
            minutes = maker.minutes(numbers)
            self._hours[key] = (numbers, bson.encode({**_nested(numbers), **minutes}))
        return self._hours[key]


@dataclass
class Maker:
    """One hour's numbers of one cell."""

    chance: random.Random
    named: Named

    @cached_property
    def typical(self) -> random.Random:
        """The same for all hours of a cell: how long things take there."""
        return random.Random("/".join(map(str, self.named.names.values())))  # noqa: S311

    def numbers(self, count: float) -> Numbers:
        count *= self.chance.uniform(0.97, 1.03)
        return {
            "flow": self._flow,
            "block": self._block,
            "edge": self._edge,
            "usage": self._amount,
            "cost": self._amount,
        }[self.named.kind](max(1, round(count)))

    def minutes(self, numbers: Numbers) -> dict[str, Any]:
        """An hour's counts by minute."""
        prefix = {"flow": "ended.", "block": "records."}.get(self.named.kind)
        if prefix is None:
            return {}
        counts = {
            name.removeprefix(prefix): count
            for name, count in numbers.items()
            if name.startswith(prefix) or name == "started"
        }
        shares = {
            str(minute): {
                name: whole
                for name, count in counts.items()
                if (whole := int(count / 60 + self.chance.random()))
            }
            for minute in range(60)
        }
        return {"minutes": shares}

    def _flow(self, started: int) -> Numbers:
        failed, filtered = round(started * _FAILED), round(started * _FILTERED * 3)
        delivered = started - failed - filtered
        numbers = {"started": started, "lines": 2 * started}
        for status, count in (
            ("delivered", delivered),
            ("failed", failed),
            ("filtered", filtered),
        ):
            numbers[f"ended.{status}"] = count
            numbers |= self._sketch(f"throughput.{status}", count, minutes=90, spread=0.9)
        whole = sum(count for name, count in numbers.items() if name.endswith(".ms"))
        busy = whole // 4
        retries = round(started * _RETRIED * 10)
        return {**numbers, "busy_ms": busy, "idle_ms": whole - busy, "retries": retries}

    def _block(self, arrived: int) -> Numbers:
        retries, failed = round(arrived * _RETRIED), round(arrived * (_RETRIED + _FAILED))
        spread = self.typical.uniform(0.4, 1.1)
        queue = self._sketch(
            "queue", arrived, minutes=self.typical.choice((0.2, 2, 9)), spread=spread
        )
        work = self._sketch("work", arrived, minutes=self.typical.choice((0.05, 1, 4)), spread=0.7)
        return {
            "records.queued": arrived,
            "records.started": arrived,
            "records.succeeded": arrived - failed,
            "records.failed": failed,
            "arrived": arrived,
            "visits.succeeded": arrived - failed,
            "visits.failed": failed,
            "retries": retries,
            "lost": failed,
            **queue,
            **work,
            "share.queue_ms": queue["queue.ms"],
            "share.work_ms": work["work.ms"],
            "lines": 2 * arrived,
        }

    def _edge(self, passed: int) -> Numbers:
        numbers = {"passed": passed, "lines": passed}
        if self.named.names["source"] and self.named.names["target"]:
            minutes = self.typical.choice((0.1, 3, 20))
            numbers |= self._sketch("wait", passed, minutes=minutes, spread=0.9)
        return numbers

    def _amount(self, count: int) -> Numbers:
        """So many times some 1.25 units, to six places."""
        rest = int(count * self.chance.uniform(1.2, 1.3) * 10**6) * 10**12
        numbers = {"n": count, "lines": count}
        for place in range(4):
            rest, numbers[f"q{place}"] = divmod(rest, 10**9)
        return numbers

    def _sketch(self, name: str, count: int, *, minutes: float, spread: float) -> Numbers:
        """Log-normal spans about so many minutes, as many in each bucket as such a sample has."""
        middle = log(minutes * 60_000)
        numbers: Numbers = {}
        total = 0.0
        below = 0.0
        for bucket, end in enumerate(ENDS):
            share = 0.5 * (1 + erf((log(end + 0.5) - middle) / (spread * sqrt(2))))
            expected = count * (share - below)
            below = share
            noise = self.chance.gauss(0, sqrt(expected)) if expected > 1 else 0.0
            if found := int(expected + noise + self.chance.random()):
                numbers[f"{name}.b.{bucket}"] = found
                total += found * value_of(bucket)
        seen = sum(numbers.values())
        return {f"{name}.n": seen, f"{name}.ms": round(total), **numbers}


def _nested(numbers: Numbers) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, number in numbers.items():
        *path, last = name.split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = number
    return found
