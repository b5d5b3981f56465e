"""The home page: search, how things stand, what failed last, how fresh the lists are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pymongo
from django.conf import settings
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from pymongo.errors import PyMongoError

from tracking import vocabulary as v
from tracking.access.roles import COUNT
from tracking.access.scope import visible_to
from tracking.admin import display as show
from tracking.admin.base import matching_keys
from tracking.admin.freshness import Anchors, Freshness, anchors_of, freshness_of
from tracking.admin.navigation import insight_pages
from tracking.admin.once import moment_of, my_tenants
from tracking.admin.paging import bounded_count, count_text, timed_out
from tracking.admin.pulses import Pulse, pulses_of
from tracking.anchoring.status import standings
from tracking.insights.day import last_day
from tracking.models import Transaction, TransactionBlock
from tracking.mongo.connection import collection
from tracking.projection.status import lag

FAILURES_SHOWN: Final = 8
HITS_SHOWN: Final = 50
# What the clock decides has no index of its own: the longest silent ones are looked through.
LOOKED_THROUGH: Final = 10_000
_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Count:
    """`url` is empty where the reader may open no list."""

    state: str
    word: str
    tone: str
    icon: str
    text: str
    hint: str
    url: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A transaction in a list of the home page or of search results."""

    tenant: str
    transaction: str
    object_id: str
    object_type: str
    flow: str
    block: str
    url: str
    labels: SafeString
    rail: SafeString
    said: str
    error_type: str
    error_message: str
    updated: SafeString | str


@dataclass(frozen=True, slots=True)
class Board:
    may_track: bool
    may_count: bool
    tenants: list[str]
    counts: list[Count]
    pulses: list[Pulse]
    insights: list[tuple[str, str]]
    failures: list[Hit]
    freshness: Freshness | None
    anchors: Anchors | None
    empty: bool
    waiting: bool
    curl: str
    keys_url: str


def home(request: HttpRequest) -> Board:
    tenants = my_tenants(request)
    moment = moment_of(request)
    may_track = request.user.has_perm("tracking.view_transaction")
    may_count = request.user.has_perm(COUNT)
    counts: list[Count] = []
    pulses: list[Pulse] = []
    failures: list[Hit] = []
    freshness: Freshness | None = None
    anchors: Anchors | None = None
    empty = waiting = False
    if (may_track or may_count) and tenants:
        rows = visible_to(request.user, Transaction)
        empty = not _exists(rows)
        freshness = freshness_of(lag(moment))
        waiting = empty and _exists(visible_to(request.user, TransactionBlock))
        if may_count and not empty:
            url = reverse("admin:tracking_transaction_changelist") if may_track else ""
            counts = [_count(rows, tenants, status, moment, url) for status in _SHOWN]
            pulses = pulses_of(last_day(tenants, moment))
    if may_track and tenants:
        anchors = anchors_of(standings(moment), moment)
        if not empty:
            failed = rows.filter(status=v.TX_FAILED).order_by("-updated_at", "-key")
            failures = [hit_of(row, moment) for row in failed[:FAILURES_SHOWN]]
    may_make_keys = request.user.has_perm("tracking.add_apikey")
    return Board(
        may_track=may_track,
        may_count=may_count,
        tenants=tenants,
        counts=counts,
        pulses=pulses,
        insights=insight_pages(request),
        failures=failures,
        freshness=freshness,
        anchors=anchors,
        empty=empty,
        waiting=waiting,
        curl=first_record_curl(settings.DFT_PUBLIC_URL, moment),
        keys_url=reverse("admin:tracking_apikey_add") if may_make_keys else "",
    )


_SHOWN: Final = (
    v.IN_TRANSIT,
    v.STALLED,
    v.OVERDUE,
    v.TX_FAILED,
    v.TX_FILTERED,
    v.DELIVERED,
)
_HINTS: Final = {
    v.IN_TRANSIT: "on their way",
    v.STALLED: "no news beyond the flow's patience",
    v.OVERDUE: "past their deadline",
    v.TX_FAILED: "a block failed, nothing got beyond it",
    v.TX_FILTERED: "a filter ended them",
    v.DELIVERED: "arrived",
}


def _exists(rows: QuerySet) -> bool:
    return bool(rows.order_by().values("pk")[:1])


