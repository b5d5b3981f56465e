"""The run: batches, counts, resuming, patience; with a door of its own and no database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracking.core.record import Problem
from tracking.errors import DatabaseUnavailable
from tracking.importing.mapper import Item
from tracking.importing.problems import Place, SourceError
from tracking.importing.run import Options, Summary, run
from tracking.importing.shuffle import shuffled
from tracking.importing.state import ImportState
from tracking.ingest.accept import Result


class Door:
    """Stores by id like the real one; breaks off when told to."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.posts: list[int] = []
        self.breaks: list[BaseException] = []

    def __call__(self, wires: list[dict[str, Any]]) -> list[Result]:
        if self.breaks:
            raise self.breaks.pop(0)
        self.posts.append(len(wires))
        return [self.one(index, wire) for index, wire in enumerate(wires)]

    def one(self, index: int, wire: dict[str, Any]) -> Result:
        if wire.get("bad"):
            problem = Problem("/bad", "unknown_field", "bad is not a field.")
            return Result(index, wire["id"], "invalid", errors=[problem])
        known = self.kept.setdefault(wire["id"], wire)
        outcome = "conflict" if known != wire else "duplicate" if known is not wire else "stored"
        return Result(index, wire["id"], outcome)


def made(count: int, **fields: Any) -> list[Item]:
    return [Item(Place(n + 2, f"c{n}", 0), {"id": f"r{n}", **fields}) for n in range(count)]


def state(directory: Path, **identity: Any) -> ImportState:
    found = ImportState(directory, **{"tenant": "acme", **identity})
    found.load()
    return found


def imported(items: Any, door: Door, at: ImportState, **options: Any) -> Summary:
    return run(items, door, at, Options(**{"batch": 10, **options}), lambda _summary: None)


def test_everything_is_posted_in_batches(tmp_path: Path) -> None:
    door = Door()
    summary = imported(made(25), door, state(tmp_path))
    assert (summary.stored, summary.complete, door.posts) == (25, True, [10, 10, 5])


def test_every_outcome_is_counted_and_the_first_problems_told_with_their_place(
    tmp_path: Path,
) -> None:
    door = Door()
    door.kept["r0"] = {"id": "r0", "other": 1}
    items = [*made(3), *made(2), Item(Place(9), None, "the row is short")]
    items.append(Item(Place(10, "c9", 4), {"id": "r9", "bad": True}))
    summary = imported(items, door, state(tmp_path), shown_problems=3)
    # r1 is posted twice with the same content, in two dictionaries that are equal.
    assert (summary.stored, summary.duplicates, summary.conflicts, summary.invalid) == (2, 1, 2, 2)
    assert [(problem.place, problem.message) for problem in summary.problems] == [
        ("line 2, case 'c0', event 0", ""),
        ("line 2, case 'c0', event 0", ""),
        ("line 9", "the row is short"),
    ]


def test_a_killed_import_goes_on_where_it_was(tmp_path: Path) -> None:
    door = Door()
    with pytest.raises(KeyboardInterrupt):
        imported(broken(made(35), 25), door, state(tmp_path))
    assert len(door.kept) == 20
    summary = imported(made(35), door, state(tmp_path))
    assert (summary.resumed_from, summary.stored, summary.duplicates) == (20, 15, 0)
    assert len(door.kept) == 35


def broken(items: list[Item], at: int) -> Iterator[Item]:
    yield from items[:at]
    raise KeyboardInterrupt


def test_after_a_complete_import_all_is_posted_again(tmp_path: Path) -> None:
    door = Door()
    imported(made(25), door, state(tmp_path))
    summary = imported(made(25), door, state(tmp_path))
    assert (summary.resumed_from, summary.stored, summary.duplicates) == (0, 0, 25)


def test_another_log_mapping_or_tenant_begins_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        imported(broken(made(35), 25), Door(), state(tmp_path))
    assert state(tmp_path).done == 20
    assert state(tmp_path, tenant="other").done == 0
    assert state(tmp_path, mapping="other").done == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"identity": 1}', '{"done": "x"}'])
def test_a_damaged_state_costs_duplicates_and_nothing_else(tmp_path: Path, content: str) -> None:
    state(tmp_path).path.write_text(content)
    assert state(tmp_path).done == 0


def test_a_state_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert imported(made(5), Door(), state(tmp_path / "file" / "imports")).stored == 5


def test_a_database_that_comes_back_is_waited_for(tmp_path: Path) -> None:
    door = Door()
    door.breaks = [DatabaseUnavailable("gone")]
    assert imported(made(5), door, state(tmp_path), patience=5).stored == 5


def test_a_database_that_stays_away_ends_the_import_resumable(tmp_path: Path) -> None:
    door = Door()

    def away_after_one(wires: list[dict[str, Any]]) -> list[Result]:
        if door.posts:
            raise DatabaseUnavailable("gone")
        return door(wires)

    with pytest.raises(DatabaseUnavailable):
        run(made(25), away_after_one, state(tmp_path), Options(10, patience=0), lambda _: None)
    assert state(tmp_path).done == 10
    assert imported(made(25), door, state(tmp_path)).stored == 15


def test_a_log_that_breaks_off_is_kept_up_to_there(tmp_path: Path) -> None:
    def torn() -> Iterator[Item]:
        yield from made(15)
        raise SourceError("torn")

    door = Door()
    with pytest.raises(SourceError, match="torn"):
        imported(torn(), door, state(tmp_path))
    assert len(door.kept) == 15


def test_a_mapping_that_fits_nothing_stops_soon(tmp_path: Path) -> None:
    items = [Item(Place(n), None, "no time") for n in range(1000)]
    at = state(tmp_path)
    with pytest.raises(SourceError, match="None of the first 10 records could be stored"):
        imported(items, Door(), at)
    assert at.done == 10


def test_shuffled_gives_the_same_records_in_the_order_of_the_seed() -> None:
    items = [*made(200, text="Zoë\n"), Item(Place(9, None, None), None, "bad")]
    first, again, other = (list(shuffled(iter(items), seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != items
    assert first != other
    assert sorted(map(repr, first)) == sorted(map(repr, items)) == sorted(map(repr, other))
