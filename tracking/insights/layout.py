"""Where the boxes and lines of a path map stand, in pixels. Pure, and the same every time.

Layers stand below each other. In a layer each slot goes to the mean of its neighbours' places, as
near as its own neighbours in the row let it (pooled: Best and Chakravarti 1990), so nothing ever
overlaps; up and down by turns, until it is calm enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tracking.insights.layers import Layers, Link, Slot, layered

_SWEEPS: Final = 24
_GAP: Final = 18
_LINE: Final = 8  # the width of a line without words
_ROW_GAP: Final = 20
_WORDS: Final = 16
_MARGIN: Final = 12
_LOOP: Final = 22
# What pulls a slot to the place of the next one: long lines become straight first, then those that
# most took.
_STRAIGHT, _BENT, _HEAVY = 12.0, 0.2, 3.0


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Box:
    """Of a node: from its left upper corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Route:
    """Of a link: the points of its line from its source to its target, and where its words stand
    (their middle). `back`: it leads upwards; `loop`: to where it came from."""

    points: tuple[tuple[int, int], ...]
    words: tuple[int, int]
    back: bool = False
    loop: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """`boxes` and `routes` in the order of nodes and links."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]


def laid_out(nodes: Sequence[Size], links: Sequence[Link], *, last: int | None = None) -> Layout:
    """The first node stands above all others, `last` below them."""
    if not nodes:
        return Layout(0, 0, (), ())
    # in an order of their own, whatever the order in which they are given
    order = sorted(range(len(links)), key=lambda n: (links[n].source, links[n].target))
    found = _laid_out(nodes, [links[number] for number in order], last)
    routes = dict(zip(order, found.routes, strict=True))
    return replace(found, routes=tuple(routes[number] for number in range(len(links))))


def _laid_out(nodes: Sequence[Size], links: Sequence[Link], last: int | None) -> Layout:
    layers = layered(len(nodes), links, last=last)
    loops: dict[int, int] = {}
    for link in links:
        if link.source == link.target:
            loops[link.source] = _LOOP + link.width
    left, right = _extents(layers, nodes, links, loops)
    across = _across(layers.rows, left, right)
    down, heights = _down(layers.rows, nodes)
    boxes = []
    for slot, size in zip(layers.nodes, nodes, strict=True):
        x = across[id(slot)] - size.width // 2
        boxes.append(Box(x, down[slot.layer] - size.height // 2, size.width, size.height))
    ports = _ports(layers, boxes, across)
    routes = [
        _loop(boxes[link.source], link)
        if link.source == link.target
        else _route(layers, number, boxes, across, (down, heights), ports)
        for number, link in enumerate(links)
    ]
    width = max(across[id(slot)] + right(slot) for row in layers.rows for slot in row)
    height = down[-1] + heights[-1] // 2 + _MARGIN
    return Layout(width + _MARGIN, height, tuple(boxes), tuple(routes))


def _extents(
    layers: Layers, nodes: Sequence[Size], links: Sequence[Link], loops: dict[int, int]
) -> tuple[Callable[[Slot], int], Callable[[Slot], int]]:
    """How far a slot reaches to both sides of its middle."""

    def left(slot: Slot) -> int:
        if slot.node is not None:
            return nodes[slot.node].width // 2
        return max(links[slot.link or 0].width if slot.words else 0, _LINE) // 2

    def right(slot: Slot) -> int:
        return left(slot) + (loops.get(slot.node, 0) if slot.node is not None else 0)

    return left, right


def _across(
    rows: Sequence[list[Slot]], left: Callable[[Slot], int], right: Callable[[Slot], int]
) -> dict[int, int]:
    offsets = []
    for row in rows:
        at, found = 0, []
        for before, slot in zip([None, *row], row, strict=False):
            at += (right(before) + _GAP + left(slot)) if before else 0
            found.append(at)
        offsets.append(found)
    for row, found in zip(rows, offsets, strict=True):
        for slot, offset in zip(row, found, strict=True):
            slot.place = offset - found[-1] / 2
    for sweep in range(2 * _SWEEPS):
        below = sweep % 2 == 1
        order = range(len(rows) - 1, -1, -1) if below else range(len(rows))
        for layer in order:
            _settle(rows[layer], offsets[layer], both=sweep >= _SWEEPS, below=below)
    low = min(slot.place - left(slot) for row in rows for slot in row)
    found_at: dict[int, int] = {}
    for row in rows:
        least = _MARGIN
        for slot in row:
            at = max(round(slot.place - low) + _MARGIN, least + left(slot))
            found_at[id(slot)] = at
            least = at + right(slot) + 1
    return found_at


def _settle(row: list[Slot], offsets: list[int], *, both: bool, below: bool) -> None:
    """Each slot to the mean of its neighbours', in order and `offsets` apart."""
    blocks: list[list[float]] = []  # weight, weighted sum, how many slots
    for slot, offset in zip(row, offsets, strict=True):
        beside = [*slot.above, *slot.below] if both else slot.below if below else slot.above
        weight = total = 0.0
        for other in beside:
            pull = _pull(slot, other)
            weight += pull
            total += pull * other.place
        if not weight:
            weight, total = 0.01, 0.01 * slot.place
        blocks.append([weight, total - weight * offset, 1])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] > blocks[-1][1] * blocks[-2][0]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    number = 0
    for weight, total, count in blocks:
        for _slot in range(int(count)):
            row[number].place = total / weight + offsets[number]
            number += 1


