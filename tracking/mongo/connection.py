"""The only way for hot paths to reach PyMongo, and what settings need to reach MongoDB at all.

Everything written through here is acknowledged by a majority, on disk. Reads see only what a
majority has. Datetimes go in and come out aware, in UTC (the ORM has its own conversion).
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, connection, connections
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from tracking.errors import DatabaseUnavailable, WriteRefused

T = TypeVar("T")

ENGINE = "tracking.mongo.engine"
DEFAULT_NAME = "dft"

MAJORITY = WriteConcern("majority", j=True)
CODEC: CodecOptions = CodecOptions(tz_aware=True, tzinfo=UTC)
RAW_CODEC: CodecOptions = CodecOptions(RawBSONDocument, tz_aware=True, tzinfo=UTC)
# for the follower alone, where decoding moments counts: naive, in UTC
NAIVE: CodecOptions = CodecOptions(tz_aware=False)

_WRITE_CONFLICT = 112
FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.5

# for waits between attempts only, nothing that has to be unpredictable
_jitter = random.Random()  # noqa: S311


def database() -> Database:
    """The database of Django's default connection, with our guarantees stated explicitly."""
    return connection.database.with_options(
        codec_options=CODEC,
        read_preference=ReadPreference.PRIMARY,
        write_concern=MAJORITY,
        read_concern=ReadConcern("majority"),
    )


def collection(name: str, *, raw: bool = False) -> Collection:
    """One collection; `raw` gives `RawBSONDocument`, the stored bytes decoded on demand."""
    return database().get_collection(name, codec_options=RAW_CODEC if raw else CODEC)


def current_session() -> ClientSession | None:
    """The session of the running `transaction.atomic` block, to take part in it by PyMongo."""
    return connection.session


def run_transaction(
    work: Callable[[ClientSession], T],
    *,
    seconds: float = 15.0,
    session: ClientSession | None = None,
) -> T:
    """Run `work` in one MongoDB transaction and return what it returns.

    `work` is called again from the start when the server asks for it (write conflict, election), so
    it must do nothing but database work, and pass the session to each call. An unanswered commit is
    repeated as such. All of it together takes at most `seconds`. A caller with a `session` of its
    own may be cut off by `kill_session`, from wherever its number is known.

    Raises `DatabaseUnavailable` when MongoDB cannot be reached or time runs out (the commit may
    have happened: repeat with the same ids). Any other error aborts and passes through, such as
    `DuplicateKeyError` and `BulkWriteError`; never log the text of the latter, it holds documents.
    """
    deadline = time.monotonic() + seconds
    try:
        # connecting for the first time is part of the time allowed
        with pymongo.timeout(seconds):
            if session is not None:
                return _run(work, session, deadline)
            with start_session() as own:
                return _run(work, own, deadline)
    except PyMongoError as error:
        if _is_unavailable(error):
            raise DatabaseUnavailable(
                f"MongoDB did not complete the transaction within {seconds:g} seconds; "
                "repeat it with the same ids."
            ) from error
        raise


def start_session() -> ClientSession:
    """A session for several transactions of one owner, one after the other."""
    return database().client.start_session()


def kill_session(number: Any) -> None:
    """Abort what a session has open: a dead process's transaction holds its locks for a minute.

    `number` is the `session_id["id"]` of a session of the same database user.
    """
    database().client.admin.command("killSessions", [{"id": number}])


def _run(work: Callable[[ClientSession], T], session: ClientSession, deadline: float) -> T:
    attempt = 0
    while True:
        try:
            # leaving the block by an error aborts; the commit is ours, to repeat it by itself
            with _transaction(session):
                result = work(session)
                _commit(session, deadline)
        except PyMongoError as error:
            attempt += 1
            if not _may_repeat(error) or not _pause(attempt, deadline):
                raise
        else:
            return result


@contextlib.contextmanager
def _transaction(session: ClientSession) -> Any:
    session.start_transaction(
        read_concern=ReadConcern("snapshot"),
        write_concern=MAJORITY,
        read_preference=ReadPreference.PRIMARY,
    )
    try:
        yield
    except BaseException:
        if session.in_transaction:
            # the error that led here matters more; an unaborted transaction ends by itself
            with contextlib.suppress(PyMongoError):
                session.abort_transaction()
        raise


def _commit(session: ClientSession, deadline: float) -> None:
    attempt = 0
    while True:
        try:
            session.commit_transaction()
        except PyMongoError as error:
            attempt += 1
            unknown = error.has_error_label("UnknownTransactionCommitResult")
            if not unknown or not _pause(attempt, deadline):
                raise
        else:
            return


def _may_repeat(error: PyMongoError) -> bool:
    # a duplicate stays one however often it is tried; the caller decides what it means
    return error.has_error_label("TransientTransactionError") and not isinstance(
        error, DuplicateKeyError | BulkWriteError
    )


