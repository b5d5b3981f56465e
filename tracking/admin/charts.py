"""Charts as numbers for templates, which draw them as SVG: no script, readable without colours.

Geometry is in shares of the plot (0 to 100), so that it stretches to any width while its words,
which are HTML, do not. Floats are for drawing alone; what is read is said by the caller's `say`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString

from tracking.admin.axes import (
    Number,
    Tick,
    nice_ticks,
    share_of,
    span_ticks,
    step_words,
    time_ticks,
)
from tracking.admin.drawing import Part, Scale, Values, area, cut, line, side_by_side, stacked
from tracking.admin.sheets import Sheet, sheet_of
from tracking.insights.tables import Table
from tracking.insights.windows import Window

Say = Callable[[Number], str]

# Colours for what has no meaning of its own: flows, resources. As in insights.css.
TONES: Final = ("c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7")


_HAIR: Final = 0.8


@dataclass(frozen=True, slots=True)
class Series:
    """`tone`: good, bad, info, warn, wait, mute, or one of `TONES`. A value that is None is not
    known: a gap. `dashed`: what it is compared with."""

    name: str
    tone: str
    values: Values
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A range around a line: an interval of a forecast."""

    name: str
    tone: str
    low: Values
    high: Values


@dataclass(frozen=True, slots=True)
class Slot:
    """A step: where it stands, what it says when pointed at, and where it leads."""

    at: float
    width: float
    says: str
    url: str
    parts: Sequence[Part] = ()

    @property
    def drawn(self) -> str:
        """As SVG, escaped: not by a template, as hundreds of these make up a page."""
        at, width = self.bar_at, self.bar_width
        bars = "".join(
            [
                f'<rect class="dft-part dft-{part.tone}" x="{at}" y="{part.at}"'
                f' width="{width}" height="{part.size}"/>'
                for part in self.parts
            ]
        )
        drawn = (
            f'<g class="dft-slot"><title>{escape(self.says)}</title><rect class="dft-hit"'
            f' x="{self.at}" y="0" width="{self.width}" height="100"/>{bars}</g>'
        )
        if not self.url:
            return drawn
        return f'<a href="{escape(self.url)}" tabindex="-1">{drawn}</a>'

    @property
    def bar_at(self) -> float:
        return cut(self.at + (self.width - self.bar_width) / 2)

    @property
    def bar_width(self) -> float:
        # narrow bars close up: between hairs the background would take their colour
        return cut(self.width * (0.78 if self.width > _HAIR else 1))


@dataclass(frozen=True, slots=True)
class Path:
    d: str
    tone: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend."""

    name: str
    tone: str
    look: str = "bar"


@dataclass(frozen=True, slots=True)
class StepChart:
    """Of a window, by its steps. `says`: the whole in a sentence, for who does not see it."""

    name: str
    title: str
    says: str
    y_ticks: Sequence[Tick]
    x_ticks: Sequence[Tick]
    slots: Sequence[Slot]
    lines: Sequence[Path]
    bands: Sequence[Path]
    zero: float
    now: float | None
    legend: Sequence[Key]
    empty: bool
    sheet: Sheet | None = None
    csv_url: str = ""
    note: str = ""

    @property
    def drawn_slots(self) -> SafeString:
        return SafeString("\n".join([slot.drawn for slot in self.slots]))


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    parts: Sequence[Part]
    said: str
    note: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class BarChart:
    """Things side by side, the largest as wide as there is room."""

    name: str
    title: str
    bars: Sequence[Bar]
    legend: Sequence[Key]
    empty: bool
    sheet: Sheet | None = None
    csv_url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What `bars` makes a bar of; `parts`: values with their tones."""

    label: str
    parts: Sequence[tuple[Number, str]]
    said: str
    note: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Spark:
    """A line without axes, and what it is compared with, dashed."""

    says: str
    line: str
    area: str
    other: str = ""


