"""`manage.py simulate`: believable records, posted over HTTP (docs/import.md)."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console

from tracking import clock
from tracking import vocabulary as v
from tracking.simulation import Plan, Summary, simulate
from tracking.simulation.flows import FLOWS
from tracking.simulation.plan import PlanError
from tracking.simulation.posting import PostRefused, Producer

OK, REFUSED, FAILED, INTERRUPTED = 0, 1, 2, 130
SHARES = {
    "faults": "of an attempt to fail",
    "retries": "of a failed attempt to be followed by another",
    "filtered": "of an object to end in a filter",
    "splits": "of an order to go out in several parcels",
    "late": "of a record to be posted after later ones",
    "duplicates": "of a record to be posted twice",
    "skew": "of an object to be told by a clock that is off",
}


class Command(BaseCommand):
    help = "Post simulated flows over HTTP: history at once, or live at a rate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", required=True, help="such as http://localhost:8000")
        parser.add_argument("--key", required=True, help="an API key with the scope ingest")
        parser.add_argument("--objects", type=int, help="how many (200; live: until --seconds)")
        parser.add_argument("--hours", type=float, default=24.0, help="how far back history goes")
        parser.add_argument("--rate", type=float, help="live: objects that begin per second")
        parser.add_argument("--seconds", type=float, help="live: how long")
        parser.add_argument(
            "--speed", type=float, help="how much faster than in life (1; live 300)"
        )
        parser.add_argument("--seed", type=int, default=1, help="equal seeds, equal records (1)")
        parser.add_argument(
            "--start-time", type=_moment, help="now, for the records; fixes ids and times"
        )
        parser.add_argument("--flows", default=",".join(FLOWS), help=f"some of {', '.join(FLOWS)}")
        for name, meaning in SHARES.items():
            default = Plan.__dataclass_fields__[name].default
            parser.add_argument(
                f"--{name}", type=float, default=default, help=f"probability {meaning} ({default})"
            )
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = _plan(options)
            producer = Producer(options["url"], options["key"])
        except (PlanError, PostRefused) as error:
            self.stderr.write(str(error))
            sys.exit(FAILED)
        seen = Summary(plan.tag)
        code = OK
        try:
            with _progress(quiet=options["json"]) as show:

                def report(summary: Summary) -> None:
                    nonlocal seen
                    seen = summary
                    show(summary)

                simulate(plan, producer, report)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except PostRefused as error:
            self.stderr.write(str(error))
            code = FAILED
        finally:
            producer.close()
        self.print_summary(seen, options["json"])
        if code == OK and (seen.outcomes[v.CONFLICT] or seen.outcomes[v.INVALID]):
            code = REFUSED
        if code:
            sys.exit(code)

    def print_summary(self, summary: Summary, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(summary.as_json()))
            return
        rate = summary.posted / summary.seconds if summary.seconds else 0
        self.stdout.write(
            f"{summary.posted:,} records of {summary.transactions:,} transactions posted in"
            f" {summary.seconds:.1f} s ({rate:,.0f}/s): "
            + ", ".join(f"{summary.outcomes[name]:,} {name}" for name in v.OUTCOMES)
        )
        self.stdout.write("Once derived, the lists must show:")
        for flow, counts in sorted(summary.expected.items()):
            shown = ", ".join(f"{counts[name]} {name}" for name in v.TRANSACTION_STATUSES)
            self.stdout.write(f"  {flow}: {shown}")
        for refusal in summary.refusals:
            self.stdout.write(f"  refused: {refusal}")


def _progress(*, quiet: bool) -> AbstractContextManager[Callable[[Summary], None]]:
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return nullcontext(lambda _summary: None)
    return _Line(console)


class _Line:
    """One line on a terminal that says how far the posting is."""

    def __init__(self, console: Console) -> None:
        self.status = console.status("posting")

    def __enter__(self) -> Callable[[Summary], None]:
        self.status.start()
        return lambda summary: self.status.update(
            f"{summary.posted:,} records, {summary.transactions:,} transactions"
        )

    def __exit__(self, *_: object) -> None:
        self.status.stop()


def _plan(options: dict[str, Any]) -> Plan:
    objects = options["objects"]
    if objects is None and options["seconds"] is None:
        objects = 200
    return Plan(
        start=options["start_time"] or clock.now(),
        seed=options["seed"],
        objects=objects,
        hours=options["hours"],
        rate=options["rate"],
        seconds=options["seconds"],
        speed=options["speed"],
        flows=tuple(name.strip() for name in options["flows"].split(",") if name.strip()),
        **{name: options[name] for name in SHARES},
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no time such as 2026-01-31T10:00:00Z") from None
    if moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} has no offset, such as Z")
    return clock.cut(moment.astimezone(UTC))
