"""The embedded MongoDB: one mongod beside the application, for trying out and for tests.

A single-node replica set on the loopback address, with passwords of its own. Everything it needs
to start again lies in one directory; losing that directory is losing the data. It stops with the
process that started it. For production, run MongoDB yourself and set DFT_MONGODB_URI.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from .addresses import write_secret
from .grants import ensure_role, ensure_user
from .mongod import EmbeddedMongoError, die_with_parent, explain_exit, find_mongod, tuning
from .users import ROLES, WEB, user_name

__all__ = ["EmbeddedMongo", "EmbeddedMongoError"]

HOST = "127.0.0.1"
REPLICA_SET = "dft"
DATABASE = "dft"
LEAST_FREE_BYTES = 1 << 30
LONGEST_LOG_BYTES = 10 << 20
# after a crash mongod replays its journal before it listens: seconds, on slow disks minutes
START_SECONDS = 180.0
STOP_SECONDS = 30.0
OPLOG_MB = 1024
TEST_OPLOG_MB = 128

# tests make databases, users and roles as they need them
TEST_ROLES = [
    {"role": role, "db": "admin"}
    for role in (
        "readWriteAnyDatabase",
        "dbAdminAnyDatabase",
        "userAdminAnyDatabase",
        "clusterMonitor",
    )
]

UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18
ALREADY_INITIALIZED = 23


class EmbeddedMongo:
    """Starts and stops the mongod of one directory.

    Call `start()` from a thread that lives as long as mongod is needed: the kernel ends mongod with
    the thread that started it. Without `port`, the last one is used again, or any free one.
    `uris` has the address of each role of users.py. `for_tests`: one user for all of them, who may
    make databases and users. `parameters`: mongod's, beside ours.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        cache_gb: float = 0.5,
        for_tests: bool = False,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        self.directory = Path(directory).resolve()
        self.port = port
        self.cache_gb = cache_gb
        self.for_tests = for_tests
        self.parameters = parameters or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.uris: dict[str, str] = {}

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "mongod.log"

    def __enter__(self) -> EmbeddedMongo:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Start mongod, wait until it takes writes, and return the URI of the web workers.

        Raises `EmbeddedMongoError` with one sentence that says what to do.
        """
        if self.process is not None and self.process.poll() is None:
            return self.uris[WEB]
        binary = find_mongod()
        credentials = self._prepare_directory()
        port = self._choose_port(credentials.get("port"))
        self._spawn(binary, port)
        try:
            self._make_ready(credentials, port)
        except BaseException:
            self.stop()
            raise
        if credentials.get("port") != port:
            self._write_credentials({**credentials, "port": port})
        for role in ROLES:
            if self.for_tests:
                login, source = f"{credentials['app_user']}:{credentials['app_password']}", "admin"
            else:
                login, source = f"{user_name(role)}:{credentials['users'][role]}", DATABASE
            self.uris[role] = (
                f"mongodb://{login}@{HOST}:{port}/{DATABASE}"
                f"?replicaSet={REPLICA_SET}&authSource={source}"
            )
        return self.uris[WEB]

    def stop(self) -> None:
        """Ask mongod to end and wait for it; kill it if it has not ended after 30 seconds."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    # the directory

    def _prepare_directory(self) -> dict[str, Any]:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self.data.mkdir(mode=0o700, exist_ok=True)
            self._refuse_if_in_use()
            self._refuse_if_full()
            self._bound_log()
            self._make_keyfile()
            return self._load_credentials()
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise EmbeddedMongoError(
                f"{self.directory} cannot be written: make it a directory that belongs to this "
                "user, or choose another with DFT_DATA_DIR."
            ) from error
        except OSError as error:
            raise EmbeddedMongoError(
                f"{self.directory} cannot be used ({error.strerror}): free space on its disk, or "
                "choose another directory with DFT_DATA_DIR."
            ) from error

    def _refuse_if_in_use(self) -> None:
        # mongod holds this lock while it runs; the kernel drops it even after kill -9
        with contextlib.suppress(FileNotFoundError), (self.data / "mongod.lock").open("r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise EmbeddedMongoError(
                    f"Another mongod is using {self.data}: stop it, or choose another directory "
                    "with DFT_DATA_DIR."
                ) from error

    def _refuse_if_full(self) -> None:
        free = shutil.disk_usage(self.data).free
        if free < LEAST_FREE_BYTES:
            raise EmbeddedMongoError(
                f"The disk of {self.data} has only {free >> 20} MB left and MongoDB needs 1 GB: "
                "free some space, or choose another directory with DFT_DATA_DIR."
            )

    def _bound_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LONGEST_LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))

    def _make_keyfile(self) -> None:
        path = self.directory / "keyfile"
        if not path.exists():
            write_secret(path, base64.b64encode(secrets.token_bytes(756)))

    def _load_credentials(self) -> dict[str, Any]:
        path = self.directory / "credentials.json"
        credentials = json.loads(path.read_text()) if path.exists() else {}
        wanted = {
            "root_user": "dft-launcher",
            "root_password": secrets.token_urlsafe(24),
            "users": {role: secrets.token_urlsafe(24) for role in ROLES},
        }
        if self.for_tests:
            wanted |= {"app_user": "dft", "app_password": secrets.token_urlsafe(24)}
        whole = {**wanted, **credentials}
        if whole.keys() != credentials.keys():
            self._write_credentials(whole)
        return whole

    def _write_credentials(self, credentials: dict[str, Any]) -> None:
        text = json.dumps(credentials, indent=2) + "\n"
        write_secret(self.directory / "credentials.json", text.encode())

    def _choose_port(self, last: int | None) -> int:
        if self.port is not None:
            if not _is_free(self.port):
                raise EmbeddedMongoError(self._port_sentence(self.port))
            return self.port
        if last is not None and _is_free(last):
            return last
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return probe.getsockname()[1]

    @staticmethod
    def _port_sentence(port: int) -> str:
        return f"Port {port} on {HOST} is already in use: stop what uses it or choose another port."

    # the process

    def _spawn(self, binary: Path, port: int) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        arguments = [
            *(str(binary), "--dbpath", str(self.data), "--bind_ip", HOST, "--port", str(port)),
            *("--replSet", REPLICA_SET, "--auth", "--keyFile", str(self.directory / "keyfile")),
            *("--logpath", str(self.log), "--logappend", "--nounixsocket", "--noscripting"),
            # not zlib: its decompressor leaked memory to unauthenticated clients (CVE-2025-14847)
            *("--networkMessageCompressors", "snappy,zstd"),
            *("--wiredTigerCacheSizeGB", str(self.cache_gb)),
            *("--oplogSize", str(TEST_OPLOG_MB if self.for_tests else OPLOG_MB)),
            *tuning(self.parameters),
        ]
        try:
            self.process = subprocess.Popen(  # noqa: S603 - no argument comes from outside
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Ctrl-C in the terminal is for the application, which then stops mongod in order
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        except OSError as error:
            raise EmbeddedMongoError(explain_exit(binary, None, str(error), self.log)) from error
        self._binary = binary
        self._port = port

    def _refuse_if_ended(self) -> None:
        code = self.process.poll() if self.process else None
        if code is None:
            return
        text = self._log_since_start()
        if "Address already in use" in text or "SocketException" in text:
            raise EmbeddedMongoError(self._port_sentence(self._port))
        if "DBPathInUse" in text:
            raise EmbeddedMongoError(
                f"Another mongod is using {self.data}: stop it, or choose another directory "
                "with DFT_DATA_DIR."
            )
        raise EmbeddedMongoError(explain_exit(self._binary, code, text, self.log))

    def _log_since_start(self) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(self._log_start)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    # the replica set and its users; every step may have been done by an earlier start

    def _make_ready(self, credentials: dict[str, Any], port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        address = f"{HOST}:{port}"
        # asked of the socket first: the driver would look again only every half second
        self._wait(deadline, lambda: _listens(port))
        with _client(port) as client:
            self._wait(deadline, lambda: client.admin.command("ping"))
            _initiate(client, address)
        root = (credentials["root_user"], credentials["root_password"])
        with _client(port, root) as client:
            self._wait(deadline, lambda: _is_primary_or_moved(client, address))
        with _client(port) as client:
            self._wait(deadline, lambda: _is_primary(client))
            _create_root(client, *root)
        with _client(port, root) as client:
            if self.for_tests:
                _set_test_user(client, credentials["app_user"], credentials["app_password"])
            else:
                _set_users(client, credentials)

    def _wait(self, deadline: float, done: Any) -> None:
        while True:
            self._refuse_if_ended()
            with contextlib.suppress(PyMongoError):
                if done():
                    return
            if time.monotonic() > deadline:
                raise EmbeddedMongoError(
                    f"mongod was not ready after {START_SECONDS:.0f} seconds: see {self.log}."
                )
            time.sleep(0.02)


def _client(port: int, user: tuple[str, str] | None = None) -> MongoClient:
    login = {"username": user[0], "password": user[1]} if user else {}
    return MongoClient(HOST, port, directConnection=True, timeoutMS=5000, **login)


def _initiate(client: MongoClient, address: str) -> None:
    if "setName" in client.admin.command("hello"):
        return
    config = {
        "_id": REPLICA_SET,
        "members": [{"_id": 0, "host": address}],
        # nobody else can be elected, so there is nothing to wait for
        "settings": {"electionTimeoutMillis": 500},
    }
    try:
        client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        # initiated by an earlier start, under another port
        if error.code not in (ALREADY_INITIALIZED, UNAUTHORIZED):
            raise


def _is_primary(client: MongoClient) -> bool:
    return bool(client.admin.command("hello").get("isWritablePrimary"))


def _is_primary_or_moved(client: MongoClient, address: str) -> bool:
    """True once there is a primary; on the way, tell the set its address if that has changed."""
    try:
        status = client.admin.command("replSetGetConfig")
    except OperationFailure as error:
        # a first start: the users do not exist yet, so neither can the address have changed
        return error.code == AUTHENTICATION_FAILED
    config = status["config"]
    if config["members"][0]["host"] != address:
        config["members"][0]["host"] = address
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
    return _is_primary(client)


def _create_root(client: MongoClient, user: str, password: str) -> None:
    # only the first user of all may be created without logging in
    with contextlib.suppress(OperationFailure):
        client.admin.command("createUser", user, pwd=password, roles=["root"])


def _set_test_user(client: MongoClient, user: str, password: str) -> None:
    known = client.admin.command("usersInfo", user)["users"]
    command = "updateUser" if known else "createUser"
    client.admin.command(command, user, pwd=password, roles=TEST_ROLES)


def _set_users(client: MongoClient, credentials: dict[str, Any]) -> None:
    for role in ROLES:
        ensure_role(client[DATABASE], role)
        ensure_user(client[DATABASE], role, credentials["users"][role])
    # until there was one for each process, this one could do anything
    former = credentials.get("app_user")
    if former and client.admin.command("usersInfo", former)["users"]:
        client.admin.command("dropUser", former)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as mongod does: a connection of the last run that lingers is no obstacle
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
