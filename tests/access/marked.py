"""Random content of a tenant that can be recognised wherever it turns up.

Everything a tenant has, ids, names, texts, people, keys, runs, holds its mark: letters that no
page and no other tenant has by chance, and that no escaping changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final

from django.contrib.auth.models import Group
from django.urls import reverse

from tests.access.house import EVERYTHING, KINDS, NOTHING, SUPERUSER, sign_in_user
from tests.tools import post
from tracking import clock
from tracking import vocabulary as v
from tracking.access.keys import create_key
from tracking.models import ApiKey, FlowDefinition, FlowStep, Membership, Tenant, User
from tracking.verification import runs
from tracking.verification.report import FULL, Report

_LETTERS: Final = "bcdfghjkmnpqrstvwxz"
_TAILS: Final = ("", " <i>&amp;'\"", " ünï שלום", "/a b", "%2F..", ' "x"', "=1+1")


def a_mark(random: Random) -> str:
    return "".join(random.choices(_LETTERS, k=10))


@dataclass
class Marked:
    """`values`: what the tenant has, by kind; `keys`: texts by scope."""

    random: Random
    mark: str
    people: dict[str, User] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    transactions: list[str] = field(default_factory=list)
    number: int = 0

    @property
    def tenant(self) -> str:
        return f"{self.mark}-t"

    def a(self, kind: str, *, plain: bool = False, most: int = 100) -> str:
        """A new value of a kind; `plain`: of the characters of ids."""
        self.number += 1
        tail = "" if plain else self.random.choice(_TAILS)
        made = f"{self.mark}.{kind.replace(' ', '-')}.{self.number}{tail}"[:most]
        self.values[kind] = made
        return made


def furnish(random: Random, mark: str) -> Marked:
    """A tenant with people of every kind, flows, keys, records and a verification."""
    made = Marked(random, mark)
    Tenant.objects.create(slug=made.tenant, name=made.a("tenant name", most=60))
    for kind in KINDS:
        made.people[kind] = _person(made, kind)
    _definitions(made)
    for scope in v.SCOPES:
        made.keys[scope] = create_key(tenant=made.tenant, name=made.a("key name"), scopes=[scope])[
            1
        ]
    post(records(made, 7), made.tenant)
    _run(made)
    return made


def _person(made: Marked, kind: str) -> User:
    user = User.objects.create(
        username=f"{made.mark}-{kind.lower()}",
        full_name=made.a("full name"),
        email=f"{made.mark}@{made.mark}.example",
        is_superuser=kind == SUPERUSER,
    )
    roles = {EVERYTHING: v.ROLES, SUPERUSER: (), NOTHING: ()}.get(kind, (kind,))
    user.groups.add(*Group.objects.filter(name__in=roles))
    Membership.objects.create(user=user, tenant_id=made.tenant)
    made.values["user name"] = user.username
    return user


def _definitions(made: Marked) -> None:
    for number in (1, 2):
        definition = FlowDefinition.objects.create(
            tenant_id=made.tenant,
            flow=made.a("defined flow"),
            version=made.a("version", plain=True),
            note=made.a("note"),
        )
        FlowStep.objects.create(
            definition=definition,
            position=number,
            block=made.a("step"),
            stage="egress",
        )


def records(made: Marked, count: int) -> list[dict[str, Any]]:
    """Of a few transactions, with every field that a record can have."""
    random, now = made.random, clock.now()
    flows = [made.a("flow"), made.values["defined flow"], "orders"]
    found = []
    for place in range(count):
        # ids and names that the other tenant has, too, with other contents
        common = place % 5 == 4
        if not common and (not made.transactions or random.random() < 0.4):
            made.transactions.append(made.a("transaction", plain=True))
            transaction = made.transactions[-1]
        else:
            transaction = random.choice(made.transactions)
        status = random.choice(
            ("queued", "started", "succeeded", "succeeded", "failed", "filtered")
        )
        one: dict[str, Any] = {
            "id": f"common-{place}" if common else made.a("record", plain=True),
            "transaction": "tx-common" if common else transaction,
            "object": {
                "id": "object-common" if common else made.a("object"),
                "type": made.a("object type"),
            },
            "flow": flows[place % len(flows)],
            "flow_version": made.a("flow version", plain=True),
            "block": made.a("block"),
            "stage": random.choice(v.STAGES),
            "status": status,
            "occurred_at": clock.iso(now - timedelta(minutes=random.randint(1, 3000))),
            "reason": made.a("reason"),
            "attributes": {made.a("attribute name"): made.a("attribute value")},
            "references": {made.a("reference name"): made.a("reference value"), "shared": "4711"},
            "parents": [made.a("parent", plain=True)],
            "usage": [
                {"resource": made.a("resource"), "quantity": 1, "unit": made.a("unit", most=50)}
            ],
            "cost": {"amount": "12.5", "currency": "EUR"},
            "payload": {
                "content": made.a("payload"),
                "uri": made.a("payload uri"),
                "hash": made.a("payload hash"),
                "content_type": made.a("payload type"),
            },
            "subject": made.a("subject"),
        }
        if status == "failed":
            names = ("type", "message", "code", "location", "stacktrace")
            one["exception"] = {name: made.a(f"exception {name}") for name in names}
        found.append(one)
    # one that failed, so that every kind is there
    if "exception type" not in made.values:
        names = ("type", "message", "code", "location", "stacktrace")
        found[-1] |= {
            "status": "failed",
            "exception": {name: made.a(f"exception {name}") for name in names},
        }
    return found


def _run(made: Marked) -> None:
    """A verification that one of theirs started, with a finding about a record of theirs."""
    report = Report(FULL, clock.now(), ended_at=clock.now(), size=7, records=7)
    key = f"{made.tenant}/{made.values['record']}"
    report.target = f"{made.tenant}/{made.transactions[0]}"
    report.findings.add("record_changed", made.a("finding"), tenant=made.tenant, record=key, leaf=3)
    runs.keep(report, made.people["Auditor"].username)


def touch_shared(made: Marked, shared: User) -> None:
    """Somebody of this tenant changes a person who belongs to another one as well."""
    client = sign_in_user(made.people[SUPERUSER])
    held = Membership.objects.get(user=shared, tenant_id=made.tenant)
    body = {
        "username": shared.username,
        "full_name": "Changed",
        "email": "",
        "is_active": "on",
        "is_staff": "on",
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 1,
        "memberships-0-id": held.pk,
        "memberships-0-user": shared.pk,
        "memberships-0-tenant": made.tenant,
    }
    url = reverse("admin:tracking_user_change", args=[shared.pk])
    assert client.post(url, body).status_code == 302
    key = ApiKey.objects.get(name=made.values["key name"])
    url = reverse("admin:tracking_apikey_change", args=[key.pk])
    assert client.post(url, {"name": made.a("key name"), "networks": ""}).status_code == 302
