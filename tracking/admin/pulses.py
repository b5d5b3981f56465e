"""The last 24 hours on the home page, each number as a line."""

from __future__ import annotations

from dataclasses import dataclass

from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.admin.charts import Spark, spark
from tracking.admin.figures import Change, change_of, number_text
from tracking.insights.day import Day


@dataclass(frozen=True, slots=True)
class Pulse:
    """A number of the last 24 hours, by the hour and beside the same weekday before."""

    word: str
    tone: str
    icon: str
    text: str
    change: Change
    spark: Spark


def pulses_of(day: Day) -> list[Pulse]:
    told = []
    for name, tone, icon, more_is in (
        ("started", "info", "play_circle", "none"),
        (v.DELIVERED, *show.LOOKS[v.DELIVERED], "good"),
        (v.TX_FAILED, *show.LOOKS[v.TX_FAILED], "bad"),
    ):
        now, before = getattr(day.now, name), getattr(day.so_far, name)
        says = f"{name} by the hour; dashed: a week before, {before:,} until this time of day"
        drawn = spark(
            [getattr(counts, name) for counts in day.hours],
            says=says,
            other=[getattr(counts, name) for counts in day.before],
        )
        change = change_of(now, before, "a week before", number_text, more_is)
        told.append(Pulse(name, tone, icon, number_text(now), change, drawn))
    return told
