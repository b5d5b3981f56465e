"""A graph in layers, as Sugiyama, Tagawa and Toda draw it (1981). Pure, and the same every time.

1. Edges are taken heaviest first, those before all others that lead to every node on the heaviest
   ways from the first; one that would close a cycle goes backwards.
2. A node's layer is the longest way to it along edges that go forwards; one that more leaves than
   enters moves down to what follows it.
3. Between two layers of nodes stands one for the words of edges: every edge passes a slot of its
   own in each layer on its way, so that no two of them, nor an edge and a node, lie on another.
4. In each layer slots are sorted by the mean place of their neighbours, up and down by turns; the
   order with the fewest crossings wins.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Final

_SWEEPS: Final = 12


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two nodes, named by their numbers; how much it weighs, and the width that
    its words need."""

    source: int
    target: int
    weight: int
    width: int = 0


@dataclass(slots=True)
class Slot:
    """A place in a layer: of a node, or of an edge on its way (`link` is its number, `heavy` its
    weight beside the heaviest)."""

    layer: int
    node: int | None = None
    link: int | None = None
    words: bool = False
    heavy: float = 0.0
    above: list[Slot] = field(default_factory=list)
    below: list[Slot] = field(default_factory=list)
    place: float = 0.0


@dataclass(frozen=True, slots=True)
class Layers:
    """`rows`: slots from left to right, layer by layer; nodes stand in those of even numbers.

    `chains`: link → its slots from its upper node to its lower one, both included; `back`: links
    that lead upwards. Links from a node to itself are in neither.
    """

    rows: list[list[Slot]]
    nodes: list[Slot]
    chains: dict[int, list[Slot]]
    back: frozenset[int]


def layered(count: int, links: Sequence[Link], *, last: int | None = None) -> Layers:
    """Nodes are numbered from 0, which stands above all others; `last` stands below them."""
    ahead, back = _directed(count, links)
    level = _levels(count, links, ahead, last)
    rows: list[list[Slot]] = [[] for _layer in range(2 * max(level, default=0) + 1)]
    nodes = [Slot(2 * level[node], node=node) for node in range(count)]
    chains: dict[int, list[Slot]] = {}
    heaviest = max((link.weight for link in links), default=0) or 1
    for number, (upper, lower) in ahead.items():
        heavy = links[number].weight / heaviest
        chains[number] = _chain(number, nodes[upper], nodes[lower], heavy)
    for slot in _in_reading_order(nodes, chains, links):
        rows[slot.layer].append(slot)
    _sort(rows)
    return Layers(rows, nodes, chains, back)


def _directed(
    count: int, links: Sequence[Link]
) -> tuple[dict[int, tuple[int, int]], frozenset[int]]:
    """Link → its upper and its lower node, and which of them were turned round."""
    reach = [1 << node for node in range(count)]  # as bits, which nodes each leads to
    ahead: dict[int, tuple[int, int]] = {}
    back = set()
    for number in dict.fromkeys([*_tree(count, links), *_heaviest(links)]):
        upper, lower = links[number].source, links[number].target
        if upper == lower:
            continue
        if reach[lower] >> upper & 1:
            back.add(number)
            upper, lower = lower, upper
        ahead[number] = (upper, lower)
        gained = reach[lower]
        for node in range(count):
            if reach[node] >> upper & 1:
                reach[node] |= gained
    return dict(sorted(ahead.items())), frozenset(back)


def _heaviest(links: Sequence[Link]) -> list[int]:
    def rank(number: int) -> tuple[int, int, int]:
        return -links[number].weight, links[number].source, links[number].target

    return sorted(range(len(links)), key=rank)


def _tree(count: int, links: Sequence[Link]) -> list[int]:
    """The links by which each node is met first, if the heaviest at hand is always followed."""
    leads: list[list[tuple[int, int]]] = [[] for _node in range(count)]
    flow = [0] * count
    for place, number in enumerate(_heaviest(links)):
        leads[links[number].source].append((place, number))
        flow[links[number].source] += links[number].weight
        flow[links[number].target] -= links[number].weight
    met: set[int] = set()
    tree = []
    for start in sorted(range(count), key=lambda node: (node > 0, -flow[node], node)):
        if start in met:
            continue
        met.add(start)
        at_hand = list(leads[start])
        heapify(at_hand)
        while at_hand:
            _place, number = heappop(at_hand)
            target = links[number].target
            if target not in met:
                met.add(target)
                tree.append(number)
                for each in leads[target]:
                    heappush(at_hand, each)
    return tree


