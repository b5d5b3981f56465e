"""`python -m tests.bench.insights_check DIRECTORY`: the rollups of both real logs, counted again.

Imports bpic2012 and Olist through the one door, lets the follower derive the rollups, and
compares what the cells of many windows add up to, and what the API tells of them, with the same
counted from the raw files (tests/bench/raw_logs.py, which knows nothing of the product): counts,
sums and edges are equal, quantiles are within 1 %. `--raw-only` prints the figures of the raw
files alone. Exit 0 when all of it holds, 1 when not.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.insights_told import Api, read_key, told_wrongly
from tests.bench.raw_logs import Facts, Name, Record, bpic2012, facts, ms, olist, quantile
from tests.bench.real_logs import BPIC, OLIST, TENANT, Database, Report
from tracking.mongo.embedded import EmbeddedMongo

SHARES = tuple(Fraction(share, 100) for share in (0, 25, 50, 90, 95, 99, 100))
ALL = "all of it"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS_IN_MS = 3_600_000
# What names a cell, by its kind, and what is no number of it.
NAMES = {"flow": (), "block": ("stage", "block"), "edge": ("source", "target")}
APART = ("_id", "tenant", "kind", "grain", "at", "flow", "version", "lines", "minutes")


@dataclass(frozen=True)
class Log:
    name: str
    file: str
    flow: str
    last_step: str
    read: Callable[[Path], Iterator[list[Record]]]


LOGS = (
    Log("bpic2012", BPIC, "loan-application", "A_ACTIVATED", bpic2012),
    Log("olist", OLIST, "order-fulfilment", "deliver", olist),
)


@dataclass
class Told:
    """What cells add up to."""

    counts: dict[Name, int] = field(default_factory=dict)
    sketches: dict[Name, dict[str, Any]] = field(default_factory=dict)

    def take(self, name: Name, value: Any) -> None:
        if not isinstance(value, Mapping):
            self.counts[name] = self.counts.get(name, 0) + value
        elif "b" in value:
            kept = self.sketches.setdefault(name, {"n": 0, "ms": 0, "b": {}})
            kept["n"] += value["n"]
            # of spans of 0 ms alone nothing was ever added
            kept["ms"] += value.get("ms", 0)
            for bucket, count in value["b"].items():
                kept["b"][int(bucket)] = kept["b"].get(int(bucket), 0) + count
        else:
            for part, each in value.items():
                self.take((*name, part), each)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="where the two logs are")
    parser.add_argument("--raw-only", action="store_true")
    parser.add_argument("--seed", type=int, default=20120331, help="of the days and hours chosen")
    given = parser.parse_args()
    counted = {log.name: facts(log.read(given.directory / log.file), log.last_step) for log in LOGS}
    if given.raw_only:
        for log in LOGS:
            Console(width=150).print(figures(log, counted[log.name]))
        return 0
    report = Report()
    with tempfile.TemporaryDirectory(prefix="dft-insights-") as place:
        folder = Path(place)
        with EmbeddedMongo(folder / "mongodb", for_tests=True, cache_gb=1) as mongo:
            database = Database(mongo.uris["web"], "insights", folder)
            for log in LOGS:
                database.load(given.directory / log.file, log.name)
            database.follow_to_the_end()
            use(database)
            for log in LOGS:
                compare(log, counted[log.name], random.Random(given.seed), report)
    Console(width=150).print(report.table)
    return 0 if report.good else 1


def use(database: Database) -> None:
    """Let this process read that database by the product's own reader."""
    import django

    os.environ.update(database.environment, DJANGO_SETTINGS_MODULE="dft_project.settings")
    django.setup()


# --- What is compared --------------------------------------------------------------------------


def compare(log: Log, counted: Facts, chance: random.Random, report: Report) -> None:
    worst = 0.0
    api = Api(read_key(TENANT), log.flow)
    for what, start, end in windows(counted, chance):
        told = of_cells(log, start, end)
        counts, spans = counted.within(ms(start), ms(end))
        if what == ALL:
            shared = sum(n for name, n in told.counts.items() if name[-2] == "share")
            elapsed = sum(last - first for first, last, _status in counted.objects)
            report.check(f"{log.name}: elapsed time in all shares, ms", shared, elapsed)
        wrong = sorted(differences(told, counts, spans))
        report.check(f"{log.name}, {what}: {len(counts)} counts, differing", wrong, [])
        off = max((off_by(told, name, own) for name, own in spans.items()), default=0.0)
        report.check(f"{log.name}, {what}: {len(spans)} sketches, off by > 1 %", off > 0.01, False)
        worst = max(worst, off)
        if what == ALL:
            say_spans(log, told, spans, report)
            start, end = whole_months(counted)
        wrong = sorted(told_wrongly(api, counted, start, end))
        report.check(f"{log.name}, {what}: told by the API otherwise", wrong[:20], [])
    report.figure(f"{log.name}: a quantile is off by at most", f"{100 * worst:.3f} %")
    for hour in busy_hours(counted, chance):
        wrong = sorted(minute_differences(log, counted, hour))
        report.check(f"{log.name}, minutes of {hour:%Y-%m-%d %H:%M}: differing", wrong, [])
    for moment in (random_hour(counted, chance) for _ in range(5)):
        what = f"{log.name}, in transit at {moment:%Y-%m-%d %H:%M}"
        report.check(what, in_transit(log, moment), counted.in_transit(ms(moment)))


