"""The engine's pipelines give what the backend's own would, and read less for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value

from .plans import docs_examined, docs_joined, explain, pipeline, stages
from .shelf import Book, Shelf, put_books

pytestmark = pytest.mark.django_db

# unique orders throughout: among equals no database promises one
SHAPES: dict[str, Callable[[], QuerySet]] = {
    "newest": lambda: Book.objects.order_by("-bought")[:5],
    "page": lambda: Book.objects.order_by("-bought", "-pk")[10:15],
    "all": lambda: Book.objects.order_by("bought"),
    "own condition": lambda: Book.objects.filter(number=3).order_by("-bought")[:3],
    "two conditions": lambda: Book.objects.filter(number=3, title="book 13").order_by("bought"),
    "either": lambda: Book.objects.filter(Q(number=3) | Q(number=4)).order_by("bought")[1:4],
    "excluded": lambda: Book.objects.exclude(number=3).order_by("bought")[2:9],
    "joined": lambda: Book.objects.select_related("shelf").order_by("-bought")[3:8],
    "left joined": lambda: Book.objects.select_related("lent_to").order_by("-bought")[3:8],
    "both joined": lambda: Book.objects.select_related("shelf", "lent_to").order_by("bought")[:7],
    "join and own condition": lambda: (
        Book.objects.select_related("lent_to").filter(number__gte=5).order_by("-bought")[2:6]
    ),
    "foreign condition": lambda: Book.objects.filter(shelf__name="shelf 1").order_by("-bought")[
        1:4
    ],
    "foreign and own": lambda: Book.objects.filter(shelf__name="shelf 1", number=4).order_by(
        "-bought"
    )[:4],
    "foreign or own": lambda: Book.objects.filter(Q(shelf__name="shelf 1") | Q(number=4)).order_by(
        "-bought"
    )[2:9],
    "foreign null": lambda: Book.objects.filter(lent_to__name=None).order_by("bought")[1:5],
    "foreign excluded": lambda: Book.objects.exclude(lent_to__name="shelf 0").order_by("bought")[
        1:5
    ],
    "foreign order": lambda: Book.objects.order_by("shelf__name", "-bought")[2:9],
    "reverse": lambda: ContentType.objects.filter(permission__codename__startswith="a").order_by(
        "-app_label", "model"
    )[2:9],
    "values": lambda: Book.objects.order_by("-bought").values("title")[:5],
    "values with the order": lambda: Book.objects.order_by("-bought").values("title", "bought")[:5],
    "values by a computed order": lambda: (
        Book.objects.annotate(n=F("number") * 2).order_by("-n", "bought").values("n", "bought")[:5]
    ),
    "values of a join": lambda: Book.objects.order_by("-bought").values(
        "title", "shelf__name", "lent_to__name"
    )[2:9],
    "constant": lambda: Book.objects.annotate(one=Value(1)).order_by("-bought")[:5],
    "computed order": lambda: Book.objects.annotate(n=F("number") * 2).order_by("-n", "bought")[
        1:7
    ],
    "order by expression": lambda: Book.objects.order_by((F("number") + 1).desc(), "bought")[:7],
    "nulls last": lambda: Book.objects.order_by(F("isbn").asc(nulls_last=True), "bought")[:7],
    "grouped": lambda: (
        Book.objects.values("number").annotate(n=Count("pk")).order_by("-number")[1:4]
    ),
    "counted relation": lambda: ContentType.objects.annotate(n=Count("permission")).order_by(
        "-app_label", "model"
    )[:3],
    "distinct": lambda: Book.objects.values("number").distinct().order_by("number")[2:5],
    "distinct relation": lambda: (
        ContentType.objects.filter(permission__codename__gt="b")
        .distinct()
        .order_by("-app_label", "model")[:3]
    ),
    "exists": lambda: Shelf.objects.filter(
        Exists(Book.objects.filter(shelf=OuterRef("pk"), number=3))
    ).order_by("name")[1:],
    "exists shown": lambda: Shelf.objects.annotate(
        has=Exists(Book.objects.filter(lent_to=OuterRef("pk")))
    ).order_by("-name")[:2],
    "latest of each": lambda: Shelf.objects.annotate(
        latest=Subquery(
            Book.objects.filter(shelf=OuterRef("pk")).order_by("-bought").values("title")[:1]
        )
    ).order_by("-name")[:2],
    "in": lambda: Book.objects.filter(shelf__in=Shelf.objects.filter(name__gt="shelf 0")).order_by(
        "-bought"
    )[2:6],
    "union": lambda: (
        Book.objects.filter(number=1).union(Book.objects.filter(number=2)).order_by("-bought")[1:5]
    ),
    "dates": lambda: Book.objects.datetimes("bought", "hour", order="DESC"),
    "nothing": lambda: Book.objects.none().order_by("bought")[:5],
    "empty in": lambda: Book.objects.filter(number__in=[]).order_by("bought")[:5],
    "path order": lambda: Book.objects.order_by("notes__k", "bought")[:5],
    "last": lambda: Book.objects.order_by("bought").reverse()[:1],
}


def only(stage: dict[str, Any]) -> str:
    (name,) = stage
    return name


def rows(query: QuerySet) -> list[Any]:
    """Everything fetched, joined objects and annotations included."""
    return [_row(each) for each in query]


def _row(each: Any) -> Any:
    if not hasattr(each, "__dict__"):
        return each
    known = {k: v for k, v in vars(each).items() if not k.startswith("_")}
    cached = {k: _row(v) for k, v in each._state.fields_cache.items() if v is not None}
    return known, cached


@pytest.mark.parametrize("shape", SHAPES)
def test_the_rows_are_those_of_the_backend_itself(
    shelves: None, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_books(40)
    # a partner that does not exist: MongoDB protects no foreign key
    Book.objects.filter(title__in=["book 35", "book 38"]).update(shelf_id="0" * 32)
    ours = rows(SHAPES[shape]())
    monkeypatch.setattr(connection.ops, "compiler_module", "django_mongodb_backend.compiler")
    monkeypatch.setattr(connection.ops, "_cache", None)
    assert ours == rows(SHAPES[shape]())


def test_the_newest_are_read_from_the_index(shelves: None) -> None:
    put_books(300)
    plan = explain(Book.objects.order_by("-bought", "-pk")[:20])
    assert stages(plan) & {"SORT", "COLLSCAN"} == set()
    assert docs_examined(plan) == 20


def test_values_of_the_newest_are_read_from_the_index(shelves: None) -> None:
    put_books(300)
    plan = explain(Book.objects.order_by("-bought", "-pk").values("pk", "title", "bought")[:20])
    assert stages(plan) & {"SORT", "COLLSCAN"} == set()
    assert docs_examined(plan) == 20


def test_a_list_with_left_joined_partners_reads_its_page_only(shelves: None) -> None:
    put_books(300)
    plan = explain(Book.objects.select_related("lent_to").order_by("-bought", "-pk")[:20])
    assert "SORT" not in stages(plan)
    assert docs_examined(plan) <= 40


def test_a_list_with_required_partners_joins_its_page_only(shelves: None) -> None:
    put_books(300)
    plan = explain(Book.objects.select_related("shelf").order_by("-bought", "-pk")[:20])
    assert "SORT" not in stages(plan)
    # sorted documents are read ahead, 4 MB at most, but the join stops at the limit
    assert docs_joined(plan) == 20


def test_the_order_comes_before_joins_and_the_limit_stays_behind_an_inner_one(
    shelves: None,
) -> None:
    required = Book.objects.select_related("shelf").order_by("pk")[:5]
    assert [*map(only, pipeline(required))] == ["$sort", "$lookup", "$unwind", "$limit"]
    optional = Book.objects.select_related("lent_to").filter(number=1).order_by("pk")[2:5]
    assert [*map(only, pipeline(optional))] == [
        "$match",
        "$sort",
        "$skip",
        "$limit",
        "$lookup",
        "$set",
        "$unwind",
    ]


def test_a_joined_query_deletes_its_own_rows_once_each(shelves: None) -> None:
    put_books(9)
    assert Book.objects.filter(shelf__name="shelf 1", number__lt=6).delete()[0] == 2
    listed = Book.objects.select_related("shelf").filter(lent_to=None)
    count = len(listed)
    assert listed.delete()[0] == count
    assert Book.objects.filter(lent_to=None).count() == 0
    assert Book.objects.filter(shelf__name="nowhere").delete()[0] == 0
