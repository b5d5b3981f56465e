"""The pages that are measured, and who visits them: signed in, or with a read key."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPResponse
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from django.urls import reverse

from tracking import clock
from tracking.admin import display as show
from tracking.bench.histories import AWKWARD, ERROR_TYPES, object_of, transaction_of
from tracking.bench.load import Line

_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Page:
    """`holds`: what its answer must hold, lest a page that tells nothing be the fastest."""

    name: str
    path: str
    holds: str
    status: int = 200


def pages() -> list[Page]:
    return [*_admin(), *_api()]


def _admin() -> Iterator[Page]:
    transactions = reverse("admin:tracking_transaction_changelist")
    journal = reverse("admin:tracking_transactionblock_changelist")
    # order 4 is delivered; it is early, so it exists whatever the size
    known, key = object_of(4), transaction_of(4)
    yield Page("home", reverse("admin:index"), "delivered")
    yield Page("search, one hit", f"{reverse('admin:find')}?q={known}", "", status=302)
    yield Page("transactions", transactions, "page-order-")
    yield Page("transactions, page 2", f"{transactions}?p=2", "page-order-")
    yield Page("transactions by status", f"{transactions}?status=failed", "page-order-")
    yield Page("transactions by object id", f"{transactions}?q={known}", known)
    yield Page(
        "transactions by error type", f"{transactions}?error_type={ERROR_TYPES[0]}", ERROR_TYPES[0]
    )
    yield Page("transactions by time range", f"{transactions}?{_two_hours()}", "page-order-")
    yield Page("lifetime", show.transaction_url(_TENANT, key), known)
    yield Page("lifetime, failed", show.transaction_url(_TENANT, transaction_of(5)), "PriceMissing")
    yield Page(
        "lifetime, awkward",
        show.transaction_url(_TENANT, AWKWARD),
        "block-299",
    )
    yield Page("progress", reverse("admin:tracking_transactionprogress_changelist"), "page-order-")
    yield Page("blocks", reverse("admin:tracking_transactionblockprogress_changelist"), "notify")
    yield Page("journal", journal, "page-")
    yield Page("journal of a transaction", f"{journal}?transaction={key}", known)
    yield Page("record", show.record_url(f"{_TENANT}/page-00000024"), known)


def _api() -> Iterator[Page]:
    base = "/api/v1"
    known, key = object_of(4), transaction_of(4)
    yield Page("API list", f"{base}/transactions", "page-order-")
    yield Page("API list by status", f"{base}/transactions?status=failed", "page-order-")
    yield Page("API list by q", f"{base}/transactions?q={known}", known)
    yield Page("API transaction", f"{base}/transactions/{key}", known)
    yield Page("API lifetime", f"{base}/transactions/{key}/lifetime", known)
    yield Page(
        "API lifetime, awkward",
        f"{base}/transactions/{AWKWARD}/lifetime",
        "block-299",
    )
    yield Page("API blocks", f"{base}/transactions/{key}/blocks", known)
    yield Page("API block", f"{base}/blocks/page-00000024", known)


def _two_hours() -> str:
    """Within the hours that the orders are spread over."""
    now = clock.now()
    sides = {"from": now - timedelta(hours=8), "to": now - timedelta(hours=6)}
    return urlencode(
        {
            f"updated_at_{side}_{part}": moment.strftime(form)
            for side, moment in sides.items()
            for part, form in enumerate(("%Y-%m-%d", "%H:%M:%S"))
        }
    )


class Visitor:
    """One person at one server: a kept-alive connection with the session's cookie and the key."""

    def __init__(self, url: str, read_key: str, session: str) -> None:
        self._line = Line(url)
        self._headers = {
            "admin": {"Cookie": session, "Accept": "text/html"},
            "api": {"Authorization": f"Bearer {read_key}", "Accept": "application/json"},
        }

    def visit(self, page: Page) -> bytes:
        headers = self._headers["api" if page.path.startswith("/api/") else "admin"]
        status, answer = self._line.ask(self._line.head("GET", page.path, headers))
        if status != page.status:
            raise AssertionError(f"{page.name} ({page.path}) was answered {status}")
        return answer

    def check(self, page: Page) -> None:
        """The first visit: the page tells what it should."""
        if page.holds.encode() not in self.visit(page):
            raise AssertionError(f"{page.name} ({page.path}) does not hold {page.holds!r}")

    def close(self) -> None:
        self._line.close()


def sign_in(url: str, user: str, password: str) -> str:
    """Sign in by the form, as a browser does; returns the Cookie header of the session."""
    address = url + reverse("admin:login")
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
        token = _cookies(answer)["dft_csrf"].value
    form = {"username": user, "password": password, "csrfmiddlewaretoken": token}
    request = urllib.request.Request(  # noqa: S310
        address, urlencode(form).encode(), {"Cookie": f"dft_csrf={token}", "Referer": address}
    )
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=60) as answer:
        cookies = _cookies(answer)
    if "dft_session" not in cookies:
        raise AssertionError("The administrator could not sign in.")
    return f"dft_session={cookies['dft_session'].value}; dft_csrf={token}"


def _cookies(answer: HTTPResponse) -> SimpleCookie:
    return SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie", [])))


class _NoRedirect(urllib.request.HTTPErrorProcessor):
    def http_response(self, request, response):  # type: ignore[no-untyped-def]
        return response

    https_response = http_response
