"""What a key or a person may do with the read API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tracking import vocabulary as v
from tracking.access.keys import KeyHolder
from tracking.access.scope import Who
from tracking.api.authentication import require_scope
from tracking.errors import Forbidden

if TYPE_CHECKING:  # REST framework imports this module while it makes that class
    from rest_framework.views import APIView


RECORDS: Final = "tracking.view_transactionblock"


def may_see_records(who: Who) -> bool:
    """Raw records, and what only they hold: attributes, payloads, stack traces."""
    return isinstance(who, KeyHolder) or (who is not None and who.has_perm(RECORDS))


class MayRead(BasePermission):
    """A key needs one of the view's scopes, as a rule `read`; a person the view's permission from
    their roles, or all of them where it names several."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        who = request.user
        if who is None:
            return False  # REST framework answers 401 where nobody was authenticated
        if isinstance(who, KeyHolder):
            require_scope(who, *getattr(view, "scopes", (v.SCOPE_READ,)))
            return True
        needed = getattr(view, "permission", "tracking.view_transaction")
        for each in (needed,) if isinstance(needed, str) else needed:
            if not who.has_perm(each):
                raise Forbidden("forbidden", f"Your roles do not include {each}.")
        return True
