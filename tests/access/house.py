"""Two tenants of equal furniture: whatever acme has, globex has under other names.

The fixture is the policy: in each tenant a person for each role, one with all of them, one with
none, and a superuser; in none a person with every role, and one of acme who may not sign in.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from bson import ObjectId
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.test import Client

from tests.admin.world import define
from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.access.keys import create_key, revoke
from tracking.access.roles import role_permissions
from tracking.access.scope import access_tenant
from tracking.audit.access import Access, Actor, record_access
from tracking.models import (
    AccessRecord,
    ApiKey,
    FlowBlock,
    LogCheckpoint,
    LogSegment,
    Membership,
    ResourceRate,
    SealQueueEntry,
    User,
)
from tracking.mongo.connection import collection
from tracking.verification import runs
from tracking.verification.report import FULL, Report

TENANTS: Final = ("acme", "globex")
# A second tenant of acme's administrators, so that there is a membership to give.
ANNEX: Final = "acme-annex"
PASSWORD: Final = "correct horse battery staple"
SUPERUSER, EVERYTHING, NOTHING = "superuser", "everything", "nothing"
# What the roles' table leaves to superusers: groups beside the five roles.
SUPERUSERS_ALONE: Final = frozenset(f"auth.{verb}_group" for verb in ("add", "change", "delete"))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks; `tenant` None: of none, `may_sign_in` False: as if not signed in."""

    kind: str
    tenant: str | None = "acme"
    may_sign_in: bool = True

    @property
    def name(self) -> str:
        return f"{self.tenant or 'no-tenant'}-{self.kind.lower()}"

    @property
    def roles(self) -> tuple[str, ...]:
        if self.kind in v.ROLES:
            return (self.kind,)
        return v.ROLES if self.kind in (EVERYTHING, "homeless", "barred") else ()

    @property
    def may(self) -> frozenset[str]:
        """By the table of roles alone; a superuser may what any role may."""
        roles = v.ROLES if self.kind == SUPERUSER else self.roles
        found = frozenset[str]().union(*map(role_permissions, roles))
        return found | SUPERUSERS_ALONE if self.kind == SUPERUSER else found

    @property
    def is_also_of_the_annex(self) -> bool:
        """Who makes memberships needs another tenant to make them of."""
        return self in STAFF and "tracking.add_membership" in self.may

    def __str__(self) -> str:
        return self.name


KINDS: Final = (*v.ROLES, SUPERUSER, EVERYTHING, NOTHING)
STRANGER: Final = Person("stranger", None, may_sign_in=False)
BARRED: Final = Person("barred", "acme", may_sign_in=False)
HOMELESS: Final = Person("homeless", None)
STAFF: Final = tuple(Person(kind) for kind in KINDS)
OTHERS: Final = tuple(Person(kind, "globex") for kind in KINDS)
SCOPES: Final[dict[str, tuple[str, ...]]] = {
    **{scope: (scope,) for scope in v.SCOPES},
    "all": v.SCOPES,
    "revoked": v.SCOPES,
    "expired": v.SCOPES,
    "elsewhere": v.SCOPES,
    "globex": v.SCOPES,
}


@dataclass(frozen=True, slots=True)
class House:
    """`ids`: by tenant and kind, as the database has them; `keys`: texts by name in SCOPES."""

    ids: dict[str, dict[str, str]]
    keys: dict[str, str]

    def id(self, kind: str, whose: str) -> str:
        """Of acme's (`own`), of globex (`other`), or of nothing that ever was (`none`)."""
        if whose == "none":
            return _nothing(kind)
        return self.ids["acme" if whose == "own" else "globex"][kind]


def _nothing(kind: str) -> str:
    return {
        # of globex, so that it differs in the last part alone from what globex has
        "transaction": "globex/tx-nowhere",
        "progress": "globex/tx-nowhere/ship",
        "record": "globex/rec-nowhere",
        "tenant": "nowhere",
        "apikey": "zzzzzzzzzz",
        "access": "~globex/0197f6a2-6d1c-7a61-9f0e-3f2a4b5c6d7e",
        "group": "0123456789abcdef01234567",
        "segment": "987654",
        "checkpoint": "987654",
        "flowblock": "globex/nowhere1\x1fnowhere2\x1fnowhere3",
    }.get(kind, "0197f6a2-6d1c-7a61-9f0e-3f2a4b5c6d7e")


@functools.cache
def _hashed() -> str:
    return make_password(PASSWORD)


def make_house() -> House:
    for tenant in (*TENANTS, ANNEX):
        make_tenant(tenant)
    for person in (*STAFF, *OTHERS, BARRED, HOMELESS):
        _admit(person)
    for person in STAFF:
        if person.is_also_of_the_annex:
            Membership.objects.create(user=User.objects.get(username=person.name), tenant_id=ANNEX)
    own_group = Group.objects.create(name="own group")
    ids = {tenant: _furnish(tenant, own_group) for tenant in TENANTS}
    for tenant in TENANTS:  # one batch of each that waits to be sealed
        post([record(id=f"waits-{tenant}", transaction=f"tx-waits-{tenant}")], tenant)
        ids[tenant]["queue"] = str(SealQueueEntry.objects.get(tenant=tenant).pk)
    return House(ids, _make_keys())


def _admit(person: Person) -> User:
    user = User.objects.create(
        username=person.name,
        full_name=f"{person.name} Person",
        password=_hashed(),
        is_superuser=person.kind == SUPERUSER,
        is_staff=person.kind != "barred",
    )
    user.groups.add(*Group.objects.filter(name__in=person.roles))
    if person.tenant:
        Membership.objects.create(user=user, tenant_id=person.tenant)
    return user


