"""How often one may try to sign in before one has to wait: the rules behind django-axes.

Counted are tries that failed, per user name and per address, each for as long as a lock lasts:

- a browser that is new to the user: few tries for the name, whatever addresses they come from, so
  that many addresses do not help against one user; and not many for its address, whatever names
  are tried, so that one address does not get at many users;
- a browser that the user has signed in with before: few tries of its own, and no other limit, so
  that no stranger can lock somebody out for good (browsers.py).

A try is counted before the password is looked at, and given back where it was right: however many
are made at once, no more than the limit are looked at. While locked nothing is counted, so a lock
ends by itself. Everybody is counted alike, users that do not exist as well.

Names that are nobody's are kept as a keyed hash: people type passwords into the wrong field.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from tracking import clock
from tracking.access.origin import asked_from
from tracking.models import User
from tracking.mongo.connection import collection
from tracking.sign_in import browsers

_SALT: Final = "tracking.sign_in.lockout"
# An IPv6 network of one customer, who may use any of its 2^64 addresses.
_IPV6_PREFIX: Final = 64

# Who sends `user_login_failed` for a sign-in at the provider.
SINGLE_SIGN_ON: Final = "single sign-on"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Try:
    """Who is tried, from where, with which browser: one counter."""

    name: str
    address: str | None
    browser: str

    @property
    def found(self) -> dict[str, Any]:
        """As django-axes keeps it; its field for user agents, which anybody may make up, holds
        the mark of the browser."""
        return {
            "username": self.name,
            "ip_address": self.address,
            "user_agent": self.browser,
        }


def client_address(request: HttpRequest) -> str | None:
    """From where a request comes as far as tries are counted; proxies are believed as elsewhere."""
    address = asked_from(request.META, settings.DFT_TRUSTED_PROXIES)
    return counted_address(str(address)) if address else None


def counted_address(text: str) -> str:
    """An address as it is counted: of IPv6, the network of its customer."""
    if ":" not in text:
        return text
    return str(ip_network((text, _IPV6_PREFIX), strict=False).network_address)


def try_of(request: HttpRequest, typed: str) -> Try:
    """The counter of a name as typed. One question to the database, whoever it is."""
    keys = list(User.objects.filter(username=typed).values_list("pk", flat=True)[:1])
    address = client_address(request)
    if keys:
        return Try(typed, address, browsers.mark_of(request, keys[0]))
    hidden = salted_hmac(_SALT, typed, algorithm="sha256").hexdigest()[:40]
    return Try(f"?{hidden}", address, browsers.NEW)


def claim(request: HttpRequest, made: Try, moment: datetime) -> bool:
    """Count a try before it is made; False where it may not be made now."""
    if until := locked_until(made, moment):
        return _refuse(request, until)
    _count(made, moment)
    # those who came at the same time were counted as well
    if until := locked_until(made, moment, more=1):
        give_back(request, made)
        return _refuse(request, until)
    request.dft_claimed = True  # type: ignore[attr-defined]
    return True


def give_back(request: HttpRequest, made: Try) -> None:
    """It was right after all, or not made."""
    _rows().update_one(made.found, {"$inc": {"failures_since_start": -1}})
    request.dft_claimed = False  # type: ignore[attr-defined]


def locked_until(made: Try, moment: datetime, *, more: int = 0) -> datetime | None:
    """When such a try may be made again, None: now. `more`: beyond the limits."""
    last = timedelta(minutes=settings.DFT_SIGN_IN_LOCK_MINUTES)
    counted = AccessAttempt.objects.filter(
        attempt_time__gt=moment - last, user_agent=made.browser
    ).order_by()
    ends = [_end(counted.filter(username=made.name), settings.DFT_SIGN_IN_FAILURES + more, last)]
    if made.browser == browsers.NEW and made.address is not None:
        here = counted.filter(ip_address=made.address)
        ends.append(_end(here, settings.DFT_SIGN_IN_ADDRESS_FAILURES + more, last))
    return max((end for end in ends if end), default=None)


def _end(rows: Any, limit: int, last: timedelta) -> datetime | None:
    """When fewer than `limit` failures of these are left to count; None: they are fewer now."""
    found: Iterable[tuple[datetime, int]] = rows.values_list("attempt_time", "failures_since_start")
    total = 0
    for when, failures in sorted(found, reverse=True):
        total += failures
        if total >= limit:
            return when + last
    return None


def _refuse(request: HttpRequest, until: datetime) -> bool:
    request.axes_locked_out = True  # type: ignore[attr-defined]
    request.dft_locked_until = until  # type: ignore[attr-defined]
    return False


def _count(made: Try, moment: datetime) -> None:
    """One failure more, in one write: none is lost, whoever counts at the same time."""
    old = moment - timedelta(minutes=settings.DFT_SIGN_IN_LOCK_MINUTES)
    before = {
        "$cond": [{"$gt": ["$attempt_time", old]}, {"$ifNull": ["$failures_since_start", 0]}, 0]
    }
    unused = {"get_data": "", "post_data": "", "http_accept": "", "path_info": ""}
    change = {"attempt_time": moment, "failures_since_start": {"$add": [before, 1]}, **unused}
    try:
        _rows().update_one(made.found, [{"$set": change}], upsert=True)
    except DuplicateKeyError:  # another one made it at the same moment
        _rows().update_one(made.found, [{"$set": change}], upsert=True)


class Handler(AxesDatabaseHandler):
    """What django-axes asks: its signals, commands and middleware, with the rules above."""

    def is_locked(self, request: HttpRequest, credentials: Any = None) -> bool:
        made = try_of(request, _name(credentials))
        return locked_until(made, clock.now()) is not None

    def get_failures(self, request: HttpRequest, credentials: Any = None) -> int:
        made = try_of(request, _name(credentials))
        counts = AccessAttempt.objects.filter(username=made.name, user_agent=made.browser)
        return sum(counts.values_list("failures_since_start", flat=True))

    def user_login_failed(
        self, sender: Any, credentials: Any, request: HttpRequest | None = None, **_: Any
    ) -> None:
        """Count it, unless whoever looked at the password or the code has done so before."""
        if request is None or sender == SINGLE_SIGN_ON:
            return  # nothing was guessed at there that a lock would keep anybody from
        moment, made = clock.now(), try_of(request, _name(credentials))
        if not getattr(request, "axes_locked_out", False):
            if not getattr(request, "dft_claimed", False):
                _count(made, moment)
            request.dft_claimed = False  # type: ignore[attr-defined]
            if until := locked_until(made, moment):
                _refuse(request, until)
        locked = getattr(request, "axes_locked_out", False)
        log.log(
            logging.WARNING if locked else logging.INFO,
            "a sign-in as %s from %s failed%s",
            made.name,
            made.address or "here",
            ": locked" if locked else "",
        )

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
        """Forget what this browser got wrong; what others tried elsewhere stays counted."""
        made = Try(user.username, client_address(request), browsers.mark_of(request, user.pk))
        _rows().delete_many(made.found)

    def user_logged_out(self, sender: Any, request: Any, user: Any, **_: Any) -> None:
        """Of no matter here."""

    def reset_attempts(
        self,
        *,
        ip_address: str | None = None,
        username: str | None = None,
        ip_or_username: bool = False,
    ) -> int:
        """For the commands axes_reset_username and axes_reset_ip: unlock by name or address."""
        found: dict[str, Any] = {}
        if ip_address:
            found["ip_address"] = counted_address(ip_address)
        if username:
            found["username"] = username
        if ip_or_username and found:
            found = {"$or": [{name: value} for name, value in found.items()]}
        return _rows().delete_many(found).deleted_count


def _rows() -> Collection:
    # past the ORM, whose transactions would fail where another try is counted at the same moment
    return collection(AccessAttempt._meta.db_table)


def _name(credentials: Any) -> str:
    return str((credentials or {}).get("username") or "")
