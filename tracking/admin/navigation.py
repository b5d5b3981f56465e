"""The sidebar: what there is, in groups, shown to those who may open it; and one's own menu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest
from django.urls import reverse

from tracking.access.roles import COUNT, SIMULATE

# Title, icon, and the model whose list it opens; or the name of a page, see _RIGHTS.
_GROUPS: Final = (
    (
        "Track",
        (
            ("Transactions", "conversion_path", "tracking.transaction"),
            ("Progress", "donut_large", "tracking.transactionprogress"),
            ("Blocks", "view_timeline", "tracking.transactionblockprogress"),
            ("Journal", "receipt_long", "tracking.transactionblock"),
        ),
    ),
    (
        "Flows",
        (
            ("Definitions", "account_tree", "tracking.flowdefinition"),
            ("Learned paths", "route", "tracking.flowblock"),
            ("Simulate", "science", "admin:simulate"),
        ),
    ),
    (
        "Insights",
        (
            ("Throughput", "monitoring", "admin:throughput"),
            ("Bottlenecks", "traffic_jam", "admin:bottlenecks"),
            ("Costs", "payments", "admin:costs"),
            ("Forecast", "trending_up", "admin:forecast"),
            ("Prices", "sell", "tracking.resourcerate"),
        ),
    ),
    (
        "Log",
        (
            ("Checkpoints", "verified", "tracking.logcheckpoint"),
            ("Segments", "stacks", "tracking.logsegment"),
            ("Seal queue", "hourglass_empty", "tracking.sealqueueentry"),
            ("Verifications", "verified", "tracking.verificationrun"),
        ),
    ),
    (
        "Access",
        (
            ("Tenants", "domain", "tracking.tenant"),
            ("People", "group", "tracking.user"),
            ("Memberships", "badge", "tracking.membership"),
            ("API keys", "key", "tracking.apikey"),
            ("Roles", "shield_person", "auth.group"),
            ("Access records", "visibility", "tracking.accessrecord"),
        ),
    ),
)
# What a page asks for.
_RIGHTS: Final = {
    "admin:simulate": SIMULATE,
    "admin:throughput": COUNT,
    "admin:bottlenecks": COUNT,
    "admin:costs": COUNT,
    "admin:forecast": COUNT,
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    # the home page is a search for whoever may open what it finds
    may_find = request.user.has_perm("tracking.view_transaction")
    title, icon = ("Search", "search") if may_find else ("Home", "home")
    home = {"title": title, "icon": icon, "link": reverse("admin:index")}
    groups = []
    for title, entries in _GROUPS:
        items = [_item(*entry) for entry in entries]
        if title == "Track":
            items.insert(0, home)
        groups.append({"title": title, "items": items})
    return groups


def insight_pages(request: HttpRequest) -> list[tuple[str, str]]:
    """Title and address of the pages of numbers that the reader may open."""
    entries = next(entries for title, entries in _GROUPS if title == "Insights")
    return [
        (title, reverse(label))
        for title, _icon, label in entries
        if label in _RIGHTS and request.user.has_perm(_RIGHTS[label])
    ]


def account(request: HttpRequest) -> list[dict[str, str]]:
    """The menu of whoever is signed in."""
    items = [{"title": "My second factor", "link": reverse("admin:second_factor")}]
    if request.user.is_authenticated and request.user.has_usable_password():
        items.append({"title": "Change password", "link": reverse("admin:password_change")})
    return items


def _item(title: str, icon: str, label: str) -> dict[str, Any]:
    if right := _RIGHTS.get(label):
        return {
            "title": title,
            "icon": icon,
            "link": reverse(label),
            "permission": lambda request: request.user.has_perm(right),
        }
    app, _, model = label.partition(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(app, model),
    }


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    return lambda request: any(
        request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change")
    )