def _levels(
    count: int, links: Sequence[Link], ahead: dict[int, tuple[int, int]], last: int | None
) -> list[int]:
    above: list[list[int]] = [[] for _node in range(count)]
    below: list[list[int]] = [[] for _node in range(count)]
    pull = [0] * count
    for number, (upper, lower) in ahead.items():
        above[lower].append(upper)
        below[upper].append(lower)
        pull[upper] += links[number].weight
        pull[lower] -= links[number].weight
    level = [int(node > 0) for node in range(count)]
    waits = [len(each) for each in above]
    ready = [node for node in range(count) if not waits[node]]
    order = []
    while ready:
        node = ready.pop(0)
        order.append(node)
        for lower in below[node]:
            level[lower] = max(level[lower], level[node] + 1)
            waits[lower] -= 1
            if not waits[lower]:
                ready.append(lower)
    if last is not None and count > 1:
        level[last] = max(level[last], 1 + max(level[n] for n in range(count) if n != last))
    for node in reversed(order):
        if node not in (0, last) and below[node] and pull[node] > 0:
            level[node] = min(level[lower] for lower in below[node]) - 1
    # moving down may have left a layer without any node
    used = {each: place for place, each in enumerate(sorted(set(level)))}
    return [used[each] for each in level]


def _chain(number: int, upper: Slot, lower: Slot, heavy: float) -> list[Slot]:
    between = range(upper.layer + 1, lower.layer)
    way = [Slot(layer, link=number, heavy=heavy) for layer in between]
    # words stand in the middle, in a layer of words
    way[len(way) // 4 * 2].words = True
    chain = [upper, *way, lower]
    for slot, following in pairwise(chain):
        slot.below.append(following)
        following.above.append(slot)
    return chain


def _in_reading_order(
    nodes: Sequence[Slot], chains: dict[int, list[Slot]], links: Sequence[Link]
) -> list[Slot]:
    """Slots as they are met along the heaviest edges first: what belongs together begins so."""
    leads: dict[int, list[int]] = {}
    for number, chain in chains.items():
        leads.setdefault(_node_of(chain[0]), []).append(number)
    found: list[Slot] = []
    seen = [False] * len(nodes)
    for start in sorted(range(len(nodes)), key=lambda node: (nodes[node].layer, node)):
        stack = [start]
        while stack:
            node = stack.pop()
            if seen[node]:
                continue
            seen[node] = True
            found.append(nodes[node])
            heaviest = sorted(leads.get(node, ()), key=lambda n: (-links[n].weight, n))
            for number in heaviest:
                found.extend(chains[number][1:-1])
            stack.extend(_node_of(chains[number][-1]) for number in reversed(heaviest))
    return found


def _node_of(slot: Slot) -> int:
    assert slot.node is not None  # noqa: S101 - chains begin and end at nodes
    return slot.node


def _sort(rows: list[list[Slot]]) -> None:
    _number(rows)
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            for slot in row:
                beside = slot.above if down else slot.below
                if beside:
                    slot.place = sum(other.place for other in beside) / len(beside)
            row.sort(key=lambda slot: slot.place)  # stable: of equals the order stays
            for place, slot in enumerate(row):
                slot.place = place - (len(row) - 1) / 2
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, kept in zip(rows, best, strict=True):
        row[:] = kept


def _number(rows: list[list[Slot]]) -> None:
    for row in rows:
        for place, slot in enumerate(row):
            slot.place = place - (len(row) - 1) / 2


def _crossings(rows: list[list[Slot]]) -> int:
    count = 0
    for row in rows:
        seen: list[float] = []
        for slot in row:
            ends = sorted(lower.place for lower in slot.below)
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count
