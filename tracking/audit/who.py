"""A request → who asks for what, as an access; and what a view says of its own that it showed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest

from tracking import vocabulary as v
from tracking.access.keys import KeyHolder
from tracking.access.origin import address_of_request
from tracking.access.scope import tenants_of
from tracking.audit.access import Access, Actor, session_name
from tracking.models import User

STRANGER: Final = Actor(v.STRANGER, "unknown")
_NOT_TERMS: Final = frozenset(("csrfmiddlewaretoken", "password"))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows or changes: of these transactions, of this record."""

    tenants: Sequence[str] = ()
    transactions: Sequence[str] = ()
    record: str = ""


def say_shown(
    request: HttpRequest,
    *,
    tenants: Iterable[str] = (),
    transactions: Iterable[str] = (),
    record: str = "",
) -> None:
    """For views: what of all that the address could mean they show."""
    request.dft_shown = Shown(list(tenants), list(transactions), record)


def say_given(request: HttpRequest, wanted: Sequence[tuple[str, str]]) -> None:
    """For evidence that leaves the house: tenant and id of each transaction."""
    say_shown(
        request,
        tenants=dict.fromkeys(tenant for tenant, _ in wanted),
        transactions=[transaction for _, transaction in wanted],
    )


def say_missing(request: HttpRequest) -> None:
    """For views that answer with a page where there is nothing of the name asked for."""
    request.dft_missing = True


def actor_of(request: HttpRequest) -> Actor | None:
    """Who is signed in, or holds the key; None for anybody else."""
    who = getattr(request, "user", None)
    if isinstance(who, KeyHolder):
        return Actor(v.KEY, who.prefix, f"dft_{who.prefix}_…", (), f"key-{who.prefix}")
    if isinstance(who, User):
        return actor_of_user(who, getattr(request, "session", None))
    return None


def actor_of_user(user: User, session: Any = None) -> Actor:
    roles = sorted(group.name for group in user.groups.all())
    if user.is_superuser:
        roles.append("superuser")
    key = getattr(session, "session_key", None)
    name = session_name("session", key) if key else f"user-{user.pk.hex[:16]}"
    return Actor(v.USER, user.pk.hex, user.get_username(), tuple(roles), name)


def tenants_about(request: HttpRequest) -> list[str]:
    """Whose data the request is about: what the view said, else what it narrows to, else all that
    the asker may see. Never somebody else's: that one is asked about is no matter of theirs."""
    mine = getattr(request, "dft_tenants", None)
    if mine is None:
        mine = tenants_of(request.user)
    shown: Shown = getattr(request, "dft_shown", None) or Shown()
    wanted = shown.tenants or [request.GET.get("of") or request.GET.get("tenant")]
    return [tenant for tenant in mine if tenant in wanted] or mine


def access_of(
    request: HttpRequest, actor: Actor, moment: datetime, action: str, outcome: str, **more: Any
) -> Access:
    """What the request says by itself; `more` are further fields of the access."""
    shown: Shown = getattr(request, "dft_shown", None) or Shown()
    match = request.resolver_match
    told: dict[str, Any] = {
        "via": "api" if request.path.startswith("/api/") else "admin",
        "page": (match.view_name or match.route) if match else "",
        "method": request.method or "",
        "address": str(address_of_request(request) or ""),
        "agent": request.META.get("HTTP_USER_AGENT", ""),
        "transactions": shown.transactions,
        "record": shown.record,
        "terms": terms_of(request),
    }
    return Access(actor, moment, action, outcome, **{**told, **more})


def terms_of(request: HttpRequest) -> dict[str, list[str]]:
    return {name: values for name, values in request.GET.lists() if name not in _NOT_TERMS}
