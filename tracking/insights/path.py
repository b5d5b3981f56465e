"""The path of a flow as it is drawn: blocks and edges, rare ones folded away. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tracking.insights.bottlenecks import Bottlenecks, Edge
from tracking.insights.ranking import Block

BLOCKS_DRAWN: Final = 60
# Of so many edges a map is read at a glance; and one and a half a block.
_EDGES_FEW: Final = 24


@dataclass(frozen=True, slots=True)
class Path:
    """`blocks` by name, `edges` the most passed first; the empty name stands for the beginning (as
    a source) and the end (as a target).

    Folded away: so many blocks, and so many edges that were passed so often.
    """

    blocks: Sequence[Block]
    edges: Sequence[Edge]
    more_blocks: int
    more_edges: int
    more_passed: int
    passed: int


def path_of(found: Bottlenecks) -> Path:
    most = sorted(
        found.blocks, key=lambda block: (-block.counts.arrived, -block.tenths, block.name)
    )
    blocks = sorted(most[:BLOCKS_DRAWN], key=lambda block: block.name)
    names = {block.name for block in blocks} | {""}
    between = [edge for edge in found.edges if edge.source in names and edge.target in names]
    drawn = _drawn(between, most=max(_EDGES_FEW, 3 * len(blocks) // 2))
    passed = sum(edge.passed for edge in found.edges)
    return Path(
        blocks=blocks,
        edges=drawn,
        more_blocks=len(found.blocks) - len(blocks),
        more_edges=len(found.edges) - len(drawn),
        more_passed=passed - sum(edge.passed for edge in drawn),
        passed=passed,
    )


def _drawn(edges: Sequence[Edge], *, most: int) -> list[Edge]:
    """The way that most took into each block and out of it, then those passed most."""
    kept = {id(edge) for edge in (*_first_of(edges, into=True), *_first_of(edges, into=False))}
    for edge in edges:
        if len(kept) >= most:
            break
        kept.add(id(edge))
    return [edge for edge in edges if id(edge) in kept]


def _first_of(edges: Sequence[Edge], *, into: bool) -> Iterable[Edge]:
    found: dict[str, Edge] = {}
    for edge in edges:
        name = edge.target if into else edge.source
        if name and edge.source != edge.target:
            found.setdefault(name, edge)
    return found.values()
