"""The path map never lies on itself, reads downwards, and is the same every time."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.insights.layers import Link
from tracking.insights.layout import Layout, Size, laid_out

Rect = tuple[float, float, float, float]
SMALL, USUAL = Size(60, 26), Size(170, 46)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[Link]]:
    """Any edges between up to 60 blocks, of which the first is entered and the last left by none;
    not all blocks need be connected."""
    blocks = draw(st.integers(0, 60))
    last = blocks + 1
    ends = st.tuples(st.integers(0, blocks), st.integers(1, last))
    pairs = draw(st.lists(ends.filter(lambda pair: pair != (0, last)), unique=True, max_size=120))
    number = st.integers(1, 10**6)
    width = st.integers(0, 90)
    links = [Link(source, target, draw(number), draw(width)) for source, target in pairs]
    return [SMALL, *[USUAL] * blocks, SMALL], links


def rects(layout: Layout, links: list[Link]) -> list[Rect]:
    """All boxes and all words."""
    found: list[Rect] = [(b.x, b.y, b.x + b.width, b.y + b.height) for b in layout.boxes]
    for link, route in zip(links, layout.routes, strict=True):
        x, y = route.words
        half = link.width // 2
        found.append((x - half, y - 7, x + half, y + 7))
    return found


def overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@settings(deadline=None)
@given(graphs())
def test_nothing_lies_on_anything_else(graph: tuple[list[Size], list[Link]]) -> None:
    sizes, links = graph
    layout = laid_out(sizes, links, last=len(sizes) - 1)
    found = rects(layout, links)
    assert not [pair for pair in combinations(found, 2) if overlap(*pair)]
    assert all(x >= 0 and y >= 0 for x, y, _right, _bottom in found)
    assert all(r <= layout.width and b <= layout.height for _x, _y, r, b in found)


@settings(deadline=None)
@given(graphs())
def test_no_line_crosses_a_box(graph: tuple[list[Size], list[Link]]) -> None:
    sizes, links = graph
    layout = laid_out(sizes, links, last=len(sizes) - 1)
    for route in layout.routes:
        if route.loop:
            continue
        for (x, y), (to_x, to_y) in pairwise(route.points):
            # a curve between two points stays between them
            line = (min(x, to_x), min(y, to_y), max(x, to_x), max(y, to_y))
            for box in layout.boxes:
                assert not overlap(line, (box.x, box.y, box.x + box.width, box.y + box.height))


@settings(deadline=None)
@given(graphs())
def test_it_reads_downwards_from_the_first_to_the_last(
    graph: tuple[list[Size], list[Link]],
) -> None:
    sizes, links = graph
    layout = laid_out(sizes, links, last=len(sizes) - 1)
    first, *between, last = layout.boxes
    assert all(first.y + first.height < box.y for box in between)
    assert all(box.y + box.height < last.y for box in between)
    for link, route in zip(links, layout.routes, strict=True):
        source, target = layout.boxes[link.source], layout.boxes[link.target]
        assert route.loop == (link.source == link.target)
        if not route.loop:
            assert route.back == (source.y > target.y)
            begin, end = route.points[0], route.points[-1]
            below, above = (begin, end) if not route.back else (end, begin)
            upper, lower = (source, target) if not route.back else (target, source)
            assert below[1] == upper.y + upper.height
            assert upper.x <= below[0] <= upper.x + upper.width
            assert above[1] == lower.y
            assert lower.x <= above[0] <= lower.x + lower.width
    forward = [link for link in links if link.source != link.target]
    reached = {0}
    for _round in sizes:
        reached |= {link.target for link in forward if link.source in reached}
    ahead = {0}
    for _round in sizes:
        ahead |= {
            link.target
            for link, route in zip(links, layout.routes, strict=True)
            if link.source in ahead and not route.back
        }
    assert ahead == reached, "what can be reached can be reached downwards"


@settings(deadline=None)
@given(graphs())
def test_it_is_the_same_every_time_and_in_any_order(
    graph: tuple[list[Size], list[Link]],
) -> None:
    sizes, links = graph
    once = laid_out(sizes, links, last=len(sizes) - 1)
    again = laid_out(sizes, links[::-1], last=len(sizes) - 1)
    assert once.boxes == again.boxes
    assert once.routes == again.routes[::-1]


def test_a_straight_flow_is_a_straight_line() -> None:
    links = [Link(n, n + 1, 100, 40) for n in range(5)]
    layout = laid_out([SMALL, *[USUAL] * 4, SMALL], links, last=5)
    assert len({box.x + box.width // 2 for box in layout.boxes}) == 1
    assert all(len({x for x, _y in route.points}) == 1 for route in layout.routes)


def test_the_rarer_way_of_two_blocks_leads_back() -> None:
    links = [Link(0, 1, 10), Link(1, 2, 100), Link(2, 1, 90), Link(2, 2, 7, 30), Link(2, 3, 10)]
    layout = laid_out([SMALL, USUAL, USUAL, SMALL], links, last=3)
    assert [route.back for route in layout.routes] == [False, False, True, False, False]
    assert [route.loop for route in layout.routes] == [False, False, False, True, False]


def test_of_nothing_there_is_nothing() -> None:
    assert laid_out([], []) == Layout(0, 0, (), ())
    alone = laid_out([SMALL], [])
    assert (alone.width, alone.height) == (84, 50)
