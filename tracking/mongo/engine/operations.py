"""Names our compilers, and empties the database for tests without touching empty collections."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django_mongodb_backend.operations import DatabaseOperations as MongoOperations
from pymongo import WriteConcern


class DatabaseOperations(MongoOperations):
    compiler_module = "tracking.mongo.engine.compiler"

    def convert_jsonfield_value(self, value: Any, expression: Any, connection: Any) -> str:
        # stored by PyMongo a value may hold times, which plain JSON cannot carry to the field
        return json.dumps(value, cls=DjangoJSONEncoder)

    def execute_sql_flush(self, tables: Sequence[str]) -> None:
        database = self.connection.database
        names = [name for name in tables if not name.startswith("system.")]
        capped = database.list_collection_names(filter={"options.capped": True})
        # every delete waits for the journal, so ask first: most collections are empty in a test
        filled = _filled(database, [name for name in names if name not in capped])
        for name in filled[:-1]:
            database[name].with_options(write_concern=WriteConcern(1)).delete_many({})
        for name in filled[-1:]:  # whoever waits for this one has waited for those before
            database[name].delete_many({})


def _filled(database: Any, names: Sequence[str]) -> list[str]:
    """Those that hold anything, by one question for all of them."""
    if not names:
        return []
    first, *others = names

    def told(name: str) -> list[dict[str, Any]]:
        return [{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}]

    unions = [{"$unionWith": {"coll": name, "pipeline": told(name)}} for name in others]
    return [row["name"] for row in database[first].aggregate([*told(first), *unions])]
