"""From a number of insights to the list of what it counts, for who may open that list."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from tracking import vocabulary as v
from tracking.admin.insights import Asked
from tracking.admin.once import my_tenants

# The journal is read by record time, which is not before the event but by a producer's wrong
# clock; more than a day ahead is refused.
_AHEAD: Final = timedelta(days=1)


class Links:
    """Addresses of lists that are narrowed to a page's tenant and flow; "": none is open."""

    def __init__(self, asked: Asked) -> None:
        self._own: dict[str, str] = {}
        if len(my_tenants(asked.request)) > 1:
            self._own["of"] = asked.tenant
        if asked.flow:
            self._own["flow"] = asked.flow
        user = asked.request.user
        self._moment = asked.moment
        self._transactions = (
            reverse("admin:tracking_transaction_changelist") if asked.may_track else ""
        )
        self._journal = (
            reverse("admin:tracking_transactionblock_changelist")
            if user.has_perm("tracking.view_transactionblock")
            else ""
        )
        self._blocks = (
            reverse("admin:tracking_transactionblockprogress_changelist")
            if user.has_perm("tracking.view_transactionblockprogress")
            else ""
        )

    def started(self, begin: datetime, end: datetime, *, flow: str = "") -> str:
        """Objects by their first event."""
        return self._to(self._transactions, flow, _between("created_at", begin, end))

    def ended(self, status: str, begin: datetime, end: datetime, *, flow: str = "") -> str:
        """Objects of a status by their last event."""
        query = {"status": status, **_between("updated_at", begin, end)}
        return self._to(self._transactions, flow, query)

    def retried(self, begin: datetime, end: datetime) -> str:
        """Objects with retries that were under way then."""
        query = {"retries": "1", **_until("created_at", end), **_since("updated_at", begin)}
        return self._to(self._transactions, "", query)

    def in_transit(self, at: datetime) -> str:
        """What was on its way at a moment, or is now."""
        if at >= self._moment:
            return self._to(self._transactions, "", {"status": v.IN_TRANSIT})
        return self._to(self._transactions, "", {"in_transit_at": f"{at:%Y-%m-%dT%H:%MZ}"})

    def records(
        self, status: str, begin: datetime, end: datetime, *, flow: str = "", **block: str
    ) -> str:
        """Records by event time, of a `stage` and `block`; to who may not read records the blocks
        that are so. What was withdrawn is listed as well, and says so."""
        query = {"status": status, **block}
        if self._journal:
            recorded = _since("recorded_at", begin - _AHEAD)
            return self._to(
                self._journal, flow, {**query, **_between("occurred_at", begin, end), **recorded}
            )
        if status not in v.TERMINAL:
            return ""
        return self._to(self._blocks, flow, {**query, **_between("updated_at", begin, end)})

    def visits(
        self, begin: datetime, end: datetime, *, flow: str, block: str = "", **narrowed: str
    ) -> str:
        """Blocks of objects by their last event; `narrowed`: to a status, or to some retries."""
        query = {"block": block} if block else {}
        query |= {**narrowed, **_between("updated_at", begin, end)}
        return self._to(self._blocks, flow, query)

    def arrived(self, begin: datetime, end: datetime, *, flow: str, block: str) -> str:
        """Blocks of objects by their first event."""
        query = {"block": block, **_between("first_at", begin, end)}
        return self._to(self._blocks, flow, query)

    def _to(self, url: str, flow: str, query: dict[str, str]) -> str:
        if not url:
            return ""
        own = {**self._own, "flow": flow} if flow else self._own
        return f"{url}?{urlencode({**own, **query})}"


def _between(field: str, begin: datetime, end: datetime) -> dict[str, str]:
    return {**_since(field, begin), **_until(field, end)}


def _since(field: str, moment: datetime) -> dict[str, str]:
    return {f"{field}_from_0": f"{moment:%Y-%m-%d}", f"{field}_from_1": f"{moment:%H:%M:%S}"}


def _until(field: str, moment: datetime) -> dict[str, str]:
    return {f"{field}_to_0": f"{moment:%Y-%m-%d}", f"{field}_to_1": f"{moment:%H:%M:%S}"}
