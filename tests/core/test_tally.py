"""Entries add up, can be taken back, and are added alike in C and in Python."""

from __future__ import annotations

from random import Random

import pytest

from tests.core.histories import history
from tracking.core import tally as tallying
from tracking.core.lifetime import fold
from tracking.core.rollup import entries_of
from tracking.core.tally import Numbers, Place, Tally


def entries(random: Random, count: int) -> list[list[str]]:
    found = []
    for _ in range(count):
        records, versions = history(random)
        found.append(entries_of(fold(records, lambda _flow, its=versions: its)))
    return found


def sums(tally: Tally) -> dict[Place, Numbers]:
    """The numbers that are not 0."""
    cells = {
        place: {name: number for name, number in cell.items() if number}
        for place, cell in tally.cells.items()
    }
    return {place: cell for place, cell in cells.items() if cell}


def added(given: list[list[str]]) -> Tally:
    tally = Tally()
    for each in given:
        tally.exchange("acme", [], each)
    return tally


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_entries_and_what_was_taken_back_do_not_matter(seed: int) -> None:
    random = Random(seed)
    one, other = entries(random, 12), entries(random, 12)
    wanted = sums(added(other))
    tally = added(one)
    for old, new in zip(one, random.sample(other, len(other)), strict=True):
        tally.exchange("acme", old, new)
    assert sums(tally) == wanted
    for each in other:
        tally.exchange("acme", each, each)
    assert sums(tally) == wanted, "the same for the same changes nothing"
    for each in other:
        tally.exchange("acme", each, [])
    assert sums(tally) == {}


@pytest.mark.skipif(tallying._compiled is None, reason="without a C compiler there is one way only")
@pytest.mark.parametrize("seed", range(40, 60))
def test_in_c_as_in_python(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    given = entries(random, 40)
    back = random.sample(given, 10)

    def both() -> Tally:
        tally = added(given)
        for each in back:
            tally.exchange("acme", each, [])
        return tally

    in_c = both()
    monkeypatch.setattr(tallying, "_compiled", None)
    in_python = both()
    assert in_c.cells == in_python.cells, "zeros too"
    assert all(type(number) is int for cell in in_c.cells.values() for number in cell.values())


@pytest.mark.skipif(tallying._compiled is None, reason="without a C compiler there is one way only")
@pytest.mark.parametrize(
    "entry",
    [
        "",
        "x",
        "vv",
        "v",
        "v\x1fingress\x1freceive",
        "r\x1fingress\x1freceive\x1f12",
        "r\x1fingress\x1freceive\x1f-12\x1f1",
        "r\x1fingress\x1freceive\x1f7\x1f1",
        "t\x1f1\x1fdelivered\x1fx\x1f1\x1f1\x1f0\x1fa",
        "s\x1fa\x1f\x1fcpu\x1fs\x1f",
        "s\x1fa\x1f\x1fcpu\x1fs\x1f\x1f5\x1f",
        "s\x1fa\x1f\x1fcpu\x1fs\x1f\x1f5\x1f1x",
        "v" + "\x1f" * 13,
        "v" + "\x1f9" * 30,
    ],
)
def test_what_is_no_entry_is_refused_by_the_compiled_loop(entry: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        Tally().exchange("acme", [], ["orders\x1f", entry])
