"""Pages: complete, without gaps or repeats, also among equal times and while the list grows."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.http import assert_problem, get, make_key
from tests.tools import drain, post, record
from tracking.api import paging

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v1/transactions"
NOON = "2026-01-31T12:00:00.000Z"


def page(url: str, key: str) -> dict[str, Any]:
    response = get(url, key)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def walk(path: str, key: str, size: int, query: str = "") -> list[list[str]]:
    pages, following = [], f"{path}?page_size={size}{query}"
    while following:
        answer = page(following, key)
        pages.append([row.get("id") or row["record"]["id"] for row in answer["results"]])
        parts = urlsplit(answer["next"] or "")
        following = f"{parts.path}?{parts.query}" if answer["next"] else ""
    return pages


@pytest.mark.parametrize("size", [1, 7, 13, 500])
def test_a_walk_meets_every_transaction_once(size: int) -> None:
    key = make_key()
    values = [
        # most at one and the same time: a cursor of time alone would lose or repeat them
        record(
            transaction=f"t{n:03}",
            occurred_at=NOON if n % 3 else f"2026-01-{n % 27 + 1:02}T00:00:00Z",
        )
        for n in range(39)
    ]
    post(values)
    drain()
    pages = walk(LIST, key, size)
    met = [name for one in pages for name in one]
    assert sorted(met) == [f"t{n:03}" for n in range(39)]
    assert all(len(one) == size for one in pages[:-1])
    assert met == [name for one in walk(LIST, key, 500) for name in one]


def test_a_walk_keeps_its_filters() -> None:
    key = make_key()
    post([record(transaction=f"t{n}", flow="a" if n % 2 else "b+ü&=") for n in range(10)])
    drain()
    pages = walk(LIST, key, 2, "&flow=b%2B%C3%BC%26%3D")
    assert sorted(name for one in pages for name in one) == ["t0", "t2", "t4", "t6", "t8"]


def test_what_comes_in_meanwhile_repeats_nothing() -> None:
    key = make_key()
    post([record(transaction=f"t{n}", occurred_at=NOON) for n in range(6)])
    drain()
    first = page(f"{LIST}?page_size=3", key)
    post(
        [
            record(transaction="newer"),
            record(transaction="newest", occurred_at="2026-02-01T00:00:00Z"),
        ]
    )
    drain()
    parts = urlsplit(first["next"])
    second = page(f"{parts.path}?{parts.query}", key)
    met = [row["id"] for answer in (first, second) for row in answer["results"]]
    assert met == ["t5", "t4", "t3", "t2", "t1", "t0"]


@pytest.mark.parametrize("size", [1, 4, 50])
def test_the_records_of_a_transaction_come_by_event_time(size: int) -> None:
    key = make_key()
    times = [NOON, "2026-01-31T11:00:00Z", NOON, NOON, "2026-02-01T00:00:00Z"] * 4
    post([record(id=f"r{n:02}", transaction="t", occurred_at=time) for n, time in enumerate(times)])
    expected = [f"r{n:02}" for _time, n in sorted((time, n) for n, time in enumerate(times))]
    assert [name for one in walk(f"{LIST}/t/blocks", key, size) for name in one] == expected


def test_the_count_is_exact_up_to_its_bound_and_says_so_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = make_key()
    post([record() for _ in range(12)])
    drain()
    for bound, expected in ((12, (12, False)), (11, (11, True)), (500, (12, False))):
        monkeypatch.setattr(paging, "COUNT_MOST", bound)
        answer = page(f"{LIST}?page_size=5", key)
        assert (answer["count"], answer["count_is_bounded"]) == expected


def test_the_last_page_has_no_next_even_when_it_is_full() -> None:
    key = make_key()
    post([record() for _ in range(4)])
    drain()
    assert page(f"{LIST}?page_size=4", key)["next"] is None
    assert page(f"{LIST}?page_size=4", key)["count"] == 4
    assert page(f"{LIST}?page_size=3", key)["next"].startswith("http://testserver/api/v1/")


def test_a_page_of_a_transaction_refuses_what_it_does_not_know() -> None:
    key = make_key()
    post([record(transaction="t")])
    path = f"{LIST}/t/blocks"
    assert_problem(
        get(path, key, {"status": "failed"}), 400, "unknown_parameter", parameter="status"
    )
    assert_problem(
        get(path, key, {"page_size": "5000"}), 400, "bad_parameter", parameter="page_size"
    )
