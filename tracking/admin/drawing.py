"""The geometry of charts, in percent of the plot; floats are for drawing alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracking.admin.axes import Number

Values = Sequence[Number | None]


@dataclass(frozen=True, slots=True)
class Part:
    at: float
    size: float
    tone: str


@dataclass(frozen=True, slots=True)
class Scale:
    low: float
    high: float

    def at(self, value: Number) -> float:
        """How far below the top, in percent: SVG counts downwards."""
        return cut(100 * (self.high - float(value)) / (self.high - self.low))


def cut(number: float) -> float:
    return round(number, 3)


def stacked(parts_of: Iterable[tuple[Number | None, str]], scale: Scale) -> list[Part]:
    """Values with their tones: positive ones upwards from zero, negative ones downwards."""
    above = below = 0.0
    parts = []
    for given, tone in parts_of:
        value = float(given or 0)
        if value > 0:
            low, high = above, above + value
            above = high
        elif value < 0:
            low, high = below + value, below
            below = low
        else:
            continue
        top = scale.at(high)
        parts.append(Part(top, cut(scale.at(low) - top), tone))
    return parts


def side_by_side(parts: Sequence[tuple[Number, str]], most: float) -> list[Part]:
    found, at = [], 0.0
    for value, tone in parts:
        size = 100 * max(0.0, float(value)) / most if most > 0 else 0.0
        if size:
            found.append(Part(cut(at), cut(size), tone))
        at += size
    return found


def line(places: Sequence[float], values: Values, scale: Scale) -> str:
    """Gaps interrupt it; a value alone between gaps is a dot, which the line's round ends make."""
    drawn: list[str] = []
    lone = False
    for place, value in zip(places, values, strict=False):
        if value is None:
            if lone:
                drawn.append("h0")
            lone = False
            drawn.append("")
            continue
        begins = not drawn or not drawn[-1]
        drawn.append(f"{'M' if begins else 'L'}{cut(place)} {scale.at(value)}")
        lone = begins
    if lone:
        drawn.append("h0")
    return " ".join(each for each in drawn if each)


def area(places: Sequence[float], lows: Values, highs: Values, scale: Scale) -> str:
    """Between two lines, where both are known."""
    found = []
    for run in _known(places, lows, highs):
        there = [f"{cut(place)} {scale.at(high)}" for place, _low, high in run]
        back = [f"{cut(place)} {scale.at(low)}" for place, low, _high in reversed(run)]
        found.append(f"M{' L'.join([*there, *back])} Z")
    return " ".join(found)


def _known(
    places: Sequence[float], lows: Values, highs: Values
) -> Iterable[list[tuple[float, Number, Number]]]:
    run: list[tuple[float, Number, Number]] = []
    for place, low, high in zip(places, lows, highs, strict=True):
        if low is None or high is None:
            if run:
                yield run
            run = []
        else:
            run.append((place, low, high))
    if run:
        yield run
