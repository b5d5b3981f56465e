"""Reading what mongod says about a query."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import QuerySet


def pipeline(query: QuerySet) -> list[dict[str, Any]]:
    compiler = query.query.get_compiler(connection=connection)
    compiler.pre_sql_setup()
    whole = not query.query.annotations and query.query.default_cols
    return compiler.build_query(None if whole else compiler.columns).get_pipeline()


def explain(query: QuerySet) -> dict[str, Any]:
    return json.loads(query.explain(verbosity="executionStats"))


def stages(node: Any) -> set[str]:
    """The names of all plan stages used; not of rejected plans, nor of the query as it was sent."""
    found: set[str] = set()
    for key, value in _items(node):
        if key == "stage":
            found.add(value)
        elif key == "$sort":
            found.add("SORT")
        if key not in ("rejectedPlans", "command") and isinstance(value, dict | list):
            found |= stages(value)
    return found


def docs_examined(node: Any) -> int:
    """Documents read, of the queried collection and of joined ones."""
    counts = [v for k, v in _walk(node) if k == "totalDocsExamined"]
    return sum(int(c["$numberLong"]) if isinstance(c, dict) else int(c) for c in counts)


def docs_joined(plan: dict[str, Any]) -> int:
    """Documents read by `$lookup` alone."""
    return docs_examined([stage for stage in plan["stages"] if "$lookup" in stage])


def _items(node: Any) -> list[tuple[str, Any]]:
    if isinstance(node, dict):
        return list(node.items())
    return [("", value) for value in node] if isinstance(node, list) else []


def _walk(node: Any) -> Iterator[tuple[str, Any]]:
    for key, value in _items(node):
        yield key, value
        yield from _walk(value)
