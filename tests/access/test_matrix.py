"""Every role, a stranger and the same role of another tenant at every address, by every method.

What each is answered follows from the table of addresses (table.py) and the table of roles. What is
refused changes nothing; what another tenant has is answered like what never was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from django.core.cache import cache
from django.test import Client

from tests.access import table
from tests.access.asking import Shown, ask, asked_for, renamed, shown, told
from tests.access.house import (
    BARRED,
    HOMELESS,
    OTHERS,
    SCOPES,
    STAFF,
    STRANGER,
    House,
    Kept,
    Person,
    difference,
    sign_in,
    stored,
)
from tests.access.table import METHODS, ROWS, Answer, Endpoint, Open, Page, Row
from tests.api.http import bearer

pytestmark = pytest.mark.django_db

PEOPLE = (*STAFF, *OTHERS, HOMELESS, BARRED, STRANGER)
LEAST = 12_000


class Cell(NamedTuple):
    """One of the matrix: who is told `expected`."""

    name: str
    row: Row
    method: str
    whose: str
    expected: Answer
    changes: bool

    def __str__(self) -> str:
        return f"{self.method} {self.name} ({self.whose})"


def cells_of(person: Person) -> Iterator[Cell]:
    for name, row in ROWS.items():
        for method in METHODS:
            for whose in _whose(person, row, method):
                said = _expected(person, name, row, method, whose)
                changes = table.changes(person, row, method, whose, said)
                yield Cell(name, row, method, whose, said, changes)


def _whose(person: Person, row: Row, method: str) -> tuple[str, ...]:
    """Rows asked for: of acme (`own`), of globex (`other`), of nobody (`none`)."""
    one = getattr(row, "key", None)
    looks = method in ("GET", "POST")
    if person in OTHERS:
        # what differs from acme's people of the same role: what is acme's
        names_acme = isinstance(row, Page) and row.of_acme and method == "POST"
        return ("own", "none") if one and looks else ("own",) if names_acme else ()
    if isinstance(row, Open) and person not in (STRANGER, BARRED):
        return ()  # who asks is not looked at
    if isinstance(row, Page) and method == "HEAD" and person not in _BY_HEAD:
        return ()  # Django makes it of a GET
    if not one or not looks or person not in _BOTH_WAYS:
        return ("own",)
    everybodys = isinstance(row, Page) and (row.shared or row.global_)
    return ("own", "none") if everybodys else ("own", "other", "none")


# Who is asked about globex as well; the others are the same the other way round.
_BOTH_WAYS = (HOMELESS, STAFF[-1], STRANGER)
_BY_HEAD = (STAFF[-1], STRANGER)


def _expected(person: Person, name: str, row: Row, method: str, whose: str) -> Answer:
    if isinstance(row, Page):
        return table.answer_of_page(person, name, row, method, whose)
    if isinstance(row, Endpoint):
        own = whose if person.tenant != "globex" else _other(whose)
        return table.answer_of_endpoint(person, row, method, own)
    return row.answers.get(method, row.otherwise)


def _other(whose: str) -> str:
    return {"own": "other", "other": "own"}.get(whose, whose)


def cells_of_key(name: str) -> Iterator[Cell]:
    for address, row in ROWS.items():
        if isinstance(row, Endpoint):
            for method in METHODS:
                for whose in ("own", "other", "none") if row.key and method == "GET" else ("own",):
                    said = table.answer_to_key(name, SCOPES[name], row, method, whose)
                    changes = table.changes(STRANGER, row, method, whose, said)
                    yield Cell(address, row, method, whose, said, changes)
        elif name == "all":  # a key opens no page
            for method in ("GET", "POST"):
                said = _expected(STRANGER, address, row, method, "own")
                yield Cell(address, row, method, "own", said, False)


def wrong(client: Client, cells: list[Cell], house: House) -> list[str]:
    """Where the answer is another than expected; these cells change nothing that is stored."""
    found = []
    hidden: dict[tuple[str, str], dict[str, tuple[Answer, str, Shown]]] = {}
    for cell in cells:
        asked = asked_for(cell.name, cell.row, house, cell.whose)
        answer = ask(client, asked, cell.row, cell.method, house)
        said = told(answer)
        if said != cell.expected:
            found.append(f"{cell}: {said} instead of {cell.expected}")
        if cell.method in ("GET", "POST"):
            place = hidden.setdefault((cell.name, cell.method), {})
            place[cell.whose] = (cell.expected, asked.id or "", shown(answer))
    for (name, method), answers in hidden.items():
        # where both are equally missing, nobody can tell which of them is there
        for one in ("own", "other"):
            if one in answers and "none" in answers:
                (expected, name_of_one, told_one), (of_none, nothing, told_none) = (
                    answers[one],
                    answers["none"],
                )
                alike = renamed(told_none, nothing, name_of_one)
                if expected == of_none and told_one != alike:
                    apart = [
                        f"{x!r} / {y!r}" for x, y in zip(told_one, alike, strict=True) if x != y
                    ]
                    found.append(f"{method} {name}: {one} is told apart from none: {apart}"[:1500])
    return found


# --- The table itself ----------------------------------------------------------------------------


def test_every_address_has_its_row_and_every_row_its_address() -> None:
    names = [name for name, _pattern in table.addresses()]
    assert len(names) == len(set(names)), "two addresses of one name"
    assert not set(names) - ROWS.keys(), "a new address needs a row in tests/access/table.py"
    assert not ROWS.keys() - set(names), "a row whose address is gone"


def test_the_matrix_is_as_large_as_it_should_be() -> None:
    people = sum(1 for person in PEOPLE for _cell in cells_of(person))
    keys = sum(1 for name in SCOPES for _cell in cells_of_key(name))
    print(
        f"\n{len(ROWS)} addresses: {len(PEOPLE)} people in {people:,} cells,"
        f" {len(SCOPES)} keys in {keys:,}; {people + keys:,} in all"
    )
    assert people + keys >= LEAST


# --- The matrix ---------------------------------------------------------------------------------


@pytest.mark.parametrize("person", PEOPLE, ids=str)
def test_everybody_is_answered_as_the_tables_say(person: Person, house: House, kept: Kept) -> None:
    cells = list(cells_of(person))
    client = sign_in(person)
    before = stored()
    quiet = [cell for cell in cells if not cell.changes and cell.name != "admin:logout"]
    assert wrong(client, quiet, house) == []
    assert difference(before, stored()) == [], "what was refused, or only shows, changed something"
    assert wrong(client, [cell for cell in cells if cell.name == "admin:logout"], house) == []


@pytest.mark.parametrize("person", [person for person in PEOPLE if person.may_sign_in], ids=str)
def test_what_is_allowed_has_its_effect(person: Person, house: House, kept: Kept) -> None:
    for cell in cells_of(person):
        if not cell.changes:
            continue
        client = sign_in(person)
        asked = asked_for(cell.name, cell.row, house, cell.whose)
        before = stored()
        answer = ask(client, asked, cell.row, cell.method, house)
        assert told(answer) == cell.expected, cell
        assert difference(before, stored()), cell
        kept.restore(all_of_it=False)
        cache.clear()


@pytest.mark.parametrize("name", SCOPES)
def test_keys_open_what_their_scopes_say(name: str, house: House, kept: Kept) -> None:
    client = Client(raise_request_exception=False, headers=bearer(house.keys[name]))
    cells = list(cells_of_key(name))
    before = stored()
    assert wrong(client, [cell for cell in cells if not cell.changes], house) == []
    assert difference(before, stored()) == []
    for cell in cells:
        if cell.changes:
            asked = asked_for(cell.name, cell.row, house, cell.whose)
            assert told(ask(client, asked, cell.row, cell.method, house)) == cell.expected
            assert difference(before, stored())


def test_no_open_row_says_more_than_it_should() -> None:
    """What is open to anybody is a short list that is changed on purpose."""
    assert {name for name, row in ROWS.items() if isinstance(row, Open)} == {
        *("api:schema", "api:docs", r"api/v1/^.*\Z", "healthz", "readyz", "metrics", ""),
        *("admin:sign_in_code", "admin:sign_in_enrol", "admin:sso", "admin:sso_callback"),
    }
