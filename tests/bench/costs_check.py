"""`python -m tests.bench.costs_check`: costs against a naive sum over the journal, in decimals.

Records objects of all fates over weeks (costs_world.py) on a MongoDB of its own, lets the follower
derive, and compares every figure of insights and of their export with a plain sum over the raw
journal (costs_naive.py): by currency, flow, block, resource, day and hour, what attempts that were
lost and objects that never arrived cost, what had no price, what was delivered. Then what had no
price gets one for the past, and all is compared again. Exit 0 when all are equal, 1 when not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import costs_naive as naive
from tests.bench import costs_world as world
from tracking.mongo.embedded import EmbeddedMongo

POST = 5_000
FIELDS = ("posted", "usage", "lost", "vain", "failures")
Figures = dict[tuple[Any, ...], Any]


class Report:
    def __init__(self) -> None:
        self.table = Table("what", "figures", "sum of one", "equal")
        self.good = True

    def say(self, what: str, value: object) -> None:
        self.row(what, str(value), "", "")

    def compare(self, what: str, seen: Figures, wanted: Figures) -> None:
        """Each figure; one that is 0 is none."""
        seen = {key: value for key, value in seen.items() if value}
        wanted = {key: value for key, value in wanted.items() if value}
        wrong = {key for key in seen.keys() | wanted.keys() if seen.get(key) != wanted.get(key)}
        self.good = self.good and not wrong and bool(wanted)
        sample = max(wanted, key=lambda key: abs(wanted[key]), default=None)
        shown = f"{wanted[sample]:f}"[:44] if sample is not None else ""
        said = "yes" if not wrong else f"NO: {len(wrong):,} differ"
        self.row(what, f"{len(wanted):,}", shown, said if wanted else "NOTHING to compare")
        for key in sorted(wrong, key=str)[:5]:
            sys.stderr.write(f"  {key}: {seen.get(key)}, not {wanted.get(key)}\n")

    def row(self, *cells: str) -> None:
        self.table.add_row(*cells)
        # a run takes minutes: what is known already is told on the way
        sys.stderr.write(" · ".join(cell for cell in cells if cell) + "\n")

    @contextmanager
    def seconds(self, what: str, count: int = 0) -> Iterator[None]:
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self.say(what, f"{took:,.1f} s" + (f", {count / took:,.0f} records/s" if count else ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    report = Report()
    with (
        tempfile.TemporaryDirectory(prefix="dft-costs-") as place,
        EmbeddedMongo(Path(place) / "mongodb", for_tests=True, cache_gb=1) as mongo,
    ):
        set_up(mongo.uris["web"], Path(place))
        check(given.records, given.seed, report)
    Console(width=150).print(report.table)
    return 0 if report.good else 1


def set_up(uri: str, folder: Path) -> None:
    """Django in this process, on that database."""
    os.environ |= {
        "DFT_MONGODB_URI": uri,
        "DFT_DATA_DIR": str(folder),
        "DFT_LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "dft_project.settings",
    }
    import django

    django.setup()
    from django.core.management import call_command

    from tracking.models import Tenant
    from tracking.signing.keyring import ensure_keys

    call_command("migrate", verbosity=0)
    ensure_keys()
    Tenant.objects.create(slug=world.TENANT, name="Costly & Sons")


def check(count: int, seed: int, report: Report) -> None:
    from tracking import clock

    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - world.SPAN - timedelta(days=14)
    listed = world.prices(seed, start)
    for price in listed:
        save(price)
    edges = [price.valid_from for price in listed]
    report.say("prices listed", f"{len(listed)}, of them {changes(listed)} changes of another")

    tell = world.stories(seed, start, sorted(edges), count)
    late: list[dict[str, Any]] = []
    for part in ("first half", "second half"):
        posted = 0
        with report.seconds(f"recorded, {part}", count // 2):
            while posted < count // 2:
                posted += post_some(tell, late, min(POST, count // 2 - posted))
        with report.seconds(f"derived, {part}", count // 2):
            derive()
    with report.seconds(f"recorded and derived, {len(late):,} late records", len(late)):
        for begin in range(0, len(late), POST):
            accept(late[begin : begin + POST])
        derive()

    compare_all(start, seed, report)
    save(world.late_price(start))
    report.say("a price for the past", " ".join(world.UNPRICED))
    compare_all(start, seed, report)


def save(price: world.Price) -> None:
    from tracking.models import ResourceRate

    names = ("resource", "unit", "price", "currency", "valid_from", "valid_to")
    ResourceRate(tenant_id=world.TENANT, **{name: getattr(price, name) for name in names}).save()


def changes(listed: list[world.Price]) -> int:
    known = {(price.resource, price.unit) for price in listed}
    return len(listed) - len(known)


def post_some(tell: Iterator[world.Story], late: list[dict[str, Any]], least: int) -> int:
    """At least so many records, in a muddle, some of them twice."""
    wires: list[dict[str, Any]] = []
    while len(wires) < least:
        story = next(tell)
        wires += story.now
        late += story.late
    chance = Random(f"muddle {wires[0]['id']}")
    chance.shuffle(wires)
    accept(wires)
    accept(chance.sample(wires, len(wires) // 100))
    return len(wires)


def accept(wires: list[dict[str, Any]]) -> None:
    from tracking import clock
    from tracking.ingest.accept import Producer, accept

    answer = accept(producer=Producer(world.TENANT, "check"), values=wires, moment=clock.now())
    if bad := [each for each in answer.not_stored() if each.outcome != "duplicate"]:
        raise SystemExit(f"not recorded: {bad[0]}")


def derive() -> None:
    from tracking.ledger.sealer import seal_once
    from tracking.projection.follower import Follower

    follower = Follower("costs-check")
    while seal_once():
        pass
    while follower.step():
        pass
    follower.resign()


def compare_all(start: datetime, seed: int, report: Report) -> None:
    from django.db import connection
    from pymongo import MongoClient

    client: Any = MongoClient(connection.settings_dict["HOST"])
    naive.exactly()
    with report.seconds("naive sum over the journal"):
        wanted = naive.summed(client["dft"], world.TENANT)
    client.close()
    report.say("records, those that count", f"{wanted.records:,}, {wanted.counting:,}")
    report.say("lines of usage and cost", f"{wanted.lines:,}")
    database = connection.database
    statuses = Counter(row["status"] for row in database["transaction"].find({}, {"status": 1}))
    report.compare("objects by status", dict(statuses), dict(wanted.statuses))
    end = start + world.SPAN + timedelta(days=14)
    by_group(start, end, wanted, report)
    by_hour(start, end, seed, wanted, report)
    exported(start, end, wanted, report)


def aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def fields_of(amount: Decimal, resource: str, lost: bool, vain: bool) -> list[str]:
    """The sums that an amount is part of."""
    found = ["usage" if resource else "posted"]
    return found + [
        name for name, held in (("lost", lost), ("vain", vain), ("failures", lost or vain)) if held
    ]


def by_group(start: datetime, end: datetime, wanted: naive.Naive, report: Report) -> None:
    """The whole time by days: in all, by each group, by group and day."""
    from tracking.insights.costs import BY

    name_of: dict[str, Callable[[tuple[str, ...]], tuple[str, ...]]] = {
        "flow": lambda names: names[:1],
        "block": lambda names: names[:2],
        "resource": lambda names: names[2:],
    }
    for by in BY:
        with report.seconds(f"by {by}: read"):
            found = costs(start, end, "1d", by=by)
        expected: Figures = defaultdict(Decimal)
        for (currency, day, *names, lost, vain), amount in wanted.spent.items():
            group = name_of[by](tuple(names))
            for field in fields_of(amount, names[2], lost, vain):
                places = ((), ("day", aware(day)), (group,), (group, aware(day)))
                for place in places:
                    expected[(currency, *place, field)] += amount
        seen: Figures = {}
        for currency in found.currencies:
            put(seen, (currency.code,), currency.whole)
            for begin, sums in zip(found.window.begins, currency.steps, strict=True):
                put(seen, (currency.code, "day", begin), sums)
            for group in currency.groups:
                put(seen, (currency.code, group.names), group.whole)
                for step, sums in group.steps.items():
                    put(seen, (currency.code, group.names, found.window.begins[step]), sums)
        for length, what in ((2, "in all"), (4, f"by day, and by {by} and day"), (3, f"by {by}")):
            report.compare(f"by {by}: {what}", of(seen, length), of(expected, length))
    unpriced = {(each.resource, each.unit): each.quantity for each in found.unpriced}
    report.compare("usage without a price", unpriced, dict(wanted.unpriced))
    delivered: Figures = defaultdict(int)
    for (flow, _day), count in wanted.delivered.items():
        delivered[(flow,)] += count
    seen = {(flow,): count for flow, count in found.delivered.items()}
    report.compare("objects delivered, by flow", seen, delivered)


def of(figures: Figures, length: int) -> Figures:
    return {key: value for key, value in figures.items() if len(key) == length}


def put(seen: Figures, key: tuple[Any, ...], sums: Any) -> None:
    seen |= {(*key, field): getattr(sums, field) for field in FIELDS}


def by_hour(start: datetime, end: datetime, seed: int, wanted: naive.Naive, report: Report) -> None:
    """Windows and steps that begin at any hour, of one flow or of all."""
    chance = Random(f"windows {seed}")
    hours = (end - start) // world.HOUR
    for step in ("1h", "7h", "1d", "1w", "1mo"):
        begin = start + chance.randrange(hours // 3) * world.HOUR
        until = begin + chance.randint(24, 240 if step == "1h" else hours // 2) * world.HOUR
        flow = chance.choice([None, *world.FLOWS])
        found = costs(begin, until, step, flow=flow)
        expected: Figures = defaultdict(Decimal)
        for (currency, hour, of_flow, lost, vain), amount in wanted.by_hour.items():
            at = aware(hour)
            if begin <= at < until and flow in (None, of_flow):
                index = sum(each <= at for each in found.window.begins) - 1
                for field in ("total", *fields_of(amount, "", lost, vain)[1:]):
                    expected[currency, index, field] += amount
        seen: Figures = {}
        for currency in found.currencies:
            for index, sums in enumerate(currency.steps):
                for field in ("total", "lost", "vain", "failures"):
                    seen[currency.code, index, field] = getattr(sums, field)
        report.compare(f"steps of {step} from {begin:%m-%d %H:00}, {flow or 'all'}", seen, expected)


def exported(start: datetime, end: datetime, wanted: naive.Naive, report: Report) -> None:
    from tracking.insights import focus

    account = focus.Account(world.TENANT, "Costly & Sons")
    for step, title in (("1d", "day"), ("1h", "hour"), ("1mo", "month")):
        seen: Figures = defaultdict(Decimal)
        products, rows = True, 0
        with report.seconds(f"FOCUS rows by {title}: read"):
            for values in focus.focus_rows(account, focus.charge_periods(start, end, step)):
                row = dict(zip(focus.COLUMNS, values, strict=True))
                rows += 1
                cost = row["BilledCost"]
                if row["ListUnitPrice"] is not None:
                    products &= row["ListUnitPrice"] * row["PricingQuantity"] == cost
                names = ("SubAccountId", "ServiceName", "ResourceId", "PricingUnit")
                flags = (row["x_LostAttempt"] == "true", row["x_WithoutArriving"] == "true")
                day = row["ChargePeriodStart"].replace(hour=0)
                key = (row["BillingCurrency"], *(row[name] or "" for name in names), *flags)
                seen[(key, day) if step != "1mo" else key] += cost
        expected: Figures = defaultdict(Decimal)
        for (currency, day, *names, lost, vain), amount in wanted.spent.items():
            key = (currency, *names, lost, vain)
            expected[(key, aware(day)) if step != "1mo" else key] += amount
        what = f"FOCUS rows by {title}: {rows:,}, added up"
        report.compare(what, seen, expected)
        report.good = report.good and products
        report.row("price times quantity is the cost", f"{rows:,}", "", "yes" if products else "NO")


def costs(start: datetime, end: datetime, step: str, **asked: Any) -> Any:
    from tracking.insights.costs import by_the_hour, costs_of
    from tracking.insights.spending import Asked
    from tracking.insights.windows import window

    by = asked.pop("by", "flow")
    return costs_of(Asked(world.TENANT, **asked), by_the_hour(window(start, end, step)), by=by)


if __name__ == "__main__":
    sys.exit(main())
