"""The path of a flow as a drawing: what templates/tracking/charts/path.html needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from unicodedata import east_asian_width

from tracking.admin.axes import compact
from tracking.admin.throughput import span_text
from tracking.core.spelling import duration
from tracking.insights.counts import Spans
from tracking.insights.layers import Link
from tracking.insights.layout import Box, Route, Size, laid_out
from tracking.insights.path import Path
from tracking.insights.ranking import WHOLE, Block, said_tenths
from tracking.insights.sentences import percent

_BLOCK: Final = Size(176, 50)
_END: Final = Size(104, 26)
_LETTERS: Final = 24  # of a name, so wide is a box
_LETTER: Final = 6.0  # the width of one in the words of an edge
_PAD: Final = 8
_WIDEST: Final = 7.0
_BAR: Final = 5
# A block with so much of the time, in tenths of a percent, has the fullest colour.
_FULLEST: Final = 500


@dataclass(frozen=True, slots=True)
class Node:
    """`tint`: 0 to 100, how much of the time it takes; `queue` and `work`: its bar, in pixels."""

    box: Box
    label: str
    said: str
    title: str
    tint: int
    queue: float
    work: float
    url: str = ""
    mark: str = ""

    @property
    def middle(self) -> float:
        return self.box.x + self.box.width / 2

    @property
    def name_y(self) -> float:
        return self.box.y + (19 if self.said else self.box.height / 2 + 4)

    @property
    def said_y(self) -> int:
        return self.box.y + 34

    @property
    def bar_y(self) -> int:
        return self.box.y + self.box.height - _BAR - 4

    @property
    def bar_x(self) -> int:
        return self.box.x + _PAD

    @property
    def work_x(self) -> float:
        return self.bar_x + self.queue

    @property
    def bar_height(self) -> int:
        return _BAR


@dataclass(frozen=True, slots=True)
class Line:
    """`x` is where its words begin, of a loop, else their middle."""

    d: str
    width: float
    words: str
    x: int
    y: int
    title: str
    look: str


@dataclass(frozen=True, slots=True)
class PathMap:
    """`says`: the whole in words, for who does not see it; `note`: what is left out."""

    width: int
    height: int
    nodes: Sequence[Node]
    lines: Sequence[Line]
    says: str
    note: str


def path_map(path: Path, url_of: Callable[[Block], str]) -> PathMap:
    """`url_of`: where a block leads to; empty: nowhere."""
    numbers = {block.name: number for number, block in enumerate(path.blocks, 1)}
    last = len(numbers) + 1
    links = [
        Link(
            numbers.get(edge.source, 0),
            numbers.get(edge.target, last),
            edge.passed,
            round(_LETTER * len(words) + _PAD),
        )
        for edge, words in zip(path.edges, _words(path), strict=True)
    ]
    sizes = [_END, *[_BLOCK] * len(path.blocks), _END]
    layout = laid_out(sizes, links, last=last)
    first, *boxes, end = layout.boxes
    nodes = [_end(first, "begin", sum(e.passed for e in path.edges if not e.source))]
    nodes += [
        _node(block, box, url_of(block)) for block, box in zip(path.blocks, boxes, strict=True)
    ]
    nodes.append(_end(end, "end", sum(e.passed for e in path.edges if not e.target)))
    return PathMap(
        width=layout.width,
        height=layout.height,
        nodes=nodes,
        lines=_lines(path, layout.routes),
        says=_says(path),
        note=_note(path),
    )


def _words(path: Path) -> list[str]:
    found = []
    for edge in path.edges:
        wait = f" · {duration(round(edge.wait.ms / edge.wait.n))}" if edge.wait.n else ""
        found.append(f"{compact(edge.passed)}{wait}")
    return found


def _lines(path: Path, routes: Iterable[Route]) -> list[Line]:
    most = max((edge.passed for edge in path.edges), default=1)
    waited = max((edge.wait.ms for edge in path.edges), default=0)
    found = []
    for edge, words, route in zip(path.edges, _words(path), routes, strict=True):
        title = f"{edge.source or 'begin'} → {edge.target or 'end'}: {edge.passed:,} passed"
        if edge.wait.n:
            title += f"; waiting on average {duration(round(edge.wait.ms / edge.wait.n))}"
        look = "loop" if route.loop else "back" if route.back else "ahead"
        if waited and edge.wait.ms == waited:
            look += " dft-most-waited"
        width = round(1 + (_WIDEST - 1) * edge.passed / most, 1)
        x, y = route.words
        if route.loop:
            x = route.points[1][0] + _PAD
        found.append(Line(_curve(route), width, words, x, y, title, look))
    # the most used lie on top
    return found[::-1]


def _curve(route: Route) -> str:
    (x, y), *rest = route.points
    drawn = [f"M{x} {y}"]
    if route.loop:
        (far, _middle), (x, end) = rest
        drawn.append(f"C{far + 5} {y} {far + 5} {end} {x + 1} {end}")
        return "".join(drawn)
    for (x, y), (to_x, to_y) in pairwise(route.points):
        middle = (y + to_y) / 2
        if x == to_x:
            drawn.append(f"V{to_y}")
        else:
            drawn.append(f"C{x} {middle:g} {to_x} {middle:g} {to_x} {to_y}")
    return "".join(drawn)


def _node(block: Block, box: Box, url: str) -> Node:
    counts = block.counts
    lines = [f"{block.name} ({block.stage})", f"{counts.arrived:,} arrived, {block.left:,} left"]
    lines.append(
        f"{said_tenths(block.tenths)} of all elapsed time: {said_tenths(block.queue_tenths)} queue,"
        f" {said_tenths(block.work_tenths)} work"
    )
    for name, spans in (("queue", block.queue), ("work", block.work)):
        if spans.n:
            lines.append(f"{name} time of {spans.n:,}: {in_words(spans)}")
    if counts.failed:
        lines.append(f"{counts.failed:,} failed, {counts.retries:,} retries")
    width = box.width - 2 * _PAD
    often = counts.visits and counts.failed / counts.visits >= 0.05
    return Node(
        box=box,
        label=fitted(block.name, _LETTERS),
        said=f"{compact(counts.visits)} · {said_tenths(block.tenths)}",
        title="\n".join(lines),
        tint=min(100, 100 * block.tenths // _FULLEST),
        queue=round(width * block.queue_tenths / WHOLE, 1),
        work=round(width * block.work_tenths / WHOLE, 1),
        url=url,
        mark=f"{percent(counts.failed, counts.visits)} fail" if often else "",
    )


def in_words(spans: Spans) -> str:
    mean, median, p95 = (span_text(each) for each in (spans.mean, spans.median, spans.p95))
    return f"mean {mean}, median {median}, 95 of 100 within {p95}"


def _end(box: Box, name: str, passed: int) -> Node:
    return Node(box, f"{name} {compact(passed)}", "", f"{name}: {passed:,}", 0, 0, 0)


def fitted(name: str, letters: int) -> str:
    """As much of its beginning and its end as there is room for: names often differ there."""
    if _cells(name) <= letters:
        return name
    head, tail = "", ""
    for letter in name:
        if _cells(head + letter) > letters * 3 // 5:
            break
        head += letter
    for letter in reversed(name):
        if _cells(head + tail + letter) > letters - 1:
            break
        tail = letter + tail
    return f"{head}…{tail}"


def _cells(text: str) -> int:
    """How wide it is; ideographs and the like take two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _says(path: Path) -> str:
    told = [f"{e.source or 'begin'} to {e.target or 'end'} {e.passed:,}" for e in path.edges[:12]]
    more = f", and {len(path.edges) - 12} more" if len(path.edges) > 12 else ""
    return f"Map of the path: {', '.join(told)}{more}. All stand in the tables below."


def _note(path: Path) -> str:
    told = []
    if path.more_blocks:
        blocks = "block" if path.more_blocks == 1 else "blocks"
        told.append(f"{path.more_blocks:,} rarely passed {blocks}")
    if path.more_edges:
        ways = "way" if path.more_edges == 1 else "ways"
        part = percent(path.more_passed, path.passed)
        told.append(f"{path.more_edges:,} rare {ways} ({part} of all passes)")
    return f"Not drawn: {' and '.join(told)}; the tables have them." if told else ""
