"""Two tenants of random content: nothing that one can reach holds a mark of the other.

Whatever one asks by values that the other has is answered as if they had never been, and what the
other posts changes nothing that one sees, but for how long the log of the installation is.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tests.access.asking import shown
from tests.access.conftest import read_once
from tests.access.crawl import crawl, text_of
from tests.access.house import EVERYTHING, KINDS, NOTHING, SUPERUSER, Kept, sign_in_user
from tests.access.marked import Marked, a_mark, furnish, records, touch_shared
from tests.api.http import bearer
from tests.tools import drain, post
from tracking import clock
from tracking.access.keys import forget_known_keys
from tracking.api.evidence import SearchEvidence
from tracking.api.transactions import TransactionList
from tracking.models import AccessRecord, Membership, User
from tracking.sign_in.backend import PasswordBackend
from tracking.verification import runs

pytestmark = pytest.mark.django_db

SEED = 7 if os.environ.get("CI") else random.SystemRandom().randrange(10**6)
HOME = "/admin/"
PROBED = ("/healthz", "/readyz", "/metrics", "/api/v1/schema", "/api/v1/docs")
MODELS = (
    *("transaction", "transactionprogress", "transactionblockprogress", "transactionblock"),
    *("flowdefinition", "flowblock", "logcheckpoint", "logsegment", "sealqueueentry"),
    *("verificationrun", "tenant", "user", "membership", "apikey"),
)
# What the length of the log, which checkpoints tell to whoever may see them, shows on.
OF_THE_LOG = re.compile(
    r"^/admin/tracking/(logcheckpoint|logsegment|verificationrun|accessrecord)/"
    r"|^/api/v1/checkpoints|^/readyz|^/metrics"
)
_LEAF = re.compile(r'"as_of":\{"leaf":\d+')

_made: list[tuple[Marked, Marked, datetime, Kept]] = []


@pytest.fixture
def pair(db: None, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two tenants, made once and put back; the clock stands still, so that pages compare."""
    cache.clear()
    forget_known_keys()
    settings.DFT_DATA_DIR = tmp_path
    monkeypatch.setattr(PasswordBackend, "_get_permissions", read_once())
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    if not _made:
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now)
        _made.append((*_two(), now, Kept()))
    else:
        now = _made[0][2]
        monkeypatch.setattr(clock, "now", lambda: now)
        _made[0][3].restore()
    mine, theirs = _made[0][:2]
    # one of theirs is verifying just now
    runs.directory().mkdir(parents=True)
    (runs.directory() / "starting").touch()
    runs.tell(theirs.people["Auditor"].username, "full", now, "records", 1, 2)
    yield mine, theirs
    cache.clear()


def _two() -> tuple[Marked, Marked]:
    chance = random.Random(SEED)
    print(f"\nseed {SEED}")
    mine, theirs = (furnish(chance, a_mark(chance)) for _ in range(2))
    drain()
    for tenant in (mine, theirs):
        post(records(tenant, 2), tenant.tenant)
    drain()
    shared = User.objects.create(username="shared", full_name="In Both")
    for tenant in (mine, theirs):
        Membership.objects.create(user=shared, tenant_id=tenant.tenant)
        touch_shared(tenant, shared)
    post(records(theirs, 2), theirs.tenant)  # waits to be sealed
    return mine, theirs


def client_of(tenant: Marked, kind: str) -> Client:
    return sign_in_user(tenant.people[kind])


def starts(tenant: Marked) -> list[str]:
    """Where a crawl begins: home, every list (also those that no link of one's own leads to)."""
    lists = [reverse(f"admin:tracking_{model}_changelist") for model in MODELS]
    found = [f"/api/v1/transactions/{each}" for each in tenant.transactions]
    return [HOME, *lists, *PROBED, "/api/v1/transactions", "/api/v1/checkpoints", *found]


