"""How fast a key may post and read; whoever is faster is told when to come again (429).

A post is looked at twice: before its body is read, so that a service that does not stop costs
little, and with the number of its records. Nothing of a refused post is recorded.
"""

from __future__ import annotations

from django.conf import settings

from tracking.access import rate
from tracking.access.keys import KeyHolder
from tracking.access.rate import Verdict
from tracking.errors import BadRequest


def look(holder: KeyHolder) -> None:
    """Refuse while the key's bucket is empty; takes nothing. Raises BadRequest (429)."""
    charge(holder, 0)


def charge(holder: KeyHolder, records: int) -> dict[str, str]:
    """Take so many records of the key's rate, or refuse the post; returns headers to answer with.

    Raises BadRequest (429) with a Retry-After after which the same post passes.
    """
    per_second = _rate_of(holder)
    return _take(holder, "records", records, per_second) if per_second else {}


def settle(holder: KeyHolder, records: int) -> None:
    """Take so many records of what was recorded before they could be counted."""
    per_second = _rate_of(holder)
    if per_second and records:
        _take(holder, "records", records, per_second, forced=True)


def _rate_of(holder: KeyHolder) -> int:
    own = holder.records_per_second
    return int(settings.DFT_RATE_RECORDS if own is None else own)


def charge_reading(holder: KeyHolder) -> None:
    """Take one request of the key's rate of reading, if there is one."""
    if settings.DFT_RATE_READS:
        _take(holder, "requests", 1, settings.DFT_RATE_READS)


def _take(
    holder: KeyHolder, what: str, count: int, per_second: int, *, forced: bool = False
) -> dict[str, str]:
    burst = per_second * settings.DFT_RATE_BURST_SECONDS
    verdict = rate.take(
        settings.DFT_DATA_DIR,
        f"{what}:{holder.prefix}",
        count,
        rate=per_second,
        burst=burst,
        forced=forced,
    )
    headers = _headers(what, verdict, burst)
    if verdict.wait:
        retry = rate.seconds(verdict.wait)
        raise BadRequest(
            "rate_limited",
            f"This key may send {per_second} {what} a second, {burst} at once; come again in"
            f" {retry} s. Nothing was recorded.",
            status=429,
            limit=per_second,
            headers={**headers, "Retry-After": str(retry)},
        )
    return headers


def _headers(what: str, verdict: Verdict, burst: int) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers has them."""
    window = settings.DFT_RATE_BURST_SECONDS
    return {
        "RateLimit-Policy": f'"{what}";q={burst};w={window}',
        "RateLimit": f'"{what}";r={verdict.left};t={rate.seconds(verdict.full_in)}',
    }