def _pause(attempt: int, deadline: float) -> bool:
    """Sleep a little longer each time, at random; False when that would pass the deadline."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * _jitter.uniform(0.5, 1.0)
    if time.monotonic() + pause >= deadline:
        return False
    time.sleep(pause)
    return True


def forget_frames(error: BaseException | None) -> None:
    """Let go of what the frames hold that `error` came through, for one who has dealt with it.

    The driver's own objects refer to the error, and it to their frames and to all their callers':
    a cycle, which would keep a whole post in memory until the garbage collector comes by.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def without_documents() -> Iterator[None]:
    """Let a bulk write that MongoDB refuses surface as `WriteRefused`, by its codes: the driver's
    own error quotes the documents, which no log may hold."""
    try:
        yield
    except BulkWriteError as error:
        errors = (error.details or {}).get("writeErrors", ())
        codes = sorted({str(each.get("code")) for each in errors})
        raise WriteRefused(f"MongoDB refused a write: {', '.join(codes)}.") from None


@contextlib.contextmanager
def available() -> Iterator[None]:
    """Let MongoDB's silence, from PyMongo or through the ORM, surface as `DatabaseUnavailable`."""
    try:
        yield
    except (PyMongoError, DatabaseError) as error:
        if is_unavailable(error):
            raise DatabaseUnavailable("MongoDB did not answer in time.") from error
        raise


def is_unavailable(error: BaseException | None) -> bool:
    """Whether this error, or one that the ORM wrapped in it, says that MongoDB cannot answer."""
    while error is not None:
        if isinstance(error, PyMongoError):
            return _is_unavailable(error)
        error = error.__cause__
    return False


def _is_unavailable(error: PyMongoError) -> bool:
    if isinstance(error, DuplicateKeyError | BulkWriteError):
        return False
    return (
        isinstance(error, ConnectionFailure)
        or error.timeout
        or error.has_error_label("TransientTransactionError")
        or error.has_error_label("UnknownTransactionCommitResult")
    )


def is_conflict(error: BaseException | None) -> bool:
    """Whether somebody else wrote at the same moment what this error was about."""
    while error is not None:
        if isinstance(error, IntegrityError | DuplicateKeyError):
            return True
        if isinstance(error, OperationFailure) and error.code == _WRITE_CONFLICT:
            return True
        error = error.__cause__
    return False


def options(
    uri: str, *, appname: str = "dft", timeout_ms: int = 5000, max_pool_size: int = 50
) -> dict[str, Any]:
    """`DATABASES["default"]["OPTIONS"]` for this URI.

    The guarantees hold whatever the URI says. The rest are defaults which the URI may set itself.
    `timeoutMS` bounds every operation, finding a server included; a longer one needs
    `pymongo.timeout()` around it.
    """
    stated = {name.lower() for name, _ in parse_qsl(urlsplit(uri).query, keep_blank_values=True)}
    defaults = {"timeoutMS": timeout_ms, "maxPoolSize": max_pool_size, "appname": appname}
    return {
        "w": "majority",
        "journal": True,
        "readConcernLevel": "majority",
        "retryWrites": True,
        **{name: value for name, value in defaults.items() if name.lower() not in stated},
    }


def settings_entry(uri: str, **defaults: Any) -> dict[str, Any]:
    """`DATABASES["default"]` for this URI; without a database in its path the name is "dft".

    The URI stays whole, so that replica sets, TLS and `mongodb+srv` keep their own syntax. It is
    not resolved here: settings must load without a network.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("mongodb", "mongodb+srv") or not parts.netloc:
        # without the URI itself, which may hold a password
        raise ImproperlyConfigured(
            "DFT_MONGODB_URI must read mongodb://[user:password@]host[:port]/database[?options]."
        )
    return {
        "ENGINE": ENGINE,
        "NAME": parts.path.strip("/") or DEFAULT_NAME,
        "HOST": uri,
        "OPTIONS": options(uri, **defaults),
    }


@contextlib.contextmanager
def connected_to(uri: str) -> Iterator[None]:
    """Let the default connection use this URI, of another user of the same database, meanwhile.

    For a command whose steps need different rights, while nothing else uses the connection.
    """
    entry = settings_entry(uri)
    own = connection.settings_dict
    before = {name: own[name] for name in ("HOST", "OPTIONS")}
    connection.close_pool()
    own.update({name: entry[name] for name in before})
    try:
        yield
    finally:
        connection.close_pool()
        own.update(before)


def close_before_fork() -> None:
    """Close this process's MongoDB clients; the next query opens new ones.

    For gunicorn's `pre_fork` (and `post_fork`, where it costs nothing): a client's threads and
    sockets do not survive a fork.
    """
    for each in connections.all(initialized_only=True):
        if each.vendor == "mongodb":
            each.close_pool()
