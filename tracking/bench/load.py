"""The load: records as services write them, posted over real HTTP by several connections."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tracking import clock

_BLOCKS = (
    ("receive", "ingress"),
    ("check", "processing"),
    ("enrich", "processing"),
    ("price", "processing"),
    ("publish", "egress"),
    ("notify", "egress"),
)


def records(prefix: str, count: int, *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """`count` wire records of about 500 bytes, six for each object, block after block."""
    chance = random.Random(seed)  # noqa: S311
    now = clock.to_ms(clock.now())
    for number in range(count):
        thing, place = divmod(number, len(_BLOCKS))
        block, stage = _BLOCKS[place]
        at = now - 60_000 + place * 1_000 + number % 1_000
        yield {
            "id": f"{prefix}-{number:08d}",
            "object": {"id": f"{prefix}-order-{thing:07d}", "type": "order"},
            "flow": "order-fulfilment",
            "block": block,
            "stage": stage,
            "status": "succeeded",
            "occurred_at": clock.iso(clock.from_ms(at)),
            "started_at": clock.iso(clock.from_ms(at - 400)),
            "ended_at": clock.iso(clock.from_ms(at)),
            "attributes": {
                "service.name": f"{block}-service",
                "service.version": "4.2.1",
                "host": f"node-{chance.randrange(40)}",
                "lines": chance.randrange(1, 30),
                "priority": chance.random() < 0.1,
            },
            "references": {"customer": f"C{chance.randrange(10**6):06d}"},
            "usage": [{"resource": "cpu", "quantity": chance.randrange(500), "unit": "ms"}],
            "cost": {"amount": f"0.{chance.randrange(1, 9999):04d}", "currency": "EUR"},
        }


def bodies(prefix: str, posts: int, size: int) -> list[bytes]:
    """`posts` JSON bodies of `size` records each; a single record is posted as an object."""
    source = records(prefix, posts * size)
    batches = (list(itertools.islice(source, size)) for _post in range(posts))
    return [json.dumps(b[0] if size == 1 else b).encode() for b in batches]


@dataclass
class Outcome:
    """What the connections saw: seconds per post, and how many posts got which status."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


def post_all(url: str, path: str, key: str, load: list[bytes], *, connections: int) -> Outcome:
    """Post every body once, over `connections` kept-alive connections at once."""
    place = urlsplit(url)
    work = iter(load)
    lock = threading.Lock()
    outcome = Outcome()
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Prefer": "return=minimal",
    }

    def post() -> None:
        line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        seen: list[float] = []
        codes: dict[int, int] = {}
        while True:
            with lock:
                body = next(work, None)
            if body is None:
                break
            begin = time.perf_counter()
            line.request("POST", path, body, headers)
            answer = line.getresponse()
            answer.read()
            seen.append(time.perf_counter() - begin)
            codes[answer.status] = codes.get(answer.status, 0) + 1
        line.close()
        with lock:
            outcome.latencies += seen
            for code, count in codes.items():
                outcome.statuses[code] = outcome.statuses.get(code, 0) + count

    threads = [threading.Thread(target=post) for _connection in range(connections)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds = time.perf_counter() - begin
    return outcome
