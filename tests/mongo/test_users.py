"""The database users on a real server: what the table does not give is refused, all else works.

What is tried is worked out from the table, for each user and each collection; a server that
refuses says so with code 13, and with nothing else.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django_mongodb_backend.models import EmbeddedModel
from pymongo import MongoClient, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from tracking.models.immutable import Derived, Fact
from tracking.mongo import grants, users
from tracking.mongo.users import AUDITOR, FOLLOWER, MIGRATOR, ROLES, TABLE, WEB, actions

UNAUTHORIZED = 13
OTHER = "dft_other_of_users"

KEPT = {"_id": "kept"}

_numbers = itertools.count(1)


class Server(NamedTuple):
    """A database with all collections and users; `as_role` and `root` are of that database."""

    root: Database
    as_role: dict[str, Database]


def server_uri(name: str, login: str = "") -> str:
    parts = urlsplit(os.environ["DFT_TEST_MONGODB_URI"])
    if login:
        netloc = f"{login}@{parts.netloc.rpartition('@')[2]}"
        query = parts.query.replace("authSource=admin", f"authSource={name}")
        parts = parts._replace(netloc=netloc, query=query)
    return parts._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    name = f"dft_users_{os.getpid()}"
    clients: list[MongoClient] = [MongoClient(server_uri(name))]
    root = clients[0][name]
    try:
        for collection in (*TABLE, "strange"):
            root[collection].insert_one({"_id": "kept", "n": 0})
        as_role = {}
        for role in ROLES:
            assert grants.ensure_role(root, role) == grants.CREATED
            assert grants.ensure_user(root, role, "secret") == grants.CREATED
            uri = server_uri(name, f"{users.user_name(role)}:secret")
            clients.append(MongoClient(uri, w="majority", journal=True))
            as_role[role] = clients[-1][name]
        yield Server(root, as_role)
    finally:
        root.command("dropAllUsersFromDatabase")
        root.command("dropAllRolesFromDatabase")
        clients[0].drop_database(name)
        for client in clients:
            client.close()


def new() -> str:
    return f"new-{next(_numbers)}"


NOBODY = {"_id": "nobody"}

Operation = Callable[[Collection], Any]

# What it needs on the collection, and what tries it. Changes are tried on a document that is not
# there: the server decides before it looks. No role has `anyAction`.
ON_COLLECTION: dict[str, tuple[set[str], Operation]] = {
    "find": ({"find"}, lambda c: c.find_one({"_id": "kept"})),
    "aggregate": ({"find"}, lambda c: list(c.aggregate([{"$limit": 1}]))),
    "count": ({"find"}, lambda c: c.estimated_document_count()),
    "distinct": ({"find"}, lambda c: c.distinct("n")),
    "lookup": (
        {"find"},
        lambda c: list(
            c.aggregate(
                [{"$lookup": {"from": c.name, "localField": "n", "foreignField": "n", "as": "x"}}]
            )
        ),
    ),
    "insert": ({"insert"}, lambda c: c.insert_one({"_id": new()})),
    "insert many": ({"insert"}, lambda c: c.insert_many([{"_id": new()}, {"_id": new()}])),
    "update": ({"update"}, lambda c: c.update_one(NOBODY, {"$set": {"n": 1}})),
    "update many": ({"update"}, lambda c: c.update_many(NOBODY, {"$set": {"n": 1}})),
    "update by pipeline": ({"update"}, lambda c: c.update_one(NOBODY, [{"$set": {"n": 1}}])),
    "unset": ({"update"}, lambda c: c.update_one(NOBODY, {"$unset": {"n": 1}})),
    "replace": ({"update"}, lambda c: c.replace_one(NOBODY, {"n": 1})),
    "upsert": (
        {"update", "insert"},
        lambda c: c.update_one({"_id": new()}, {"$set": {"n": 1}}, upsert=True),
    ),
    "find and update": (
        {"find", "update"},
        lambda c: c.find_one_and_update(
            NOBODY, {"$set": {"n": 1}}, return_document=ReturnDocument.AFTER
        ),
    ),
    "find and replace": ({"find", "update"}, lambda c: c.find_one_and_replace(NOBODY, {"n": 1})),
    "find and delete": ({"find", "remove"}, lambda c: c.find_one_and_delete({"_id": new()})),
    "delete": ({"remove"}, lambda c: c.delete_one({"_id": new()})),
    "delete all": ({"remove"}, lambda c: c.delete_many({"_id": new()})),
    "create index": ({"createIndex"}, lambda c: c.create_index("n", name="extra")),
    "drop index": ({"dropIndex"}, lambda c: c.drop_index("extra")),
    "list indexes": ({"listIndexes"}, lambda c: list(c.list_indexes())),
    "statistics": ({"collStats"}, lambda c: c.database.command("collStats", c.name)),
    "index statistics": ({"indexStats"}, lambda c: list(c.aggregate([{"$indexStats": {}}]))),
    "drop": ({"dropCollection"}, lambda c: c.drop()),
    "rename": ({"renameCollectionSameDB"}, lambda c: c.rename("renamed")),
    "collMod": ({"collMod"}, lambda c: c.database.command("collMod", c.name, validator={})),
    "cap": ({"convertToCapped"}, lambda c: c.database.command("convertToCapped", c.name, size=1)),
    "compact": ({"compact"}, lambda c: c.database.command("compact", c.name)),
    "reindex": ({"reIndex"}, lambda c: c.database.command("reIndex", c.name)),
    "validate": ({"validate"}, lambda c: c.database.command("validate", c.name)),
    "watch": ({"changeStream"}, lambda c: c.watch().close()),
    "bypass validation": (
        {"insert", "bypassDocumentValidation"},
        lambda c: c.database.command(
            "insert", c.name, documents=[{"_id": new()}], bypassDocumentValidation=True
        ),
    ),
    # by way of the one other collection: into this one, and out of it
    "$out into": ({"insert", "remove"}, lambda c: pipe(c.database, {"$out": c.name})),
    "$merge into": (
        {"insert", "update"},
        lambda c: pipe(c.database, {"$merge": {"into": c.name, "whenMatched": "replace"}}),
    ),
    "$out elsewhere": ({"anyAction"}, lambda c: list(c.aggregate([{"$out": "stolen"}]))),
    "applyOps delete": ({"anyAction"}, lambda c: apply_op(c, op="d", o={"_id": "kept"})),
    "applyOps update": (
        {"anyAction"},
        lambda c: apply_op(c, op="u", o={"$set": {"n": 9}}, o2={"_id": "kept"}),
    ),
    "clone": (
        {"anyAction"},
        lambda c: c.database.command(
            "cloneCollectionAsCapped", c.name, toCollection="clone", size=4096
        ),
    ),
}

ON_DATABASE: dict[str, tuple[set[str], Callable[[Database], Any]]] = {
    "list collections": ({"listCollections"}, lambda d: d.list_collection_names()),
    "statistics": ({"dbStats"}, lambda d: d.command("dbStats")),
    "create collection": ({"createCollection"}, lambda d: d.create_collection(new())),
    "drop database": ({"dropDatabase"}, lambda d: d.client.drop_database(d.name)),
    "insert into a strange collection": ({"anyAction"}, lambda d: d["strange"].insert_one({})),
    "read a strange collection": ({"anyAction"}, lambda d: d["strange"].find_one()),
    "watch": ({"changeStream"}, lambda d: d.watch().close()),
    "profile": ({"enableProfiler"}, lambda d: d.command("profile", 2)),
    "read system.js": ({"anyAction"}, lambda d: d["system.js"].find_one()),
    "read through a view": ({"anyAction"}, lambda d: read_through_view(d)),
    "create a user": (
        {"createUser"},
        lambda d: d.command("createUser", "x", pwd="x", roles=["dbOwner"]),
    ),
    "create a role": (
        {"createRole"},
        lambda d: d.command("createRole", "x", privileges=[], roles=["root"]),
    ),
    "other password": (
        {"changePassword"},
        lambda d: d.command("updateUser", "dft-follower", pwd="mine"),
    ),
    "drop a user": ({"dropUser"}, lambda d: d.command("dropUser", "dft-auditor")),
    "drop a role": ({"dropRole"}, lambda d: d.command("dropRole", "dftAuditor")),
    "revoke": (
        {"revokeRole"},
        lambda d: d.command("revokeRolesFromUser", "dft-auditor", roles=["dftAuditor"]),
    ),
    "another database": ({"anyAction"}, lambda d: d.client[OTHER]["x"].insert_one({})),
    "read another database": ({"anyAction"}, lambda d: d.client[OTHER]["x"].find_one()),
    "list databases with sizes": (
        {"anyAction"},
        lambda d: d.client.admin.command("listDatabases", authorizedDatabases=False),
    ),
    "read the oplog": ({"anyAction"}, lambda d: d.client.local["oplog.rs"].find_one()),
    "read users": ({"anyAction"}, lambda d: d.client.admin["system.users"].find_one()),
    "write users": ({"anyAction"}, lambda d: d.client.admin["system.users"].insert_one({})),
    "read the replica set": ({"anyAction"}, lambda d: d.client.admin.command("replSetGetConfig")),
    "step down": ({"anyAction"}, lambda d: d.client.admin.command("replSetStepDown", 1)),
    "shut down": ({"anyAction"}, lambda d: d.client.admin.command("shutdown")),
    "set a parameter": (
        {"anyAction"},
        lambda d: d.client.admin.command("setParameter", 1, notablescan=True),
    ),
    "read the log": ({"anyAction"}, lambda d: d.client.admin.command("getLog", "global")),
    "see other operations": (
        {"anyAction"},
        lambda d: list(d.client.admin.aggregate([{"$currentOp": {"allUsers": True}}])),
    ),
    "kill any session": (
        {"anyAction"},
        lambda d: d.client.admin.command("killAllSessions", [{"user": "dft-web", "db": d.name}]),
    ),
    "grant": (
        {"grantRole"},
        lambda d: d.command("grantRolesToUser", "dft-web", roles=["dbOwner"]),
    ),
    "grant to the role": (
        {"grantRole"},
        lambda d: d.command(
            "grantPrivilegesToRole",
            "dftWeb",
            privileges=[
                {"resource": {"db": d.name, "collection": "journal"}, "actions": ["remove"]}
            ],
        ),
    ),
}


def pipe(database: Database, last: dict[str, Any]) -> Any:
    # all may read the source, so that only the target can be what is refused
    return list(database["flow_definition"].aggregate([{"$match": NOBODY}, last]))


def read_through_view(database: Database) -> Any:
    name = new()
    database.create_collection(name, viewOn="journal", pipeline=[{"$match": {}}])
    return database[name].find_one()


def apply_op(rows: Collection, **operation: Any) -> Any:
    entry = {"ns": f"{rows.database.name}.{rows.name}", **operation}
    return rows.database.client.admin.command("applyOps", [entry])


def outcome(operation: Callable[[Any], Any], target: Any) -> str:
    try:
        operation(target)
    except OperationFailure as error:
        return "refused" if error.code == UNAUTHORIZED else f"{error.code} {error}"
    except PyMongoError as error:
        return f"{type(error).__name__} {error}"
    return "done"


@pytest.mark.parametrize("role", ROLES)
def test_the_server_allows_what_the_table_gives_and_refuses_all_else(
    server: Server, role: str
) -> None:
    database = server.as_role[role]
    wrong = []
    counts: Counter[str] = Counter()
    facts = {name: sorted(map(str, server.root[name].find(KEPT))) for name in users.FACTS}
    for name, (what, (needs, operation)) in itertools.product(TABLE, ON_COLLECTION.items()):
        expected = "done" if needs <= actions(role, name) else "refused"
        found = outcome(operation, database[name])
        counts[expected] += 1
        if found != expected:
            wrong.append(f"{role} {what} {name}: {found}, not {expected}")
    for what, (needs, operation) in ON_DATABASE.items():
        expected = "done" if needs <= set(users.EVERYWHERE[role]) else "refused"
        found = outcome(operation, database)
        counts[expected] += 1
        if found != expected:
            wrong.append(f"{role} {what}: {found}, not {expected}")
    assert not wrong, "\n".join(wrong)
    # the figures that docs/integrity.md gives
    assert counts["refused"] >= {WEB: 790, FOLLOWER: 900, MIGRATOR: 730, AUDITOR: 880}[role]
    assert facts == {name: sorted(map(str, server.root[name].find(KEPT))) for name in users.FACTS}


def model_collections() -> dict[str, type[Any]]:
    return {
        model._meta.db_table: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and not issubclass(model, EmbeddedModel)
    }


def test_every_collection_of_a_model_has_its_row() -> None:
    models = model_collections()
    assert len(models) > 20
    assert models.keys() <= TABLE.keys(), "a new collection needs a decision: who may do what"
    facts = {name for name, model in models.items() if issubclass(model, Fact)}
    derived = {name for name, model in models.items() if issubclass(model, Derived)}
    assert {"journal", "log_segment", "log_checkpoint", "seal_queue"} <= facts
    assert facts <= users.FACTS.keys()
    assert derived <= users.DERIVED.keys()


def test_nobody_may_update_a_fact_and_only_the_sealer_may_remove_one() -> None:
    for name, role in itertools.product(users.FACTS, ROLES):
        may = actions(role, name)
        assert "update" not in may, (name, role)
        assert ("remove" in may) == ((name, role) == ("seal_queue", FOLLOWER))
    for name in users.DERIVED:
        assert actions(WEB, name) <= {"find", "insert"}
    for name in users.FACTS:
        assert not actions(MIGRATOR, name) & {"find", "insert"}, "so that flush fails"


def test_the_rights_in_force_are_those_of_the_table(server: Server) -> None:
    for role in ROLES:
        assert grants.compare(server.as_role[role], role).none
        assert grants.ensure_role(server.root, role) == grants.UNCHANGED
        assert grants.ensure_user(server.root, role, None) == grants.UNCHANGED
    found = grants.compare(server.as_role[FOLLOWER], WEB)
    assert "seal_queue: collStats, remove" in found.excess
    assert any("django_session" in line and "find" in line for line in found.missing)
    assert found.exposed == ["seal_queue"]


@pytest.mark.parametrize(
    ("collection", "action", "exposes"),
    [
        ("journal", "remove", True),
        ("journal", "update", True),
        ("log_segment", "dropCollection", True),
        ("journal", "changeStream", False),
        ("transaction", "update", False),
        ("strange", "find", False),
        ("", "collMod", False),
        ("", "remove", True),
    ],
)
def test_a_right_too_many_is_named_and_taken_away_again(
    server: Server,
    caplog: pytest.LogCaptureFixture,
    collection: str,
    action: str,
    exposes: bool,
) -> None:
    resource = {"db": server.root.name, "collection": collection}
    privilege = {"resource": resource, "actions": [action]}
    server.root.command("grantPrivilegesToRole", users.role_name(WEB), privileges=[privilege])
    found = grants.compare(server.as_role[WEB], WEB)
    where = collection or "any other collection"
    assert any(where in line and action in line for line in found.excess)
    assert not found.missing
    grants.warn_if_exposed(server.as_role[WEB], WEB)
    assert ("create_database_users" in caplog.text) == exposes
    assert (collection or "journal") in caplog.text or not exposes
    assert grants.ensure_role(server.root, WEB) == grants.CHANGED
    assert grants.compare(server.as_role[WEB], WEB).none


def test_a_right_too_few_is_named_and_given_again(server: Server) -> None:
    resource = {"db": server.root.name, "collection": "journal"}
    privilege = {"resource": resource, "actions": ["insert"]}
    server.root.command("revokePrivilegesFromRole", users.role_name(WEB), privileges=[privilege])
    found = grants.compare(server.as_role[WEB], WEB)
    assert (found.missing, found.excess) == (["journal: insert"], [])
    grants.ensure_role(server.root, WEB)
    server.as_role[WEB]["journal"].insert_one({})


def test_a_role_too_many_is_named_and_taken_away_again(server: Server) -> None:
    server.root.command("grantRolesToUser", users.user_name(WEB), roles=["readWrite"])
    found = grants.compare(server.as_role[WEB], WEB)
    assert "journal" in found.exposed
    assert any("system.js" in line for line in found.excess)
    assert grants.ensure_user(server.root, WEB, None) == grants.CHANGED
    assert grants.compare(server.as_role[WEB], WEB).none


def test_one_user_for_everything_is_named_for_what_it_is(server: Server) -> None:
    found = grants.compare(server.root, WEB)
    assert set(found.exposed) == set(users.FACTS)
    assert any("whole server" in line for line in found.excess)


def test_a_server_away_warns_of_nothing_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with MongoClient("mongodb://127.0.0.1:1/dft", timeoutMS=200) as client:
        grants.warn_if_exposed(client["dft"], WEB)
    assert not [entry for entry in caplog.records if entry.levelname == "WARNING"]


def test_the_follower_may_end_the_session_of_another_follower_and_nobody_elses(
    server: Server,
) -> None:
    def ends(other: str) -> bool:
        """Whether a follower's killing ends what the other has open."""
        rows = server.as_role[other]["seal_queue"]
        killing = server.as_role[FOLLOWER].client.admin
        with rows.database.client.start_session() as session:
            session.start_transaction()
            rows.find_one({}, session=session)
            killing.command("killSessions", [{"id": session.session_id["id"]}])
            try:
                rows.find_one({}, session=session)
            except OperationFailure as error:
                return error.has_error_label("TransientTransactionError")
            session.abort_transaction()
            return False

    assert ends(FOLLOWER)
    assert not ends(WEB)
