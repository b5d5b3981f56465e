"""Names our compilers, and empties the database for tests without touching empty collections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django_mongodb_backend.operations import DatabaseOperations as MongoOperations


class DatabaseOperations(MongoOperations):
    compiler_module = "tracking.mongo.engine.compiler"

    def convert_jsonfield_value(self, value: Any, expression: Any, connection: Any) -> str:
        # stored by PyMongo a value may hold times, which plain JSON cannot carry to the field
        return json.dumps(value, cls=DjangoJSONEncoder)

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
