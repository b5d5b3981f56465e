"""Two tenants, their people, and transactions of every kind, awkward ones included.

The fixture is the policy: `person("Support")` belongs to acme alone, `root` to both tenants,
`stranger` to globex, `nobody` to none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.models import FlowDefinition, FlowStep, Membership, User

STEPS = (("receive", "ingress", 5), ("price", "processing", 60), ("ship", "egress", 200))
EVIL = "<script>alert(1)</script> שלום 😀 {{ 7*7 }} " + "x" * 120
TRACE = "Traceback (most recent call last):\n  File \"engine.py\", line 48\nKeyError: 'XAU'"


def make_person(name: str, *roles: str, tenants: tuple[str, ...] = ("acme",), **more: Any) -> User:
    user = User.objects.create(username=name, full_name=f"{name} Person", **more)
    user.groups.add(*Group.objects.filter(name__in=roles))
    for tenant in tenants:
        Membership.objects.create(user=user, tenant_id=tenant)
    return user


def define(flow: str, tenant: str = "acme") -> FlowDefinition:
    made = FlowDefinition.objects.create(
        tenant_id=tenant, flow=flow, version="1", patience_minutes=60, deadline_minutes=240
    )
    for position, (block, stage, due) in enumerate(STEPS, 1):
        FlowStep.objects.create(
            definition=made, position=position, block=block, stage=stage, due_minutes=due
        )
    return made


def make_people() -> None:
    for tenant in ("acme", "globex"):
        make_tenant(tenant)
    for role in v.ROLES:
        make_person(role.lower(), role)
    make_person("root", tenants=("acme", "globex"), is_superuser=True)
    make_person("stranger", "Auditor", tenants=("globex",))
    make_person("nobody", "Auditor", tenants=())


def make_world() -> None:
    make_people()
    define("orders")
    now = clock.now()
    post(_records(now))
    own = {"transaction": "tx-globex", "object": {"id": "globex-object", "type": "order"}}
    secret = record(id="globex-1", references={"shared": "4711"}, occurred_at=at(now, -5), **own)
    post([{**secret, "flow": "globex-flow", "block": "globex-block"}], "globex")
    drain()
    # recorded and not derived yet: lists do not know it, its page does
    post([record(id="fresh-1", transaction="tx-fresh", object={"id": "fresh", "type": "order"})])


def at(now: datetime, minutes: float) -> str:
    return clock.iso(now + timedelta(minutes=minutes))


def _records(now: datetime) -> list[dict[str, Any]]:
    def step(name: str, block: str, stage: str, status: str, minutes: float, **more: Any) -> Any:
        return record(
            id=f"{name}-{block}-{more.get('attempt', 1)}",
            object={"id": f"order-{name}", "type": "order"},
            transaction=f"tx-{name}",
            block=block,
            stage=stage,
            status=status,
            queued_at=at(now, minutes - 3),
            started_at=at(now, minutes - 2),
            occurred_at=at(now, minutes),
            **more,
        )

    failure = {
        "type": "KeyError",
        "message": "'XAU' has no rate",
        "code": "E-7",
        "location": "engine.py:48",
        "stacktrace": TRACE,
    }
    evil_exception = {"type": EVIL[:190], "message": EVIL, "stacktrace": EVIL, "location": EVIL}
    evil = {"id": EVIL, "type": "<b>type</b>"}
    return [
        step("good", "receive", "ingress", "succeeded", -60),
        step("good", "price", "processing", "failed", -50, attempt=1, exception=failure),
        step("good", "price", "processing", "succeeded", -40, attempt=2),
        step(
            "good",
            "ship",
            "egress",
            "succeeded",
            -30,
            references={"invoice": "INV-1", "shared": "4711"},
            usage=[{"resource": "cpu", "quantity": 1.5, "unit": "s"}],
            cost={"amount": "1234.5", "currency": "EUR"},
        ),
        step("bad", "receive", "ingress", "succeeded", -20),
        step(
            "bad",
            "price",
            "processing",
            "failed",
            -10,
            exception=failure,
            attributes={"host": "worker-7", "batch.size": 12},
        ),
        step("waiting", "receive", "ingress", "succeeded", -30),
        step("stalled", "receive", "ingress", "succeeded", -600),
        step("filtered", "receive", "ingress", "filtered", -30, reason="A duplicate order"),
        step("child", "receive", "ingress", "succeeded", -8, parents=["tx-bad", "tx-never"]),
        step("fixed", "receive", "ingress", "succeeded", -30, reason="wrong weight"),
        step("fixed", "price", "processing", "succeeded", -25, corrects="fixed-receive-1"),
        record(
            id="evil-1",
            object=evil,
            transaction="tx-evil",
            flow="flow <i>& 'q'",
            block="блок " + "long-name-" * 9,
            stage="processing",
            status="failed",
            occurred_at=at(now, -9),
            exception=evil_exception,
            attributes={"x-on:click": "alert(1)", "<b>": "</dd>"},
            references={"<u>": "<u>u</u>"},
        ),
        record(
            id="evil-2",
            object={"id": "another", "type": "order"},
            transaction="tx-evil",
            flow="flow <i>& 'q'",
            block="later",
            status="queued",
            occurred_at=at(now, -4),
            corrects="nowhere",
        ),
    ]


def signed_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def lifetime_url(transaction: str, tenant: str = "acme") -> str:
    return show.transaction_url(tenant, transaction)
