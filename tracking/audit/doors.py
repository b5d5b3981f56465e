"""Who came in, who was turned away: sign-ins, sign-outs, keys that open nothing any more."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from tracking import clock
from tracking import vocabulary as v
from tracking.access.second_factor import second_factor_changed
from tracking.audit.access import Access, Actor, record_access
from tracking.audit.who import STRANGER, access_of, actor_of_user
from tracking.models import ApiKey, Membership, User
from tracking.models.base import new_uuid
from tracking.sso.people import rights_followed

logger = logging.getLogger(__name__)

# A service that goes on with a revoked key asks many times a second.
_TOLD_EVERY: Final = timedelta(minutes=1)
_TOLD_MOST: Final = 1_000
_told: dict[tuple[str, str], datetime] = {}


def listen() -> None:
    """Begin to write down who signs in and out; a sign-in that cannot be is none."""
    for signal, receiver in (
        (user_logged_in, _signed_in),
        (user_logged_out, _signed_out),
        (user_login_failed, _refused),
        (second_factor_changed, _second_factor),
        (rights_followed, _rights),
    ):
        signal.connect(receiver, dispatch_uid=f"tracking.audit.{receiver.__name__}")


def _is_asked(request: HttpRequest | None) -> bool:
    """Not by a program that only makes a session."""
    return request is not None and request.method is not None


def _signed_in(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if request is not None and _is_asked(request) and isinstance(user, User):
        _at_the_door(request, user, v.SIGN_IN, v.ACCESS_DONE)


def _signed_out(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if request is not None and _is_asked(request) and isinstance(user, User):
        _at_the_door(request, user, v.SIGN_OUT, v.ACCESS_DONE)


def _at_the_door(request: HttpRequest, user: User, action: str, outcome: str) -> None:
    actor = actor_of_user(user, getattr(request, "session", None))
    record_access(
        access_of(request, actor, clock.now(), action, outcome, tenants=_tenants_of(user), terms={})
    )


def _refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody who does not prove to be whom they name. A name that nobody has is not kept: it
    may be a password that was typed into the wrong field."""
    if request is None or not _is_asked(request):
        return
    name = credentials.get("username")
    user = User.objects.filter(username=name).first() if isinstance(name, str) else None
    record_access(
        access_of(
            request,
            STRANGER,
            clock.now(),
            v.SIGN_IN,
            v.ACCESS_REFUSED,
            # asked for in any case: an answer must not come sooner where there is nobody
            tenants=_tenants_of(user or User(pk=new_uuid())),
            target=f"user {user.get_username()}" if user else "",
            terms={},
        )
    )


def _second_factor(user: User, what: str, by: User | None, **_: Any) -> None:
    actor = actor_of_user(by) if by else Actor(v.OPERATOR, "operator", _operator())
    _changed(actor, user, "second factor", what, _tenants_of(user), "admin" if by else "command")


def _rights(user: User, what: str, tenants: Iterable[str], **_: Any) -> None:
    provider = Actor(v.OPERATOR, "provider", "single sign-on")
    _changed(provider, user, "rights", what, sorted(tenants), "single sign-on")


def _changed(actor: Actor, user: User, field: str, what: str, tenants: list[str], via: str) -> None:
    record_access(
        Access(
            actor,
            clock.now(),
            v.CHANGE,
            v.ACCESS_DONE,
            tenants=tenants,
            via=via,
            target=f"user {user.get_username()}",
            changes=[(field, "", what)],
        )
    )


def _tenants_of(user: User) -> list[str]:
    return list(Membership.objects.filter(user=user).values_list("tenant_id", flat=True))


def tell_refused_key(request: HttpRequest, prefix: str, code: str, sentence: str) -> None:
    """That a key whose secret was known opened nothing, once a minute; never fails."""
    moment = clock.now()
    last = _told.get((prefix, code))
    if last is not None and timedelta(0) <= moment - last < _TOLD_EVERY:
        return
    if len(_told) >= _TOLD_MOST:
        _told.clear()
    _told[prefix, code] = moment
    actor = Actor(v.KEY, prefix, f"dft_{prefix}_…", (), f"key-{prefix}")
    try:
        tenants = list(ApiKey.objects.filter(pk=prefix).values_list("tenant_id", flat=True))
        record_access(
            access_of(
                request,
                actor,
                moment,
                v.SIGN_IN,
                v.ACCESS_REFUSED,
                tenants=tenants,
                reason=f"{code}: {sentence}",
            )
        )
    except Exception as error:
        # it was refused anyway, and a service must not learn of our troubles
        logger.warning("a refused key was not written down: %s", type(error).__name__)


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def record_by_command(command: str, tenant: str, target: str, what: str) -> None:
    """That the operator changed something from the command line; raises NotRecorded."""
    record_access(
        Access(
            Actor(v.OPERATOR, "operator", _operator()),
            clock.now(),
            v.CHANGE,
            v.ACCESS_DONE,
            tenants=[tenant],
            via="command",
            page=command,
            target=target,
            changes=[("it", "", what)],
        )
    )
