"""From a sum of costs to what it is made of: closer on the page, and in the end to the objects."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from tracking.admin.insights import Asked
from tracking.admin.once import my_tenants
from tracking.insights.windows import HOUR

_RETRIED: Final = {"retries": "1"}


class CostLinks:
    """`block`, `resource`: what the page is narrowed to; "": there is nowhere to go."""

    def __init__(self, asked: Asked, *, by: str, block: str = "", resource: str = "") -> None:
        self._asked, self._by, self._resource = asked, by, resource
        self._block = block
        self._of = {"of": asked.tenant} if len(my_tenants(asked.request)) > 1 else {}
        user = asked.request.user
        self._objects = reverse("admin:tracking_transaction_changelist") if asked.may_track else ""
        self._blocks = (
            reverse("admin:tracking_transactionblockprogress_changelist")
            if user.has_perm("tracking.view_transactionblockprogress")
            else ""
        )

    # --- On the page ---------------------------------------------------------------------------

    def step(self, begin: datetime, end: datetime) -> str:
        """The same of one step, by finer ones; of an hour, which has none, its objects."""
        if end - begin <= HOUR:
            return self.spent(begin, end, ())
        given = {"from": f"{begin:%Y-%m-%dT%H:%M}", "to": f"{end:%Y-%m-%dT%H:%M}"}
        return self._asked.url(**given, span="own", step="")

    def group(self, names: tuple[str, ...]) -> str:
        """A flow by its blocks, a block by its resources, a resource by the blocks that used it."""
        if not any(names):
            return ""
        if self._by == "resource":
            known = self._resource == names[0]
            return "" if known else self._asked.url(resource=names[0], by="block")
        if self._by == "flow":
            return self._asked.url(flow=names[0], by="block")
        if self._resource:
            return ""
        return self._asked.url(flow=names[0], block=names[1], by="resource")

    def currency(self, code: str) -> str:
        return self._asked.url(currency=code)

    # --- Lists ---------------------------------------------------------------------------------

    def spent(self, begin: datetime, end: datetime, names: tuple[str, ...]) -> str:
        """What was under way then, and may have cost something."""
        return self._list(begin, end, names, {})

    def lost(self, begin: datetime, end: datetime, names: tuple[str, ...]) -> str:
        return self._list(begin, end, names, _RETRIED)

    def vain(self, begin: datetime, end: datetime, names: tuple[str, ...]) -> str:
        return self._list(begin, end, names, {"status": "failed"})

    def _list(
        self, begin: datetime, end: datetime, names: tuple[str, ...], more: dict[str, str]
    ) -> str:
        flow, block = self._asked.flow, self._block
        if self._by != "resource" and names:
            flow, block = (*names, block)[:2]
        url, first = (self._blocks, "first_at") if block else (self._objects, "created_at")
        if not url:
            return ""
        query = {
            **self._of,
            **({"flow": flow} if flow else {}),
            **({"block": block} if block else {}),
            **more,
            f"{first}_to_0": f"{end:%Y-%m-%d}",
            f"{first}_to_1": f"{end:%H:%M:%S}",
            "updated_at_from_0": f"{begin:%Y-%m-%d}",
            "updated_at_from_1": f"{begin:%H:%M:%S}",
        }
        return f"{url}?{urlencode(query)}"
