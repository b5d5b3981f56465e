"""One query in, one bounded answer out."""

from __future__ import annotations

import pytest

from tests.tools import drain, make_tenant, post, record
from tracking.access.keys import KeyHolder
from tracking.search import Found, find

pytestmark = pytest.mark.django_db(transaction=True)


def holder(tenant: str = "acme") -> KeyHolder:
    make_tenant(tenant)
    return KeyHolder(tenant, "test", frozenset({"read"}))


def names(found: Found) -> list[str]:
    return [key.partition("/")[2] for key in found.keys]


def order(name: str, object_id: str, **fields: object) -> dict[str, object]:
    return record(transaction=name, object={"id": object_id, "type": "order"}, **fields)


def test_the_better_match_comes_first() -> None:
    who = holder()
    post(
        [
            order("begins", "4711-b"),
            order("by-reference", "x1", references={"po": "4711"}),
            order("by-record", "x2", id="4711"),
            order("4711", "x3"),
            order("exact", "4711"),
            order("other", "47"),
        ]
    )
    drain()
    assert names(find(who, "4711")) == ["exact", "4711", "by-record", "by-reference", "begins"]
    assert names(find(who, "  4711\t")) == names(find(who, "4711"))


def test_a_reference_may_be_asked_for_by_name() -> None:
    who = holder()
    post(
        [
            order("a", "1", references={"po": "7", "so": "8"}),
            order("b", "2", references={"so": "7"}),
        ]
    )
    drain()
    assert names(find(who, "po:7")) == ["a"]
    assert sorted(names(find(who, "7"))) == ["a", "b"]
    assert names(find(who, "po:8")) == []  # name and value of one and the same reference


def test_an_object_id_with_a_colon_is_no_reference() -> None:
    who = holder()
    post([order("a", "urn:x:1")])
    drain()
    assert names(find(who, "urn:x:1")) == names(find(who, "urn:")) == ["a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "a\0b",
        "a\nb",
        "\ud800",
        "x" * 301,
        ".*",
        "^4",
        "$where",
        '{"$gt": ""}',
        "%",
        "4711\uffff",
    ],
)
def test_odd_queries_find_nothing_and_fail_nothing(text: str) -> None:
    who = holder()
    post([order("a", "4711", references={"po": "1"})])
    drain()
    assert find(who, text) == Found([], False)


def test_characters_beyond_the_basic_plane_are_found_by_their_beginning() -> None:
    who = holder()
    post([order("a", "box-📦-1"), order("b", "box-")])
    drain()
    assert sorted(names(find(who, "box-"))) == ["a", "b"]
    assert names(find(who, "box-📦")) == ["a"]


def test_the_answer_is_bounded_and_says_so() -> None:
    who = holder()
    post([order(f"t{n:02}", f"many-{n:02}") for n in range(20)])
    drain()
    for most, expected in ((19, (19, True)), (20, (20, False)), (21, (20, False))):
        found = find(who, "many-", most=most)
        assert (len(found.keys), found.bounded) == expected


def test_a_tenant_finds_its_own() -> None:
    post([order("mine", "4711", id="r")], holder("acme").tenant)
    post([order("theirs", "4711", id="r", references={"po": "9"})], holder("globex").tenant)
    drain()
    for text in ("4711", "47", "mine", "r"):
        assert find(holder("acme"), text).keys == ["acme/mine"]
    for text in ("theirs", "9", "po:9"):
        assert find(holder("acme"), text).keys == []
    assert find(None, "4711").keys == []