def differences(
    told: Told, counts: Mapping[Name, Fraction], spans: Mapping[Name, list[int]]
) -> Iterator[str]:
    for name in {*counts, *told.counts}:
        ours, theirs = told.counts.get(name, 0), counts.get(name, Fraction(0))
        if abs(ours - theirs) > may_be_off(name, counts):
            yield f"{' '.join(name)}: {ours}, not {float(theirs):.3f}"
    for name in {*spans, *told.sketches}:
        sketch, own = told.sketches.get(name, {"n": 0, "ms": 0}), spans.get(name, [])
        if (sketch["n"], sketch["ms"]) != (len(own), sum(own)):
            yield (
                f"{' '.join(name)}: n {sketch['n']}, sum {sketch['ms']}, not {len(own)}, {sum(own)}"
            )


def say_spans(log: Log, told: Told, spans: Mapping[Name, list[int]], report: Report) -> None:
    """Median and 95th percentile of what has no edges, exact and as the sketches have it."""
    from tracking.core import sketch

    for name, own in sorted(spans.items()):
        if name[0] == "edge":
            continue
        found = sketch.quantiles(told.sketches[name]["b"], (0.5, 0.95))
        exact = _middle_and_most(own)
        pairs = (
            f"{_hours(one)} (sketch {_hours(Fraction(other or 0))})"
            for one, other in zip(exact, found, strict=True)
        )
        report.figure(f"{log.name}: {' '.join(name[-2:])}", f"n {len(own)}: {', p95 '.join(pairs)}")


def may_be_off(name: Name, counts: Mapping[Name, Fraction]) -> Fraction:
    """Nothing; but of elapsed time a part of a millisecond for each visit that it is shared by."""
    if name[0] == "block" and name[-2] == "share":
        visits = [count for other, count in counts.items() if other[:4] == (*name[:3], "visits")]
        return sum(visits, Fraction(0))
    if name in (("flow", "busy_ms"), ("flow", "idle_ms")):
        ended = [count for other, count in counts.items() if other[:2] == ("flow", "ended")]
        return sum(ended, Fraction(0))
    return Fraction(0)


def off_by(told: Told, name: Name, own: list[int]) -> float:
    """The largest relative error of any of the quantiles."""
    from tracking.core import sketch

    buckets = told.sketches[name]["b"] if name in told.sketches else {}
    worst = 0.0
    for share in SHARES:
        exact, found = float(quantile(own, share)), sketch.quantile(buckets, float(share))
        if found is None or (found != exact and not exact):
            return float("inf")
        worst = max(worst, abs(found - exact) / exact if exact else 0.0)
    return worst


# --- Windows -----------------------------------------------------------------------------------


def whole_months(counted: Facts) -> tuple[datetime, datetime]:
    first, last = (each.replace(day=1, hour=0) for each in spread(counted))
    return first, (last + 31 * DAY).replace(day=1)


def windows(counted: Facts, chance: random.Random) -> Iterator[tuple[str, datetime, datetime]]:
    first, last = spread(counted)
    yield ALL, datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    month = first.replace(day=1, hour=0)
    while month <= last:
        following = (month + 31 * DAY).replace(day=1)
        yield f"{month:%Y-%m}", month, following
        month = following
    for _ in range(3):
        day = random_hour(counted, chance).replace(hour=0)
        yield f"{day:%Y-%m-%d}", day, day + DAY
    for _ in range(3):
        hour = random_hour(counted, chance)
        yield f"{hour:%Y-%m-%d %H:00}", hour, hour + HOUR
    for _ in range(5):
        start, end = sorted(random_hour(counted, chance) for _ in range(2))
        yield f"{start:%Y-%m-%d %H:00} to {end:%Y-%m-%d %H:00}", start, end + HOUR


