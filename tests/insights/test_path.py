"""Which blocks and edges of a path are drawn, and what is said of the others."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from tests.insights.world import at, put
from tracking.admin.path_map import PathMap, fitted, path_map
from tracking.insights.bottlenecks import bottlenecks
from tracking.insights.path import Path, path_of
from tracking.insights.windows import window

pytestmark = pytest.mark.django_db

NOON = at("2026-03-02T12:00")


def path(blocks: int, edges: dict[tuple[str, str], int]) -> Path:
    for number in range(blocks):
        numbers = {"arrived": 100 - number % 7, "visits.succeeded": 99, "share.work_ms": 5}
        put("block", NOON, numbers, stage="processing", block=f"b{number}")
    for (source, target), passed in edges.items():
        put("edge", NOON, {"passed": passed}, source=source, target=target)
    asked = window(NOON, at("2026-03-02T13:00"), "1h")
    return path_of(bottlenecks("acme", asked, flow="orders", moment=NOON))


def drawn(found: Path) -> PathMap:
    return path_map(found, lambda _block: "")


def chain(blocks: int) -> dict[tuple[str, str], int]:
    names = ["", *(f"b{number}" for number in range(blocks)), ""]
    return dict.fromkeys(pairwise(names), 500)


def test_a_small_path_is_drawn_whole() -> None:
    found = path(2, {**chain(2), ("b0", "b0"): 1, ("b1", "b0"): 2})
    assert (len(found.blocks), len(found.edges)) == (2, 5)
    assert (found.more_blocks, found.more_edges, found.more_passed) == (0, 0, 0)
    picture = drawn(found)
    assert picture.note == ""
    assert [line.look.split()[0] for line in picture.lines] == [
        "loop",
        "back",
        "ahead",
        "ahead",
        "ahead",
    ]
    assert picture.says.startswith("Map of the path: begin to b0 500, b0 to b1 500, b1 to end 500")


def test_rare_edges_are_folded_away_and_counted() -> None:
    random = Random(3)
    rare = {
        (f"b{random.randrange(20)}", f"b{random.randrange(20)}"): random.randrange(1, 50)
        for _each in range(300)
    }
    edges = {**rare, **chain(20)}
    found = path(20, edges)
    assert len(found.blocks) == 20
    assert len(found.edges) == 30
    kept = {(edge.source, edge.target) for edge in found.edges}
    assert chain(20).keys() <= kept
    left = {ends: passed for ends, passed in edges.items() if ends not in kept}
    assert max(left.values()) <= min(edges[ends] for ends in kept)
    assert (found.more_edges, found.more_passed) == (len(left), sum(left.values()))
    part = round(100 * found.more_passed / sum(edges.values()))
    assert drawn(found).note == (
        f"Not drawn: {len(left)} rare ways ({part} % of all passes); the tables have them."
    )


def test_each_block_keeps_its_way_in_and_out() -> None:
    edges = {("b0", f"b{number}"): 900 + number for number in range(1, 40)}
    edges |= {(f"b{number}", "b39"): number for number in range(1, 39)}
    found = path(40, {**edges, ("", "b0"): 1, ("b39", ""): 1})
    kept = [(edge.source, edge.target) for edge in found.edges]
    for number in range(1, 39):
        assert ("b0", f"b{number}") in kept
        assert (f"b{number}", "b39") in kept
    assert ("", "b0") in kept
    assert ("b39", "") in kept


def test_of_many_blocks_the_most_passed_are_drawn() -> None:
    found = path(75, chain(75))
    assert (len(found.blocks), found.more_blocks) == (60, 15)
    names = {block.name for block in found.blocks} | {""}
    assert all(edge.source in names and edge.target in names for edge in found.edges)
    picture = drawn(found)
    assert len(picture.nodes) == 62
    assert picture.note.startswith("Not drawn: 15 rarely passed blocks and ")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pack", "pack"),
        ("x" * 24, "x" * 24),
        ("check-credit-of-customer-eu-west", "check-credit-o…r-eu-west"),
        ("価格を確認する係の人が見る", "価格を確認する…人が見る"),
    ],
)
def test_long_names_keep_their_beginning_and_their_end(name: str, told: str) -> None:
    assert fitted(name, 24) == told
