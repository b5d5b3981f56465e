"""What the API tells of a log's insights, held against the same counted from its raw file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

from tests.bench.raw_logs import Facts, Name, ms, quantile

ENDINGS = ("delivered", "failed", "filtered")
# A sketch's, and that spans are told in whole milliseconds.
SPAN_OFF, HALF_MS = 0.01, 0.5


@dataclass(frozen=True)
class Api:
    """The product's own API, in this process, with a read key."""

    key: str
    flow: str

    def ask(self, question: str, start: datetime, end: datetime, step: str) -> dict[str, Any]:
        from django.test import Client

        asked = {"flow": self.flow, "from": _iso(start), "to": _iso(end), "step": step}
        answer = Client().get(
            f"/api/v1/insights/{question}?{urlencode(asked)}",
            headers={"authorization": f"Bearer {self.key}", "host": "localhost"},
        )
        if answer.status_code != 200:
            raise SystemExit(f"{question}: {answer.status_code} {answer.content!r}")
        return json.loads(answer.content)


def read_key(tenant: str) -> str:
    from tracking import vocabulary as v
    from tracking.access.keys import create_key

    _row, secret = create_key(tenant=tenant, name="check", scopes=[v.SCOPE_READ])
    return secret


def told_wrongly(api: Api, counted: Facts, start: datetime, end: datetime) -> Iterator[str]:
    """What the answers tell otherwise; in steps as wide as suits the window."""
    step = _step(end - start)
    told = api.ask("throughput", start, end, step)
    yield from _throughput(told["totals"], counted, start, end)
    yield from _in_transit(told, counted, end)
    for each in told["steps"]:
        yield from _throughput(each, counted, _time(each["from"]), _time(each["to"]))
    if told["throughput_time"] is not None:
        spans = counted.within(ms(start), ms(end))[1]
        for status in ENDINGS:
            own = spans.get(("flow", "throughput", status), [])
            yield from _spans(f"throughput {status}", told["throughput_time"][status], own)
    if step != "15m":
        told = api.ask("bottlenecks", start, end, step)
        yield from _bottlenecks(told, *counted.within(ms(start), ms(end)))


def _throughput(
    told: Mapping[str, Any], counted: Facts, start: datetime, end: datetime
) -> Iterator[str]:
    counts = counted.within(ms(start), ms(end))[0]
    wanted = {"started": counts.get(("flow", "started"), 0)}
    wanted |= {each: counts.get(("flow", "ended", each), 0) for each in ENDINGS}
    for name, count in wanted.items():
        if told[name] != count:
            yield f"{start} {name}: {told[name]}, not {count}"
    for status, count in told["records"].items():
        own = _sum(counts, "records", status)
        if count != own:
            yield f"{start} records {status}: {count}, not {own}"
    if told["retries"] is not None and told["retries"] != _sum(counts, "retries"):
        yield f"{start} retries: {told['retries']}, not {_sum(counts, 'retries')}"


def _in_transit(told: Mapping[str, Any], counted: Facts, end: datetime) -> Iterator[str]:
    own = counted.in_transit(ms(end))
    if told["totals"]["in_transit"] != own:
        yield f"in transit at {end}: {told['totals']['in_transit']}, not {own}"


def _bottlenecks(
    told: Mapping[str, Any], counts: Mapping[Name, Fraction], spans: Mapping[Name, list[int]]
) -> Iterator[str]:
    visits = {name[2]: name[1] for name in counts if name[0] == "block" and name[3] != "records"}
    blocks = {each["block"]: each for each in told["blocks"]}
    if blocks.keys() != visits.keys():
        yield f"blocks: {sorted(blocks)}, not {sorted(visits)}"
    for block in blocks.keys() & visits.keys():
        name, each = ("block", visits[block], block), blocks[block]
        for said in ("arrived", "retries", "lost"):
            if each[said] != counts.get((*name, said), 0):
                yield f"{block} {said}: {each[said]}, not {counts.get((*name, said), 0)}"
        ended = sum(n for other, n in counts.items() if other[:4] == (*name, "visits"))
        for said in ("queue_ms", "work_ms"):
            # each visit's part is rounded to a whole millisecond
            if abs(each[said] - counts.get((*name, "share", said), 0)) > ended:
                yield f"{block} {said}: {each[said]}"
        for said in ("queue", "work"):
            own = spans.get((*name, said), [])
            yield from _spans(f"{block} {said}", each[f"{said}_time"], own)
    edges = {(each["source"] or "", each["target"] or ""): each for each in told["edges"]}
    known = {name[1:3] for name in counts if name[0] == "edge"}
    if edges.keys() != known:
        yield f"edges: {sorted(edges.keys() ^ known)} are not in both"
    for edge in edges.keys() & known:
        if edges[edge]["passed"] != counts["edge", *edge, "passed"]:
            yield f"{edge}: {edges[edge]['passed']}, not {counts['edge', *edge, 'passed']}"
        own = spans.get(("edge", *edge, "wait"), [])
        yield from _spans(f"{edge}", edges[edge]["waiting_time"], own)


def _spans(what: str, told: Mapping[str, Any], own: list[int]) -> Iterator[str]:
    if told["n"] != len(own):
        yield f"{what}: n is {told['n']}, not {len(own)}"
    elif own:
        exact = {
            "median_ms": quantile(own, Fraction(1, 2)),
            "p95_ms": quantile(own, Fraction(19, 20)),
        }
        for name, value in exact.items():
            if abs(told[name] - value) > SPAN_OFF * value + HALF_MS:
                yield f"{what} {name}: {told[name]}, not {float(value):.1f}"
        if abs(told["mean_ms"] - Fraction(sum(own), len(own))) > HALF_MS:
            yield f"{what} mean: {told['mean_ms']}, not {sum(own) / len(own):.1f}"


def _sum(counts: Mapping[Name, Fraction], *what: str) -> Fraction:
    """Over all blocks."""
    return sum(
        (n for name, n in counts.items() if name[0] == "block" and name[3:] == what), Fraction(0)
    )


def _step(length: timedelta) -> str:
    if length <= timedelta(hours=1):
        return "15m"
    if length <= timedelta(days=1):
        return "1h"
    return "1d" if length <= timedelta(days=70) else "1w"


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
