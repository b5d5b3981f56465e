"""The records of a log in an order that a seed decides, without holding them in memory."""

from __future__ import annotations

import random
import tempfile
from array import array
from collections.abc import Iterator

import orjson

from tracking.importing.mapper import Item
from tracking.importing.problems import Place


def shuffled(items: Iterator[Item], seed: int) -> Iterator[Item]:
    """All of `items` in the seed's order; they wait in a temporary file meanwhile."""
    with tempfile.TemporaryFile() as spool:
        offsets = array("Q")
        for item in items:
            offsets.append(spool.tell())
            spool.write(orjson.dumps([tuple(item.place), item.wire, item.problem]) + b"\n")
        random.Random(seed).shuffle(offsets)  # noqa: S311  (an order, not a secret)
        for offset in offsets:
            spool.seek(offset)
            place, wire, problem = orjson.loads(spool.readline())
            yield Item(Place(*place), wire, problem)