def _count(
    rows: QuerySet, tenants: list[str], status: str, moment: datetime, list_url: str
) -> Count:
    tone, icon = show.LOOKS[status]
    if status in (v.STALLED, v.OVERDUE):
        field = "stalls_at" if status == v.STALLED else "due_at"
        text = _or_many(lambda: _clocked(tenants, field, moment))
    else:
        text = _or_many(lambda: count_text(bounded_count(rows.filter(status=status))))
    url = f"{list_url}?status={status}" if list_url else ""
    return Count(status, show.word(status), tone, icon, text, _HINTS[status], url)


def _clocked(tenants: list[str], field: str, moment: datetime) -> str:
    """How many of those in transit are past `field`, among the longest silent of each tenant."""
    found, cut = 0, False
    for tenant in tenants:
        rows = collection("transaction").aggregate(
            [
                {"$match": {"tenant": tenant, "status": v.IN_TRANSIT}},
                {"$sort": {"updated_at": 1, "_id": 1}},
                {"$limit": LOOKED_THROUGH},
                {
                    "$group": {
                        "_id": None,
                        "seen": {"$sum": 1},
                        # an absent field is null here, which is less than any date
                        "past": {
                            "$sum": {
                                "$cond": [
                                    {
                                        "$and": [
                                            {"$gt": [f"${field}", None]},
                                            {"$lte": [f"${field}", moment]},
                                        ]
                                    },
                                    1,
                                    0,
                                ]
                            }
                        },
                    }
                },
            ],
            hint="status",
        )
        for row in rows:
            found += row["past"]
            cut = cut or row["seen"] >= LOOKED_THROUGH
    return f"{found:,}+" if cut else f"{found:,}"


def _or_many(count: Callable[[], str]) -> str:
    try:
        with pymongo.timeout(_SECONDS):
            return count()
    except (DatabaseError, PyMongoError) as error:
        if timed_out(error):
            return "many"
        raise


def hits(request: HttpRequest, term: str) -> list[Hit]:
    """The transactions a search term names, the best match first."""
    if not term or not request.user.has_perm("tracking.view_transaction"):
        return []
    keys = matching_keys(request, term)[:HITS_SHOWN]
    rows = {row.key: row for row in visible_to(request.user, Transaction).filter(pk__in=keys)}
    moment = moment_of(request)
    return [hit_of(rows[key], moment) for key in keys if key in rows]


def the_one(found: list[Hit], term: str) -> Hit | None:
    """The hit to open at once: the only one, or the only one of exactly this id."""
    if len(found) == 1:
        return found[0]
    exact = [hit for hit in found if term in (hit.object_id, hit.transaction)]
    return exact[0] if len(exact) == 1 else None


def unlisted(request: HttpRequest, term: str) -> str | None:
    """The page of a transaction that the journal has and lists do not show yet, by its id or
    one of its records' (object ids are no index of the journal)."""
    if not request.user.has_perm("tracking.view_transaction") or not v.ID_PATTERN.fullmatch(term):
        return None
    records = visible_to(request.user, TransactionBlock).order_by()
    keys = [f"{tenant}/{term}" for tenant in my_tenants(request)]
    for rows in (records.filter(transaction=term), records.filter(pk__in=keys)):
        # first() would sort by key, and might walk all keys to do so
        for tenant, transaction in rows.values_list("tenant_id", "transaction")[:1]:
            return show.transaction_url(tenant, transaction)
    return None


def hit_of(row: Transaction, moment: datetime) -> Hit:
    states = show.states_of(row, moment)
    return Hit(
        tenant=row.tenant_id,
        transaction=row.transaction,
        object_id=row.object_id,
        object_type=row.object_type,
        flow=row.flow,
        block=row.error_block or row.block,
        url=show.transaction_url(row.tenant_id, row.transaction),
        labels=show.labels(states),
        rail=show.rail({stage: getattr(row, stage) for stage in v.STAGES}, row.percent),
        said=", ".join(show.word(state) for state in states),
        error_type=row.error_type or "",
        error_message=row.error_message or "",
        updated=show.when(row.updated_at, moment),
    )


def first_record_curl(url: str, moment: datetime) -> str:
    """A command that posts a first record, ready to paste but for the key."""
    at = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    lines: list[Any] = [
        f"curl -X POST {url}/api/v1/blocks \\",
        "  -H 'Authorization: Bearer YOUR_API_KEY' \\",
        "  -H 'Content-Type: application/json' \\",
        '  -d \'{"id": "first-record", "object": {"id": "order-1", "type": "order"},',
        '       "flow": "orders", "block": "receive", "stage": "ingress",',
        f'       "status": "succeeded", "occurred_at": "{at}"}}\'',
    ]
    return "\n".join(lines)
