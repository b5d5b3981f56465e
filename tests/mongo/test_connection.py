from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime

import pymongo
import pytest
from bson.raw_bson import RawBSONDocument
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from tracking.errors import DatabaseUnavailable
from tracking.mongo import connection as mongo
from tracking.mongo.connection import collection, database, run_transaction, settings_entry

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def jars(db: None):
    jars = collection("jars")
    jars.insert_one({"_id": "first", "filled": NOON, "n": 0})
    yield jars
    jars.drop()


def transient(label: str = "TransientTransactionError") -> OperationFailure:
    return OperationFailure("again", 112, {"errorLabels": [label]})


def test_the_guarantees_are_stated_and_not_left_to_the_server(jars) -> None:
    assert jars.write_concern.document == {"w": "majority", "j": True}
    assert jars.read_concern.document == {"level": "majority"}
    assert database().name == connection.settings_dict["NAME"]


def test_moments_come_out_aware_in_utc_decoded_or_raw(jars) -> None:
    assert jars.find_one({"_id": "first"})["filled"] == NOON
    raw = collection("jars", raw=True).find_one({"_id": "first"})
    assert isinstance(raw, RawBSONDocument)
    assert raw["filled"] == NOON


def test_a_transaction_keeps_all_or_nothing(jars) -> None:
    def both(session: ClientSession) -> str:
        jars.insert_one({"_id": "second"}, session=session)
        collection("lids").insert_one({"_id": "second"}, session=session)
        return "done"

    assert run_transaction(both) == "done"
    assert collection("lids").count_documents({}) == 1

    def half(session: ClientSession) -> None:
        jars.insert_one({"_id": "third"}, session=session)
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        run_transaction(half)
    assert jars.count_documents({"_id": "third"}) == 0
    collection("lids").drop()


def test_writers_in_conflict_all_get_through(jars) -> None:
    def add(session: ClientSession) -> None:
        n = jars.find_one({"_id": "first"}, session=session)["n"]
        jars.update_one({"_id": "first"}, {"$set": {"n": n + 1}}, session=session)

    def add_ten() -> None:
        for _ in range(10):
            run_transaction(add)

    # as in a web server, threads share the client and have a Django connection each
    threads = [threading.Thread(target=add_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jars.find_one({"_id": "first"})["n"] == 40


def test_duplicates_pass_through_at_once_and_nothing_stays(jars) -> None:
    calls = []

    def one(session: ClientSession) -> None:
        calls.append(1)
        jars.insert_one({"_id": "new"}, session=session)
        jars.insert_one({"_id": "first"}, session=session)

    with pytest.raises(DuplicateKeyError):
        run_transaction(one)

    def many(session: ClientSession) -> None:
        calls.append(1)
        jars.insert_many([{"_id": "new"}, {"_id": "first"}], session=session)

    with pytest.raises(BulkWriteError):
        run_transaction(many)
    assert len(calls) == 2
    assert jars.count_documents({}) == 1


def test_a_transient_error_is_tried_again_until_time_runs_out(jars) -> None:
    attempts = []

    def third_time_lucky(session: ClientSession) -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise transient()
        return len(attempts)

    assert run_transaction(third_time_lucky) == 3

    def never(session: ClientSession) -> None:
        raise transient()

    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match="repeat it with the same ids"):
        run_transaction(never, seconds=0.3)
    assert time.monotonic() - started < 1


def test_an_unanswered_commit_is_repeated_without_the_work(
    jars, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = ClientSession.commit_transaction
    calls = []

    def unanswered_once(session: ClientSession) -> None:
        commit(session)
        calls.append("commit")
        if calls.count("commit") == 1:
            raise transient("UnknownTransactionCommitResult")

    monkeypatch.setattr(ClientSession, "commit_transaction", unanswered_once)

    def work(session: ClientSession) -> None:
        calls.append("work")
        jars.insert_one({"_id": "once"}, session=session)

    run_transaction(work)
    assert calls == ["work", "commit", "commit"]
    assert jars.count_documents({"_id": "once"}) == 1


def test_an_unreachable_server_is_reported_within_the_time_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # port 1 answers nobody
    nobody = pymongo.MongoClient("mongodb://127.0.0.1:1/dft", connect=False)
    monkeypatch.setattr(mongo, "database", lambda: nobody["dft"])
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        run_transaction(
            lambda session: nobody["dft"]["x"].insert_one({}, session=session), seconds=0.5
        )
    assert time.monotonic() - started < 2
    nobody.close()


def test_the_uri_cannot_weaken_the_guarantees_but_tune_the_rest() -> None:
    entry = settings_entry("mongodb://h:1,i:2/logbook?replicaSet=r&w=1&journal=false&maxPoolSize=7")
    assert (entry["ENGINE"], entry["NAME"]) == ("tracking.mongo.engine", "logbook")
    assert entry["OPTIONS"] == {
        "w": "majority",
        "journal": True,
        "readConcernLevel": "majority",
        "retryWrites": True,
        "timeoutMS": 5000,
        "appname": "dft",
    }
    assert settings_entry("mongodb://h/")["NAME"] == "dft"


def test_a_wrong_uri_is_refused_without_showing_its_password() -> None:
    with pytest.raises(ImproperlyConfigured, match="DFT_MONGODB_URI") as caught:
        settings_entry("postgres://u:secret@h/db")
    assert "secret" not in str(caught.value)


def test_django_and_pymongo_agree_on_the_options(db: None) -> None:
    client = database().client
    assert client.write_concern.document == {"w": "majority", "j": True}
    assert client.options.timeout == 5


def test_queries_work_in_parent_and_child_after_a_fork(db: None) -> None:
    collection("jars").insert_one({"_id": "first"})
    mongo.close_before_fork()
    child = os.fork()
    if child == 0:
        # no exception may reach pytest's copy in the child
        os._exit(0 if collection("jars").count_documents({}) == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert collection("jars").count_documents({}) == 1
    collection("jars").drop()