def own_pages(tenant: Marked) -> list[str]:
    """What no link leads to: the parts of one's own transactions in the API."""
    parts = ("lifetime", "blocks", "lineage")
    found = [f"/api/v1/transactions/{tx}/{part}" for tx in tenant.transactions for part in parts]
    return [*found, f"/api/v1/transactions/{tenant.transactions[0]}/evidence"]


def assert_unmarked(pages: dict[str, str], mark: str) -> None:
    for url, text in pages.items():
        at = text.lower().find(mark)
        assert at < 0, f"seed {SEED}: {url} shows …{text[max(0, at - 120) : at + 60]}…"


# --- What can be reached ------------------------------------------------------------------------


# A Developer reads no more than an Auditor; who may everything is asked for more than is linked.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (EVERYTHING, "Developer")])
def test_nothing_that_is_reached_is_marked(kind: str, pair: tuple[Marked, Marked]) -> None:
    mine, theirs = pair
    pages = crawl(client_of(mine, kind), [*starts(mine), *own_pages(mine)])
    assert_unmarked(pages, theirs.mark)
    print(f"\n{kind}: {len(pages)} pages")


def test_whoever_it_belongs_to_sees_all_of_it(pair: tuple[Marked, Marked]) -> None:
    """So the marks are there to be seen, of every kind, and the crawl comes to where they are."""
    _mine, theirs = pair
    pages = crawl(client_of(theirs, EVERYTHING), [*starts(theirs), *own_pages(theirs)])
    text = "\n".join(pages.values())
    missing = [
        kind
        for kind, value in theirs.values.items()
        if not re.search(re.escape(re.match(r"[a-z0-9.-]+", value)[0]), text)  # type: ignore[index]
    ]
    assert missing == []
    assert theirs.people["Auditor"].username in text


# --- What is asked for --------------------------------------------------------------------------


def probes_of_pages(theirs: Marked, chance: random.Random) -> Iterator[tuple[str, dict[str, str]]]:
    """Every list by every parameter it knows, with values of the other tenant."""
    from django.contrib import admin

    from tracking.admin.base import parameters_of

    values = list(theirs.values.values())
    for model, page in admin.site._registry.items():
        if model is AccessRecord:
            continue  # grows by being looked at
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        url = reverse(f"admin:{label}_changelist")
        names = [name for each in page.list_filter for name in parameters_of(each)]
        for name in (*names, *getattr(page, "lookups_offered", ()), "of", "o", "e"):
            for value in (*chance.sample(values, 1), theirs.values.get(name.replace("_", " "))):
                if value:
                    yield url, {name: value}
        for value in chance.sample(values, 5 if page.search_fields else 1):
            yield url, {"q": value}
    for value in values:
        yield reverse("admin:find"), {"q": value}
        yield reverse("admin:search"), {"s": value, "extended": "1"}
    for model in ("flowdefinition", "user", "membership", "apikey"):
        url = reverse(f"admin:tracking_{model}_add")
        yield url, {"tenant": theirs.tenant, "user": str(theirs.people["Auditor"].pk)}
        yield url, {"copy": theirs.values["defined flow"]}


def probes_of_api(theirs: Marked) -> Iterator[tuple[str, dict[str, str]]]:
    kinds = ("record", "transaction", "object", "flow", "block", "reference value", "parent")
    values = [theirs.values[kind] for kind in kinds]
    values += [theirs.tenant, f"shared:{values[5]}", theirs.values["exception type"]]
    for view, path in ((TransactionList, "transactions"), (SearchEvidence, "evidence")):
        for place, name in enumerate(view.parameters):
            for value in values[place % 2 :: 2] if name not in ("q", "reference") else values:
                yield f"/api/v1/{path}", {name: value}
    for kind in ("record", "transaction"):
        for part in ("", "/lifetime", "/blocks", "/lineage", "/evidence", "/proof"):
            for room in ("transactions", "blocks"):
                yield f"/api/v1/{room}/{theirs.values[kind]}{part}", {}
    for common in ("transactions/tx-common", "blocks/common-4"):
        yield f"/api/v1/{common}", {"tenant": theirs.tenant}


