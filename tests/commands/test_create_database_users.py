"""`manage.py create_database_users`: on a MongoDB of one's own, once, again, and to check."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.faults.processes import ran, uri_of
from tracking.management.commands.create_database_users import DIFFERENT, UNCHECKED
from tracking.mongo.addresses import VARIABLES
from tracking.mongo.grants import compare
from tracking.mongo.users import FOLLOWER, ROLES, WEB, role_name, user_name

NAME = f"dft_command_{os.getpid()}"


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Iterator[MongoClient[dict[str, Any]]]:
    """An administrator of a database that has nothing yet; the environment names them."""
    monkeypatch.setenv("DFT_MONGODB_ADMIN_URI", uri_of(NAME))
    with MongoClient[dict[str, Any]](uri_of(NAME)) as client:
        yield client
        client[NAME].command("dropAllUsersFromDatabase")
        client[NAME].command("dropAllRolesFromDatabase")
        client.drop_database(NAME)


def create(output: Path, *arguments: str) -> str:
    out = io.StringIO()
    call_command("create_database_users", "--output", str(output), *arguments, stdout=out)
    return out.getvalue()


def addresses(output: Path) -> dict[str, str]:
    """The file as a shell reads it."""
    found = dict(re.findall(r"^(\w+)='([^']*)'$", output.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(found) == set(VARIABLES.values())
    return found


def works(uri: str) -> bool:
    with MongoClient[dict[str, Any]](uri) as client:
        try:
            client[NAME].command("connectionStatus")
        except OperationFailure:
            return False
        return True


def check(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> tuple[int, str]:
    for name, uri in given.items():
        monkeypatch.setenv(name, uri)
    out = io.StringIO()
    try:
        call_command("create_database_users", "--check", stdout=out)
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        return ended.code, out.getvalue()
    return 0, out.getvalue()


def test_the_users_are_made_once_and_what_is_there_is_kept(
    admin: MongoClient[dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "new" / "database.env"
    said = create(output)
    assert output.stat().st_mode & 0o777 == 0o600
    first = addresses(output)
    assert len(set(first.values())) == len(ROLES)
    for role in ROLES:
        uri = first[VARIABLES[role]]
        assert f"/{NAME}?" in uri
        assert uri.split("://")[1].split(":")[0] == user_name(role)
        with MongoClient[dict[str, Any]](uri) as client:
            assert compare(client[NAME], role).none
        assert uri.split(":")[2].split("@")[0] not in said, "no password on the screen"
    assert said.count("created; role") == len(ROLES)

    said = create(output)
    assert said.count("kept; role") == len(ROLES)
    assert said.count("unchanged") == len(ROLES)
    assert addresses(output) == first

    create(output, "--new-passwords")
    renewed = addresses(output)
    assert not set(renewed.values()) & set(first.values())
    assert all(works(uri) for uri in renewed.values())
    assert not any(works(uri) for uri in first.values())


def test_a_password_that_stands_there_beforehand_is_taken(
    admin: MongoClient[dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "database.env"
    output.write_text("DFT_MONGODB_URI='mongodb://me:a%2Fown+pass@anywhere/x'\n", encoding="utf-8")
    create(output)
    uri = addresses(output)["DFT_MONGODB_URI"]
    assert "dft-web:a%2Fown+pass@" in uri
    assert works(uri)


def test_without_their_passwords_existing_users_are_left_alone(
    admin: MongoClient[dict[str, Any]], tmp_path: Path
) -> None:
    create(tmp_path / "first.env")
    with pytest.raises(CommandError, match=r"--output.*--new-passwords"):
        create(tmp_path / "second.env")
    assert not (tmp_path / "second.env").exists()
    assert all(works(uri) for uri in addresses(tmp_path / "first.env").values())


def test_the_check_tells_what_is_wrong_by_name_and_by_exit_code(
    admin: MongoClient[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, everything = tmp_path / "database.env", uri_of(NAME)
    create(output)
    given = addresses(output)
    code, said = check(monkeypatch, given)
    assert (code, said.count(": as it should be")) == (0, len(ROLES))

    journal = {"resource": {"db": NAME, "collection": "journal"}, "actions": ["update"]}
    admin[NAME].command("grantPrivilegesToRole", role_name(WEB), privileges=[journal])
    admin[NAME].command("revokeRolesFromUser", user_name(FOLLOWER), roles=[role_name(FOLLOWER)])
    code, said = check(monkeypatch, given)
    assert code == DIFFERENT
    assert "too many: journal: update\n" in said
    assert re.search(r"follower: NOT as it should be\n(  missing: .*\n)+", said)
    create(output)
    assert check(monkeypatch, given)[0] == 0, "put right by running it again"

    code, said = check(monkeypatch, {**given, "DFT_MONGODB_URI": everything})
    assert code == DIFFERENT, "an administrator is no user of the web workers"
    assert "whole server" in said
    wrong = given["DFT_MONGODB_AUDITOR_URI"].replace("dft-auditor:", "dft-auditor:not")
    code, said = check(monkeypatch, {**given, "DFT_MONGODB_AUDITOR_URI": wrong})
    assert code == UNCHECKED
    assert "auditor: could not be checked: Authentication failed" in said


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("", "DFT_MONGODB_ADMIN_URI"),
        ("host:27017", "DFT_MONGODB_ADMIN_URI"),
        ("mongodb://a:b:c@host/x", "no address of a MongoDB"),
        ("mongodb://host:many/x", "no address of a MongoDB"),
    ],
)
def test_what_is_no_administrator_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, sentence: str
) -> None:
    monkeypatch.setenv("DFT_MONGODB_ADMIN_URI", uri)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CommandError, match=sentence):
        create(tmp_path / "database.env")
    assert not list(tmp_path.iterdir())


def test_who_may_not_create_users_is_told_so(
    admin: MongoClient[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(tmp_path / "database.env")
    monkeypatch.setenv(
        "DFT_MONGODB_ADMIN_URI", addresses(tmp_path / "database.env")["DFT_MONGODB_URI"]
    )
    with pytest.raises(CommandError, match="not authorized"):
        create(tmp_path / "other.env", "--new-passwords")


def test_migrating_needs_the_migrator_who_can_neither_read_nor_empty_the_journal(
    admin: MongoClient[dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "database.env"
    code, said = ran("create_database_users", "--output", str(output), uri="", data=tmp_path)
    assert code == 0, said
    given = addresses(output)
    web = given.pop("DFT_MONGODB_URI")

    def run(*arguments: str, **more: str) -> tuple[int, str]:
        return ran(*arguments, uri=web, data=tmp_path, **more)

    code, said = run("migrate")
    assert code != 0, "the web workers' user migrates nothing"
    assert "not authorized" in said
    assert run("migrate", **given)[0] == 0
    assert "journal" in admin[NAME].list_collection_names()
    admin[NAME]["journal"].insert_one({"_id": "acme/1"})
    code, said = run("flush", "--no-input", **given)
    assert (code, "couldn't be flushed" in said) == (1, True)
    assert admin[NAME]["journal"].count_documents({}) == 1
    assert admin[NAME]["auth_permission"].count_documents({}) > 50, "nothing else went either"
    with (
        MongoClient[dict[str, Any]](given["DFT_MONGODB_MIGRATOR_URI"]) as client,
        pytest.raises(OperationFailure, match="not authorized"),
    ):
        client[NAME]["journal"].find_one()


def test_the_rights_of_a_process_are_part_of_the_deployment_check(
    admin: MongoClient[dict[str, Any]], tmp_path: Path
) -> None:
    create(tmp_path / "database.env")
    given = addresses(tmp_path / "database.env")
    arguments = ("check", "--deploy", "--database", "default")

    def ids(uri: str) -> set[str]:
        _code, said = ran(*arguments, uri=uri, data=tmp_path)
        return set(re.findall(r"\((dft\.\w+)\)", said))

    assert ids(given["DFT_MONGODB_URI"]) == set()
    assert ids(given["DFT_MONGODB_FOLLOWER_URI"]) == {"dft.W001", "dft.E003"}
    assert ids(uri_of(NAME)) >= {"dft.W001"}
