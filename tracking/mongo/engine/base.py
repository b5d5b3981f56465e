"""The connection: `django.db.transaction.atomic` becomes a MongoDB transaction.

The backend ignores Django's `atomic` and has its own. Here the outermost `atomic` block is one
MongoDB transaction (snapshot reads, commit to a majority's journal), so admin pages, sessions and
libraries roll back like on any other database. What differs from SQL:

- MongoDB has no savepoints. An inner block joins the outer one; when an inner block fails, the
  whole outer block is lost, and using the database again inside it raises
  `TransactionManagementError`.
- A write conflict ends the transaction at once (`DatabaseError`, never retried here).
- Sixty seconds are the server's limit for one transaction, and it refuses `union()` inside.
- Only the ORM joins. A PyMongo call takes part if it is given `session=connection.session`.
- DDL never joins: it takes no session, and migrations refuse to start inside `atomic`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from django.db import DatabaseError, NotSupportedError
from django.db.backends.base.base import BaseDatabaseWrapper
from django_mongodb_backend.base import DatabaseWrapper as MongoWrapper
from pymongo import ReadPreference
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from .operations import DatabaseOperations
from .schema import DatabaseSchemaEditor

# pymongo itself repeats an unanswered commit once; this many rounds ride out an election
COMMIT_ROUNDS = 3


class DatabaseWrapper(MongoWrapper):
    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor

    @property
    def database(self) -> Database:
        # asked each time: pytest-django forbids database access by replacing ensure_connection()
        self.ensure_connection()
        return self._database

    @database.setter
    def database(self, database: Database) -> None:
        self._database = database

    def get_collection(self, name: str, **kwargs: Any) -> Any:
        # the server would only say "transaction has been aborted"; Django's sentence is better
        self.validate_no_broken_transaction()
        return super().get_collection(name, **kwargs)

    def close_pool(self) -> None:
        # the pool is shared by the threads of a process: another one may have closed it already
        if self.connection is not None:
            self._connection_pools.setdefault(self.alias, self.connection)
        super().close_pool()

    # Django's own atomic() calls the six methods below.

    def set_autocommit(self, *args: Any, **kwargs: Any) -> None:
        # the backend only notes the flag; Django's version also runs the on_commit hooks
        BaseDatabaseWrapper.set_autocommit(self, *args, **kwargs)

    def _set_autocommit(self, autocommit: bool) -> None:
        if autocommit:
            self._end_session()
        else:
            # costs no round trip: the server learns of the transaction with its first operation
            self.session = self.connection.start_session()
            self.session.start_transaction(
                read_concern=ReadConcern("snapshot"),
                write_concern=WriteConcern("majority", j=True),
                read_preference=ReadPreference.PRIMARY,
            )

    def _commit(self) -> None:
        for rounds_left in reversed(range(COMMIT_ROUNDS)):
            try:
                self.session.commit_transaction()
            except PyMongoError as error:
                if rounds_left and error.has_error_label("UnknownTransactionCommitResult"):
                    continue
                raise DatabaseError("The transaction could not be committed.") from error
            return

    def _rollback(self) -> None:
        if self.session is not None and self.session.in_transaction:
            self.session.abort_transaction()

    def _end_session(self) -> None:
        if self.session is not None:
            self.session.end_session()
            self.session = None

    def on_commit(self, func: Callable[[], Any], robust: bool = False) -> None:
        BaseDatabaseWrapper.on_commit(self, func, robust)

    def _refuse_second_atomic(self, *_: Any) -> NoReturn:
        raise NotSupportedError(
            "Use django.db.transaction.atomic: on this engine it is a real transaction."
        )

    # two kinds of atomic on one session would commit each other's work half-way
    start_transaction_mongo = commit_mongo = rollback_mongo = _refuse_second_atomic