def assert_as_if_never(
    client: Client, url: str, query: dict[str, str], theirs: Marked, never: str
) -> None:
    """Asked by what they have: the answer is that to what nobody ever had, but for the name."""
    told = []
    for mark in (theirs.mark, never):
        asked_url = url.replace(theirs.mark, mark)
        asked = {name: value.replace(theirs.mark, mark) for name, value in query.items()}
        address = f"{asked_url}?{urlencode(asked)}" if asked else asked_url
        answer = client.get(address)
        assert answer.status_code < 500, (SEED, address)
        if answer.streaming:
            told.append((answer.status_code, {}, text_of(answer)))
            continue
        status, headers, body = shown(answer)
        told.append((status, {n: v.replace(mark, "…") for n, v in headers.items()},
                     body.replace(mark, "…")))  # fmt: skip
    assert told[0] == told[1], (SEED, url, query, _first_difference(told[0][2], told[1][2]))
    assert theirs.mark not in told[0][2].lower()


def _first_difference(one: str, other: str) -> tuple[str, str]:
    lines = zip(one.splitlines(), other.splitlines(), strict=False)
    return next((pair for pair in lines if pair[0] != pair[1]), ("", ""))


@pytest.mark.parametrize("kind", [EVERYTHING, SUPERUSER, "Support", "Administrator", NOTHING])
def test_pages_asked_by_their_values_answer_as_if_they_never_were(
    kind: str, pair: tuple[Marked, Marked]
) -> None:
    mine, theirs = pair
    chance = random.Random(SEED + 2)
    never = a_mark(chance)
    client = client_of(mine, kind)
    count = 0
    for url, query in probes_of_pages(theirs, chance):
        if count > 0 and chance.random() < (0.4 if kind == EVERYTHING else 0.8):
            continue  # a part, each time another one: the answers are made by the same code
        assert_as_if_never(client, url, query, theirs, never)
        count += 1
    print(f"\n{kind}: {count} questions")


@pytest.mark.parametrize("who", ["Auditor", "Support", "read", "export"])
def test_the_api_asked_by_their_values_answers_as_if_they_never_were(
    who: str, pair: tuple[Marked, Marked]
) -> None:
    mine, theirs = pair
    never = a_mark(random.Random(SEED + 1))
    client = (
        client_of(mine, who)
        if who in mine.people
        else Client(raise_request_exception=False, headers=bearer(mine.keys[who]))
    )
    count = 0
    for url, query in probes_of_api(theirs):
        assert_as_if_never(client, url, query, theirs, never)
        count += 1
    print(f"\n{who}: {count} questions")


# --- How much there is --------------------------------------------------------------------------


def test_what_others_post_changes_nothing_but_the_length_of_the_log(
    pair: tuple[Marked, Marked],
) -> None:
    """No count, total, choice, order or freshness tells one tenant how much another has."""
    mine, theirs = pair
    client = client_of(mine, EVERYTHING)
    pages = [*starts(mine), *own_pages(mine)]
    drain()
    before = _comparable(crawl(client, pages))
    post(records(theirs, 30), theirs.tenant)
    drain()
    cache.clear()
    after = _comparable(crawl(client, pages))
    assert before.keys() == after.keys()
    changed = [
        (url, _first_difference(before[url], after[url]))
        for url in before
        if before[url] != after[url]
    ]
    assert changed == [], f"seed {SEED}"
    assert len(before) > 60


def _comparable(pages: dict[str, str]) -> dict[str, str]:
    return {
        url: _LEAF.sub("", text)
        for url, text in pages.items()
        # a package names the checkpoint that it was made under, a form the time of asking for it
        if not OF_THE_LOG.match(url)
        and not url.split("?")[0].rstrip("/").endswith(("evidence", "add"))
    }
