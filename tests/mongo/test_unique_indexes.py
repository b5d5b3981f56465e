from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import IntegrityError, connection, models

from .plans import docs_examined, explain, stages
from .shelf import START, Book, Shelf, put_books

pytestmark = pytest.mark.django_db

VALUES = {
    "isbn": "978-3",
    "serial": 77,
    "stamped": START,
    "ticket": uuid.UUID(int=5),
    "price": Decimal("9.50"),
}


@pytest.mark.parametrize("field", VALUES)
def test_a_lookup_by_a_nullable_unique_field_uses_its_index(shelves: None, field: str) -> None:
    put_books(30)
    Book.objects.filter(title="book 7").update(**{field: VALUES[field]})
    found = Book.objects.filter(**{field: VALUES[field]})
    plan = explain(found)
    assert "IXSCAN" in stages(plan)
    assert docs_examined(plan) == 1
    assert [book.title for book in found] == ["book 7"]


@pytest.mark.parametrize("field", VALUES)
def test_a_nullable_unique_field_takes_many_nulls_and_no_value_twice(
    shelves: None, field: str
) -> None:
    books = put_books(4)
    setattr(books[0], field, VALUES[field])
    books[0].save()
    setattr(books[1], field, VALUES[field])
    with pytest.raises(IntegrityError):
        books[1].save()
    assert Book.objects.filter(**{f"{field}__isnull": True}).count() == 3


def test_a_lookup_by_a_required_unique_field_uses_its_index(shelves: None) -> None:
    put_books(3)
    assert "IXSCAN" in stages(explain(Shelf.objects.filter(name="shelf 1")))
    assert "IXSCAN" in stages(explain(Shelf.objects.filter(name__in=["shelf 1", "shelf 2"])))


def test_a_constraint_over_two_fields_serves_both_and_the_first_alone(shelves: None) -> None:
    shelf = put_books(9)[0].shelf
    # the foreign key has an index of its own; the hint asks whether this one could serve
    for condition in ({"shelf_id": shelf.pk.hex}, {"shelf_id": shelf.pk.hex, "title": "book 0"}):
        stored = connection.database[Book._meta.db_table].find(condition)
        assert list(stored.hint("one_title_a_shelf"))
    found = Book.objects.filter(shelf=shelf, title="book 0")
    assert docs_examined(explain(found)) == 1
    with pytest.raises(IntegrityError):
        Book.objects.create(shelf=shelf, title="book 0", bought=START)


def test_users_and_sessions_are_found_by_index(db: None) -> None:
    for query in (
        get_user_model().objects.filter(username="nobody"),
        Session.objects.filter(session_key="none"),
    ):
        used = stages(explain(query))
        assert "COLLSCAN" not in used
        assert used & {"IXSCAN", "IDHACK", "EOF"}


def test_a_primary_key_is_the_document_key(shelves: None) -> None:
    book = put_books(2)[0]
    assert stages(explain(Book.objects.filter(pk=book.pk))) & {"IDHACK", "IXSCAN"}
    assert connection.database[Book._meta.db_table].find_one({"_id": book.pk.hex})


def test_a_unique_field_that_becomes_nullable_then_takes_many_nulls(shelves: None) -> None:
    strict = Shelf._meta.get_field("name")
    relaxed = models.CharField(max_length=50, unique=True, null=True)
    relaxed.set_attributes_from_name("name")
    relaxed.model = Shelf
    with connection.schema_editor() as editor:
        editor.alter_field(Shelf, strict, relaxed)
    shelves_ = connection.database[Shelf._meta.db_table]
    shelves_.insert_many([{"_id": "1", "name": None}, {"_id": "2", "name": None}])
    assert shelves_.count_documents({}) == 2
