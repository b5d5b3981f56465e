"""Nobody sees over the wall: not with a key, not by a role, not as a superuser."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.api.http import assert_problem, get, make_key
from tests.tools import drain, make_tenant, post, record
from tracking.access.roles import sync_roles
from tracking.access.scope import visible_to
from tracking.models import (
    ApiKey,
    Membership,
    Tenant,
    Transaction,
    TransactionBlock,
    TransactionBlockProgress,
    User,
)

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ("", "/lifetime", "/blocks", "/lineage")


def two_tenants() -> None:
    for tenant in ("acme", "globex"):
        make_tenant(tenant)
        own = record(
            id=f"of-{tenant}",
            transaction=f"tx-{tenant}",
            object={"id": f"object-{tenant}", "type": "order"},
            references={"shared": "4711"},
            parents=["tx-acme", "tx-globex", "common"][1:] if tenant == "acme" else ["common"],
        )
        post([own, record(id="both", transaction="both")], tenant)
    drain()


def person(name: str, *tenants: str, role: str | None = None, **fields: object) -> Client:
    sync_roles()
    user = User.objects.create(username=name, **fields)
    if role:
        user.groups.add(Group.objects.get(name=role))
    for tenant in tenants:
        Membership.objects.create(user=user, tenant_id=tenant)
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def ids(response: object) -> set[str]:
    return {row["id"] for row in json.loads(response.content)["results"]}  # type: ignore[attr-defined]


def test_a_key_lists_its_own_tenant_whatever_it_asks_for() -> None:
    two_tenants()
    key = make_key("acme")
    own = {"tx-acme", "both"}
    assert ids(get("/api/v1/transactions", key)) == own
    for query in (
        {"q": "object-globex"},
        {"q": "tx-globex"},
        {"q": "of-globex"},
        {"object_id": "object-globex"},
        {"tenant": "globex"},
    ):
        assert ids(get("/api/v1/transactions", key, query)) == set(), query
    assert ids(get("/api/v1/transactions", key, {"q": "4711"})) == {"tx-acme"}
    assert ids(get("/api/v1/transactions", key, {"reference": "shared:4711"})) == {"tx-acme"}
    assert ids(get("/api/v1/transactions", key, {"parent": "common"})) == {"tx-acme"}
    assert ids(get("/api/v1/transactions", key, {"block": "receive"})) == own


def test_lineage_stops_at_the_wall() -> None:
    two_tenants()
    answer = json.loads(get("/api/v1/transactions/tx-acme/lineage", make_key("acme")).content)
    nodes = {node["id"]: node for node in answer["nodes"]}
    assert set(nodes) == {"tx-acme", "tx-globex", "common"}
    assert nodes["tx-globex"]["object"] is None  # a name that a record of ours gave, and no more


def test_a_member_sees_their_tenants_by_session() -> None:
    two_tenants()
    client = person("member", "acme", role="Support")
    assert ids(client.get("/api/v1/transactions")) == {"tx-acme", "both"}
    assert client.get("/api/v1/transactions/tx-acme/lifetime").status_code == 200
    assert_problem(client.get("/api/v1/transactions/tx-globex"), 404, "not_found")
    # raw records are not for Support
    assert_problem(client.get("/api/v1/transactions/tx-acme/blocks"), 403, "forbidden")
    assert_problem(client.get("/api/v1/blocks/of-acme"), 403, "forbidden")


def test_stack_traces_are_for_whoever_may_see_records() -> None:
    make_tenant()
    post([record(transaction="t", status="failed", exception={"type": "E", "stacktrace": "at x"})])
    path = "/api/v1/transactions/t/lifetime"
    seen = [
        json.loads(answer.content)["timeline"][0]["exception"]
        for answer in (
            person("developer", "acme", role="Developer").get(path),
            person("support", "acme", role="Support").get(path),
            get(path, make_key("acme")),
        )
    ]
    assert [exception["type"] for exception in seen] == ["E", "E", "E"]
    assert [exception["stacktrace"] for exception in seen] == ["at x", None, "at x"]


def test_an_account_that_was_switched_off_is_nobody() -> None:
    two_tenants()
    client = person("gone", "acme", role="Developer")
    User.objects.filter(username="gone").update(is_active=False)
    assert_problem(client.get("/api/v1/transactions"), 401, "key_missing")


def test_an_id_that_several_of_ones_tenants_have_needs_the_tenant() -> None:
    two_tenants()
    client = person("both", "acme", "globex", role="Developer")
    assert ids(client.get("/api/v1/transactions")) == {"tx-acme", "tx-globex", "both"}
    for path in ("/api/v1/transactions/both", "/api/v1/blocks/both"):
        assert_problem(client.get(path), 400, "ambiguous_tenant", parameter="tenant")
        answer = json.loads(client.get(path, {"tenant": "globex"}).content)
        assert answer["tenant"] == "globex"
    assert (
        len(json.loads(client.get("/api/v1/transactions", {"tenant": "acme"}).content)["results"])
        == 2
    )


def test_every_model_with_data_is_restricted() -> None:
    two_tenants()
    make_key("acme")
    make_key("globex")
    person("member", "acme")
    person("stranger", "globex")
    member = User.objects.get(username="member")
    for model in (Transaction, TransactionBlock, TransactionBlockProgress, ApiKey, Membership):
        assert {row.tenant_id for row in visible_to(member, model)} == {"acme"}, model
    assert [row.pk for row in visible_to(member, Tenant)] == ["acme"]
    assert [row.username for row in visible_to(member, User)] == ["member"]
    with pytest.raises(LookupError):
        visible_to(member, Group)
    for nobody in (None, User.objects.create(username="new")):
        assert not visible_to(nobody, Transaction).exists()
