"""Unique indexes which the query planner can use.

The backend makes every unique index partial on `{field: {$type: …}}`, to allow many nulls as SQL
does. No query implies a `$type`, so the planner never picks such an index, and looking up a user
name or a session scans the collection. Here a field that is never null gets a plain unique index,
and a nullable one is partial on a range that holds exactly the values of its type: an equality
implies the range, null and missing fall outside. A constraint over several fields is not made anew
when one of them becomes nullable: remove and add it in the same migration.
"""

from __future__ import annotations

import datetime
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId
from django.db import NotSupportedError
from django.db.models import Field, Index, Model
from django_mongodb_backend.schema import DatabaseSchemaEditor as MongoSchemaEditor
from pymongo.operations import IndexModel

# the least value of each BSON type that Django fields are stored as
LEAST: dict[str, Any] = {
    "binData": Binary(b""),
    "bool": False,
    "date": datetime.datetime(1, 1, 1),  # noqa: DTZ001 - BSON dates carry no zone
    "decimal": Decimal128("-Infinity"),
    "double": float("-inf"),
    "int": Int64(-(2**63)),
    "long": Int64(-(2**63)),
    "objectId": ObjectId("0" * 24),
    "string": "",
}


class UsableUnique:
    """Wraps an index on its way to the server and rewrites its `$type` conditions."""

    def __init__(self, index: Index, never_null: frozenset[str]) -> None:
        self.index = index
        self.name = index.name
        self.never_null = never_null

    def get_pymongo_index_model(self, *args: Any, **kwargs: Any) -> IndexModel | None:
        model = self.index.get_pymongo_index_model(*args, **kwargs)
        if model is None:
            return None
        conditions = model.document.pop("partialFilterExpression", {})
        kept = {}
        for path, condition in conditions.items():
            if isinstance(condition, dict) and "$type" in condition:
                condition = self._rewritten(path, dict(condition))
            if condition:
                kept[path] = condition
        if kept:
            model.document["partialFilterExpression"] = kept
        return model

    def _rewritten(self, path: str, condition: dict[str, Any]) -> dict[str, Any]:
        type_name = condition["$type"]
        if path in self.never_null:
            del condition["$type"]
        elif type_name in LEAST:
            del condition["$type"]
            # a condition of the model's own that has a lower bound already excludes null
            if not {"$eq", "$gt", "$gte", "$in"} & condition.keys():
                condition["$gte"] = LEAST[type_name]
        return condition


class DatabaseSchemaEditor(MongoSchemaEditor):
    def __enter__(self) -> DatabaseSchemaEditor:
        if self.connection.in_atomic_block:
            raise NotSupportedError(
                "Collections and indexes cannot be changed inside transaction.atomic: "
                "run the migration outside of it, or mark the test with transaction=True."
            )
        return super().__enter__()

    def add_index(
        self,
        model: type[Model],
        index: Index,
        *,
        field: Field | None = None,
        unique: bool = False,
        column_prefix: str = "",
        parent_model: type[Model] | None = None,
    ) -> None:
        if unique:
            fields = [field] if field else [model._meta.get_field(n) for n in index.fields]
            # inside an embedded document the value is missing whenever the document is
            embedded = bool(column_prefix or parent_model)
            never_null = frozenset(f.column for f in fields if not (f.null or embedded))
            index = UsableUnique(index, never_null)
        super().add_index(
            model,
            index,
            field=field,
            unique=unique,
            column_prefix=column_prefix,
            parent_model=parent_model,
        )

    def _alter_field(
        self, model: type[Model], old_field: Field, new_field: Field, *args: Any, **kwargs: Any
    ) -> None:
        # whether a unique index is partial depends on `null`, so it is made anew when that changes
        remake = (
            old_field.null != new_field.null
            and old_field.column == new_field.column
            and self._field_should_have_unique(old_field)
            and self._field_should_have_unique(new_field)
        )
        if remake:
            self._remove_field_unique(model, old_field)
        super()._alter_field(model, old_field, new_field, *args, **kwargs)
        if remake:
            self._add_field_unique(model, new_field)