def _pull(slot: Slot, other: Slot) -> float:
    if slot.node is None and other.node is None:
        return _STRAIGHT
    return _BENT + _HEAVY * max(slot.heavy, other.heavy) ** 2


def _down(rows: Sequence[list[Slot]], nodes: Sequence[Size]) -> tuple[list[int], list[int]]:
    """The middle of each layer, and its height."""
    middles, heights, at = [], [], _MARGIN
    for row in rows:
        of_boxes = [nodes[slot.node].height for slot in row if slot.node is not None]
        height = max(of_boxes, default=_WORDS)
        middles.append(at + height // 2)
        heights.append(height)
        at += height + _ROW_GAP
    return middles, heights


def _ports(
    layers: Layers, boxes: Sequence[Box], across: dict[int, int]
) -> dict[tuple[int, bool], int]:
    """(link, at its upper node) → where its line meets the box: side by side in the order of the
    lines, so that they do not cross there."""
    found: dict[tuple[int, bool], int] = {}
    sides: dict[tuple[int, bool], list[tuple[int, int]]] = {}
    for number, chain in layers.chains.items():
        upper, lower = chain[0], chain[-1]
        sides.setdefault((upper.node or 0, True), []).append((across[id(chain[1])], number))
        sides.setdefault((lower.node or 0, False), []).append((across[id(chain[-2])], number))
    for (node, is_upper), lines in sides.items():
        box = boxes[node]
        apart = min(16.0, 0.8 * box.width / len(lines))
        middle = box.x + box.width / 2
        for place, (_x, number) in enumerate(sorted(lines)):
            found[number, is_upper] = round(middle + apart * (place - (len(lines) - 1) / 2))
    return found


def _route(
    layers: Layers,
    number: int,
    boxes: Sequence[Box],
    across: dict[int, int],
    rows: tuple[Sequence[int], Sequence[int]],
    ports: dict[tuple[int, bool], int],
) -> Route:
    chain = layers.chains[number]
    upper, lower = boxes[chain[0].node or 0], boxes[chain[-1].node or 0]
    down, heights = rows
    points = [(ports[number, True], upper.y + upper.height)]
    for slot in chain[1:-1]:
        x, y = across[id(slot)], down[slot.layer]
        if slot.layer % 2:
            points.append((x, y))
        else:
            # upright between the boxes, so that it touches none
            half = heights[slot.layer] // 2
            points += [(x, y - half), (x, y + half)]
    points.append((ports[number, False], lower.y))
    words = next(slot for slot in chain if slot.words)
    back = number in layers.back
    if back:
        points.reverse()
    return Route(tuple(points), (across[id(words)], down[words.layer]), back=back)


def _loop(box: Box, link: Link) -> Route:
    """At the right side of its box."""
    x, middle, reach = box.x + box.width, box.y + box.height // 2, box.height // 4
    points = ((x, middle - reach), (x + _LOOP - 4, middle), (x, middle + reach))
    return Route(points, (x + _LOOP + (link.width + 1) // 2, middle), loop=True)
