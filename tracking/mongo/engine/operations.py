"""Names our compilers, and empties the database for tests without touching empty collections."""

from __future__ import annotations

from collections.abc import Sequence

from django_mongodb_backend.operations import DatabaseOperations as MongoOperations


class DatabaseOperations(MongoOperations):
    compiler_module = "tracking.mongo.engine.compiler"

    def execute_sql_flush(self, tables: Sequence[str]) -> None:
        # every delete waits for the journal, so ask first: most collections are empty in a test
        database = self.connection.database
        filled = [
            name
            for name in tables
            if not name.startswith("system.") and database[name].find_one({}, {"_id": 1})
        ]
        for name in filled:
            if not database[name].options().get("capped", False):
                database[name].delete_many({})
