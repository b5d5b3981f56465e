"""Which database user a process takes, by its command, its environment and the data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands

from tests.faults.processes import ROOT
from tracking.mongo.addresses import (
    NOWHERE,
    OF_COMMAND,
    VARIABLES,
    address_of,
    environment_for,
    role_of,
    uri_file,
    write_secret,
)
from tracking.mongo.users import AUDITOR, FOLLOWER, MIGRATOR, ROLES, WEB

OTHERS = {"anchor", "verify"}


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "role"),
    [
        (["manage.py", "follow"], FOLLOWER),
        (["manage.py", "rebuild", "--check"], FOLLOWER),
        (["manage.py", "migrate"], MIGRATOR),
        (["manage.py", "flush"], MIGRATOR),
        (["manage.py", "create_key", "--tenant", "migrate"], WEB),
        (["manage.py", "prepare"], WEB),
        (["manage.py"], WEB),
        (["gunicorn", "dft_project.wsgi:application"], WEB),
        ([], WEB),
    ],
)
def test_the_command_decides(arguments: list[str], role: str) -> None:
    assert role_of(arguments) == role


def test_only_commands_that_exist_are_named() -> None:
    assert OF_COMMAND.keys() - get_commands().keys() <= OTHERS


def test_without_anything_the_default_port_of_this_machine(tmp_path: Path) -> None:
    assert {address_of(role, tmp_path) for role in ROLES} == {NOWHERE}


def test_beside_the_embedded_one_each_takes_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "mongodb").mkdir()
    for role in ROLES:
        write_secret(uri_file(tmp_path / "mongodb", role), f"mongodb://{role}@here/dft".encode())
    for role in ROLES:
        assert address_of(role, tmp_path) == f"mongodb://{role}@here/dft"
    # as an older version left it
    for role in (FOLLOWER, MIGRATOR, AUDITOR):
        uri_file(tmp_path / "mongodb", role).unlink()
    assert {address_of(role, tmp_path) for role in ROLES} == {"mongodb://web@here/dft"}


def test_the_environment_goes_first_and_one_address_is_enough_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mongodb").mkdir()
    write_secret(uri_file(tmp_path / "mongodb", FOLLOWER), b"mongodb://file/dft")
    monkeypatch.setenv("DFT_MONGODB_URI", "mongodb://all@there/dft")
    assert {address_of(role, tmp_path) for role in ROLES} == {"mongodb://all@there/dft"}
    monkeypatch.setenv("DFT_MONGODB_MIGRATOR_URI", "mongodb://migrator@there/dft")
    assert address_of(MIGRATOR, tmp_path) == "mongodb://migrator@there/dft"
    assert address_of(FOLLOWER, tmp_path) == "mongodb://all@there/dft"


def test_two_databases_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFT_MONGODB_URI", "mongodb://there/dft")
    monkeypatch.setenv("DFT_MONGODB_FOLLOWER_URI", "mongodb://there/other")
    sentence = "DFT_MONGODB_URI and DFT_MONGODB_FOLLOWER_URI must name the same database"
    with pytest.raises(ImproperlyConfigured, match=sentence):
        address_of(WEB, tmp_path)


def test_a_process_gets_its_own_address_and_those_it_is_to_know() -> None:
    every = {name: f"mongodb://{role}@x/dft" for role, name in VARIABLES.items()}
    given = {**every, "HOME": "here"}
    assert environment_for(given, FOLLOWER) == {
        "HOME": "here",
        "DFT_MONGODB_URI": "mongodb://follower@x/dft",
        "DFT_MONGODB_FOLLOWER_URI": "mongodb://follower@x/dft",
    }
    assert environment_for(given, WEB, AUDITOR) == {
        "HOME": "here",
        "DFT_MONGODB_URI": "mongodb://web@x/dft",
        "DFT_MONGODB_AUDITOR_URI": "mongodb://auditor@x/dft",
    }
    one = {"DFT_MONGODB_URI": "mongodb://all@x/dft"}
    assert environment_for(one, FOLLOWER) == one
    assert environment_for({}, FOLLOWER) == {}


@pytest.mark.parametrize(("command", "user"), [("follow", "b"), ("shell", "a"), ("migrate", "c")])
def test_the_settings_take_the_address_of_the_command(
    tmp_path: Path, command: str, user: str
) -> None:
    program = (
        f"import sys; sys.argv = ['manage.py', {command!r}]\n"
        "from dft_project.settings import DATABASES\n"
        "print(DATABASES['default']['HOST'])"
    )
    given = {
        **os.environ,
        "DFT_DATA_DIR": str(tmp_path),
        "DFT_MONGODB_URI": "mongodb://a@x/dft",
        "DFT_MONGODB_FOLLOWER_URI": "mongodb://b@x/dft",
        "DFT_MONGODB_MIGRATOR_URI": "mongodb://c@x/dft",
    }
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=given, capture_output=True, check=True
    )
    assert said.stdout.decode().strip() == f"mongodb://{user}@x/dft"


def test_a_secret_is_for_its_owner_alone_even_over_a_file_that_was_open_to_all(
    tmp_path: Path,
) -> None:
    path = tmp_path / "uri"
    path.write_bytes(b"before")
    path.chmod(0o644)
    write_secret(path, b"after")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"after", 0o600)
