"""Pages by position, not by number: complete however deep, and at one price.

REST framework's own cursor counts an offset among equal times and gives up beyond a
thousand of them, which one import easily makes; this one continues after (time, key).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from tracking import clock
from tracking.errors import BadRequest

PAGE: Final = 50
PAGE_MOST: Final = 500
COUNT_MOST: Final = 10_000
PARAMETERS: Final = ("cursor", "page_size")


@dataclass(frozen=True, slots=True)
class Order:
    """By a time field and the key, both in one direction."""

    field: str
    descending: bool

    def fields(self) -> tuple[str, str]:
        sign = "-" if self.descending else ""
        return f"{sign}{self.field}", f"{sign}key"

    def after(self, moment: datetime, key: str) -> Q:
        """What comes behind this place; the first condition is what an index can start from."""
        beyond, bound = ("lt", "lte") if self.descending else ("gt", "gte")
        return Q((f"{self.field}__{bound}", moment)) & (
            Q((f"{self.field}__{beyond}", moment)) | Q((f"key__{beyond}", key))
        )


LATEST_FIRST: Final = Order("updated_at", descending=True)
BY_EVENT: Final = Order("occurred_at", descending=False)


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Any]
    next: str | None
    count: int
    count_is_bounded: bool

    def shape(self, results: list[Any]) -> dict[str, Any]:
        return {
            "results": results,
            "next": self.next,
            "count": self.count,
            "count_is_bounded": self.count_is_bounded,
        }


def page_of(request: HttpRequest, rows: QuerySet[Any], order: Order) -> Page:
    """The page of `rows` that the request's `cursor` and `page_size` ask for."""
    size = size_of(request.GET.get("page_size"))
    ordered = rows.order_by(*order.fields())
    if cursor := request.GET.get("cursor"):
        ordered = ordered.filter(order.after(*_read_cursor(cursor)))
    found = list(ordered[: size + 1])
    following = None
    if len(found) > size:
        found.pop()
        following = _address(request, _write_cursor(getattr(found[-1], order.field), found[-1].pk))
    count = len(found)
    if following or cursor:
        count = rows.order_by()[: COUNT_MOST + 1].count()
    return Page(found, following, min(count, COUNT_MOST), count > COUNT_MOST)


def size_of(text: str | None) -> int:
    """How many rows `page_size` asks for."""
    if text is None:
        return PAGE
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not 1 <= int(text) <= PAGE_MOST:
        raise BadRequest(
            "bad_parameter",
            f"page_size must be an integer from 1 to {PAGE_MOST}.",
            parameter="page_size",
        )
    return int(text)


def _address(request: HttpRequest, cursor: str) -> str:
    query = request.GET.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _write_cursor(moment: datetime, key: str) -> str:
    text = json.dumps([clock.to_ms(moment), key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, str]:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        ms, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if type(ms) is not int or not isinstance(key, str):
            raise ValueError("not a place")
        # Looked up as it is, so it must be text that a database can hold.
        key.encode()
        return clock.from_ms(ms), key
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        raise BadRequest(
            "bad_parameter",
            "cursor is not one that a page before has given.",
            parameter="cursor",
        ) from None
