"""Access records are journal records, sealed and in no list; any input makes a valid one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tests.admin.world import lifetime_url, signed_in
from tests.audit.looks import accesses
from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.access.scope import tenants_of, visible_to
from tracking.audit.access import Access, Actor, record_access, wire_of
from tracking.core.record import Record, read_record
from tracking.errors import ImmutableRecord
from tracking.models import AccessRecord, Transaction, TransactionBlock, User
from tracking.mongo.connection import collection
from tracking.projection.rebuild import compare
from tracking.verification.keys import installed_keys
from tracking.verification.run import verify

NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)
texts = st.text(st.characters(), max_size=700)


def looked(**more: Any) -> Access:
    told: dict[str, Any] = {"tenants": ["acme"], "transactions": ["tx-1"], "via": "admin"}
    told["actor"] = Actor(v.USER, "u" * 32, "anna", ("Auditor",), "session-1")
    told.update(moment=clock.now(), action=v.VIEW, outcome=v.ACCESS_DONE)
    return Access(**{**told, **more})


@given(
    texts, texts, texts,
    st.dictionaries(texts, st.lists(texts, max_size=30), max_size=60),
    st.lists(st.tuples(texts, texts, texts), max_size=60),
    st.lists(texts | st.just("tx-1"), max_size=150),
    st.sampled_from(v.ACTIONS), st.sampled_from(v.ACCESS_OUTCOMES),
)  # fmt: skip
def test_whatever_was_asked_makes_a_valid_record(
    name: str, agent: str, target: str, terms: Any, changes: Any, asked: Any,
    action: str, outcome: str,
) -> None:  # fmt: skip
    actor = Actor(v.USER, name, name, (name, agent), "session-1")
    access = Access(
        actor, NOW, action, outcome, ["acme"], agent=agent, target=target, reason=name,
        transactions=asked, terms=terms, changes=changes, address=agent, page=target, record=name,
    )  # fmt: skip
    found = read_record(wire_of(access), now=NOW)
    assert isinstance(found, Record), found


def test_the_largest_search_fits() -> None:
    terms = {f"t{n}": ["\x00\U0001f600" * 400] * 30 for n in range(90)}
    access = Access(Actor(v.USER, "u"), NOW, v.SEARCH, v.ACCESS_DONE, terms=terms)
    found = read_record(wire_of(access), now=NOW)
    assert isinstance(found, Record), found
    assert {"name": "cut", "value": True} in found.part["attributes"]


@pytest.mark.django_db(transaction=True)
class TestInTheJournal:
    def test_they_are_sealed_and_a_clean_log_stays_clean(self) -> None:
        make_tenant()
        post([record(), record()])
        for _ in range(3):
            record_access(looked())
        record_access(looked(tenants=["acme", "globex"]))
        drain()
        report = verify(now=clock.now(), keys=installed_keys())
        assert (report.size, report.records, report.findings.total) == (7, 7, 0)

    @pytest.mark.parametrize(
        "tamper",
        [
            {"$set": {"object_id": "x" * 32}},
            {"$set": {"block": "list"}},
            {"$set": {"parents": ["tx-2"]}},
            {"$set": {"part.attributes.0.value": "berta"}},
            {"$set": {"recorded_at": NOW}},
            {"$unset": {"parents": ""}},
            {"$set": {"tenant": "~globex"}},
            None,
        ],
    )
    def test_whatever_is_changed_of_one_is_found(self, tamper: Any) -> None:
        record_access(looked())
        record_access(looked())
        drain()
        key = accesses()[0]["_id"]
        if tamper is None:
            collection("journal").delete_one({"_id": key})
        else:
            assert collection("journal").update_one({"_id": key}, tamper).modified_count == 1
        report = verify(now=clock.now(), keys=installed_keys())
        assert report.findings.total > 0

    def test_one_that_is_slipped_in_is_found(self) -> None:
        record_access(looked())
        drain()
        row = collection("journal").find_one({"tenant": "~acme"})
        assert row is not None
        collection("journal").insert_one({**row, "_id": "~acme/made-up", "index": 1})
        assert verify(now=clock.now(), keys=installed_keys()).findings.total > 0

    def test_nothing_is_derived_of_them(self) -> None:
        make_tenant()
        post([record(transaction="tx-1")])
        record_access(looked())
        post([record(transaction="tx-2")])
        drain()
        assert list(Transaction.objects.values_list("pk", flat=True).order_by("pk")) == [
            "acme/tx-1",
            "acme/tx-2",
        ]
        assert compare(lambda *_: None).equal
        cursor = collection("cursor").find_one({"_id": "transactions"})
        assert cursor is not None
        assert cursor["leaf"] == 3

    def test_nobody_changes_one_through_the_models(self) -> None:
        record_access(looked())
        row = AccessRecord.objects.get()
        for change in (row.save, row.delete, AccessRecord.objects.all().delete):
            with pytest.raises(ImmutableRecord):
                change()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("world")
class TestForAuditors:
    LIST = "admin:tracking_accessrecord_changelist"

    def test_only_auditors_of_the_tenant_read_them(self) -> None:
        signed_in("support").get(lifetime_url("tx-bad"))
        signed_in("stranger").get(lifetime_url("tx-globex", "globex"))
        for name, status in (
            ("auditor", 200), ("support", 403), ("developer", 403), ("analyst", 403),
            ("administrator", 403),
        ):  # fmt: skip
            assert signed_in(name).get(reverse(self.LIST)).status_code == status, name
        html = signed_in("auditor").get(reverse(self.LIST)).content.decode()
        assert "tx-bad" in html
        assert "globex" not in html
        assert "stranger" not in html
        key = accesses("globex")[0]["_id"].replace("/", "_2F")
        url = reverse("admin:tracking_accessrecord_change", args=[key])
        assert signed_in("auditor").get(url).status_code == 302, "it does not exist for them"
        assert signed_in("stranger").get(url).status_code == 200

    def test_they_are_no_records_of_the_journal_page_or_the_api(self) -> None:
        signed_in("support").get(lifetime_url("tx-bad"))
        key = accesses()[0]["_id"]
        auditor = User.objects.get(username="auditor")
        assert not visible_to(auditor, TransactionBlock).filter(pk=key).exists()
        assert visible_to(auditor, AccessRecord).filter(pk=key).exists()
        assert tenants_of(auditor) == ["acme"]
        name = key.partition("/")[2]
        assert signed_in("auditor").get(f"/api/v1/blocks/{name}").status_code == 404
        html = signed_in("auditor").get(reverse("admin:tracking_transactionblock_changelist"))
        assert name not in html.content.decode()

    def test_filters_and_search_find_who_and_what(self) -> None:
        signed_in("support").get(lifetime_url("tx-bad"))
        signed_in("developer").get(lifetime_url("tx-good"))
        signed_in("developer").get(lifetime_url("nothing"))
        support = User.objects.get(username="support").pk.hex
        client = signed_in("auditor")

        def rows(**query: str) -> list[Any]:
            answer = client.get(reverse(self.LIST), query)
            return [(row.told.who, list(row.parents or ()), row.told.outcome)
                    for row in answer.context["cl"].result_list]  # fmt: skip

        assert rows(who=support) == [("support", ["tx-bad"], "done")]
        assert rows(q="support") == [("support", ["tx-bad"], "done")]
        assert rows(q="order-good") == [("developer", ["tx-good"], "done")]
        assert rows(q="tx-good", outcome="done") == [("developer", ["tx-good"], "done")]
        assert rows(outcome="not found") == [("developer", [], "not found")]
        assert {who for who, _, _ in rows(action="search")} == {"auditor"}

    def test_by_whom_and_of_what_are_answered_from_indexes(self) -> None:
        for name in ("a", "b"):
            record_access(looked(actor=Actor(v.USER, name, name), transactions=[f"tx-{name}"]))
        auditor = User.objects.get(username="auditor")
        rows = visible_to(auditor, AccessRecord).order_by("-recorded_at", "-batch", "-index")
        for narrowed, index in (
            (rows.filter(object_id="a"), "access_by_whom"),
            (rows.filter(parents__holds="tx-a"), "access_of_what"),
        ):
            assert len(narrowed) == 1
            plan = str(narrowed.explain())
            assert index in plan
            assert "COLLSCAN" not in plan
            assert "'stage': 'SORT'" not in plan

    def test_the_page_of_one_tells_all_of_it(self) -> None:
        signed_in("support").get(
            reverse("admin:tracking_transaction_changelist"), {"q": "<b>4711</b>"}
        )
        drain()
        key = accesses()[0]["_id"].replace("/", "_2F")
        url = reverse("admin:tracking_accessrecord_change", args=[key])
        html = signed_in("auditor").get(url).content.decode()
        assert "&lt;b&gt;4711&lt;/b&gt;" in html
        for word in ("support", "127.0.0.1", "sealed", "Support"):
            assert word in html
        # and that somebody read it is told as well
        rows = signed_in("auditor").get(reverse(self.LIST)).context["cl"].result_list
        assert (rows[0].told.action, rows[0].told.record) == ("view", accesses()[0]["_id"][6:])

    def test_who_is_of_another_tenant_is_not_named(self) -> None:
        stranger = User.objects.get(username="stranger")
        actor = Actor(v.USER, stranger.pk.hex, "stranger", ("Auditor",), "session-1")
        record_access(looked(actor=actor, transactions=["tx-bad"]))
        client = signed_in("auditor")
        key = accesses()[0]["_id"].replace("/", "_2F")
        for url in (
            reverse(self.LIST),
            reverse("admin:tracking_accessrecord_change", args=[key]),
        ):
            html = client.get(url).content.decode()
            assert "somebody of another tenant" in html, url
            assert "stranger" not in html, url