def _furnish(tenant: str, group: Group) -> dict[str, str]:
    definition = define("orders", tenant)
    now = clock.now()
    for flow in ("orders", f"plain-{tenant}"):
        name = tenant if flow == "orders" else f"plain-{tenant}"
        post([_step(name, flow, *step, now) for step in _STEPS], tenant)
    drain()
    target = _admit(Person("target", tenant))
    held = Membership.objects.get(user=target)
    # one that every administrator may rotate
    key = ApiKey.objects.get(pk=create_key(tenant=tenant, name="door", scopes=["ingest"])[0].pk)
    rate = ResourceRate(
        tenant_id=tenant,
        resource="cpu",
        unit="s",
        price=Decimal("0.5"),
        currency="EUR",
        valid_from=datetime(2198, 1, 1, tzinfo=UTC),
    )
    rate.save()
    actor = Actor(v.USER, target.pk.hex, target.username)
    record_access(Access(actor, clock.now(), v.LIST, v.ACCESS_DONE, tenants=[tenant]))
    looked = AccessRecord.objects.filter(tenant_id=access_tenant(tenant)).order_by("-pk")[0]
    report = Report(FULL, clock.now(), ended_at=clock.now(), size=6, records=6)
    return {
        "transaction": f"{tenant}/tx-{tenant}",
        "progress": f"{tenant}/tx-{tenant}/ship",
        "record": f"{tenant}/rec-{tenant}-ship",
        "flowblock": str(FlowBlock.objects.filter(tenant=tenant)[0].pk),
        "definition": str(definition.pk),
        "tenant": tenant,
        "user": str(target.pk),
        "membership": str(held.pk),
        "apikey": key.pk,
        "rate": str(rate.pk),
        "access": looked.pk,
        "group": str(group.pk),
        "checkpoint": str(LogCheckpoint.objects.order_by("-size")[0].pk),
        # sealed when nothing of the other tenant waited
        "segment": str(LogSegment.objects.order_by("-start")[0].pk),
        "run": runs.keep(report, f"{tenant}-auditor"),
    }


_STEPS: Final = (
    ("receive", "ingress", 30),
    ("price", "processing", 20),
    ("ship", "egress", 10),
)


def _step(name: str, flow: str, block: str, stage: str, minutes: int, now: Any) -> dict[str, Any]:
    return record(
        id=f"rec-{name}-{block}",
        transaction=f"tx-{name}",
        object={"id": f"object-{name}", "type": "order"},
        flow=flow,
        block=block,
        stage=stage,
        occurred_at=clock.iso(now - timedelta(minutes=minutes)),
        references={"invoice": f"INV-{name}"},
    )


def _make_keys() -> dict[str, str]:
    made = {}
    for name, scopes in SCOPES.items():
        key, text = create_key(
            tenant="globex" if name == "globex" else "acme",
            name=f"key {name}",
            scopes=scopes,
            expires_at=clock.now() - timedelta(seconds=1) if name == "expired" else None,
            networks=["203.0.113.0/24"] if name == "elsewhere" else (),
        )
        if name == "revoked":
            revoke(key.pk)
        made[name] = text
    return made


def sign_in(person: Person, **more: Any) -> Client:
    """A browser of theirs; of those who may not, one that is not signed in."""
    user = User.objects.filter(username=person.name).first()
    return sign_in_user(user, **more) if user else Client(raise_request_exception=False, **more)


def sign_in_user(user: User, **more: Any) -> Client:
    client = Client(raise_request_exception=False, **more)
    client.force_login(user)
    return client


# --- What there is, before and after -----------------------------------------------------------

Stored = dict[str, list[dict[str, Any]]]
# Written by asking alone, whatever the answer: sessions, attempts to sign in, when a key was used.
_NOT_COMPARED: Final = ("django_session", "axes_", "django_migrations")
_TOUCHED: Final = {"api_key": {"last_used_at": 0}, "user": {"last_login": 0}}


def stored() -> Stored:
    """All that is kept, but for who looked: access records stand under tenants of their own."""
    database = collection("user").database
    found: Stored = {}
    for name in sorted(database.list_collection_names(filter={"type": "collection"})):
        if not name.startswith(_NOT_COMPARED):
            rows = database[name].find({}, _TOUCHED.get(name)).sort("_id", 1)
            if kept := [row for row in rows if not str(row.get("tenant", "")).startswith("~")]:
                found[name] = kept
    return found


def difference(before: Stored, after: Stored) -> list[str]:
    """What changed, by collection, in words to read."""
    said = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, []), after.get(name, [])
        said += [f"- {name} {row}" for row in old if row not in new]
        said += [f"+ {name} {row}" for row in new if row not in old]
    return said


class Kept:
    """The whole database at a moment, to go back to."""

    def __init__(self) -> None:
        self.database = collection("user").database
        names = self.database.list_collection_names(filter={"type": "collection"})
        self.rows = {name: list(self.database[name].find()) for name in names}

    def restore(self, *, all_of_it: bool = True) -> None:
        for name in self.database.list_collection_names(filter={"type": "collection"}):
            wanted = self.rows.get(name, [])
            if name.startswith("django_migrations"):
                continue
            if all_of_it or list(self.database[name].find()) != wanted:
                self.database[name].delete_many({})
                if wanted:
                    self.database[name].insert_many(wanted)


def runs_of_tests(who: str) -> None:
    """In place of a process that verifies, which its own tests start: that one was asked for."""
    collection("started_by_test").insert_one({"_id": ObjectId(), "who": who})
