"""One MongoDB for the whole run, whatever the number of xdist workers.

The first process starts it; workers find its address in the environment. Each worker has a database
of its own (pytest-django adds the worker's name). DFT_TEST_MONGODB_URI names another server to use.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from bson import decode_all
from django.conf import settings
from django.db import connection, connections
from hypothesis import settings as hypothesis
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings as SettingsOfTest

from tracking.mongo.connection import settings_entry
from tracking.mongo.embedded import EmbeddedMongo
from tracking.mongo.engine.operations import DatabaseOperations
from tracking.signing.keyring import ensure_keys

# A landing must not depend on chance; whoever works here searches afresh at each run.
hypothesis.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.load_profile("ci")

GIVEN = "DFT_TEST_MONGODB_URI"
PARAMETERS = {
    # Each test deletes what it wrote: kept for 5 minutes, the next ones would wade through it.
    "minSnapshotHistoryWindowInSeconds": 1,
    # What a killed process had open is held for this long, and half as long again; usually 60.
    "transactionLifetimeLimitSeconds": 10,
}
# Four times what the whole run writes; many containers have 64 MB there.
MEMORY_BYTES = 2 << 30
MONGO = pytest.StashKey[EmbeddedMongo]()


def pytest_configure(config: pytest.Config) -> None:
    # of the run's own, not that of an installation that happens to be here
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="dft-meters-")
    # the processes that tests start would all compile our modules anew
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if GIVEN not in os.environ:
        directory = Path(tempfile.mkdtemp(prefix="dft-tests-", dir=in_memory()))
        mongo = EmbeddedMongo(directory, cache_gb=0.25, for_tests=True, parameters=PARAMETERS)
        config.stash[MONGO] = mongo
        # a job that is cancelled cleans up like one that is interrupted
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # workers started later inherit it, and take this server for given
        os.environ[GIVEN] = mongo.start()
    use_database(os.environ[GIVEN])


def in_memory() -> str | None:
    """A directory that no disk holds up, for a server whose data nobody needs afterwards.

    Every write here waits for the journal. What survives a kill is tested on servers on disk.
    """
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a directory of our own in it
    with contextlib.suppress(OSError):
        if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free >= MEMORY_BYTES:
            return str(shared)
    return None


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
    mongo = config.stash.get(MONGO, None)
    if mongo is not None:
        mongo.stop()
        del os.environ[GIVEN]
        shutil.rmtree(mongo.directory, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def key_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of the run's own; never those of an installation that happens to be here."""
    settings.DFT_KEY_DIR = tmp_path_factory.mktemp("keys") / "keys"
    ensure_keys()
    return settings.DFT_KEY_DIR


@pytest.fixture(autouse=True)
def a_log_never_signed_before(key_directory: Path) -> None:
    # Each test begins with an empty database, which would be taken for one that was cut.
    (key_directory / "high-water.json").unlink(missing_ok=True)


@pytest.fixture
def own_keys(tmp_path: Path, settings: SettingsOfTest) -> Path:
    """Keys of the test's own, for one that changes them or loses them."""
    settings.DFT_KEY_DIR = tmp_path / "keys"
    ensure_keys()
    return settings.DFT_KEY_DIR


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """After each test, put the rows back that migrating left (permissions, roles).

    Django would delete them each time and compute them anew by its post_migrate signal, which takes
    ten times as long; here they are only replaced where they are not as they were.
    """

    def stored(name: str) -> bytes:
        return b"".join(connection.database[name].find_raw_batches())

    def empty(operations: DatabaseOperations, tables: Sequence[str]) -> None:
        changed = [name for name in rows if stored(name) != rows[name]]
        flush(operations, [name for name in tables if name not in rows or name in changed])
        for name in changed:
            connection.database[name].insert_many(decode_all(rows[name]))

    flush = DatabaseOperations.execute_sql_flush
    with django_db_blocker.unblock():
        tables = connection.introspection.django_table_names(only_existing=True)
        rows = {name: raw for name in tables if (raw := stored(name))}
    with (
        mock.patch("django.core.management.commands.flush.emit_post_migrate_signal"),
        mock.patch.object(DatabaseOperations, "execute_sql_flush", empty),
    ):
        yield


def use_database(uri: str) -> None:
    """Point Django at `uri`: its settings were loaded before any conftest was."""
    # for the commands that tests run as processes of their own
    os.environ["DFT_MONGODB_URI"] = uri
    entry = settings_entry(uri)
    # in place: Django hands this very dictionary to its connections
    for database in (settings.DATABASES["default"], connections.settings["default"]):
        database.update(entry)
