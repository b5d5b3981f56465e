"""Cells of rollups put there by hand, in all their grains."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tracking.core.sketch import bucket_of
from tracking.models.rollups import GRAINS, NAMES
from tracking.mongo.connection import collection


def at(text: str) -> datetime:
    """`2026-03-01T14:00` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def beginning(grain: str, moment: datetime) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if grain == "hour":
        return hour
    day = hour.replace(hour=0)
    return day if grain == "day" else day.replace(day=1)


def put(
    kind: str,
    moment: datetime,
    numbers: dict[str, int],
    *,
    tenant: str = "acme",
    flow: str = "orders",
    version: str = "",
    minutes: dict[str, int] | None = None,
    **names: Any,
) -> None:
    """Add numbers (dotted names) to the cells that a moment lies in; `minutes` in its minute."""
    assert tuple(names) == NAMES[kind]
    for grain in GRAINS:
        begin = beginning(grain, moment)
        words = "\x1f".join((flow, version, *(str(name) for name in names.values())))
        added = dict(numbers)
        if grain == "hour":
            for name, count in (minutes or {}).items():
                added[f"minutes.{moment.minute}.{name}"] = count
        collection("rollup").update_one(
            {"_id": f"{tenant}/{kind}/{grain}/{begin:%Y%m%d%H}/{words}"},
            {
                "$setOnInsert": {
                    "tenant": tenant,
                    "kind": kind,
                    "grain": grain,
                    "at": begin,
                    "flow": flow,
                    "version": version,
                    **names,
                },
                "$inc": {"lines": 1, **added},
            },
            upsert=True,
        )


def sketch(name: str, *spans: int) -> dict[str, int]:
    """The numbers of a sketch of spans in ms."""
    found = {f"{name}.n": len(spans), f"{name}.ms": sum(spans)}
    for span in spans:
        bucket = f"{name}.b.{bucket_of(span)}"
        found[bucket] = found.get(bucket, 0) + 1
    return found


def limbs(scaled: int) -> dict[str, int]:
    """The four numbers that keep a quantity or an amount of so many 10^-18; the last has its
    sign."""
    found = {}
    for place in range(3):
        scaled, found[f"q{place}"] = divmod(scaled, 10**9)
    return {**found, "q3": scaled}
