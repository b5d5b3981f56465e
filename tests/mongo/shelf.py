"""Models of these tests alone: books on shelves, in collections made for one test at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import connection, models
from django_mongodb_backend.fields import ArrayField, EmbeddedModelField
from django_mongodb_backend.models import EmbeddedModel

from tracking.mongo.indexes import PathIndex, TTLIndex

START = datetime(2026, 1, 1, tzinfo=UTC)


def primary_key() -> models.UUIDField:
    return models.UUIDField(primary_key=True, default=uuid.uuid4, db_column="_id")


class Shelf(models.Model):
    id = primary_key()
    name = models.CharField(max_length=50, unique=True)

    class Meta:
        app_label = "shelf_tests"


class Print(EmbeddedModel):
    house = models.CharField(max_length=50)

    class Meta:
        app_label = "shelf_tests"


class Book(models.Model):
    id = primary_key()
    shelf = models.ForeignKey(Shelf, models.PROTECT)
    lent_to = models.ForeignKey(Shelf, models.PROTECT, null=True, related_name="lent")
    title = models.CharField(max_length=50)
    number = models.IntegerField(default=0)
    bought = models.DateTimeField()
    expires = models.DateTimeField(null=True)
    isbn = models.CharField(max_length=20, null=True, unique=True)
    serial = models.IntegerField(null=True, unique=True)
    stamped = models.DateTimeField(null=True, unique=True)
    ticket = models.UUIDField(null=True, unique=True)
    price = models.DecimalField(null=True, unique=True, max_digits=9, decimal_places=2)
    print = EmbeddedModelField(Print, null=True)
    tags = ArrayField(models.CharField(max_length=20), default=list)
    notes = models.JSONField(default=dict)

    class Meta:
        app_label = "shelf_tests"
        constraints = (
            models.UniqueConstraint(fields=["shelf", "title"], name="one_title_a_shelf"),
        )
        indexes = (
            models.Index(fields=["-bought", "-id"], name="book_bought"),
            TTLIndex(fields=["expires"], expire_after_seconds=3600, name="book_expiry"),
            PathIndex(paths=[("print.house", 1)], name="book_house"),
            PathIndex(paths=[("shelf", 1), ("tags", 1)], name="book_shelf_tags"),
            PathIndex(
                paths=[("notes.code", -1)],
                name="book_code",
                unique=True,
                partial={"notes.code": {"$exists": True}},
            ),
        )


@contextmanager
def collections() -> Iterator[None]:
    """The collections of these models, as a migration would make them."""
    with connection.schema_editor() as editor:
        for model in (Shelf, Book):
            editor.create_model(model)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            for model in (Book, Shelf):
                editor.delete_model(model)


def put_books(count: int, *, shelves: int = 3) -> list[Book]:
    """`count` books, bought a minute apart, in turn on each shelf; every other one is lent."""
    owners = [Shelf(name=f"shelf {n}") for n in range(shelves)]
    Shelf.objects.bulk_create(owners)
    books = [
        Book(
            shelf=owners[n % shelves],
            lent_to=owners[0] if n % 2 else None,
            title=f"book {n}",
            number=n % 10,
            bought=START + timedelta(minutes=n),
        )
        for n in range(count)
    ]
    return Book.objects.bulk_create(books)
