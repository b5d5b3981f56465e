"""Lists of huge collections: counts that stop, rows without their heavy fields, a time limit.

A list answers in bounded time whatever the collection holds. Where a combination of filters
has no index to serve it, the page says so instead of hanging.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import pymongo
from django.contrib import messages
from django.core.exceptions import EmptyResultSet
from django.core.paginator import Paginator
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from pymongo.errors import PyMongoError
from unfold.views import ChangeList

from tracking.admin.once import moment_of

logger = logging.getLogger(__name__)

COUNT_MAX: Final = 10_000
SECONDS: Final = 4.0
TOO_SLOW: Final = (
    "This combination of filters takes too long to answer. Add a status, a flow or a shorter"
    " time range."
)


def bounded_count(rows: QuerySet, most: int = COUNT_MAX) -> int:
    """How many rows there are, counted up to `most` + 1."""
    limited = rows.order_by().values("pk")[: most + 1]
    compiler = limited.query.get_compiler(connection=connection)
    try:
        compiler.pre_sql_setup()
        pipeline = compiler.build_query(compiler.columns).get_pipeline()
    except EmptyResultSet:
        return 0
    # Django's own count() sorts out every matching document by $facet
    with connection.wrap_database_errors:
        found = list(
            compiler.collection.aggregate([*pipeline, {"$count": "n"}], session=connection.session)
        )
    return int(found[0]["n"]) if found else 0


def count_text(count: int, most: int = COUNT_MAX) -> str:
    return f"{most:,}+" if count > most else f"{count:,}"


def timed_out(error: BaseException) -> bool:
    cause = error if isinstance(error, PyMongoError) else error.__cause__
    return isinstance(cause, PyMongoError) and cause.timeout


class BoundedPaginator(Paginator):
    template_name = "admin/bounded_pagination.html"

    @cached_property
    def _counted(self) -> int:
        return bounded_count(self.object_list)

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNT_MAX)

    @property
    def count_text(self) -> str:
        return count_text(self._counted)


class BoundedChangeList(ChangeList):
    """Rows carry `seen_at`, the request's moment, for columns that compare with the clock."""

    def get_results(self, request: HttpRequest) -> None:
        rows: list[Any] = []
        try:
            with pymongo.timeout(SECONDS):
                super().get_results(request)
                rows = self._rows()
        except (DatabaseError, PyMongoError) as error:
            if not timed_out(error):
                raise
            logger.warning("a list took too long: %s", self.model._meta.db_table)
            messages.warning(request, TOO_SLOW)
            self.queryset = self.queryset.none()
            super().get_results(request)
        moment = moment_of(request)
        for row in rows:
            row.seen_at = moment
        self.model_admin.attach(request, rows)
        self.result_list = rows
        # equal numbers keep the theme from offering a total that nobody counted
        self.full_result_count = self.result_count

    def _rows(self) -> list[Any]:
        return [
            self.model(**row) if isinstance(row, dict) else row
            for row in self.shown(self.result_list)
        ]

    def shown(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """What the page asks for of `rows`: documents without what it leaves out."""
        omitted = self.model_admin.list_omits
        if not omitted:
            return rows
        # only() and defer() fetch whole documents on this backend; values() does not
        return rows.values(*[f.attname for f in self.opts.concrete_fields if f.name not in omitted])

    def _get_deterministic_ordering(self, ordering: list[Any]) -> list[Any]:
        # each list names an order that an index serves and that is total already
        return ordering
