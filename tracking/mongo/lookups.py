"""Look-ups into lists, which the backend's JSON fields lack, in the form that indexes serve.

parents__holds="tx-1"                   {"parents": {"$eq": "tx-1"}}
parents__holds=["tx-1", "tx-2"]         {"parents": {"$in": ["tx-1", "tx-2"]}}
references__holds={"value": "4711"}     {"references": {"$elemMatch": {"value": {"$eq": "4711"}}}}
"""

from __future__ import annotations

from typing import Any

from django.db.models import JSONField, Lookup


@JSONField.register_lookup
class Holds(Lookup):
    """The list has this text, or one of these, as an item, or an item with these members."""

    lookup_name = "holds"
    prepare_rhs = False

    def __init__(self, lhs: Any, rhs: str | list[str] | dict[str, str | list[str]]) -> None:
        # Only our own code names members; what a user wrote can only ever be a text to equal.
        members = rhs.values() if isinstance(rhs, dict) else [rhs]
        texts = [text for member in members for text in _texts(member)]
        names = rhs if isinstance(rhs, dict) else ()
        if not (
            texts
            and all(isinstance(text, str) for text in texts)
            and all(name.isidentifier() for name in names)
        ):
            raise TypeError("holds compares with a text, or with texts by member name.")
        super().__init__(lhs, rhs)

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [value]

    def as_mql(self, compiler: Any, connection: Any, as_expr: bool = False) -> dict[str, Any]:
        path = self.lhs.as_mql(compiler, connection)
        if not isinstance(self.rhs, dict):
            return {path: _equals(self.rhs)}
        members = {name: _equals(wanted) for name, wanted in self.rhs.items()}
        return {path: {"$elemMatch": members}}


def _equals(wanted: str | list[str]) -> dict[str, Any]:
    return {"$in": wanted} if isinstance(wanted, list) else {"$eq": wanted}


def _texts(member: object) -> list[object]:
    return list(member) if isinstance(member, list) else [member]
