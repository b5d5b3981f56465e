from __future__ import annotations

import pytest
from django.db import connection, models
from django.db.migrations.writer import MigrationWriter
from pymongo.errors import DuplicateKeyError

from tracking.mongo.indexes import PathIndex, TTLIndex

from .plans import explain, stages
from .shelf import Book, put_books

pytestmark = pytest.mark.django_db


def stored_indexes() -> dict[str, dict]:
    return connection.database[Book._meta.db_table].index_information()


def test_the_server_knows_when_documents_expire(shelves: None) -> None:
    assert stored_indexes()["book_expiry"]["expireAfterSeconds"] == 3600


def test_paths_are_indexed_with_fields_in_the_order_given(shelves: None) -> None:
    assert stored_indexes()["book_house"]["key"] == [("print.house", 1)]
    assert stored_indexes()["book_shelf_tags"]["key"] == [("shelf_id", 1), ("tags", 1)]


def test_lookups_into_documents_arrays_and_json_use_them(shelves: None) -> None:
    shelf = put_books(20)[0].shelf
    for query in (
        Book.objects.filter(print__house="Insel"),
        Book.objects.filter(shelf=shelf, tags__contains=["old"]),
    ):
        assert "IXSCAN" in stages(explain(query))


def test_a_unique_path_with_a_condition_leaves_out_documents_without_it(shelves: None) -> None:
    put_books(3)
    books = connection.database[Book._meta.db_table]
    books.insert_one({"_id": "1", "shelf_id": "s", "title": "a", "notes": {"code": 1}})
    with pytest.raises(DuplicateKeyError):
        books.insert_one({"_id": "2", "shelf_id": "s", "title": "b", "notes": {"code": 1}})


@pytest.mark.parametrize("index", [i for i in Book._meta.indexes if type(i) is not models.Index])
def test_they_survive_being_written_into_a_migration(index: models.Index) -> None:
    source, imports = MigrationWriter.serialize(index)
    scope: dict = {}
    exec("\n".join(imports), scope)
    assert eval(source, scope) == index
    assert index.clone() == index


def test_mistakes_are_refused_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        TTLIndex(fields=["a", "b"], expire_after_seconds=1, name="x")
    with pytest.raises(ValueError, match="negative"):
        TTLIndex(fields=["a"], expire_after_seconds=-1, name="x")
    with pytest.raises(ValueError, match="direction"):
        PathIndex(paths=[("a.b", 2)], name="x")
    with pytest.raises(ValueError, match="at least one"):
        PathIndex(paths=[], name="x")