def spread(counted: Facts) -> tuple[datetime, datetime]:
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    first = min(each for each, _last, _status in counted.objects)
    last = max(each for _first, each, _status in counted.objects)
    hours = (each // HOURS_IN_MS for each in (first, last))
    return tuple(begin + hour * HOUR for hour in hours)  # type: ignore[return-value]


def random_hour(counted: Facts, chance: random.Random) -> datetime:
    first, last = spread(counted)
    return first + chance.randrange((last - first) // HOUR + 1) * HOUR


def busy_hours(counted: Facts, chance: random.Random) -> list[datetime]:
    """Three in which objects started."""
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    chosen = chance.sample(counted.objects, 3)
    return [begin + first // HOURS_IN_MS * HOUR for first, _last, _status in chosen]


# --- The product's side ------------------------------------------------------------------------


def of_cells(log: Log, start: datetime, end: datetime) -> Told:
    from tracking.insights import cells

    told = Told()
    runs = cells.cover(start, end)
    for kind, naming in NAMES.items():
        for cell in cells.read(TENANT, kind, runs, flow=log.flow):
            name = (kind, *(cell[each] for each in naming))
            for part, value in cell.items():
                if part not in APART and part not in naming:
                    told.take((*name, part), value)
    told.counts = {name: count for name, count in told.counts.items() if count}
    told.sketches = {name: sketch for name, sketch in told.sketches.items() if sketch["n"]}
    return told


def minute_differences(log: Log, counted: Facts, hour: datetime) -> Iterator[str]:
    """Of the counts that an hour keeps by minute."""
    from tracking.insights import cells

    told: dict[tuple[int, Name], int] = {}
    for kind in ("flow", "block"):
        for cell in cells.read(TENANT, kind, [cells.Run("hour", hour, hour + HOUR)], flow=log.flow):
            name = (kind, *(cell[each] for each in NAMES[kind]))
            for minute, numbers in cell.get("minutes", {}).items():
                for part, count in numbers.items():
                    if count:
                        told[int(minute), (*name, part)] = count
    known: dict[tuple[int, Name], int] = {}
    for at, name, count in counted.counts:
        minute = (at - ms(hour)) // 60_000
        if not 0 <= minute < 60:
            continue
        if name == ("flow", "started") or name[:2] == ("flow", "ended"):
            key = (minute, ("flow", name[-1]))
        elif name[0] == "block" and name[3] == "records":
            key = (minute, (*name[:3], name[-1]))
        else:
            continue
        known[key] = known.get(key, 0) + int(count)
    for key in {*told, *known}:
        if told.get(key, 0) != known.get(key, 0):
            yield f"{key}: {told.get(key, 0)}, not {known.get(key, 0)}"


def in_transit(log: Log, moment: datetime) -> int:
    counts = of_cells(log, datetime(1970, 1, 1, tzinfo=UTC), moment).counts
    ended = sum(count for name, count in counts.items() if name[:2] == ("flow", "ended"))
    return counts.get(("flow", "started"), 0) - ended


# --- The raw figures ---------------------------------------------------------------------------


def figures(log: Log, counted: Facts) -> Table:
    counts, spans = counted.within(0, ms(datetime(2200, 1, 1, tzinfo=UTC)))
    table = Table("what", "n", "sum", "median", "p95", title=f"{log.name}, from the raw file")
    whole = sorted(last - first for first, last, _status in counted.objects)
    rows = {("throughput", "in transit", "too"): whole, **dict(sorted(spans.items()))}
    for name, own in rows.items():
        if name[0] != "edge":
            told = (f"{len(own):,}", *map(_hours, (sum(own), *_middle_and_most(own))))
            table.add_row(" ".join(name), *told)
    for name, count in sorted(counts.items()):
        own = spans.get((*name[:-1], "wait"), []) if name[-1] == "passed" else []
        if own:
            told = (f"{int(count):,}", *map(_hours, (sum(own), *_middle_and_most(own))))
            table.add_row(" ".join(name), *told)
        elif name[-1].endswith("_ms"):
            table.add_row(" ".join(name), "", _hours(count), "", "")
        else:
            table.add_row(" ".join(name), f"{int(count):,}", "", "", "")
    return table


def _middle_and_most(own: list[int]) -> tuple[Fraction, Fraction]:
    return quantile(own, Fraction(1, 2)), quantile(own, Fraction(95, 100))


def _hours(span: Fraction | int) -> str:
    return f"{float(span) / HOURS_IN_MS:,.4f} h"


if __name__ == "__main__":
    sys.exit(main())
