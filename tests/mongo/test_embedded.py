from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tracking.mongo import embedded, mongod
from tracking.mongo.embedded import EmbeddedMongo, EmbeddedMongoError
from tracking.mongo.grants import compare
from tracking.mongo.mongod import explain_exit, find_mongod
from tracking.mongo.users import ROLES

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[EmbeddedMongo]:
    mongo = EmbeddedMongo(tmp_path / "mongo", cache_gb=0.25)
    yield mongo
    mongo.stop()


def put(uri: str, key: int) -> None:
    with MongoClient(uri, w="majority", journal=True) as client:
        client.dft.journal.insert_one({"_id": key})


def keys(uri: str) -> list[int]:
    with MongoClient(uri) as client:
        return sorted(each["_id"] for each in client.dft.journal.find())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_data_and_address_outlive_a_stop_a_kill_and_a_move(mongo: EmbeddedMongo) -> None:
    uri = mongo.start()
    put(uri, 1)
    mongo.stop()
    assert mongo.start() == uri
    put(uri, 2)
    mongo.process.kill()
    mongo.process.wait()
    assert mongo.start() == uri
    assert keys(uri) == [1, 2]
    mongo.stop()
    mongo.port = free_port()
    moved = mongo.start()
    assert moved != uri
    assert keys(moved) == [1, 2]


def test_only_who_has_the_password_gets_in_and_only_to_its_database(mongo: EmbeddedMongo) -> None:
    uri = mongo.start()
    with MongoClient(uri) as client:
        with pytest.raises(OperationFailure, match="not authorized"):
            client.other.things.insert_one({})
        with pytest.raises(OperationFailure):
            client.dft.command("eval", "1")
        with pytest.raises(OperationFailure):
            list(client.dft.journal.find({"$where": "true"}))
    with (
        MongoClient("127.0.0.1", mongo._port, directConnection=True) as stranger,
        pytest.raises(OperationFailure, match="authentication"),
    ):
        stranger.dft.things.find_one()
    for name in ("credentials.json", "keyfile"):
        assert (mongo.directory / name).stat().st_mode & 0o777 == 0o600


def test_each_process_has_a_user_who_may_do_what_it_needs_and_no_more(mongo: EmbeddedMongo) -> None:
    mongo.start()
    assert mongo.uris.keys() == set(ROLES)
    assert len(set(mongo.uris.values())) == len(ROLES)
    for role, uri in mongo.uris.items():
        with MongoClient(uri) as client:
            assert compare(client["dft"], role).none
    before = dict(mongo.uris)
    mongo.stop()
    mongo.start()
    assert mongo.uris == before


def test_an_older_installation_gets_its_users_and_loses_the_one_who_could_do_anything(
    mongo: EmbeddedMongo,
) -> None:
    put(mongo.start(), 1)
    path = mongo.directory / "credentials.json"
    known = json.loads(path.read_text())
    with MongoClient(
        *("127.0.0.1", mongo._port),
        username=known["root_user"],
        password=known["root_password"],
    ) as root:
        root.dft.command("dropAllUsersFromDatabase")
        root.dft.command("dropAllRolesFromDatabase")
        roles = [{"role": role, "db": "dft"} for role in ("readWrite", "dbAdmin")]
        root.admin.command("createUser", "dft", pwd="former", roles=roles)
    former = f"mongodb://dft:former@127.0.0.1:{mongo._port}/dft?replicaSet=dft&authSource=admin"
    put(former, 2)
    mongo.stop()
    del known["users"]
    path.write_text(json.dumps({**known, "app_user": "dft", "app_password": "former"}))

    uri = mongo.start()
    assert keys(uri) == [1, 2]
    for role in ROLES:
        with MongoClient(mongo.uris[role]) as client:
            assert compare(client["dft"], role).none
    with pytest.raises(OperationFailure, match="Authentication failed"):
        put(former, 3)
    with MongoClient(uri) as client, pytest.raises(OperationFailure, match="not authorized"):
        client.dft.journal.delete_one({"_id": 1})
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_start_on_the_same_directory_is_refused(mongo: EmbeddedMongo) -> None:
    uri = mongo.start()
    with pytest.raises(EmbeddedMongoError, match="Another mongod is using"):
        EmbeddedMongo(mongo.directory).start()
    put(uri, 1)


