"""Django's own `atomic` is a MongoDB transaction."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, NotSupportedError, connection, transaction
from django.db.transaction import TransactionManagementError, atomic
from django_mongodb_backend import transaction as mongo_transaction

from tracking.mongo.connection import collection, current_session

from .shelf import Shelf

pytestmark = pytest.mark.django_db(transaction=True)


class Mishap(Exception):
    pass


def names() -> set[str]:
    return set(Shelf.objects.values_list("name", flat=True))


def test_an_error_takes_back_every_write_of_the_block(shelves: None) -> None:
    kept = Shelf.objects.create(name="kept")
    with pytest.raises(Mishap), atomic():
        Shelf.objects.create(name="new")
        Shelf.objects.bulk_create([Shelf(name="a"), Shelf(name="b")])
        Shelf.objects.filter(pk=kept.pk).update(name="changed")
        assert names() == {"changed", "new", "a", "b"}
        raise Mishap
    assert names() == {"kept"}


def test_a_block_without_error_is_committed_and_seen_by_others(shelves: None) -> None:
    with atomic():
        Shelf.objects.create(name="new")
        assert collection(Shelf._meta.db_table).count_documents({}) == 0
    assert collection(Shelf._meta.db_table).count_documents({}) == 1


def test_an_inner_block_joins_the_outer_one(shelves: None) -> None:
    with pytest.raises(Mishap), atomic():
        with atomic():
            Shelf.objects.create(name="inner")
        raise Mishap
    assert names() == set()


def test_a_failed_inner_block_spoils_the_outer_one_and_says_so(shelves: None) -> None:
    Shelf.objects.create(name="taken")
    with pytest.raises(TransactionManagementError), atomic():
        Shelf.objects.create(name="outer")
        with pytest.raises(IntegrityError), atomic():
            Shelf.objects.create(name="taken")
        names()
    assert names() == {"taken"}


def test_the_connection_is_usable_after_a_rollback(shelves: None) -> None:
    with pytest.raises(IntegrityError), atomic():
        Shelf.objects.create(name="twice")
        Shelf.objects.create(name="twice")
    assert current_session() is None
    Shelf.objects.create(name="twice")
    assert names() == {"twice"}


def test_on_commit_runs_after_the_commit_and_never_after_a_rollback(shelves: None) -> None:
    heard = []
    with atomic():
        transaction.on_commit(lambda: heard.append(names()))
        Shelf.objects.create(name="one")
        assert heard == []
    assert heard == [{"one"}]
    with pytest.raises(Mishap), atomic():
        transaction.on_commit(lambda: heard.append("never"))
        raise Mishap
    transaction.on_commit(lambda: heard.append("at once"))
    assert heard == [{"one"}, "at once"]


def test_get_or_create_finds_what_another_process_made_first(shelves: None) -> None:
    def lose_the_race() -> uuid.UUID:
        collection(Shelf._meta.db_table).insert_one({"_id": "f" * 32, "name": "wanted"})
        return uuid.uuid4()

    found, created = Shelf.objects.get_or_create(name="wanted", defaults={"id": lose_the_race})
    assert (found.pk.hex, created) == ("f" * 32, False)


def test_a_rival_write_ends_the_transaction_at_once(shelves: None) -> None:
    shelf = Shelf.objects.create(name="old")
    with pytest.raises(DatabaseError) as caught, atomic():
        Shelf.objects.create(name="first")
        collection(Shelf._meta.db_table).update_one({"_id": shelf.pk.hex}, {"$set": {"name": "x"}})
        Shelf.objects.filter(pk=shelf.pk).update(name="y")
    assert caught.value.__cause__.has_error_label("TransientTransactionError")
    assert names() == {"x"}


def test_pymongo_joins_the_block_by_its_session(shelves: None) -> None:
    with pytest.raises(Mishap), atomic():
        shelves_ = collection(Shelf._meta.db_table)
        shelves_.insert_one({"_id": "1", "name": "raw"}, session=current_session())
        assert names() == {"raw"}
        raise Mishap
    assert names() == set()


def test_a_durable_block_cannot_be_inside_another(shelves: None) -> None:
    with pytest.raises(RuntimeError), atomic(), atomic(durable=True):
        pass


def test_collections_cannot_be_made_inside_a_block(db: None) -> None:
    with (
        pytest.raises(NotSupportedError, match=r"inside transaction\.atomic"),
        atomic(),
        connection.schema_editor(),
    ):
        pass


def test_the_backends_own_atomic_is_refused(db: None) -> None:
    with (
        pytest.raises(NotSupportedError, match=r"django\.db\.transaction\.atomic"),
        mongo_transaction.atomic(),
    ):
        pass


def test_sessions_and_create_superuser_work_inside_and_outside(db: None) -> None:
    with atomic():
        store = SessionStore()
        store["colour"] = "blue"
        store.create()
    assert SessionStore(store.session_key)["colour"] == "blue"
    user = get_user_model()
    answers = dict.fromkeys((user.USERNAME_FIELD, *user.REQUIRED_FIELDS), "root@example.com")
    call_command("createsuperuser", interactive=False, verbosity=0, **answers)
    assert user.objects.filter(is_superuser=True).count() == 1


def test_without_the_mark_no_test_reaches_the_database(request: pytest.FixtureRequest) -> None:
    from pytest_django.plugin import blocking_manager_key

    with request.config.stash[blocking_manager_key].block():
        for reach in (lambda: connection.database, names, lambda: connection.get_collection("x")):
            with pytest.raises(RuntimeError, match="Database access not allowed"):
                reach()
