"""What numbers of blocks say, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tracking.insights.observed import Counts
from tracking.insights.verdicts import (
    BOTTLENECK,
    ENOUGH,
    SLOW,
    change_of_waiting,
    change_of_work,
    comparable,
    fails_often,
)
from tracking.insights.windows import DAY, HOUR

_SAME: Final = 0.05
_WHOLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence about blocks: their names, which may be any text, stand apart from what is said
    of them."""

    names: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return " ".join((*self._named(), self.text))

    def _named(self) -> tuple[str, ...]:
        return (listed([f"`{name}`" for name in self.names]),) if self.names else ()


def listed(names: Sequence[str]) -> str:
    *first, last = names or ("",)
    return f"{', '.join(first)} and {last}" if first else last


def percent(part: int, whole: int) -> str:
    """As exact as it is read: `41 %`, `4.1 %`; never 0 or 100 where it is not."""
    if whole <= 0:
        return "–"
    tenths = (2_000 * part + whole) // (2 * whole)
    if not tenths and part:
        return "under 0.1 %"
    if tenths >= 1_000 and part < whole:
        return "over 99.9 %"
    if 100 <= tenths < 995 or tenths >= 1_000:
        return f"{(tenths + 5) // 10:,} %"
    return f"{tenths // 10}.{tenths % 10} %".replace(".0 ", " ")


def number(value: float) -> str:
    """`1,234`, `12`, `3.4`, `0.07`."""
    if value >= 10 or value == 0:
        return f"{value:,.0f}"
    text = f"{value:.1f}" if value >= 0.1 else f"{value:.1g}"
    return text.removesuffix(".0")


def span_before(span: timedelta) -> str:
    """The window before one of this length, as it is called."""
    for unit, name in ((DAY, "day"), (HOUR, "hour")):
        if span % unit == timedelta(0):
            count = span // unit
            return f"the {count:,} {name}s before" if count > 1 else f"the {name} before"
    return "the time before"


def of_block(
    counts: Counts,
    before: Counts,
    *,
    tenths: int,
    left: int,
    grows: int,
    verdict: str,
    hours: float,
    span: str,
) -> str:
    """Why it stands where it stands; its name goes before. `tenths` of a percent of all elapsed
    time are its own; `span`: the window before, in words."""
    told = [_takes(counts, tenths), _rates(counts.arrived, left, grows, hours)]
    told.append(_trend(counts, before, verdict, span))
    if fails_often(counts):
        told.append(f"{percent(counts.failed, counts.visits)} of its visits fail")
    return f"{'; '.join(each for each in told if each)}."


def _takes(counts: Counts, tenths: int) -> str:
    if not counts.elapsed_ms:
        return "takes no time that is told"
    return f"takes {_part(tenths)} of all elapsed time, {_split(counts)}"


def _part(tenths: int) -> str:
    """As where all parts stand side by side and add up to 100 %."""
    return percent(tenths, _WHOLE) if tenths else "under 0.1 %"


def _split(counts: Counts) -> str:
    if not counts.work_ms:
        return "all of it waiting"
    if not counts.queue_ms:
        return "all of it work"
    return f"{percent(counts.queue_ms, counts.elapsed_ms)} of it waiting"


def _rates(arrived: int, left: int, grows: int, hours: float) -> str:
    unit, per = ("an hour", hours) if max(arrived, left) >= hours else ("a day", hours / 24)
    came, gone = number(arrived / per), number(left / per)
    if not arrived and not left:
        return "none arrive"
    if not left:
        return f"{came} arrive {unit} and none leave" + (", the queue grows" if grows > 0 else "")
    if came == gone and not grows:
        return f"{came} arrive {unit} and as many leave"
    text = f"{came} arrive {unit} and {gone} leave"
    if grows > 0:
        return f"{text}, the queue grows"
    return f"{text}, the queue shrinks" if grows < 0 else text


def _trend(counts: Counts, before: Counts, verdict: str, span: str) -> str:
    """Of its work where that is what takes the time, else of its waiting."""
    if not counts.elapsed_ms and not before.elapsed_ms:
        return ""
    visits, visits_before = comparable(counts, before)
    if visits < ENOUGH:
        return ""
    if visits_before < ENOUGH:
        few = "nothing" if not before.visits else "too little"
        return f"{few} to compare it with in {span}"
    works = verdict == SLOW or (counts.work_ms > counts.queue_ms and verdict != BOTTLENECK)
    what, change = (
        ("work", change_of_work(counts, before))
        if works
        else ("waiting", change_of_waiting(counts, before))
    )
    if change is None:
        now = counts.work_ms if works else counts.queue_ms
        return f"there was no {what} in {span}" if now else ""
    if abs(change) < _SAME:
        return f"its {what} is as in {span}"
    if change > 1:
        times = number(change + 1)
        return f"its {what} is {'twice' if times == '2' else f'{times} times'} that of {span}"
    word = "rose" if change > 0 else "fell"
    return f"its {what} {word} by {percent(round(abs(change) * 10_000), 10_000)} against {span}"


def of_hot_spot(counts: Counts, before: Counts, *, failed: int, span: str) -> str:
    """`failed`: how many visits of all blocks did."""
    told = []
    if counts.failed:
        part = percent(counts.failed, counts.visits)
        text = f"failed in {counts.failed:,} of {counts.visits:,} visits ({part})"
        if counts.failed < failed:
            text += f", {percent(counts.failed, failed)} of all failures of the flow"
        told.append(text)
        if before.visits >= ENOUGH:
            told.append(f"it was {percent(before.failed, before.visits)} in {span}")
    if counts.retries:
        part = percent(counts.retries, counts.visits)
        text = f"{counts.retries:,} of its {counts.visits:,} visits were retries ({part})"
        told.append(text if counts.failed else f"never failed, but {text}")
    return f"{'; '.join(told)}."


def summary(
    worst: Sequence[tuple[str, Counts, int]],
    growing: Sequence[str],
    largest: tuple[str, Counts, int] | None,
) -> list[Line]:
    """`worst` are the bottlenecks, `largest` is the block that takes most: each with its tenths of
    a percent of all elapsed time."""
    found = []
    if len(worst) == 1:
        name, counts, tenths = worst[0]
        found.append(Line((name,), f"is the bottleneck: it {_takes(counts, tenths)}."))
    elif worst:
        took = sum(counts.elapsed_ms for _name, counts, _tenths in worst)
        waited = sum(counts.queue_ms for _name, counts, _tenths in worst)
        part = _part(sum(tenths for _name, _counts, tenths in worst))
        text = (
            f"are the bottlenecks: together they take {part} of all elapsed time,"
            f" {percent(waited, took)} of it waiting."
        )
        found.append(Line(tuple(name for name, _counts, _tenths in worst), text))
    elif largest and largest[1].elapsed_ms:
        name, counts, tenths = largest
        found.append(Line((name,), f"{_takes(counts, tenths)}. No queue stands out."))
    elif largest:
        found.append(Line((), "No time passes between the records of these objects."))
    if growing:
        be = "is" if len(growing) == 1 else "are"
        text = f"{be} getting worse: more arrive than leave, or a visit waits longer than before."
        found.append(Line(tuple(growing), text))
    return found
