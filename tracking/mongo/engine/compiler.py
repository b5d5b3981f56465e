"""Queries that sort by an index: `$match, $sort, $skip, $limit` come before `$lookup, $project`.

The backend joins and projects every matching document and sorts last, when no index can help any
more. Whenever the order is made of plain columns of the queried collection, sorting first gives
the same rows in the same order, because joins keep the order of what enters them. Skip and limit
move as well if no later stage can drop or multiply rows: no condition on a joined document, and
only left joins to a primary key. An inner join drops rows whose partner is missing, so there the
limit stays last; the sorted input streams through it and mongod stops at the limit all the same.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.db.models.expressions import Col, OrderBy
from django.db.models.sql.compiler import PositionRef
from django.db.models.sql.constants import LOUTER, MULTI
from django.db.models.sql.datastructures import Join
from django.db.models.sql.query import Query
from django.db.models.sql.subqueries import DeleteQuery
from django_mongodb_backend.compiler import (
    SQLAggregateCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)
from django_mongodb_backend.compiler import SQLCompiler as MongoCompiler
from django_mongodb_backend.compiler import SQLDeleteCompiler as MongoDeleteCompiler
from django_mongodb_backend.query import MongoQuery

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


class SQLCompiler(MongoCompiler):
    def pre_sql_setup(self, with_col_aliases: bool = False) -> Any:
        found = super().pre_sql_setup(with_col_aliases=with_col_aliases)
        for order in () if self.aggregation_pipeline else self.order_by_objs or ():
            # of values(), Django names the place of a chosen column, which no sort can start from
            place = order.expression
            if isinstance(place, PositionRef) and isinstance(place.source, Col):
                order.expression = place.source
        return found

    def build_query(self, columns: Any = None) -> MongoQuery:
        query = super().build_query(columns)
        if self._may_sort_first(query):
            self._sort_first(query)
        return query

    def _may_sort_first(self, query: MongoQuery) -> bool:
        return not (
            self.base_table is None
            or self.query.subquery  # the outer query still adds stages of its own to it
            or query.combinator_pipeline
            or query.aggregation_pipeline
            or query.search_pipeline
        ) and all(self._is_own_column(order) for order in self.order_by_objs or ())

    def _is_own_column(self, order: OrderBy) -> bool:
        column = order.expression
        return (
            isinstance(column, Col)
            and column.alias == self.collection_name
            and not (order.nulls_first or order.nulls_last)
        )

    def _sort_first(self, query: MongoQuery) -> None:
        """Move what can be moved into the slot that the backend emits first.

        That slot is `search_pipeline`, which is empty here: it belongs to Atlas Search.
        """
        # a join that was not needed in the end stays listed, with nobody referring to it
        joined = {alias for alias, count in self.query.alias_refcount.items() if count}
        joined.discard(self.collection_name)
        joined |= {sub.subquery_lookup["as"] for sub in query.subqueries or () if _joins(sub)}
        conditions = _and_list(query.match_mql)
        own = [c for c in conditions if not _mentions(c, joined)]
        foreign = [c for c in conditions if _mentions(c, joined)]
        first: list[dict[str, Any]] = []
        if own:
            first.append({"$match": _and(own)})
        query.match_mql = _and(foreign)
        if query.ordering:
            first.append({"$sort": query.ordering})
            query.ordering = {}
            # with plain columns only, these fields are copies of themselves made for the sort
            query.extra_fields = None
        if not foreign and self._joins_keep_every_row(query):
            low, high = self.query.low_mark, self.query.high_mark
            if low:
                first.append({"$skip": low})
            if high is not None:
                first.append({"$limit": high - low})
            query.query = SimpleNamespace(low_mark=0, high_mark=None)
        query.search_pipeline = first

    def _joins_keep_every_row(self, query: MongoQuery) -> bool:
        if not all(_joins(sub) for sub in query.subqueries or ()):
            return False
        for alias, join in self.query.alias_map.items():
            if alias == self.collection_name or not self.query.alias_refcount[alias]:
                continue
            if not (isinstance(join, Join) and join.join_type == LOUTER and _to_primary_key(join)):
                return False
        return True


class SQLDeleteCompiler(MongoDeleteCompiler):
    def execute_sql(self, result_type: str = MULTI) -> int:
        """Delete what a joined query chooses by its keys, as SQL does with a subquery.

        The admin's "delete selected" is such a query on every page with `list_select_related`.
        """
        if self.single_alias:
            return super().execute_sql(result_type)
        chosen = self.query.clone()
        chosen.__class__ = Query
        chosen.clear_select_clause()
        chosen.select = (chosen.model._meta.pk.get_col(chosen.get_initial_alias()),)
        keys = [key for (key,) in chosen.get_compiler(self.using).results_iter(tuple_expected=True)]
        return DeleteQuery(chosen.model).delete_batch(list(dict.fromkeys(keys)), self.using)


def _joins(subquery: MongoQuery) -> bool:
    """Whether the stages only attach a value to each row (`$lookup` and `$set`)."""
    return subquery.subquery_lookup is not None


def _to_primary_key(join: Join) -> bool:
    return len(join.join_fields) == 1 and join.join_fields[0][1].column == "_id"


def _and_list(condition: dict[str, Any]) -> list[dict[str, Any]]:
    if not condition:
        return []
    return list(condition["$and"]) if condition.keys() == {"$and"} else [condition]


def _and(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    if not conditions:
        return {}
    return conditions[0] if len(conditions) == 1 else {"$and": conditions}


def _mentions(mql: Any, names: set[str]) -> bool:
    """Whether any string in `mql` could be a path into one of `names`.

    A search value that happens to look like one only costs the optimisation, never the result.
    """
    if not names:
        return False
    if isinstance(mql, str):
        return mql.lstrip("$").split(".", 1)[0] in names or "$$ROOT" in mql
    if isinstance(mql, dict):
        return any(_mentions(k, names) or _mentions(v, names) for k, v in mql.items())
    if isinstance(mql, list | tuple):
        return any(_mentions(value, names) for value in mql)
    return False
