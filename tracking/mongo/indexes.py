"""Index kinds the backend has no words for; both are written into migrations like Django's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Index, Model
from pymongo.operations import IndexModel


class TTLIndex(Index):
    """MongoDB deletes a document this many seconds after the moment in its (one) date field.

    The server looks about once a minute, so a document may outlive its time by that much.
    """

    suffix = "ttl"

    def __init__(self, *, fields: Sequence[str], expire_after_seconds: int, name: str) -> None:
        if len(fields) != 1:
            raise ValueError("A TTLIndex has exactly one date field.")
        if expire_after_seconds < 0:
            raise ValueError("expire_after_seconds cannot be negative.")
        self.expire_after_seconds = expire_after_seconds
        super().__init__(fields=fields, name=name)

    def deconstruct(self) -> tuple[str, tuple, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "expire_after_seconds": self.expire_after_seconds}

    def get_pymongo_index_model(self, *args: Any, **kwargs: Any) -> IndexModel:
        model = super().get_pymongo_index_model(*args, **kwargs)
        model.document["expireAfterSeconds"] = self.expire_after_seconds
        return model


class PathIndex(Index):
    """An index on paths into embedded documents, JSON values or arrays, mixed with plain fields.

    `paths` are `(path, 1 | -1)`. A path starts with the name of a model field (its column is put in
    its place); the rest is taken literally: `[("tenant", 1), ("source.system", 1)]`.
    `partial` is a MongoDB `partialFilterExpression` on stored names. `unique` treats a missing path
    as null, so two documents without it collide unless `partial` leaves them out.
    """

    suffix = "path"

    def __init__(
        self,
        *,
        paths: Sequence[tuple[str, int]],
        name: str,
        unique: bool = False,
        partial: dict[str, Any] | None = None,
    ) -> None:
        if not paths:
            raise ValueError("A PathIndex needs at least one path.")
        if any(direction not in (1, -1) for _, direction in paths):
            raise ValueError("The direction of a path is 1 or -1.")
        self.paths = [(path, direction) for path, direction in paths]
        self.unique = unique
        self.partial = partial
        # Django checks that these fields exist
        fields = list(dict.fromkeys(path.partition(".")[0] for path, _ in self.paths))
        super().__init__(fields=fields, name=name)

    def deconstruct(self) -> tuple[str, tuple, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        del kwargs["fields"]
        kwargs["paths"] = self.paths
        if self.unique:
            kwargs["unique"] = True
        if self.partial:
            kwargs["partial"] = self.partial
        return path, args, kwargs

    def get_pymongo_index_model(
        self,
        model: type[Model],
        schema_editor: Any,
        field: Any = None,
        unique: bool = False,
        column_prefix: str = "",
    ) -> IndexModel:
        keys = []
        for path, direction in self.paths:
            head, dot, rest = path.partition(".")
            column = model._meta.get_field(head).column
            keys.append((f"{column_prefix}{column}{dot}{rest}", direction))
        options: dict[str, Any] = {"name": self.name}
        if self.unique:
            options["unique"] = True
        if self.partial:
            options["partialFilterExpression"] = self.partial
        return IndexModel(keys, **options)