def by_steps(
    *,
    name: str,
    title: str,
    window: Window,
    say: Say,
    bars: Sequence[Series] = (),
    lines: Sequence[Series] = (),
    bands: Sequence[Band] = (),
    tick: Say | None = None,
    spans: bool = False,
    whole: bool = True,
    at_end: bool = False,
    summed: bool = True,
    urls: Sequence[str] = (),
    now: datetime | None = None,
    table: Table | None = None,
    csv_url: str = "",
    note: str = "",
) -> StepChart:
    """`bars` are stacked, `lines` and `bands` drawn over them.

    `say` writes a value, `tick` one of the axis (as a rule shorter). `spans`: values are durations
    in ms; `whole`: they are counts, which no tick divides. `at_end`: a line's value is that of its
    step's end, not of the step; `summed`: what steps hold may be added up. `urls`: where each
    step leads. `now` is marked.
    """
    places = [share_of(window, begin) for begin in (*window.begins, window.end)]
    middles = [end if at_end else (start + end) / 2 for start, end in pairwise(places)]
    low, high = _extent(bars, lines, bands)
    ticks = span_ticks(high) if spans else nice_ticks(low, high, whole=whole)
    scale = Scale(min(0.0, ticks[0]), ticks[-1])
    words = tick or say
    shown = [*bars, *lines]
    slots = [
        Slot(
            at=start,
            width=end - start,
            says=_says(window, index, shown, bands, say, at_end=at_end),
            url=urls[index] if index < len(urls) else "",
            parts=stacked(((each.values[index], each.tone) for each in bars), scale),
        )
        for index, (start, end) in enumerate(pairwise(places))
    ]
    inside = now is not None and window.start < now < window.end
    return StepChart(
        name=name,
        title=title,
        says=_sentence(title, window, shown, say, summed=summed and not (spans or at_end)),
        y_ticks=[Tick(scale.at(value), words(value)) for value in ticks],
        x_ticks=time_ticks(window),
        slots=slots,
        lines=[Path(line(middles, each.values, scale), each.tone, each.dashed) for each in lines],
        bands=[Path(area(middles, each.low, each.high, scale), each.tone) for each in bands],
        zero=scale.at(0.0),
        now=share_of(window, now) if now is not None and inside else None,
        legend=[
            *(Key(each.name, each.tone) for each in bars),
            *(Key(each.name, each.tone, "dash" if each.dashed else "line") for each in lines),
            *(Key(each.name, each.tone, "band") for each in bands),
        ],
        empty=_is_empty(shown, counted=summed and not spans),
        sheet=sheet_of(table) if table else None,
        csv_url=csv_url,
        note=note,
    )


def bars(
    *,
    name: str,
    title: str,
    rows: Sequence[Row],
    legend: Sequence[Key] = (),
    table: Table | None = None,
    csv_url: str = "",
    note: str = "",
) -> BarChart:
    most = max((sum(float(value) for value, _tone in row.parts) for row in rows), default=0.0)
    return BarChart(
        name=name,
        title=title,
        bars=[
            Bar(row.label, side_by_side(row.parts, most), row.said, row.note, row.url)
            for row in rows
        ],
        legend=legend,
        empty=not rows,
        sheet=sheet_of(table) if table else None,
        csv_url=csv_url,
        note=note,
    )


def spark(values: Values, *, says: str, other: Values = ()) -> Spark:
    """`other`: as many values, of what it is compared with."""
    known = [float(value) for value in (*values, *other) if value is not None]
    scale = Scale(0.0, max(known, default=0.0) or 1.0)
    places = [100 * (index + 0.5) / max(1, len(values)) for index in range(len(values))]
    feet = [0 if value is not None else None for value in values]
    below = area(places, feet, values, scale)
    return Spark(says, line(places, values, scale), below, line(places, other, scale))


def _is_empty(shown: Sequence[Series], *, counted: bool) -> bool:
    """Of counts, whether all are 0; of spans and shares, for which 0 is news, whether there is
    none."""
    values = [value for each in shown for value in each.values if value is not None]
    return not any(values) if counted else not values


def _extent(
    piled: Sequence[Series], lines: Sequence[Series], bands: Sequence[Band]
) -> tuple[float, float]:
    found = [0.0]
    for values in zip(*(each.values for each in piled), strict=True):
        known = [float(value) for value in values if value is not None]
        found.append(sum(value for value in known if value > 0))
        found.append(sum(value for value in known if value < 0))
    singles = [each.values for each in lines] + [each.low for each in bands]
    for row in (*singles, *(each.high for each in bands)):
        found += [float(value) for value in row if value is not None]
    return min(found), max(found)


def _says(
    window: Window,
    index: int,
    shown: Sequence[Series],
    bands: Sequence[Band],
    say: Say,
    *,
    at_end: bool,
) -> str:
    lines = [f"{step_words(window, index)} UTC{', at its end' if at_end else ''}"]
    for each in shown:
        value = each.values[index]
        if value is not None:
            lines.append(f"{each.name}: {say(value)}")
    for band in bands:
        low, high = band.low[index], band.high[index]
        if low is not None and high is not None:
            lines.append(f"{band.name}: {say(low)} to {say(high)}")
    return "\n".join(lines)


def _sentence(
    title: str, window: Window, shown: Sequence[Series], say: Say, *, summed: bool
) -> str:
    """What a chart shows, in words: sums of counts; of what cannot be added the range."""
    told = []
    for each in shown:
        known = [value for value in each.values if value is not None]
        if not known:
            continue
        if summed:
            told.append(f"{each.name} {say(sum(known[1:], known[0]))}")
        else:
            told.append(f"{each.name} {say(min(known))} to {say(max(known))}")
    span = f"{window.start:%-d %b %Y %H:%M} to {window.end:%-d %b %Y %H:%M} UTC"
    return f"{title} From {span}: {', '.join(told) or 'nothing'}."