def test_a_taken_port_is_named(mongo: EmbeddedMongo) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        mongo.port = squatter.getsockname()[1]
        with pytest.raises(EmbeddedMongoError, match=f"Port {mongo.port} .*already in use"):
            mongo.start()
    assert mongo.process is None


def test_mongod_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from tracking.mongo.embedded import EmbeddedMongo
        mongo = EmbeddedMongo(Path({str(tmp_path)!r}), cache_gb=0.25)
        mongo.start()
        print(mongo.process.pid, flush=True)
        time.sleep(60)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    # a zombie has ended; who collects it is not our concern
    return state != "Z"


def test_a_full_disk_is_named(mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.shutil, "disk_usage", lambda _: Usage(0, 0, 300 << 20))
    with pytest.raises(EmbeddedMongoError, match="only 300 MB left and MongoDB needs 1 GB"):
        mongo.start()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedMongoError, match=r"cannot be written.*DFT_DATA_DIR"):
        EmbeddedMongo(tmp_path / "file").start()


def test_without_any_mongod_the_way_out_is_named(
    mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongod, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedMongoError, match=r"compose\.yaml.*DFT_MONGODB_URI"):
        mongo.start()


def test_the_newest_mongod_is_taken_and_one_that_cannot_run_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = find_mongod()
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    newer = program(tmp_path / "mongod", "echo db version v99.0.1")
    assert find_mongod() == newer
    program(newer, "echo db version v4.4.1")
    assert find_mongod() == ours
    program(newer, "exit 1")
    assert find_mongod() == ours


def test_missing_libraries_are_named_with_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (
        "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object "
        "file: No such file or directory"
    )
    broken = program(tmp_path / "mongod", f"echo '{said}' >&2; exit 127")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mongod, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedMongoError, match="apt-get install libcurl4'"):
        find_mongod()
    program(tmp_path / "ldd", "echo '\tlibcurl.so.4 => not found\n\tliblzma.so.5 => not found'")
    with pytest.raises(EmbeddedMongoError, match="apt-get install libcurl4 liblzma5'"):
        find_mongod()
    assert "\n" not in explain_exit(broken, 127, said)


@pytest.mark.parametrize(
    ("code", "text", "sentence"),
    [
        (-signal.SIGILL, "", "lacks AVX"),
        (14, "write failed: No space left on device", "disk is full"),
        (1, '{"s":"F","msg":"Wrong mongod version","attr":{"error":"x"}}', "Wrong mongod version"),
        (None, "Exec format error", "does not run on this machine"),
    ],
)
def test_the_reason_of_an_early_end_is_told(code: int | None, text: str, sentence: str) -> None:
    assert sentence in explain_exit(Path("mongod"), code, text, Path("mongod.log"))


def test_an_early_end_is_reported_and_not_waited_for(
    mongo: EmbeddedMongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_lived = program(
        tmp_path / "mongod", '[ "$1" = --version ] && echo db version v99.0.0 && exit; kill -ILL $$'
    )
    monkeypatch.setattr(embedded, "find_mongod", lambda: short_lived)
    with pytest.raises(EmbeddedMongoError, match="AVX"):
        mongo.start()
    assert mongo.process is None


def test_a_long_log_is_put_aside_at_the_next_start(
    mongo: EmbeddedMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LONGEST_LOG_BYTES", 100)
    mongo.directory.mkdir()
    mongo.log.write_text("x" * 101)
    mongo.start()
    assert mongo.log.with_suffix(".log.1").read_text() == "x" * 101
